//! The listening sockets: one per address and core, so that each thread of the proxy accepts from a queue of its own.
//!
//! They belong to the supervisor and outlive every proxy. Tested in place.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use socket2::{Domain, Protocol, Socket, Type};
use tandem_proxy::handover::Listeners;

/// How many new connections may wait in each queue, for example while a dead proxy is replaced.
const BACKLOG: i32 = 4096;

/// An address can't be listened on.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address}: {}", told(source, *address))]
pub struct ListenError {
    /// The address.
    pub address: SocketAddr,
    /// What the system said.
    pub source: io::Error,
}

fn told(error: &io::Error, address: SocketAddr) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("the port is in use: `ss -ltnp 'sport = :{}'` shows by whom", address.port())
        }
        io::ErrorKind::PermissionDenied => format!(
            "ports below 1024 need a permission: run `sudo setcap cap_net_bind_service=+ep` on the program, or listen on \
             another port than {}",
            address.port()
        ),
        io::ErrorKind::AddrNotAvailable => "no interface of this machine has that address".to_owned(),
        _ => error.to_string(),
    }
}

impl ListenError {
    /// Whether somebody else has the port.
    pub(super) fn in_use(&self) -> bool {
        self.source.kind() == io::ErrorKind::AddrInUse
    }
}

/// Listens on each of `addresses` with `workers` sockets, or on none of them.
pub(super) fn listen(addresses: &[SocketAddr], workers: usize) -> Result<Listeners, ListenError> {
    addresses
        .iter()
        .map(|&address| {
            let sockets = listen_on(address, workers, shares_port(address, addresses));
            Ok((address, sockets.map_err(|source| ListenError { address, source })?))
        })
        .collect()
}

fn listen_on(address: SocketAddr, workers: usize, only_v6: bool) -> io::Result<Vec<OwnedFd>> {
    // Sockets with SO_REUSEPORT would silently share the port with those of another daemon of the same user; one
    // without it is refused if there is any other.
    drop(bound(address, only_v6, false)?);
    (0..workers.max(1))
        .map(|_| {
            let socket = bound(address, only_v6, true)?;
            socket.listen(BACKLOG)?;
            socket.set_nonblocking(true)?;
            Ok(socket.into())
        })
        .collect()
}

fn bound(address: SocketAddr, only_v6: bool, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

/// `[::]` takes the IPv4 addresses too, unless the configuration gives their port an entry of its own.
fn shares_port(address: SocketAddr, all: &[SocketAddr]) -> bool {
    address.is_ipv6() && all.iter().any(|other| other.is_ipv4() && other.port() == address.port())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_port_in_use_is_refused_also_if_its_holder_would_share_it() {
        let holder = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = holder.local_addr().unwrap();
        let error = listen(&[address], 2).unwrap_err();
        assert!(error.in_use(), "{error}");
        assert!(error.to_string().contains("in use"), "{error}");

        drop(holder);
        let ours = listen(&[address], 2).unwrap();
        assert_eq!(ours[0].1.len(), 2);
        assert!(listen(&[address], 2).unwrap_err().in_use());
    }

    #[test]
    fn both_families_may_have_the_same_port() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let both = [SocketAddr::from(([0, 0, 0, 0], port)), SocketAddr::from(([0; 8], port))];
        match listen(&both, 1) {
            Ok(sockets) => assert_eq!(sockets.len(), 2),
            // A machine without IPv6.
            Err(error) => assert_eq!(error.address, both[1]),
        }
    }
}
