//! Who listens where and who talks to whom: the kernel's table of TCP sockets, and the processes that hold them.
//!
//! The table is that of this process's network: sockets in another one are not seen. Must not know instances. Tested in place.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::driver::Connection;

/// A line of the kernel's table.
struct Socket {
    state: State,
    near: SocketAddr,
    far: SocketAddr,
    inode: u64,
}

/// The states that matter here.
#[derive(PartialEq, Eq)]
enum State {
    Established,
    Listening,
}

/// The listening TCP sockets of this machine by their inodes.
pub(crate) fn listening() -> BTreeMap<u64, SocketAddr> {
    let sockets = table().into_iter().filter(|socket| socket.state == State::Listening);
    sockets.map(|socket| (socket.inode, socket.near)).collect()
}

/// The established TCP connections of this machine by their inodes.
pub(crate) fn established() -> BTreeMap<u64, Connection> {
    let sockets = table().into_iter().filter(|socket| socket.state == State::Established);
    sockets.map(|Socket { inode, near, far, .. }| (inode, Connection { near, far })).collect()
}

/// The established TCP connections in the network that a process sees. None: it may not be looked into.
pub(crate) fn established_around(pid: i32) -> Option<Vec<Connection>> {
    let established = around(pid)?.into_iter().filter(|socket| socket.state == State::Established);
    Some(established.map(|Socket { near, far, .. }| Connection { near, far }).collect())
}

/// Who listens in the network that a process sees; nobody, if it may not be looked into.
pub(crate) fn listening_around(pid: i32) -> Vec<SocketAddr> {
    let sockets = around(pid).unwrap_or_default().into_iter();
    sockets.filter(|socket| socket.state == State::Listening).map(|socket| socket.near).collect()
}

fn around(pid: i32) -> Option<Vec<Socket>> {
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/net/{name}")).ok();
    let (four, six) = (read("tcp")?, read("tcp6").unwrap_or_default());
    let tables = [four, six];
    let lines = tables.iter().flat_map(|table| table.lines().skip(1));
    Some(lines.filter_map(parse_line).collect())
}

fn table() -> Vec<Socket> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    tables.iter().flat_map(|table| table.lines().skip(1)).filter_map(parse_line).collect()
}

/// The inodes of the sockets that a process holds; none if it may not be looked into.
pub(crate) fn held_by(pid: i32) -> Vec<u64> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let targets = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
    targets
        .filter_map(|target| target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok())
        .collect()
}

fn parse_line(line: &str) -> Option<Socket> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let state = match *fields.get(3)? {
        "01" => State::Established,
        "0A" => State::Listening,
        _ => return None,
    };
    let (near, far) = (parse_address(fields.get(1)?)?, parse_address(fields.get(2)?)?);
    Some(Socket { state, near, far, inode: fields.get(9)?.parse().ok()? })
}

fn parse_address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    Some(SocketAddr::new(parse_ip(ip)?, u16::from_str_radix(port, 16).ok()?))
}

/// Addresses stand there as 32-bit words in the byte order of the machine.
fn parse_ip(text: &str) -> Option<IpAddr> {
    let mut bytes = Vec::new();
    for at in (0..text.len()).step_by(8) {
        bytes.extend(u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    }
    match bytes.len() {
        4 => Some(IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?))),
        16 => Some(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_own_listener_is_found_with_its_address() {
        let v4 = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut wanted = vec![v4.local_addr().unwrap()];
        let v6 = TcpListener::bind("[::1]:0");
        wanted.extend(v6.as_ref().map(|v6| v6.local_addr().unwrap()));
        let held = held_by(std::process::id().cast_signed());
        let found: Vec<SocketAddr> =
            listening().into_iter().filter(|(inode, _)| held.contains(inode)).map(|(_, at)| at).collect();
        assert!(wanted.iter().all(|at| found.contains(at)), "{wanted:?} in {found:?}");
    }

    #[test]
    fn both_ends_of_an_own_connection_are_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let stream = std::net::TcpStream::connect(at).unwrap();
        let _accepted = listener.accept().unwrap();
        let held = held_by(std::process::id().cast_signed());
        let found: Vec<Connection> =
            established().into_iter().filter(|(inode, _)| held.contains(inode)).map(|(_, one)| one).collect();
        let near = stream.local_addr().unwrap();
        for wanted in [Connection { near, far: at }, Connection { near: at, far: near }] {
            assert!(found.contains(&wanted), "{wanted:?} in {found:?}");
        }
    }
}
