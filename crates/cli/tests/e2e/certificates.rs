//! Certificates from an authority: had by either proof, renewed while clients are connected, kept over restarts, and what
//! fails told.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use serde_json::{Value, json};
use tandem_trial::{Kind, Setup, free_port, kill, until};

use crate::authority::{Authority, Secured};
use crate::schema::stands;
use crate::stage::Stage;

const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon without any version, at an address in clear text and a secret one, and an authority that it asks.
struct Ground {
    stage: Stage,
    secure: SocketAddr,
    authority: Authority,
}

impl Ground {
    /// `lines` are for `[tls.acme]`, `more` for the authority, with which is done `first` whatever is to be done.
    async fn new(path: &str, lines: &str, more: Value, first: impl FnOnce(&Authority)) -> Ground {
        let (clear, secure) = (free_port(), free_port());
        let authority = Authority::start(clear, secure, more).await;
        first(&authority);
        let text = format!(
            "\n[[listen]]\naddress = \"{secure}\"\nspeaks = \"https\"\nhosts = [\"shop.example\"]\n\
             [tls.acme]\nterms = \"accepted\"\ncontact = \"ops@shop.example\"\ndirectory = \"{}\"\nca = \"{}\"\n{lines}\n",
            authority.url(path),
            authority.roots()
        );
        let change = |setup: &mut Setup| {
            setup.address = clear;
            setup.more = text;
        };
        Ground { stage: Stage::empty(change).await, secure, authority }
    }

    /// Shakes hands until there is a certificate that is `right`.
    async fn shown(&self, client: &Arc<ClientConfig>, right: impl Fn(&[u8]) -> bool) -> Secured {
        let shown = until(PATIENCE, async || {
            let connected = Secured::connect(self.secure, client, "shop.example").ok()?;
            right(&connected.shown()).then_some(connected)
        });
        let shown = shown.await;
        let said = self.stage.daemon.tandem(&["status"]).await.out;
        shown.unwrap_or_else(|| panic!("{}\n{}", self.stage.daemon.with_log(&said), self.authority.log()))
    }

    /// The remarks hold this text, in `status` and in `why`.
    async fn told(&self, text: &str) {
        let has = |status: &Value| {
            let mut remarks = status["remarks"].as_array().into_iter().flatten();
            remarks.any(|remark| remark.as_str().is_some_and(|remark| remark.contains(text)))
        };
        stands(&self.stage, text, has).await;
        let why = self.stage.daemon.tandem(&["why"]).await;
        assert!(why.out.contains(text), "{text}: {}", why.out);
    }

    fn up_log(&self) -> String {
        fs::read_to_string(self.stage.daemon.folder().join("up.log")).unwrap_or_default()
    }
}

async fn deployed(ground: &Ground) {
    let said = ground.stage.deploy("v1", &[]).await;
    assert_eq!(said.code, Some(0), "{}", ground.stage.daemon.with_log(&said.err));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_had_by_a_token_and_renewed_while_clients_are_connected() {
    let ground = Ground::new("dir", "", json!({ "certificateValidityPeriod": 20 }), |_| ()).await;
    deployed(&ground).await;
    let client = ground.authority.client();
    let mut kept = ground.shown(&client, |_| true).await;
    let first = kept.shown();
    assert_eq!(kept.ask("/up").unwrap().0, 200);
    let mut answered = 0;
    let renewed = until(PATIENCE, async || {
        assert_eq!(kept.ask("/up").unwrap().0, 200);
        answered += 1;
        let connected = Secured::connect(ground.secure, &client, "shop.example").ok()?;
        (connected.shown() != first).then_some(connected)
    });
    let mut renewed = renewed.await.unwrap_or_else(|| panic!("{}", ground.authority.log()));
    assert_eq!(renewed.ask("/up").unwrap().0, 200);
    assert_eq!(kept.ask("/up").unwrap().0, 200, "after {answered} answers");
    assert!(ground.authority.log().contains("validate w/ HTTP"), "{}", ground.authority.log());
    ground.stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_had_by_a_handshake_and_a_restart_asks_for_nothing() {
    let external = json!({ "externalAccountBindingRequired": true, "externalAccountMACKeys": { "kid-1": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0" } });
    let lines = "challenge = \"tls\"\neab_kid = \"kid-1\"\neab_key = \"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0\"";
    let mut ground = Ground::new("dir", lines, external, |_| ()).await;
    let client = ground.authority.client();
    let first = ground.shown(&client, |_| true).await.shown();
    let asked = ground.authority.log();
    assert!(asked.contains("Starting 3 validations") && !asked.contains("validate w/ HTTP"), "{asked}");
    let state = ground.stage.daemon.folder().join("state");
    let mode = fs::metadata(state.join("acme.json")).unwrap().permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
    // Nothing of it is left but what was kept of the authority.
    for kind in [Kind::Supervisor, Kind::Controller, Kind::Proxy] {
        for pid in ground.stage.daemon.pids(kind) {
            kill(pid);
        }
    }
    fs::remove_file(state.join("proxy/shop.encryption")).unwrap();
    ground.stage.daemon.up().await.unwrap();
    let again = ground.shown(&client, |_| true).await.shown();
    assert!(again == first, "another certificate: {}", ground.authority.log());
    deployed(&ground).await;
    assert_eq!(ground.shown(&client, |_| true).await.ask("/up").unwrap().0, 200);
    assert_eq!(ground.authority.log(), asked);
    ground.stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_get_none_are_told_and_cost_the_others_nothing() {
    let lines = "hosts = [\"away.example\", \"blocked.example\", \"shop.example\"]";
    let blocked = json!({ "domainBlocklist": ["blocked.example"] });
    let ground = Ground::new("dir", lines, blocked, |it| it.lead("away.example", "127.0.0.9")).await;
    let client = ground.authority.client();
    drop(ground.shown(&client, |_| true).await);
    ground.told("there is no certificate for away.example yet").await;
    ground.told("look at the firewall").await;
    ground.told("leave it out of `hosts`").await;
    let log = ground.up_log();
    for name in ["away.example", "blocked.example"] {
        assert_eq!(log.matches(&format!("no certificate for {name}: ")).count(), 1, "{log}");
    }
    ground.stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_that_is_not_there_is_told() {
    let ground = Ground::new("no-directory", "", json!({}), |_| ()).await;
    ground.told("/no-directory answers 404").await;
    ground.told("look at `tls.acme.directory`").await;
    let client = ground.authority.client();
    assert!(Secured::connect(ground.secure, &client, "shop.example").is_err(), "with which certificate?");
    assert_eq!(ground.up_log().matches("answers 404").count(), 1, "{}", ground.up_log());
    ground.stage.daemon.stop().await.unwrap();
}
