//! A request's head: checked at the door, and built anew for the instance.
//!
//! Whatever two parsers could read differently is refused; whatever passes leaves as canonical RFC 9112, written from
//! its parts. Does no I/O and knows no instances. Tested in `request/tests.rs`, properties included.

mod door;
mod session;
#[cfg(test)]
mod tests;
mod told;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tandem_core::base::Network;
use tandem_core::spec::{Speaks, Told};
use tandem_core::traffic::matching::HostIndex;
use tandem_core::traffic::metrics::Method;
use tandem_core::traffic::rule::Asked;
use tandem_core::traffic::{Listener, Route};

use crate::field::request_line;
use crate::rule::{Rule, Rules};

pub(crate) use door::admit;
pub(crate) use session::{Outcome, Session};

/// The most header fields that can be configured; more are never parsed.
pub(crate) const MOST_FIELDS: usize = 256;
/// The longest request target, in bytes.
const LONGEST_TARGET: usize = 8 * 1024;
/// The longest request id that is taken from a client.
const LONGEST_ID: usize = 64;

/// What the checks at the door need to know besides the bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Door<'a> {
    pub(crate) hosts: &'a HostIndex,
    pub(crate) routes: &'a [Route],
    /// Of each route its rules.
    pub(crate) rules: &'a [Rules],
    /// Header fields that tell of this client and this listener, as `Client` made them.
    pub(crate) client: &'a Client,
    /// The most header fields.
    pub(crate) fields: usize,
    /// Random bits for a request id.
    pub(crate) random: [u64; 2],
}

/// A request is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The status of the answer.
    pub(crate) status: u16,
    /// What is wrong, for people.
    pub(crate) why: &'static str,
}

/// How a body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none.
    None,
    /// By its length.
    Length(u64),
    /// By chunks.
    Chunked,
    /// By the end of the connection. Only answers have this.
    Close,
}

/// The id of a request: the client's if it is sane, else a new one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestId {
    text: [u8; LONGEST_ID],
    len: usize,
}

impl RequestId {
    fn from_client(value: &[u8]) -> Option<Self> {
        let sane = |b: &u8| b.is_ascii_alphanumeric() || b"-_.:+/=~".contains(b);
        if value.is_empty() || !value.iter().all(sane) {
            return None;
        }
        let mut text = [0; LONGEST_ID];
        text.get_mut(..value.len())?.copy_from_slice(value);
        Some(RequestId { text, len: value.len() })
    }

    /// A new id of 32 hexadecimal digits.
    pub(crate) fn from_random(random: [u64; 2]) -> Self {
        let mut text = [0; LONGEST_ID];
        for (digits, bits) in text.chunks_exact_mut(8).zip(random.into_iter().flat_map(halves)) {
            digits.copy_from_slice(&hex(bits));
        }
        RequestId { text, len: 32 }
    }

    /// The id as text.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or_default()
    }
}

fn halves(bits: u64) -> [u32; 2] {
    [(bits >> 32) as u32, bits as u32]
}

/// The eight hexadecimal digits of a number, all at once: each byte of a word holds one.
fn hex(bits: u32) -> [u8; 8] {
    let mut wide = u64::from(bits);
    wide = (wide | wide << 16) & 0x0000_ffff_0000_ffff;
    wide = (wide | wide << 8) & 0x00ff_00ff_00ff_00ff;
    wide = (wide | wide << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // 1 in each byte that is 10 or more: there the letters begin.
    let letters = (wide + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    (wide + 0x3030_3030_3030_3030 + letters * 0x27).to_be_bytes()
}

/// What is known of an accepted request. Its head for the instance is in the text that `admit` wrote.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// So many bytes of what arrived were the head.
    pub(crate) head: usize,
    /// The position of its route in the table.
    pub(crate) route: usize,
    /// How its body is delimited.
    pub(crate) body: Framing,
    /// Its method.
    pub(crate) method: Method,
    /// It is a `HEAD`.
    pub(crate) is_head: bool,
    /// Its method may be repeated.
    pub(crate) idempotent: bool,
    /// It came as HTTP/1.0.
    pub(crate) http10: bool,
    /// The client wants to go on with the connection.
    pub(crate) keep_alive: bool,
    /// The client wants to change the protocol.
    pub(crate) upgrade: Option<Protocol>,
    /// The client waits for `100 Continue` before it sends the body.
    pub(crate) expects: bool,
    /// The client takes trailers.
    pub(crate) trailers: bool,
    /// The client prefers JSON.
    pub(crate) wants_json: bool,
    /// Its id.
    pub(crate) id: RequestId,
    /// Where in the built head the host stands: start and end.
    pub(crate) host: (usize, usize),
    /// The rule that it obeys.
    pub(crate) rule: Option<Arc<Rule>>,
    /// Which version is to serve it.
    pub(crate) session: Outcome,
    /// It asks for a file whose name tells its content: where in the built head its path stands.
    pub(crate) asset: Option<(usize, usize)>,
}

impl Request {
    /// What it asks for, by its head; None if that is not its head.
    pub(crate) fn asked<'h>(&self, head: &'h [u8]) -> Option<Asked<'h>> {
        let (method, target) = request_line(head)?;
        let host = std::str::from_utf8(host_name(head.get(self.host.0..self.host.1)?)).ok()?;
        Some(Asked { method, host, target })
    }

    /// The session, if a version is to serve it.
    pub(crate) fn session(&self) -> Option<&Session> {
        match &self.session {
            Outcome::Session(session) => Some(session),
            Outcome::Anywhere | Outcome::Again(_) => None,
        }
    }
}

/// A host without its port.
fn host_name(host: &[u8]) -> &[u8] {
    let end = match host.first() {
        Some(b'[') => memchr::memchr(b']', host).map(|at| at + 1),
        _ => memchr::memchr(b':', host),
    };
    end.and_then(|end| host.get(..end)).unwrap_or(host)
}

/// The protocol that a client wants to change to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Protocol {
    text: [u8; 24],
    len: usize,
}

impl Protocol {
    /// The name, lower-cased, if it is one token of reasonable length.
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let token = |b: &u8| b.is_ascii_alphanumeric() || b"-._/+".contains(b);
        if value.is_empty() || !value.iter().all(token) {
            return None;
        }
        let mut text = [0; 24];
        text.get_mut(..value.len())?.copy_from_slice(value);
        text.make_ascii_lowercase();
        Some(Protocol { text, len: value.len() })
    }

    /// The name, in lower case.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or_default()
    }

    /// Whether it is the WebSocket protocol.
    pub(crate) fn is_websocket(&self) -> bool {
        self.as_bytes() == b"websocket"
    }
}

/// Whether a peer is believed what it tells in that way.
pub(crate) fn believes(listener: &Listener, told: Told, peer: SocketAddr) -> bool {
    listener.told == told && listener.trusted.iter().any(|network| network.contains(peer.ip()))
}

/// What is the same for all requests of one connection.
#[derive(Debug)]
pub(crate) struct Client {
    /// The fields that tell of the client.
    fields: Vec<u8>,
    /// The beginning of `Forwarded`, up to the host.
    forwarded: Vec<u8>,
    /// The host of requests that name none (HTTP/1.0).
    listener: String,
    /// The peer is believed what it tells of the client.
    trusted: bool,
    /// Whoever is believed there, in the same way.
    believed: Vec<Network>,
    /// Its address, without port.
    address: String,
    scheme: &'static str,
    /// The port that it came in at.
    port: String,
    /// Its address.
    pub(crate) ip: IpAddr,
    /// The connection is encrypted.
    pub(crate) secure: bool,
    /// The port of `https` to which requests are sent instead of being answered.
    pub(crate) redirect: Option<u16>,
}

impl Client {
    /// What is said of a client at `peer` that came in at `address`.
    pub(crate) fn new(
        peer: SocketAddr,
        address: SocketAddr,
        listener: Option<&Listener>,
        all: &[Listener],
    ) -> Self {
        let speaks = listener.map(|listener| listener.speaks).unwrap_or_default();
        let secure = speaks == Speaks::Https;
        let scheme = if secure { "https" } else { "http" };
        let ip = peer.ip().to_canonical();
        let node = if ip.is_ipv6() { format!("\"[{ip}]\"") } else { ip.to_string() };
        let fields = format!(
            "X-Forwarded-For: {ip}\r\nX-Forwarded-Proto: {scheme}\r\nX-Forwarded-Port: {}\r\n",
            address.port()
        );
        let forwarded = format!("Forwarded: for={node};proto={scheme};host=\"");
        let redirects = speaks == Speaks::Redirect;
        let secure_port =
            all.iter().find(|other| other.speaks == Speaks::Https).map_or(443, |other| other.address.port());
        Client {
            fields: fields.into(),
            forwarded: forwarded.into(),
            listener: address.to_string(),
            trusted: listener.is_some_and(|listener| believes(listener, Told::Fields, peer)),
            believed: listener.map(|listener| listener.trusted.clone()).unwrap_or_default(),
            address: ip.to_string(),
            scheme,
            port: address.port().to_string(),
            ip,
            secure,
            redirect: redirects.then_some(secure_port),
        }
    }

    /// Whose request it is whose head for the instance is `head`: the peer's, or that of whom believed peers name, the last
    /// one whom they did not believe themselves. What is no address ends the search.
    pub(crate) fn named(&self, head: &[u8]) -> IpAddr {
        let mut client = self.ip;
        if !self.trusted {
            return client;
        }
        let lines = head.split(|&b| b == b'\n').filter_map(|line| line.strip_prefix(b"X-Forwarded-For: "));
        let all: Vec<&[u8]> = lines.flat_map(|line| line.split(|&b| b == b',')).collect();
        // The last one is the peer itself.
        for name in all.iter().rev().skip(1) {
            let address = std::str::from_utf8(name).ok().and_then(|name| name.trim().parse::<IpAddr>().ok());
            let Some(address) = address else { break };
            client = address.to_canonical();
            if !self.believed.iter().any(|network| network.contains(client)) {
                break;
            }
        }
        client
    }
}
