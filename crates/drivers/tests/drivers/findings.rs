//! What is told of an instance that does not do what it should.

use std::net::{SocketAddr, TcpListener};

use tandem_core::base::InstanceId;
use tandem_drivers::Driver;

use crate::rig::Rig;

#[test]
fn an_app_that_listens_elsewhere_is_found_there() {
    let rig = Rig::new();
    let elsewhere = "import os, socket, time
s = socket.socket()
s.bind(('127.0.0.1', 0))
s.listen()
print(s.getsockname()[1], flush=True)
time.sleep(1000)
";
    rig.script("elsewhere.py", elsewhere, 0o644);
    let address = rig.start(1, &["python3", "elsewhere.py"]);
    let port = rig.until("it listens", || rig.log(1).trim().parse::<u16>().ok());
    let findings = rig.driver.findings(InstanceId(1)).unwrap();
    assert_eq!(findings.listens, [SocketAddr::from(([127, 0, 0, 1], port))]);
    assert_eq!((findings.stranger, findings.exit), (None, None));
    assert_ne!(port, address.port());
}

#[test]
fn a_stranger_on_the_port_is_named() {
    let rig = Rig::new();
    let address = rig.start(1, &["sleep", "1000"]);
    let _stranger = TcpListener::bind(address).unwrap();
    let findings = rig.driver.findings(InstanceId(1)).unwrap();
    let own = format!("pid {} (", std::process::id());
    assert!(findings.stranger.as_ref().is_some_and(|stranger| stranger.starts_with(&own)), "{findings:?}");
    assert!(findings.listens.is_empty());
}
