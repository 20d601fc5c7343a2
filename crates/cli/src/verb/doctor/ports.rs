//! The addresses: whether they can be listened on.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use tandem_server::front::Front;

use super::Finding;

/// `daemon` is the process of `tandem up`, if one runs: then it has them.
pub(super) fn look(front: &Front, daemon: Option<u32>) -> Vec<Finding> {
    if let Some(pid) = daemon {
        return vec![Finding::good("ports", format!("`tandem up` (pid {pid}) listens already"))];
    }
    front.addresses().into_iter().chain(front.admin.listen).map(port).collect()
}

fn port(address: SocketAddr) -> Finding {
    let Err(error) = TcpListener::bind(address) else {
        return Finding::good("ports", format!("{address} can be listened on"));
    };
    let help = match error.kind() {
        ErrorKind::AddrInUse => {
            format!("see who has it with `ss -ltnp 'sport = :{}'`, and end it", address.port())
        }
        ErrorKind::PermissionDenied => {
            "ports below 1024 need a right: `setcap cap_net_bind_service=+ep` on the program, or \
             AmbientCapabilities=CAP_NET_BIND_SERVICE in a unit of systemd"
                .to_owned()
        }
        ErrorKind::AddrNotAvailable => "this machine has no such address: see `ip address`".to_owned(),
        _ => "name another address under [[listen]] or [admin]".to_owned(),
    };
    Finding::bad("ports", format!("{address} can't be listened on: {error}"), help)
}
