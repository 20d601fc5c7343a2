//! To whom instances talk.

use std::net::TcpListener;

use tandem_core::base::InstanceId;
use tandem_drivers::{Connection, Driver};

use crate::rig::Rig;

#[test]
fn a_connection_belongs_to_the_instance_whose_child_holds_it() {
    let rig = Rig::new();
    let child = "import os, socket, sys, time
if os.fork() == 0:
    s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
    print(s.getsockname()[1], flush=True)
time.sleep(1000)
";
    rig.script("child.py", child, 0o644);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let far = listener.local_addr().unwrap();
    rig.start(1, &["sleep", "1000"]);
    rig.start(2, &["python3", "child.py", &far.port().to_string()]);
    let port = rig.until("it has connected", || rig.log(2).trim().parse::<u16>().ok());
    let near = ([127, 0, 0, 1], port).into();
    let found = rig.driver.connections().unwrap();
    assert_eq!(found[&InstanceId(2)], [Connection { near, far }]);
    assert_eq!(found[&InstanceId(1)], []);
}
