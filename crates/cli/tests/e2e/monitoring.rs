//! What goes on under load, as it is seen from outside: metrics, the log, `tandem top`.

use std::time::Duration;

use tandem_trial::{free_port, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::deployments::traffic;
use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_is_seen_in_metrics_in_the_log_and_in_top() {
    let folder = tempfile::tempdir().expect("a folder");
    let (metrics, log) = (free_port(), folder.path().join("access.log"));
    let more = format!("\n[metrics]\nlisten = \"{metrics}\"\n[log]\naccess = \"{}\"\n", log.display());
    let stage = Stage::with_v1(|setup| setup.more = more).await;
    let load = stage.load(60.0);
    let said = stage.deploy("v2", &["--strategy", "rolling"]).await;
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&said.err));
    traffic(&load, 50).await;

    let top = stage.daemon.tandem(&["top", "--once", "--json"]).await;
    let seen = top.json();
    assert!(seen["versions"]["v2"]["rate"].as_f64().is_some_and(|rate| rate > 0.0), "{}{}", top.out, top.err);
    assert_eq!(seen["instances"].as_array().map(Vec::len), Some(4), "{seen}");

    let scrape = async || {
        let mut stream = TcpStream::connect(metrics).await.ok()?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.ok()?;
        let mut page = String::new();
        stream.read_to_string(&mut page).await.ok()?;
        Some(page)
    };
    let page = until(Duration::from_secs(30), scrape).await.expect("metrics");
    for wanted in [
        "tandem_proxy_up 1\n",
        "tandem_version_info{service=\"shop\",version=\"v2\"} 1\n",
        "outcome=\"settled\"} 1\n",
        "http_request_method=\"POST\",http_response_status_class=\"2xx\"} ",
        "tandem_instances{service=\"shop\",version=\"v2\",stage=\"serving\"} 4\n",
        // Gone, and still told for a while.
        "tandem_http_server_request_duration_seconds_count{service=\"shop\",version=\"v1\",instance=\"i1\"} ",
        "tandem_process_resident_memory_bytes{process=\"proxy\"} ",
    ] {
        assert!(page.contains(wanted), "{wanted} is not in {page}");
    }
    stage.all_is_well(load).await;
    stage.daemon.stop().await.unwrap();
    let lines = std::fs::read_to_string(&log).expect("a log");
    let of = |version: &str| lines.lines().filter(|line| line.contains(version)).count();
    assert!(of("\"version\":\"v1\"") > 0 && of("\"version\":\"v2\"") > 50, "{lines}");
}
