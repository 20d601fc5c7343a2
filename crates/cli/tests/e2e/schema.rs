//! Deployments that carry the schema along: both versions on one database, each with its own, under load.

use std::time::Duration;

use serde_json::Value;
use tandem_database::{Database, Server};
use tandem_load::{Load, Verdict};
use tandem_trial::until;

use crate::deployments::traffic;
use crate::stage::Stage;

const PATIENCE: Duration = Duration::from_secs(60);

/// What every version sees of an order, in the words of the first release and of the second.
const FIRST: &str = "SELECT id, product::bigint, count, customer FROM orders ORDER BY id";
const SECOND: &str = "SELECT id, product, quantity, first_name || ' ' || last_name FROM orders ORDER BY id";

/// Everything about tables that a client could notice.
const CATALOG: &str = "SELECT concat_ws(' ', table_schema, table_name, column_name, data_type, is_nullable, column_default) \
       FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema', 'tandem') \
     UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' \
     UNION ALL SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace \
     UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal \
     UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace \
     UNION ALL SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tandem\\_%' ORDER BY 1";

/// A shop that serves v1 on a database.
async fn with_database(database: &Database<'_>, keep: &str) -> Stage {
    let more = format!("\n[database]\nurl = \"{}\"\nkeep = \"{keep}\"\n", database.url());
    Stage::with_v1(move |setup| setup.more = more).await
}

async fn status(stage: &Stage) -> Value {
    stage.daemon.tandem(&["status", "--json"]).await.json()
}

/// Waits until the status is as `is` says.
async fn stands(stage: &Stage, what: &str, is: impl Fn(&Value) -> bool) {
    let stood = until(PATIENCE, async || is(&status(stage).await).then_some(())).await;
    let status = status(stage).await;
    assert!(stood.is_some(), "{}", stage.daemon.with_log(&format!("not {what}: {status:#}")));
}

/// The client of the tests blocks, which a thread of the runtime must not without saying so.
fn aside<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

/// Only this revision is left.
async fn settled(stage: &Stage, revision: &str) {
    stands(stage, &format!("settled at {revision}"), |status| {
        let standing = &status["database"]["standing"];
        standing["revision"] == revision && standing["change"].is_null()
    })
    .await;
}

fn texts(database: &Database<'_>, query: &str) -> Vec<String> {
    let rows = database.client().query(query, &[]).expect("a query of the test");
    rows.iter().map(|row| row.get(0)).collect()
}

/// Both revisions see the same orders at one moment.
fn both_see_the_same(database: &Database<'_>) {
    let mut client = database.client();
    let mut snapshot =
        client.build_transaction().isolation_level(postgres::IsolationLevel::RepeatableRead).start().unwrap();
    let mut seen = |lens: &str, query: &str| -> Vec<(String, i64, i32, String)> {
        snapshot.batch_execute(&format!("SET LOCAL search_path = {lens}, public")).unwrap();
        let rows = snapshot.query(query, &[]).unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect()
    };
    let first = seen("tandem_0001_orders", FIRST);
    assert_eq!(first, seen("tandem_0002_names", SECOND));
    assert!(!first.is_empty());
}

/// Every order that a client was told of is there once, as the client's number says.
fn no_order_is_lost(database: &Database<'_>, verdict: &Verdict) {
    let mut client = database.client();
    let rows = client.query("SELECT id, first_name || ' ' || last_name, note FROM orders", &[]).unwrap();
    let entered: std::collections::BTreeMap<String, (String, String)> =
        rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
    assert_eq!(entered.len(), rows.len());
    assert!(!verdict.acknowledged.is_empty());
    for id in &verdict.acknowledged {
        assert_eq!(entered.get(id), Some(&(format!("Ada {id}"), "none".to_owned())), "order {id}");
    }
}

/// The schema is what the plain migrations leave.
fn is_plain(database: &Database<'_>) {
    let plain = Server::shared().database();
    for migration in ["0001_orders.sql", "0002_names.sql"] {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/shop/migrations/");
        plain.execute(&std::fs::read_to_string(format!("{path}{migration}")).unwrap());
    }
    let wanted = texts(&plain, CATALOG);
    assert_eq!(texts(database, CATALOG), wanted);
}

async fn done(stage: &Stage, load: &Load, said: tandem_trial::Said) {
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&said.err));
    traffic(load, 50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_versions_run_on_one_database_forward_back_and_forward_again() {
    let database = aside(|| Server::shared().database());
    let stage = with_database(&database, "1s").await;
    settled(&stage, "0001_orders").await;
    let load = stage.load(60.0);
    traffic(&load, 50).await;

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
    aside(|| both_see_the_same(&database));
    let back = stage.daemon.tandem(&["rollback"]).await;
    assert_eq!(back.code, Some(0), "{}", stage.daemon.with_log(&back.err));
    stands(&stage, "back at v1", |status| status["deployment"].is_null() && status["current"] == "v1").await;
    traffic(&load, 50).await;
    // Requests were answered with the new schema: it stays until somebody has use for it.
    aside(|| both_see_the_same(&database));
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
    aside(|| no_order_is_lost(&database, &verdict));
    aside(|| is_plain(&database));
    stage.daemon.stop().await.unwrap();
    aside(|| drop(database));
}
