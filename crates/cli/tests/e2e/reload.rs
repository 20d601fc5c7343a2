//! Another configuration and another program while requests run: nobody notices.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use tandem_trial::{Kind, free_port, until};

use crate::deployments::traffic;
use crate::stage::Stage;

fn edit(stage: &Stage, change: impl FnOnce(String) -> String) {
    let path = stage.folder().join("tandem.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, change(text)).unwrap();
}

async fn answers(address: SocketAddr) -> bool {
    tokio::net::TcpStream::connect(address).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_notices_a_reload_nor_a_deployment_right_after_it() {
    let stage = Stage::with_v1(|setup| setup.instances = 2).await;
    let load = stage.load(120.0);
    traffic(&load, 100).await;
    let up = stage.daemon.pids(Kind::Supervisor);
    for round in 0..3 {
        edit(&stage, |text| format!("{}\n# {round}\n", text.replace("[limits]", "[limits] ")));
        let proxy = stage.daemon.pids(Kind::Proxy);
        let said = stage.daemon.tandem(&["reload"]).await;
        assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&said.err));
        assert_ne!(stage.daemon.pids(Kind::Proxy), proxy, "there is another proxy");
        traffic(&load, 100).await;
    }
    assert_eq!(stage.daemon.pids(Kind::Supervisor), up, "the same process");
    // While proxies from before are still leaving, instances are drained that they use.
    let said = stage.deploy("v2", &[]).await;
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&said.err));
    let verdict = stage.all_is_well(load).await;
    assert_eq!(verdict.versions.len(), 2);
    // With the load its connections are gone: so are the proxies that had them.
    let gone =
        until(Duration::from_secs(60), async || (stage.daemon.pids(Kind::Proxy).len() == 1).then_some(()));
    gone.await.expect("the proxies from before have left");
    stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_takes_new_addresses_and_refuses_what_can_t_be_used() {
    let stage = Stage::with_v1(|setup| setup.instances = 1).await;
    let (more, taken) = (free_port(), free_port());
    let holder = std::net::TcpListener::bind(taken).unwrap();
    let listen = |address: SocketAddr| format!("\n[[listen]]\naddress = \"{address}\"\n");
    let before = fs::read_to_string(stage.folder().join("tandem.toml")).unwrap();
    let proxy = stage.daemon.pids(Kind::Proxy);

    edit(&stage, |text| format!("{text}{}", listen(taken)));
    let said = stage.daemon.tandem(&["reload"]).await;
    assert_eq!(said.code, Some(5), "{said:?}");
    assert!(said.err.contains("the port is in use"), "{}", said.err);
    edit(&stage, |text| text.replace("[run]", "[run]\nspeed = 1\n"));
    assert_eq!(stage.daemon.tandem(&["reload"]).await.code, Some(2));
    let https = before.replacen("[[listen]]\n", "[[listen]]\nspeaks = \"https\"\n", 1)
        + "\n[tls]\ncertificates = { \"none.pem\" = \"none.key\" }\n";
    edit(&stage, |_| https);
    let said = stage.daemon.tandem(&["reload"]).await;
    assert_eq!(said.code, Some(5), "{said:?}");
    assert!(said.err.contains("none.pem"), "{}", said.err);
    edit(&stage, |_| format!("{before}\n[run.docker]\n"));
    let said = stage.daemon.tandem(&["reload"]).await;
    assert_eq!(said.code, Some(5), "{said:?}");
    assert!(said.err.contains("1 run as processes: nobody would look after those"), "{}", said.err);
    assert_eq!(stage.daemon.pids(Kind::Proxy), proxy, "all is as before");
    drop(holder);

    edit(&stage, |_| format!("{before}{}", listen(more)));
    let said = stage.daemon.tandem(&["reload"]).await;
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&said.err));
    assert!(answers(more).await && answers(stage.address).await);
    let status = stage.daemon.tandem(&["status", "--json"]).await.json();
    assert_eq!(status["config_changed"], false);
    stage.daemon.stop().await.unwrap();
}
