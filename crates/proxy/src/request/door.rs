//! The checks at the door, and the head that goes to the instance.
//!
//! One pass over the fields checks and writes at once. Tested in `tests.rs`.

use std::mem::MaybeUninit;
use std::sync::Arc;

use tandem_core::traffic::metrics::Method;
use tandem_core::traffic::rule::Asked;

use super::session::{self, Fields};
use super::told::Told;
use super::{
    Door, Framing, LONGEST_ID, LONGEST_TARGET, MOST_FIELDS, Outcome, Protocol, Refusal, Request, RequestId,
    host_name,
};
use crate::field::{Field, classify, has_clean_lines, is_removable, parse_length, tokens, write_field};
use crate::rule::{self, Rule};

/// What the fields of a request say, as far as the proxy acts on it.
#[derive(Debug, Default)]
struct Findings<'a> {
    host: Option<&'a [u8]>,
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    upgrades: bool,
    protocol: Option<&'a [u8]>,
    expects: bool,
    trailers: bool,
    wants_json: bool,
    id: Option<RequestId>,
    session: Fields<'a>,
    told: Told<'a>,
    /// Names of fields that are for this hop only, as `Connection` said.
    nominated: Vec<&'a [u8]>,
}

const fn refuse<T>(status: u16, why: &'static str) -> Result<T, Refusal> {
    Err(Refusal { status, why })
}

/// Reads the head at the beginning of `bytes`. `None`: it is not complete yet. If it is accepted, the head for the
/// instance stands in `out`, complete with its empty line.
pub(crate) fn admit(bytes: &[u8], door: &Door<'_>, out: &mut Vec<u8>) -> Result<Option<Request>, Refusal> {
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let Some(room) = fields.get_mut(..door.fields.min(MOST_FIELDS)) else { return Ok(None) };
    let mut parsed = httparse::Request::new(&mut []);
    let head = match parsed.parse_with_uninit_headers(bytes, room) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return partial(bytes),
        Err(httparse::Error::TooManyHeaders) => return refuse(431, "too many header fields"),
        Err(httparse::Error::Version) if names_version(bytes) => {
            return refuse(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
        }
        Err(_) => return refuse(400, "the head of the request is malformed"),
    };
    if !has_clean_lines(bytes.get(..head).unwrap_or_default()) {
        return refuse(400, "a line does not end in CR LF");
    }
    let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version) else {
        return refuse(400, "the request line is incomplete");
    };
    let http10 = version == 0;
    let mut found = Findings::default();
    let mut passed = [0_u64; MOST_FIELDS / 64];
    for (at, field) in parsed.headers.iter().enumerate() {
        let kind = classify(field.name);
        if !matches!(kind, Field::Other) {
            found.take(kind, field.value, http10)?;
        }
        if matches!(kind, Field::Forwarded) && door.client.trusted {
            found.told.take(field.name, field.value);
        }
        if let (Field::Other | Field::Accept | Field::Cookie | Field::DeploymentId, Some(word)) =
            (kind, passed.get_mut(at / 64))
        {
            *word |= 1 << (at % 64);
        }
    }
    let (target, authority) = origin_form(method, target)?;
    let host = found.host(authority, http10)?.unwrap_or(door.client.listener.as_bytes());
    if found.chunked && found.length.is_some() {
        return refuse(400, "both Content-Length and Transfer-Encoding are given");
    }
    let body = found.framing();
    let route = find_route(door, host, target)?;
    let upgrade = found.protocol(method, http10, body);
    let id = found.id.unwrap_or_else(|| RequestId::from_random(door.random));
    let (session, asset) = wants(door, route, (method, target), &found, parsed.headers);
    let host_at = write_line(out, method, target, host);
    write_fields(out, parsed.headers, &passed, &found, &id);
    write_own(out, door, host, body, upgrade, &found);
    Ok(Some(Request {
        head,
        route,
        body,
        method: Method::named(method),
        is_head: method == "HEAD",
        idempotent: matches!(method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE"),
        http10,
        keep_alive: if http10 { found.keep_alive && !found.close } else { !found.close },
        upgrade,
        expects: found.expects && body != Framing::None && !http10,
        trailers: found.trailers,
        wants_json: found.wants_json,
        id,
        host: (host_at, host_at + host.len()),
        rule: find_rule(door, route, (method, host, target), parsed.headers),
        session,
        asset: asset.map(|path| (method.len() + 1, method.len() + 1 + path)),
    }))
}

/// Which version is to serve the request, and how long the path is if it may be that of a file which others have, too.
fn wants(
    door: &Door<'_>,
    route: usize,
    (method, target): (&str, &str),
    found: &Findings<'_>,
    fields: &[httparse::Header<'_>],
) -> (Outcome, Option<usize>) {
    let Some(route) = door.routes.get(route) else { return (Outcome::Anywhere, None) };
    let safe = matches!(method, "GET" | "HEAD");
    let session = if route.sessions.versions.is_empty() {
        Outcome::Anywhere
    } else {
        let secure = door.client.secure || door.client.trusted && found.told.is_secure();
        let named = Fields { chosen: session::is_chosen(&route.sessions, fields), ..found.session };
        session::read(&route.sessions, named, target, safe, secure, door.random[0] as u32)
    };
    let below = |folder: &String| target.starts_with(folder.as_str());
    let is_asset = safe && route.assets.iter().any(below);
    (session, is_asset.then(|| target.find('?').unwrap_or(target.len())))
}

/// Whether the first line ends in a version, if one that is not spoken here.
fn names_version(bytes: &[u8]) -> bool {
    let line = bytes.split(|&b| b == b'\r').next().unwrap_or_default();
    let mut parts = line.split(|&b| b == b' ');
    let version = parts.nth(2).unwrap_or_default();
    let digits = version.strip_prefix(b"HTTP/").unwrap_or_default();
    parts.next().is_none() && matches!(digits, [a, b'.', b] if a.is_ascii_digit() && b.is_ascii_digit())
}

/// A head that is not complete yet may already be known to be wrong.
fn partial(bytes: &[u8]) -> Result<Option<Request>, Refusal> {
    let line = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    if line > LONGEST_TARGET + 64 {
        return refuse(414, "the target is too long");
    }
    // A lone CR may still get its LF; everything before it must be in order already.
    let sure = if bytes.last() == Some(&b'\r') { bytes.len() - 1 } else { bytes.len() };
    if !has_clean_lines(bytes.get(..sure).unwrap_or_default()) {
        return refuse(400, "a line does not end in CR LF");
    }
    Ok(None)
}

impl<'a> Findings<'a> {
    fn take(&mut self, field: Field, value: &'a [u8], http10: bool) -> Result<(), Refusal> {
        match field {
            Field::Host => {
                if self.host.replace(value).is_some() {
                    return refuse(400, "the host is given twice");
                }
            }
            Field::ContentLength => {
                let Some(length) = parse_length(value) else {
                    return refuse(400, "the Content-Length is not valid");
                };
                if self.length.replace(length).is_some() {
                    return refuse(400, "the Content-Length is given twice");
                }
            }
            Field::TransferEncoding => self.coding(value, http10)?,
            Field::Connection => self.connection(value)?,
            Field::Upgrade => self.protocol = if self.protocol.is_some() { Some(b"") } else { Some(value) },
            Field::Expect if value.eq_ignore_ascii_case(b"100-continue") => self.expects = true,
            Field::Expect => return refuse(417, "only 100-continue can be expected"),
            Field::Te => self.trailers |= tokens(value).any(|token| token.eq_ignore_ascii_case(b"trailers")),
            Field::Accept => self.wants_json |= memchr::memmem::find(value, b"json").is_some(),
            Field::RequestId if value.len() <= LONGEST_ID => self.id = RequestId::from_client(value),
            Field::Cookie => self.session.cookie = self.session.cookie.or(Some(value)),
            Field::DeploymentId => self.session.deployment = self.session.deployment.or(Some(value)),
            Field::RequestId | Field::Dropped | Field::Forwarded | Field::Other => {}
        }
        Ok(())
    }

    fn framing(&self) -> Framing {
        match self.length {
            _ if self.chunked => Framing::Chunked,
            Some(length) => Framing::Length(length),
            None => Framing::None,
        }
    }

    /// The host that the field and the authority of the target agree on. None: neither names one, as HTTP/1.0 allows.
    fn host(&self, authority: Option<&'a str>, http10: bool) -> Result<Option<&'a [u8]>, Refusal> {
        match (self.host, authority) {
            (Some(host), Some(authority)) if !same_host(host, authority.as_bytes()) => {
                refuse(400, "the host and the target disagree")
            }
            (Some(host), _) if !is_host(host) => refuse(400, "the host is not valid"),
            (Some(host), _) => Ok(Some(host)),
            (None, _) if !http10 => refuse(400, "the host is missing"),
            (None, Some(authority)) if is_host(authority.as_bytes()) => Ok(Some(authority.as_bytes())),
            (None, Some(_)) => refuse(400, "the host is not valid"),
            (None, None) => Ok(None),
        }
    }

    fn coding(&mut self, value: &[u8], http10: bool) -> Result<(), Refusal> {
        if http10 {
            return refuse(400, "HTTP/1.0 has no Transfer-Encoding");
        }
        if self.chunked {
            return refuse(400, "the Transfer-Encoding is given twice");
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            let known =
                tokens(value).any(|coding| coding.eq_ignore_ascii_case(b"chunked")) || value.is_empty();
            return refuse(if known { 400 } else { 501 }, "the only Transfer-Encoding understood is chunked");
        }
        self.chunked = true;
        Ok(())
    }

    fn connection(&mut self, value: &'a [u8]) -> Result<(), Refusal> {
        for token in tokens(value) {
            if token.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if token.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if token.eq_ignore_ascii_case(b"upgrade") {
                self.upgrades = true;
            } else if self.nominated.len() < 16 {
                self.nominated.push(token);
            } else {
                return refuse(400, "the Connection field names too many others");
            }
        }
        Ok(())
    }

    /// The protocol to change to, if that is what the request asks for and it may be passed on. Never HTTP/2: an
    /// instance that changed to it would be spoken to in a way that nobody checks.
    fn protocol(&self, method: &str, http10: bool, body: Framing) -> Option<Protocol> {
        let value = self.protocol.filter(|_| self.upgrades && !http10 && method == "GET")?;
        let bodiless = matches!(body, Framing::None | Framing::Length(0));
        Protocol::parse(value).filter(|p| bodiless && !p.as_bytes().starts_with(b"h2"))
    }

    fn is_nominated(&self, name: &str) -> bool {
        !self.nominated.is_empty()
            && self.nominated.iter().any(|token| token.eq_ignore_ascii_case(name.as_bytes()))
            && is_removable(name)
    }
}

/// The target as the instance gets it, and the authority of an absolute one.
fn origin_form<'a>(method: &str, target: &'a str) -> Result<(&'a str, Option<&'a str>), Refusal> {
    if target.len() > LONGEST_TARGET {
        return refuse(414, "the target is too long");
    }
    match method {
        "CONNECT" => return refuse(501, "tunnels are not offered"),
        "TRACE" | "TRACK" => return refuse(405, "TRACE is not offered"),
        _ => {}
    }
    let unfit = |b: u8| b <= b' ' || b == 0x7f || b == b'#' || b == b'\\';
    if target.bytes().any(unfit) {
        return refuse(400, "the target holds a character that is not allowed");
    }
    if target.starts_with('/') || target == "*" && method == "OPTIONS" {
        return Ok((target, None));
    }
    let scheme = |name: &str| target.get(..name.len()).is_some_and(|s| s.eq_ignore_ascii_case(name));
    let rest = match () {
        () if scheme("http://") => target.get(7..),
        () if scheme("https://") => target.get(8..),
        () => return refuse(400, "the target is neither a path nor an absolute address"),
    };
    let rest = rest.unwrap_or_default();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    match path.as_bytes().first() {
        None if method == "OPTIONS" => Ok(("*", Some(authority))),
        None => Ok(("/", Some(authority))),
        Some(b'/') => Ok((path, Some(authority))),
        // "http://host?query" would need a slash that was not sent.
        Some(_) => refuse(400, "the target has no path"),
    }
}

/// The bytes that may stand in a host name.
const HOST_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut at = 0;
    while at < 256 {
        let b = at as u8;
        let mark = matches!(
            b,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'%'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b';'
                | b'='
        );
        table[at] = b.is_ascii_alphanumeric() || mark;
        at += 1;
    }
    table
};

/// Whether `host` is a name, an IPv4 address or a bracketed IPv6 address, with or without a port.
fn is_host(host: &[u8]) -> bool {
    let (name, port) = match host {
        [b'[', rest @ ..] => {
            let Some(end) = memchr::memchr(b']', rest) else { return false };
            let (inner, after) = rest.split_at(end);
            let address = inner.iter().all(|b| b.is_ascii_hexdigit() || b":.".contains(b));
            match after.get(1..) {
                Some([]) if address && !inner.is_empty() => return true,
                Some([b':', port @ ..]) if address && !inner.is_empty() => (&b"v6"[..], port),
                _ => return false,
            }
        }
        _ => match memchr::memchr(b':', host) {
            Some(colon) => (host.get(..colon).unwrap_or_default(), host.get(colon + 1..).unwrap_or_default()),
            None => (host, &b"0"[..]),
        },
    };
    let fits = |b: &u8| HOST_BYTES.get(usize::from(*b)).copied().unwrap_or_default();
    !name.is_empty()
        && name.len() <= 255
        && name.iter().all(fits)
        && port.len() <= 5
        && port.iter().all(u8::is_ascii_digit)
}

/// Whether the host field and the authority of the target say the same.
fn same_host(host: &[u8], authority: &[u8]) -> bool {
    let plain = |text: &[u8]| text.strip_suffix(b":80").unwrap_or(text).to_ascii_lowercase();
    plain(host) == plain(authority)
}

/// The route for a host as it was sent (in any case, with or without port) and a path.
fn find_route(door: &Door<'_>, host: &[u8], target: &str) -> Result<usize, Refusal> {
    if let Some(only) = door.hosts.only() {
        return Ok(only);
    }
    let mut lower = [0_u8; 256];
    let name = host_name(host);
    let lower = lower.get_mut(..name.len()).and_then(|lower| {
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        std::str::from_utf8(lower).ok()
    });
    let found = lower.and_then(|name| door.hosts.find(name, target));
    found.map_or_else(|| refuse(404, "no service answers for this host and path"), Ok)
}

/// The rule that a request obeys.
fn find_rule(
    door: &Door<'_>,
    route: usize,
    (method, host, target): (&str, &[u8], &str),
    fields: &[httparse::Header<'_>],
) -> Option<Arc<Rule>> {
    let rules = door.rules.get(route).filter(|rules| !rules.is_empty())?;
    let host = std::str::from_utf8(host_name(host)).ok()?;
    rule::find(rules, &Asked { method, host, target }, fields)
}

/// Writes the request line and the host; returns where the host begins.
fn write_line(out: &mut Vec<u8>, method: &str, target: &str, host: &[u8]) -> usize {
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\nHost: ");
    let at = out.len();
    out.extend_from_slice(host);
    out.extend_from_slice(b"\r\n");
    at
}

/// Writes the client's fields that are passed on: those whose bit is set.
fn write_fields(
    out: &mut Vec<u8>,
    fields: &[httparse::Header<'_>],
    passed: &[u64],
    found: &Findings<'_>,
    id: &RequestId,
) {
    for (at, field) in fields.iter().enumerate() {
        let passes = passed.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1);
        if passes && !found.is_nominated(field.name) {
            write_field(out, field.name, field.value);
        }
    }
    write_field(out, "X-Request-ID", id.as_bytes());
}

/// Writes the fields that are the proxy's own, and the end of the head.
fn write_own(
    out: &mut Vec<u8>,
    door: &Door<'_>,
    host: &[u8],
    body: Framing,
    upgrade: Option<Protocol>,
    found: &Findings<'_>,
) {
    if door.client.trusted {
        found.told.write(door.client, host, out);
    } else {
        out.extend_from_slice(&door.client.fields);
        write_field(out, "X-Forwarded-Host", host);
        out.extend_from_slice(&door.client.forwarded);
        out.extend_from_slice(host);
        out.extend_from_slice(b"\"\r\n");
    }
    match body {
        Framing::Length(length) => {
            write_field(out, "Content-Length", itoa::Buffer::new().format(length).as_bytes());
        }
        Framing::Chunked => write_field(out, "Transfer-Encoding", b"chunked"),
        Framing::None | Framing::Close => {}
    }
    if found.expects && body != Framing::None {
        write_field(out, "Expect", b"100-continue");
    }
    if let Some(protocol) = upgrade {
        write_field(out, "Connection", b"Upgrade");
        write_field(out, "Upgrade", protocol.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}
