//! Deployments behind a pooler that shares sessions: each version has a role of its own, and nothing of it stays behind.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use postgres::{Client, NoTls};
use serde_json::Value;
use tandem_database::{Pooler, Server};
use tandem_trial::{Kind, kill, until};

use crate::deployments::traffic;
use crate::schema::{aside, settled, stands};
use crate::stage::Stage;

const PATIENCE: Duration = Duration::from_secs(60);

/// Who may connect, as the guide says: whoever is a member of the app's role, by a password.
const ADMITTED: &str = "local all all trust\nhost all postgres 127.0.0.1/32 trust\n\
    host all shop_owner,pooler 127.0.0.1/32 scram-sha-256\nhost all +shop_app 127.0.0.1/32 scram-sha-256\n";

const ROLES: &str = "CREATE ROLE shop_owner LOGIN CREATEDB CREATEROLE PASSWORD 'owner';
    CREATE ROLE shop_app LOGIN PASSWORD 'app'; ALTER ROLE shop_app SET statement_timeout = '17s';
    GRANT shop_app TO shop_owner WITH ADMIN OPTION; CREATE ROLE pooler LOGIN PASSWORD 'pooler'";

/// By which a pooler looks passwords up, as the guide has it.
const LOGIN: &str = "CREATE SCHEMA pooler;
    CREATE FUNCTION pooler.login(name text) RETURNS TABLE (name text, password text)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
    AS $$ SELECT rolname::text, rolpassword FROM pg_authid WHERE rolname = $1 AND rolcanlogin $$;
    REVOKE ALL ON FUNCTION pooler.login(text) FROM PUBLIC;
    GRANT USAGE ON SCHEMA pooler TO pooler; GRANT EXECUTE ON FUNCTION pooler.login(text) TO pooler";

const RIGHTS: &str =
    "ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO shop_app";

const BY_QUERY: [(&str, &str); 4] = [
    ("auth_type", "scram-sha-256"),
    ("auth_user", "pooler"),
    ("auth_query", "SELECT * FROM pooler.login($1)"),
    ("server_idle_timeout", "1"),
];

/// A server of the test's own that asks for passwords, with a pooler in front.
struct Ground {
    pooler: Pooler,
    server: Server,
    _admitted: tempfile::TempDir,
}

impl Ground {
    fn new(line: &str, settings: &[(&str, &str)]) -> Ground {
        aside(|| {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("pg_hba.conf");
            fs::write(&file, ADMITTED).unwrap();
            fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
            let server = Server::start(&[("hba_file", file.to_str().unwrap()), ("log_statement", "all")]);
            server.execute(ROLES);
            server.execute("CREATE DATABASE shop OWNER shop_owner");
            let mut shop = Client::connect(&server.url("shop"), NoTls).unwrap();
            shop.batch_execute(LOGIN).and_then(|()| shop.batch_execute(RIGHTS)).unwrap();
            let pooler = Pooler::start(&server, &[("pooler", "pooler")], line, settings);
            Ground { pooler, server, _admitted: folder }
        })
    }

    /// A daemon whose instances come through the pooler.
    async fn stage(&self) -> Stage {
        let (server, pooler) = (self.server.port(), self.pooler.port());
        let more = format!(
            "\n[database]\nurl = \"postgres://shop_owner:owner@127.0.0.1:{server}/shop\"\n\
             app_url = \"postgres://shop_app:app@127.0.0.1:{pooler}/shop?application_name=shop\"\n\
             access = \"role\"\nkeep = \"0s\"\n"
        );
        Stage::empty(move |setup| {
            setup.more = more;
            setup.env = ", SHOP_POOLED = \"1\"".to_owned();
        })
        .await
    }

    /// What a query finds, as a superuser, line by line.
    fn found(&self, query: &str) -> Vec<String> {
        aside(|| {
            let mut client = Client::connect(&self.server.url("shop"), NoTls).unwrap();
            client.query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect()
        })
    }

    /// The revisions that have a role.
    fn roles(&self) -> Vec<String> {
        let roles = self.found("SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'tandem%' ORDER BY 1");
        let revision = |role: &String| role.rsplit_once('_').map(|(revision, _)| revision.to_owned());
        roles.iter().filter_map(revision).collect()
    }

    /// The same URL past the pooler.
    fn directly(&self, url: &str) -> String {
        url.replace(&format!(":{}/", self.pooler.port()), &format!(":{}/", self.server.port()))
    }
}

/// A session that nobody closes before the test ends, well or badly.
struct Kept(Option<Client>);

impl Drop for Kept {
    fn drop(&mut self) {
        aside(|| drop(self.0.take()));
    }
}

/// The URL that an instance was given.
fn url(stage: &Stage) -> String {
    let environment = stage.daemon.pids(Kind::Instance).into_iter().find_map(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
        String::from_utf8(environment).ok()
    });
    let environment = environment.expect("an instance");
    let found = environment.split('\0').find_map(|line| line.strip_prefix("DATABASE_URL="));
    found.expect("a URL").to_owned()
}

fn all_serve(status: &Value) -> bool {
    let instances = status["instances"].as_array().into_iter().flatten();
    instances.filter(|instance| instance["stage"] == "serving").count() == 4
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_versions_run_behind_a_pooler_each_by_its_own_role() {
    let ground = Ground::new("", &BY_QUERY);
    let stage = ground.stage().await;
    let first = stage.deploy("v1", &[]).await;
    assert_eq!(first.code, Some(0), "{}{}", stage.daemon.with_log(&first.err), first.out);
    settled(&stage, "0001_orders").await;
    assert_eq!(ground.roles(), ["tandem_0001_orders"]);
    let load = stage.load(40.0);
    traffic(&load, 50).await;

    let old = ground.directly(&url(&stage));
    let mut kept = Kept(aside(|| Client::connect(&old, NoTls).ok()));
    let said = stage.deploy("v2", &["--strategy", "rolling", "--detach"]).await;
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&said.err));
    let waits = |status: &Value| {
        let waits = status["waits"].as_array().into_iter().flatten();
        let mut told = waits.filter_map(|wait| wait["sentence"].as_str());
        told.any(|told| told == "1 database sessions of 0001_orders are still open")
    };
    stands(&stage, "waiting for the session", waits).await;
    assert_eq!(ground.roles(), ["tandem_0001_orders", "tandem_0002_names"]);
    let ledger = stage.ledger_at(&ground.server.url("shop"));
    assert!(aside(|| ledger.is_the_same_for_both()).unwrap() > 0);
    let asked = kept.0.as_mut().map(|kept| aside(|| kept.query("SELECT customer FROM orders LIMIT 1", &[])));
    assert_eq!(asked.expect("a session").unwrap().len(), 1);
    drop(kept);
    settled(&stage, "0002_names").await;

    let verdict = stage.all_is_well(load).await;
    aside(|| ledger.holds(&verdict.acknowledged)).unwrap();
    assert!(verdict.versions.contains_key("v1") && verdict.versions.contains_key("v2"));
    let gone = until(PATIENCE, async || (ground.roles() == ["tandem_0002_names"]).then_some(()));
    assert!(gone.await.is_some(), "{}", stage.daemon.with_log(&ground.roles().join(" ")));
    aside(|| ground.server.execute("CREATE DATABASE plain"));
    aside(|| ledger.is_plain(&ground.server.url("plain"), 2)).unwrap();
    assert_eq!(ground.found("SELECT DISTINCT taken_by FROM orders ORDER BY 1"), ["v1", "v2"]);

    // Whoever connects as the role acts as the app does, with what the app has set.
    let seen = "SELECT concat_ws(' ', current_user, current_setting('statement_timeout'), current_setting('search_path'))";
    for url in [url(&stage), ground.directly(&url(&stage))] {
        let seen: String =
            aside(|| Client::connect(&url, NoTls).unwrap().query_one(seen, &[]).unwrap().get(0));
        assert_eq!(seen, "shop_app 17s tandem_0002_names, public");
    }
    let log = fs::read_to_string(ground.server.folder().join("log")).unwrap();
    let set: Vec<&str> =
        log.lines().filter(|line| line.contains("LOGIN PASSWORD '") && line.contains("tandem_")).collect();
    assert!(!set.is_empty() && set.iter().all(|line| line.contains("PASSWORD 'SCRAM-SHA-256$")), "{set:?}");
    stage.daemon.stop().await.unwrap();
}

/// Nothing comes of a deployment but these words.
async fn refused(ground: &Ground, stage: &Stage, told: &str) {
    let said = stage.deploy("v1", &[]).await;
    assert_eq!(said.code, Some(1), "{}{}", said.out, stage.daemon.with_log(&said.err));
    assert!(said.out.contains(told), "{told}: {}{}", said.out, said.err);
    let left = "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'tandem%'
        UNION ALL SELECT relname FROM pg_class WHERE relname = 'orders'";
    assert_eq!(ground.found(left), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_keep_instances_out_is_told_before_anything_is_touched() {
    let ground = Ground::new("", &[("auth_type", "scram-sha-256")]);
    let stage = ground.stage().await;
    let refused = async |told: &str| refused(&ground, &stage, told).await;
    aside(|| ground.server.execute("ALTER ROLE shop_owner NOCREATEROLE"));
    refused("ALTER ROLE \"shop_owner\" CREATEROLE; GRANT \"shop_app\" TO \"shop_owner\" WITH ADMIN OPTION")
        .await;
    aside(|| ground.server.execute("ALTER ROLE shop_owner CREATEROLE"));
    refused("PgBouncer: auth_query").await;
    ground.pooler.end();
    refused("it must be there before an instance is started").await;
    stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_makes_all_roles_alike_is_refused() {
    for (line, told) in [
        ("user=postgres", "comes to the server as postgres, whoever connects to it"),
        (
            "connect_query='SET search_path = public'",
            "names are looked up in public, not in tandem_0001_orders",
        ),
    ] {
        let ground = Ground::new(line, &BY_QUERY);
        let stage = ground.stage().await;
        refused(&ground, &stage, told).await;
        stage.daemon.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_goes_with_a_revision_that_never_served_and_stays_with_one_that_does() {
    let ground = Ground::new("", &BY_QUERY);
    let stage = ground.stage().await;
    let first = stage.deploy("v1", &[]).await;
    assert_eq!(first.code, Some(0), "{}{}", stage.daemon.with_log(&first.err), first.out);
    settled(&stage, "0001_orders").await;
    let load = stage.load(40.0);
    let said = stage.deploy_as("v2", "v2", Some("start"), &[]).await;
    assert_eq!(said.code, Some(3), "{}", stage.daemon.with_log(&said.err));
    settled(&stage, "0001_orders").await;
    assert_eq!(ground.roles(), ["tandem_0001_orders"]);
    // Another version of the same revision has the same role.
    let same = stage.deploy_as("v1", "v1b", None, &[]).await;
    assert_eq!(same.code, Some(0), "{}", stage.daemon.with_log(&same.err));
    assert_eq!(ground.roles(), ["tandem_0001_orders"]);

    // Whatever becomes of the secret: who runs goes on, and whoever comes gets in.
    fs::remove_file(stage.daemon.folder().join("state/secret")).unwrap();
    let before = stage.daemon.pids(Kind::Instance);
    for pid in stage.daemon.pids(Kind::Controller) {
        kill(pid);
    }
    stage.all_is_well(load).await;
    kill(before[0]);
    let replaced = until(PATIENCE, async || (ground.roles().len() == 2).then_some(()));
    assert!(replaced.await.is_some(), "{}", stage.daemon.with_log(&ground.roles().join(" ")));
    stands(&stage, "replaced", all_serve).await;
    let load = stage.load(40.0);
    traffic(&load, 100).await;
    stage.all_is_well(load).await;
    stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_is_replaced_while_the_server_is_away_too() {
    let ground = Ground::new("", &BY_QUERY);
    let stage = ground.stage().await;
    let first = stage.deploy("v1", &[]).await;
    assert_eq!(first.code, Some(0), "{}{}", stage.daemon.with_log(&first.err), first.out);
    settled(&stage, "0001_orders").await;
    aside(|| ground.server.stop_at_once());
    // The next controller has seen none of the roles.
    for pid in stage.daemon.pids(Kind::Controller) {
        kill(pid);
    }
    let dead = stage.daemon.pids(Kind::Instance)[0];
    kill(dead);
    let replaced = until(PATIENCE, async || {
        let pids = stage.daemon.pids(Kind::Instance);
        (pids.len() == 4 && !pids.contains(&dead)).then_some(())
    });
    assert!(replaced.await.is_some(), "{}", stage.daemon.with_log("not replaced"));
    stands(&stage, "replaced", all_serve).await;
    aside(|| ground.server.again());
    stage.daemon.stop().await.unwrap();
}
