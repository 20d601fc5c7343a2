//! Apps that do not use the URL that they are given: found by their connections.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use tandem_trial::until;

use crate::deployments::traffic;
use crate::schema::{Ground, settled};
use crate::stage::Stage;

const PATIENCE: Duration = Duration::from_secs(60);

/// A shop that serves v1, and the URL by which a bad one comes to the database.
async fn with_database(database: &Ground, keep: &str, more: &str) -> Stage {
    let url = database.url();
    let more = format!("\n[database]\nurl = \"{url}\"\nkeep = \"{keep}\"\n{more}\n");
    let stage = Stage::with_v1(move |setup| {
        setup.more = more;
        setup.env = format!(", SHOP_URL = \"{url}\"");
        setup.drain = "\"60s\"";
    })
    .await;
    settled(&stage, "0001_orders").await;
    stage
}

/// Events from an instance, as long as the connection is kept.
fn stream(stage: &Stage) -> TcpStream {
    let mut stream = TcpStream::connect(stage.address).unwrap();
    stream.write_all(b"GET /events HTTP/1.1\r\nhost: shop\r\n\r\n").unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    stream
}

/// The sentences of `tandem why` that say what is not as it should be.
async fn remarks(stage: &Stage) -> Vec<String> {
    let why = stage.daemon.tandem(&["why", "--json"]).await.json();
    let remarks = why["remarks"].as_array().into_iter().flatten();
    remarks.filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_has_another_url_gets_no_request() {
    let database = Ground::new();
    let stage = with_database(&database, "0s", "").await;
    let load = stage.load(40.0);
    traffic(&load, 20).await;
    let said = stage.deploy_as("v2", "v2-astray", Some("url"), &["--strategy", "flip"]).await;
    assert_eq!(said.code, Some(3), "{}", stage.daemon.with_log(&said.err));
    for told in ["none of its sessions is of 0002_names: pid ", "connect with the URL in DATABASE_URL"] {
        assert!(said.out.contains(told), "{}\n{}", said.out, said.err);
    }
    // Nothing was ever served by it: its schema goes as well.
    settled(&stage, "0001_orders").await;
    let verdict = stage.all_is_well(load).await;
    assert!(!verdict.versions.contains_key("v2-astray"), "{:?}", verdict.versions);
    stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_connects_late_stops_a_rolling_deployment_and_is_told_after_a_flip() {
    let database = Ground::new();
    let stage = with_database(&database, "10m", "").await;
    let load = stage.load(40.0);
    // What is open on every old instance holds the first step until it is left or called back.
    let streams: Vec<TcpStream> = (0..16).map(|_| stream(&stage)).collect();
    let rolling = stage.deploy_as("v2", "v2-late", Some("url-late"), &["--strategy", "rolling"]).await;
    assert_eq!(rolling.code, Some(3), "{}", stage.daemon.with_log(&rolling.err));
    assert!(rolling.out.contains("none of its sessions is of 0002_names"), "{}", rolling.out);
    drop(streams);

    let flip = stage.deploy_as("v2", "v2-late", Some("url-late"), &["--strategy", "flip"]).await;
    assert_eq!(flip.code, Some(0), "{}", stage.daemon.with_log(&flip.err));
    let told = until(PATIENCE, async || {
        let remarks = remarks(&stage).await;
        remarks.iter().any(|told| told.contains("of v2-late uses the database")).then_some(())
    });
    assert!(told.await.is_some(), "{}", stage.daemon.with_log(&format!("{:?}", remarks(&stage).await)));
    stage.all_is_well(load).await;
    stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_is_said_to_name_itself_is_believed() {
    let database = Ground::new();
    let stage = with_database(&database, "10m", "application_name = \"own\"").await;
    let said = stage.deploy_as("v2", "v2-itself", Some("url"), &["--strategy", "flip"]).await;
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&said.err));
    assert_eq!(remarks(&stage).await, Vec::<String>::new());
    stage.daemon.stop().await.unwrap();
}
