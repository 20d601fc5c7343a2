//! What every test stands on: a folder, a shop, a daemon, and load.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tandem_load::{Journal, Load, Mix, Pace, Plan, UploadPlan, Verdict};
use tandem_trial::{Daemon, Ledger, Said, Setup, Shop, free_port};

/// A shop that serves v1.
pub(crate) struct Stage {
    pub(crate) daemon: Daemon,
    pub(crate) shop: Shop,
    pub(crate) address: SocketAddr,
    /// Last, so that it goes only when no process is in it any more.
    folder: tempfile::TempDir,
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

/// The shop is built beside the program by `cargo test --workspace`.
pub(crate) fn shop_program() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_tandem")).with_file_name("shop");
    assert!(program.exists(), "{} is missing: run `cargo build -p shop` first", program.display());
    program
}

/// The whole answer to a request of its own.
pub(crate) async fn get(address: SocketAddr, path: &str) -> String {
    get_with(address, path, "").await
}

/// The same with more header fields, each with its line end.
pub(crate) async fn get_with(address: SocketAddr, path: &str, fields: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: shop\r\n{fields}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

impl Stage {
    /// A daemon without any version.
    pub(crate) async fn empty(change: impl FnOnce(&mut Setup)) -> Stage {
        let folder = tempfile::Builder::new().prefix("tandem-e2e-").tempdir().expect("a folder");
        let address = free_port();
        let shop = Shop::new(&root(), &shop_program(), folder.path());
        let mut setup = Setup::new(address);
        change(&mut setup);
        shop.configure(&setup).unwrap();
        let mut daemon = Daemon::new(Path::new(env!("CARGO_BIN_EXE_tandem")), folder.path());
        daemon.up().await.unwrap();
        Stage { daemon, shop, address, folder }
    }

    /// A daemon that serves v1.
    pub(crate) async fn with_v1(change: impl FnOnce(&mut Setup)) -> Stage {
        let stage = Stage::empty(change).await;
        let said = stage.deploy("v1", &[]).await;
        assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&said.err));
        stage
    }

    /// Deploys the release of that name under that label, with more words for the command.
    pub(crate) async fn deploy(&self, release: &str, more: &[&str]) -> Said {
        self.deploy_as(release, release, None, more).await
    }

    pub(crate) async fn deploy_as(
        &self,
        release: &str,
        label: &str,
        fault: Option<&str>,
        more: &[&str],
    ) -> Said {
        let deliverable = self.shop.deliverable(release, label, fault).unwrap();
        self.deploy_folder(&deliverable, label, more).await
    }

    /// Deploys a deliverable that a test has changed.
    pub(crate) async fn deploy_folder(&self, deliverable: &Path, label: &str, more: &[&str]) -> Said {
        let deliverable = deliverable.to_str().expect("a path");
        let command = [&["deploy", deliverable, "--version", label], more].concat();
        self.daemon.tandem(&command).await
    }

    /// Load of every kind, so many requests a second.
    pub(crate) fn load(&self, rate: f64) -> Load {
        let mut plan = Plan::new(self.address);
        plan.rate = rate;
        plan.pace = Pace::Poisson;
        plan.mix = Mix { get: 10, fresh: 5, post: 5, upload: 1 };
        plan.upload = UploadPlan { chunks: 10, every: Duration::from_millis(30), ..plan.upload };
        plan.lasting = Duration::from_secs(120);
        Load::start(plan).expect("a plan")
    }

    /// Ends the load; nothing was lost, crossed or doubled.
    pub(crate) async fn all_is_well(&self, load: Load) -> Verdict {
        let verdict = load.stop().await;
        assert!(verdict.sent > 0, "no load");
        assert!(verdict.is_clean(), "{}", self.daemon.with_log(&verdict.to_string()));
        self.no_order_twice(&verdict);
        verdict
    }

    pub(crate) fn no_order_twice(&self, verdict: &Verdict) {
        let journal = Journal::read(&self.shop.orders()).expect("a journal of orders");
        let journal = journal.check(&verdict.acknowledged);
        assert!(journal.is_clean(), "{journal}");
    }

    /// The shop's orders in a database.
    pub(crate) fn ledger(&self, database: &tandem_database::Database<'_>) -> Ledger {
        self.ledger_at(&database.url())
    }

    pub(crate) fn ledger_at(&self, url: &str) -> Ledger {
        Ledger::new(&root(), url)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}
