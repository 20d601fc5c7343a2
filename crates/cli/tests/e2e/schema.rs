//! Deployments that carry the schema along: both versions on one database, each with its own, under load.

use std::time::Duration;

use serde_json::Value;
use tandem_database::{Database, Server};
use tandem_load::Load;
use tandem_trial::{Kind, kill, until};

use crate::deployments::traffic;
use crate::stage::Stage;

const PATIENCE: Duration = Duration::from_secs(60);

/// A shop that serves v1 on a database.
async fn with_database(database: &Database<'_>, keep: &str) -> Stage {
    let more = format!("\n[database]\nurl = \"{}\"\nkeep = \"{keep}\"\n", database.url());
    Stage::with_v1(move |setup| setup.more = more).await
}

async fn status(stage: &Stage) -> Value {
    stage.daemon.tandem(&["status", "--json"]).await.json()
}

/// Waits until the status is as `is` says.
pub(crate) async fn stands(stage: &Stage, what: &str, is: impl Fn(&Value) -> bool) {
    let stood = until(PATIENCE, async || is(&status(stage).await).then_some(())).await;
    let status = status(stage).await;
    assert!(stood.is_some(), "{}", stage.daemon.with_log(&format!("not {what}: {status:#}")));
}

/// A database of a test's own, which goes with it, also where the test fails.
pub(crate) struct Ground(Option<Database<'static>>);

impl Ground {
    pub(crate) fn new() -> Ground {
        Ground(Some(aside(|| Server::shared().database())))
    }
}

impl std::ops::Deref for Ground {
    type Target = Database<'static>;

    fn deref(&self) -> &Database<'static> {
        self.0.as_ref().expect("it goes only with its test")
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        aside(|| drop(self.0.take()));
    }
}

/// The client of the tests blocks, which a thread of the runtime must not without saying so.
pub(crate) fn aside<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

/// Only this revision is left.
pub(crate) async fn settled(stage: &Stage, revision: &str) {
    stands(stage, &format!("settled at {revision}"), |status| {
        let standing = &status["database"]["standing"];
        standing["revision"] == revision && standing["change"].is_null()
    })
    .await;
}

/// The schema is what the first so many migrations leave.
fn is_plain(stage: &Stage, database: &Database<'_>, migrations: usize) {
    let plain = Server::shared().database();
    stage.ledger(database).is_plain(&plain.url(), migrations).unwrap();
}

async fn done(stage: &Stage, load: &Load, said: tandem_trial::Said) {
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&said.err));
    traffic(load, 50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_versions_run_on_one_database_forward_back_and_forward_again() {
    let database = Ground::new();
    let stage = with_database(&database, "1s").await;
    settled(&stage, "0001_orders").await;
    let load = stage.load(60.0);
    traffic(&load, 50).await;

    let deliverable = stage.shop.deliverable("v2", "v2", None).unwrap();
    let planned = stage.daemon.tandem(&["plan", deliverable.to_str().unwrap()]).await;
    assert_eq!(planned.code, Some(0), "{planned:?}");
    assert!(planned.out.contains("v1 → v2") && planned.out.contains("0002_names"), "{}", planned.out);

    let said = stage.deploy("v2", &["--strategy", "rolling", "--detach"]).await;
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&said.err));
    stands(&stage, "served by both versions", |status| {
        let serves = |version: &str| {
            let instances = status["instances"].as_array().into_iter().flatten();
            instances.filter(|i| i["version"] == version && i["stage"] == "serving").count()
        };
        serves("v1") > 0 && serves("v2") > 0
    })
    .await;
    assert!(aside(|| stage.ledger(&database).is_the_same_for_both()).unwrap() > 0);
    let back = stage.daemon.tandem(&["rollback"]).await;
    assert_eq!(back.code, Some(0), "{}", stage.daemon.with_log(&back.err));
    stands(&stage, "back at v1", |status| status["deployment"].is_null() && status["current"] == "v1").await;
    traffic(&load, 50).await;
    // Requests were answered with the new schema: it stays until somebody has use for it.
    assert!(aside(|| stage.ledger(&database).is_the_same_for_both()).unwrap() > 0);
    assert_eq!(status(&stage).await["database"]["standing"]["change"]["phase"], "mixed");

    load.watch_flip("v1", "v2");
    let flip = stage.deploy("v2", &["--strategy", "flip"]).await;
    done(&stage, &load, flip).await;
    load.end_watch();
    settled(&stage, "0002_names").await;
    let refused = stage.daemon.tandem(&["rollback"]).await;
    assert_eq!(refused.code, Some(5), "{}", refused.err);
    assert!(refused.err.contains("written for the schema 0001_orders"), "{}", refused.err);

    let third = stage.deploy("v3", &[]).await;
    done(&stage, &load, third).await;
    let verdict = stage.all_is_well(load).await;
    aside(|| stage.ledger(&database).holds(&verdict.acknowledged)).unwrap();
    assert!(!verdict.acknowledged.is_empty());
    aside(|| is_plain(&stage, &database, 2));
    stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_made_safe_is_refused_before_anything_is_touched() {
    let database = Ground::new();
    let stage = with_database(&database, "0s").await;
    settled(&stage, "0001_orders").await;
    let unsafe_one = ("DELETE FROM orders; ALTER TABLE orders DROP COLUMN customer;", "orders.customer");
    let broken = ("ALTER TABLE orders ADD COLUMN x nosuchtype;", "nosuchtype");
    for (label, (text, told)) in [("v2-unsafe", unsafe_one), ("v2-broken", broken)] {
        let deliverable = stage.shop.deliverable("v1", label, None).unwrap();
        std::fs::write(deliverable.join("db/migrations/0002_more.sql"), text).unwrap();
        let planned = stage.daemon.tandem(&["plan", deliverable.to_str().unwrap()]).await;
        assert!(planned.code != Some(0) && planned.err.contains(told), "{planned:?}");
        let said = stage.deploy_folder(&deliverable, label, &[]).await;
        assert_eq!(said.code, Some(1), "{}\n{}", said.out, said.err);
        assert!(said.out.contains(told) && said.out.contains("v1 serves on, untouched"), "{}", said.out);
    }
    // What has run is not changed any more.
    let edited = stage.shop.deliverable("v1", "v2-edited", None).unwrap();
    std::fs::write(edited.join("db/migrations/0001_orders.sql"), "CREATE TABLE others (id int);").unwrap();
    let said = stage.deploy_folder(&edited, "v2-edited", &[]).await;
    assert!(said.out.contains("0001_orders.sql was changed after"), "{}", said.out);
    aside(|| is_plain(&stage, &database, 1));
    let changes = "DO $$ BEGIN ASSERT (SELECT count(*) FROM tandem.change) = 1; END $$";
    aside(|| database.execute(changes));
    stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_never_served_leaves_nothing_of_its_schema() {
    let database = Ground::new();
    let stage = with_database(&database, "0s").await;
    settled(&stage, "0001_orders").await;
    let load = stage.load(40.0);
    let said = stage.deploy_as("v2", "v2", Some("start"), &[]).await;
    assert_eq!(said.code, Some(3), "{}", stage.daemon.with_log(&said.err));
    settled(&stage, "0001_orders").await;
    stage.all_is_well(load).await;
    aside(|| is_plain(&stage, &database, 1));
    stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_controller_goes_on_where_the_schema_was_and_clients_are_waited_for() {
    let database = Ground::new();
    let stage = with_database(&database, "0s").await;
    settled(&stage, "0001_orders").await;
    let rows = "INSERT INTO orders SELECT 'old-' || i, i, 1, 'Ada old-' || i, NULL, 'v0' FROM generate_series(1, 60000) i";
    aside(|| database.execute(rows));
    let load = stage.load(40.0);
    let said = stage.deploy("v2", &["--strategy", "flip", "--detach"]).await;
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&said.err));
    let filling = |status: &Value| {
        let work = &status["database"]["work"];
        work["progress"].as_str().is_some_and(|progress| progress.contains("rows/s"))
            || status["database"]["standing"]["change"]["phase"] == "mixed"
    };
    stands(&stage, "filling", filling).await;
    for pid in stage.daemon.pids(Kind::Controller) {
        kill(pid);
    }
    // An app of the old version that is not Tandem's own.
    let url = format!("{}?application_name=tandem_0001_orders", database.url());
    let stranger = aside(|| postgres::Client::connect(&url, postgres::NoTls).unwrap());
    let waiting = |status: &Value| {
        let waits = status["waits"].as_array().into_iter().flatten();
        waits
            .filter_map(|wait| wait["sentence"].as_str())
            .any(|told| told == "1 database sessions of 0001_orders are still open")
    };
    stands(&stage, "waiting for a session", waiting).await;
    assert!(aside(|| stage.ledger(&database).is_the_same_for_both()).unwrap() > 0);
    aside(|| drop(stranger));
    settled(&stage, "0002_names").await;
    let verdict = stage.all_is_well(load).await;
    aside(|| stage.ledger(&database).holds(&verdict.acknowledged)).unwrap();
    assert!(!verdict.acknowledged.is_empty());
    aside(|| is_plain(&stage, &database, 2));
    stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_of_the_old_version_that_would_break_is_named_before_anything_is_touched() {
    let database = Ground::new();
    let stage = with_database(&database, "0s").await;
    settled(&stage, "0001_orders").await;
    // Only of a table is it known that its key determines the rest of a row.
    let report = "SELECT id, customer FROM orders GROUP BY id";
    aside(|| database.execute(&format!("CREATE EXTENSION pg_stat_statements; {report}")));
    let said = stage.deploy("v2", &[]).await;
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    assert!(said.out.contains("would break") && said.out.contains(report), "{}", said.out);
    let changes = "DO $$ BEGIN ASSERT (SELECT count(*) FROM tandem.change) = 1; END $$";
    aside(|| database.execute(changes));
    stage.daemon.stop().await.unwrap();
}
