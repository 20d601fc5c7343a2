//! An answer's head: checked, and built anew for the client.
//!
//! An instance is trusted more than a client, but its answer must leave as unambiguously as a request does: what is
//! malformed becomes a 502. Does no I/O. Tested in place.

use std::mem::MaybeUninit;

use tandem_core::spec::FieldChanges;

use crate::field::{Field, classify, has_clean_lines, is_removable, parse_length, tokens, write_field};
use crate::request::{Framing, Protocol, Request};

/// The largest head of an answer, in bytes.
pub(crate) const LARGEST_HEAD: usize = 64 * 1024;
const MOST_FIELDS: usize = 256;

/// The head of an answer is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadAnswer(pub(crate) &'static str);

/// What is known of an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Response {
    /// So many bytes of what arrived were the head.
    pub(crate) head: usize,
    /// The status code.
    pub(crate) status: u16,
    /// How its body is delimited as it comes.
    pub(crate) body: Framing,
    /// How its body is delimited towards the client.
    pub(crate) encoding: Framing,
    /// The instance goes on with the connection.
    pub(crate) reusable: bool,
    /// The client's connection can go on after it.
    pub(crate) keep_alive: bool,
}

#[derive(Debug, Default)]
struct Findings<'a> {
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    upgrades: bool,
    protocol: Option<&'a [u8]>,
    nominated: Vec<&'a [u8]>,
}

/// Reads the head of an answer to `request` at the beginning of `bytes`. `None`: it is not complete yet. The head for
/// the client is written to `out`. `keep_alive`: the proxy would go on with the client's connection.
pub(crate) fn translate(
    bytes: &[u8],
    request: &Request,
    keep_alive: bool,
    out: &mut Vec<u8>,
) -> Result<Option<Response>, BadAnswer> {
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let head = match config.parse_response_with_uninit_headers(&mut parsed, bytes, &mut fields) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) if bytes.len() >= LARGEST_HEAD => {
            return Err(BadAnswer("the head of the answer is too large"));
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(BadAnswer("the answer has too many header fields"));
        }
        Err(_) => return Err(BadAnswer("the head of the answer is malformed")),
    };
    if !has_clean_lines(bytes.get(..head).unwrap_or_default()) {
        return Err(BadAnswer("a line of the answer does not end in CR LF"));
    }
    let (Some(status), Some(version)) = (parsed.code, parsed.version) else {
        return Err(BadAnswer("the status line is incomplete"));
    };
    if !(100..=999).contains(&status) {
        return Err(BadAnswer("the status is not one"));
    }
    let mut found = Findings::default();
    let mut passed = [0_u64; MOST_FIELDS / 64];
    for (at, field) in parsed.headers.iter().enumerate() {
        let kind = classify(field.name);
        found.take(kind, field.value)?;
        let passes = matches!(
            kind,
            Field::Other
                | Field::Accept
                | Field::RequestId
                | Field::Forwarded
                | Field::Cookie
                | Field::DeploymentId
        );
        if let (true, Some(word)) = (passes, passed.get_mut(at / 64)) {
            *word |= 1 << (at % 64);
        }
    }
    if found.chunked && (found.length.is_some() || version == 0) {
        return Err(BadAnswer("the length of the answer is given in two ways"));
    }
    if status == 101 && !found.confirms(request.upgrade) {
        return Err(BadAnswer("the instance changed to a protocol that was not asked for"));
    }
    let body = found.framing(status, request);
    let encoding = match body {
        Framing::Chunked | Framing::Close if request.http10 => Framing::Close,
        Framing::Chunked | Framing::Close => Framing::Chunked,
        other => other,
    };
    let reusable = body != Framing::Close && if version == 0 { found.keep_alive } else { !found.close };
    let keep_alive = keep_alive && request.keep_alive && encoding != Framing::Close;
    // What a rule changes is the answer itself, not what is said before it.
    let rule = request.rule.as_deref().filter(|_| status >= 200 || status == 101);
    let changes = rule.map(|rule| &rule.spec.response).filter(|changes| !changes.is_empty());
    write_line(out, status, parsed.reason.unwrap_or_default());
    write_fields(out, parsed.headers, &passed, &found, changes);
    if let Some(cookie) = request.session().and_then(|session| session.cookie.as_ref())
        && (status >= 200 || status == 101)
        && !parsed.headers.iter().any(|field| is_shared(field.name, field.value))
        && !changes.is_some_and(|c| c.set.iter().any(|(name, value)| is_shared(name, value.as_bytes())))
    {
        write_field(out, "Set-Cookie", cookie.as_bytes());
    }
    write_end(out, status, &found, encoding, request, keep_alive);
    Ok(Some(Response { head, status, body, encoding, reusable, keep_alive }))
}

impl<'a> Findings<'a> {
    fn take(&mut self, field: Field, value: &'a [u8]) -> Result<(), BadAnswer> {
        match field {
            Field::ContentLength => {
                let length = parse_length(value).ok_or(BadAnswer("the length of the answer is not valid"))?;
                if self.length.replace(length).is_some() {
                    return Err(BadAnswer("the length of the answer is given twice"));
                }
            }
            Field::TransferEncoding => {
                if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(BadAnswer("the answer has a transfer coding other than chunked"));
                }
                self.chunked = true;
            }
            Field::Connection if value.eq_ignore_ascii_case(b"keep-alive") => self.keep_alive = true,
            Field::Connection if value.eq_ignore_ascii_case(b"close") => self.close = true,
            Field::Connection => {
                for token in tokens(value) {
                    self.close |= token.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
                    self.upgrades |= token.eq_ignore_ascii_case(b"upgrade");
                    let known = [&b"close"[..], b"keep-alive", b"upgrade"];
                    if self.nominated.len() < 16 && !known.iter().any(|k| token.eq_ignore_ascii_case(k)) {
                        self.nominated.push(token);
                    }
                }
            }
            Field::Upgrade => self.protocol = Some(value),
            _ => {}
        }
        Ok(())
    }

    /// Whether a 101 is the answer to what was asked for.
    fn confirms(&self, asked: Option<Protocol>) -> bool {
        self.upgrades && asked.is_some() && self.protocol.and_then(Protocol::parse) == asked
    }

    fn framing(&self, status: u16, request: &Request) -> Framing {
        if request.is_head || status < 200 || status == 204 || status == 304 {
            return Framing::None;
        }
        match self.length {
            _ if self.chunked => Framing::Chunked,
            Some(length) => Framing::Length(length),
            None => Framing::Close,
        }
    }

    fn is_nominated(&self, name: &str) -> bool {
        !self.nominated.is_empty()
            && self.nominated.iter().any(|token| token.eq_ignore_ascii_case(name.as_bytes()))
            && is_removable(name)
    }
}

/// Whether a field says that the answer may be kept for other clients: then nothing of one client's may be in it.
fn is_shared(name: &str, value: &[u8]) -> bool {
    let says = |word: &str| {
        tokens(value).any(|t| t.get(..word.len()).is_some_and(|t| t.eq_ignore_ascii_case(word.as_bytes())))
    };
    name.eq_ignore_ascii_case("cache-control") && (says("public") || says("s-maxage"))
}

fn write_line(out: &mut Vec<u8>, status: u16, reason: &str) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(itoa::Buffer::new().format(status).as_bytes());
    out.push(b' ');
    out.extend_from_slice(reason.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Writes the instance's fields that are passed on, those whose bit is set, but as a rule wants them.
fn write_fields(
    out: &mut Vec<u8>,
    fields: &[httparse::Header<'_>],
    passed: &[u64],
    found: &Findings<'_>,
    changes: Option<&FieldChanges>,
) {
    for (at, field) in fields.iter().enumerate() {
        let passes = passed.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1);
        let stays = changes.is_none_or(|changes| !changes.takes_away(field.name));
        if passes && stays && !found.is_nominated(field.name) {
            write_field(out, field.name, field.value);
        }
    }
    for (name, value) in changes.iter().flat_map(|changes| &changes.set) {
        write_field(out, name, value.as_bytes());
    }
}

/// Writes the fields by which the client finds the end of the answer, and the end of the head.
fn write_end(
    out: &mut Vec<u8>,
    status: u16,
    found: &Findings<'_>,
    encoding: Framing,
    request: &Request,
    keep_alive: bool,
) {
    // The length that a GET would have had is passed with HEAD and 304; 1xx and 204 have none.
    let told = if status < 200 || status == 204 { None } else { found.length };
    match (encoding, told) {
        (Framing::Chunked, _) => write_field(out, "Transfer-Encoding", b"chunked"),
        (Framing::Length(_) | Framing::None, Some(length)) => {
            write_field(out, "Content-Length", itoa::Buffer::new().format(length).as_bytes());
        }
        (Framing::None, None) if request.is_head && found.chunked && !request.http10 => {
            write_field(out, "Transfer-Encoding", b"chunked");
        }
        _ => {}
    }
    if let (101, Some(protocol)) = (status, request.upgrade) {
        out.extend_from_slice(b"Connection: Upgrade\r\nUpgrade: ");
        out.extend_from_slice(protocol.as_bytes());
        out.extend_from_slice(b"\r\n");
    } else if status >= 200 {
        match keep_alive {
            true if request.http10 => out.extend_from_slice(b"Connection: keep-alive\r\n"),
            true => {}
            false => out.extend_from_slice(b"Connection: close\r\n"),
        }
    }
    out.extend_from_slice(b"\r\n");
}
