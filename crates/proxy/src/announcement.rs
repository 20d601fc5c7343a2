//! The PROXY protocol (versions 1 and 2, as HAProxy's `proxy-protocol.txt` says): what a trusted peer tells of the client whose
//! connection it passes on.
//!
//! Reads exactly the announcement, so that whatever follows, a handshake perhaps, is left alone. Tested in place and through
//! the whole proxy.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

/// How every announcement of version 2 begins.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, with its end.
const LONGEST_LINE: usize = 107;
/// The longest rest of version 2: addresses and what else peers tell.
const LONGEST_REST: usize = 4096;

/// What was announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Announced {
    /// The client's address.
    Client(SocketAddr),
    /// The peer speaks for itself, or does not know.
    Peer,
}

/// Reads the announcement at the beginning of a connection. None: there is none, or it makes no sense.
pub(crate) async fn read(from: &mut (impl AsyncRead + Unpin)) -> Option<Announced> {
    let mut first = [0; SIGNATURE.len()];
    from.read_exact(&mut first).await.ok()?;
    if first != *SIGNATURE {
        return line(from, &first).await;
    }
    let mut head = [0; 4];
    from.read_exact(&mut head).await.ok()?;
    let [command, family, high, low] = head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST_REST {
        return None;
    }
    let mut rest = vec![0; length];
    from.read_exact(&mut rest).await.ok()?;
    match command {
        0x20 => Some(Announced::Peer),
        0x21 => source(family, &rest),
        _ => None,
    }
}

/// The source address of version 2.
fn source(family: u8, rest: &[u8]) -> Option<Announced> {
    let port = |at: usize| Some(u16::from_be_bytes(*rest.get(at..)?.first_chunk()?));
    let address: IpAddr = match family {
        0x11 | 0x12 => Ipv4Addr::from(*rest.first_chunk::<4>()?).into(),
        0x21 | 0x22 => Ipv6Addr::from(*rest.first_chunk::<16>()?).into(),
        // A Unix socket, or nothing that is known: to be taken as it is.
        _ => return Some(Announced::Peer),
    };
    let port = if address.is_ipv4() { port(8) } else { port(32) }?;
    Some(Announced::Client(SocketAddr::new(address, port)))
}

/// The rest of the line of version 1.
async fn line(from: &mut (impl AsyncRead + Unpin), first: &[u8]) -> Option<Announced> {
    let mut line = first.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() >= LONGEST_LINE || !line.starts_with(b"PROXY ") {
            return None;
        }
        line.push(from.read_u8().await.ok()?);
    }
    let text = std::str::from_utf8(line.strip_suffix(b"\r\n")?).ok()?;
    let words: Vec<&str> = text.split(' ').collect();
    match *words.as_slice() {
        ["PROXY", "UNKNOWN", ..] => Some(Announced::Peer),
        ["PROXY", family @ ("TCP4" | "TCP6"), source, _, port, _] => {
            let address: IpAddr = source.parse().ok()?;
            (address.is_ipv4() == (family == "TCP4"))
                .then_some(Announced::Client(SocketAddr::new(address, port.parse().ok()?)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of `bytes`, and how much of them is left.
    fn look(bytes: &[u8]) -> (Option<Announced>, usize) {
        let mut from = bytes;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let announced = runtime.block_on(read(&mut from));
        (announced, from.len())
    }

    #[test]
    fn both_versions_are_read_to_their_end_and_no_further() {
        let client = |text: &str| Some(Announced::Client(text.parse().unwrap()));
        let v1 = b"PROXY TCP4 192.0.2.1 10.0.0.1 5000 443\r\nGET";
        assert_eq!(look(v1), (client("192.0.2.1:5000"), 3));
        assert_eq!(look(b"PROXY UNKNOWN\r\nGET"), (Some(Announced::Peer), 3));
        assert_eq!(look(b"PROXY TCP6 2001:db8::1 ::1 5 6\r\n"), (client("[2001:db8::1]:5"), 0));
        let v4 = [
            &SIGNATURE[..],
            &[0x21, 0x11, 0, 15, 192, 0, 2, 1, 10, 0, 0, 1, 0x13, 0x88, 1, 0xbb, 4, 0, 0],
            b"GET",
        ];
        assert_eq!(look(&v4.concat()), (client("192.0.2.1:5000"), 3));
        let local = [&SIGNATURE[..], &[0x20, 0, 0, 0], b"GET"];
        assert_eq!(look(&local.concat()), (Some(Announced::Peer), 3));
    }

    #[test]
    fn what_is_no_announcement_is_refused() {
        for wrong in [
            &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
            b"PROXY TCP4 2001:db8::1 ::1 5 6\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 70000 1\r\n",
            b"PROXY TCP4 1.2.3.4\r\n",
            b"PROXY",
            &[&SIGNATURE[..], &[0x31, 0x11, 0, 0]].concat(),
            &[&SIGNATURE[..], &[0x21, 0x11, 0, 4, 1, 2, 3, 4]].concat(),
            &[&SIGNATURE[..], &[0x21, 0x11, 0xff, 0xff]].concat(),
            &[&b"PROXY "[..], &[b'x'; 200]].concat(),
        ] {
            assert_eq!(look(wrong).0, None, "{}", String::from_utf8_lossy(wrong));
        }
    }
}
