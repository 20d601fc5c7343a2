//! Heads of HTTP/2 as HTTP/1.1 text, and back.
//!
//! What stands in the text is what was sent, no more: whether it makes sense is checked where all text is checked. The
//! `h2` crate has refused what can't be text (RFC 9113, section 8.2.1). Does no I/O. Tested in place.

use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, request, response};

use crate::request::Framing;

/// The most fields of a head that is turned into HTTP/2.
const MOST_FIELDS: usize = 300;

/// A request's head as text. `whole`: no body follows. `key`: random bytes, for a protocol that is to be changed to.
/// Returns how the body is to be written.
pub(super) fn from_request(parts: &request::Parts, whole: bool, key: [u64; 2], out: &mut Vec<u8>) -> Framing {
    let protocol = parts.extensions.get::<h2::ext::Protocol>();
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    let method = if protocol.is_some() { Method::GET.as_str() } else { parts.method.as_str() };
    let target = match parts.uri.path_and_query() {
        _ if parts.method == Method::CONNECT && protocol.is_none() => authority.unwrap_or_default(),
        Some(target) => target.as_str(),
        None => "",
    };
    line(out, &[method.as_bytes(), b" ", target.as_bytes(), b" HTTP/1.1"]);
    if let Some(authority) = authority {
        field(out, b"Host", authority.as_bytes());
    }
    let said =
        |value: &HeaderValue| authority.is_some_and(|a| value.as_bytes().eq_ignore_ascii_case(a.as_bytes()));
    for (name, value) in &parts.headers {
        // One that says the same as the authority is the same.
        if name != header::COOKIE && !(name == header::HOST && said(value)) {
            field(out, name.as_ref(), value.as_bytes());
        }
    }
    cookies(&parts.headers, out);
    let framing = match (protocol, parts.headers.get(header::CONTENT_LENGTH)) {
        (Some(protocol), _) => {
            field(out, b"Connection", b"Upgrade");
            field(out, b"Upgrade", protocol.as_str().as_bytes());
            if protocol.as_str().eq_ignore_ascii_case("websocket") {
                field(out, b"Sec-WebSocket-Key", websocket_key(key).as_bytes());
            }
            Framing::Close
        }
        _ if whole => Framing::None,
        (None, Some(length)) => Framing::Length(length_of(length).unwrap_or_default()),
        (None, None) => {
            field(out, b"Transfer-Encoding", b"chunked");
            Framing::Chunked
        }
    };
    line(out, &[]);
    framing
}

/// The head of an instance's answer as text. `whole`: no body follows.
pub(super) fn from_response(parts: &response::Parts, whole: bool, out: &mut Vec<u8>) -> Framing {
    line(out, &[b"HTTP/1.1 ", parts.status.as_str().as_bytes(), b" "]);
    for (name, value) in &parts.headers {
        field(out, name.as_ref(), value.as_bytes());
    }
    let framing = match parts.headers.get(header::CONTENT_LENGTH).map(length_of) {
        Some(length) => Framing::Length(length.unwrap_or_default()),
        None if whole => {
            field(out, b"Content-Length", b"0");
            Framing::None
        }
        None => {
            field(out, b"Transfer-Encoding", b"chunked");
            Framing::Chunked
        }
    };
    line(out, &[]);
    if whole { Framing::None } else { framing }
}

/// The text of trailers, without the empty line.
pub(super) fn from_trailers(trailers: &HeaderMap, out: &mut Vec<u8>) {
    for (name, value) in trailers {
        field(out, name.as_ref(), value.as_bytes());
    }
}

/// An answer as HTTP/2, and how its body is written in the text. None: this is not the head of an answer.
pub(super) fn to_response(head: &[u8], of_head: bool) -> Option<(Response<()>, Framing)> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut parsed = httparse::Response::new(&mut fields);
    if !parsed.parse(head).ok()?.is_complete() {
        return None;
    }
    let status = StatusCode::from_u16(parsed.code?).ok()?;
    let (headers, framing) = to_fields(parsed.headers)?;
    // A protocol that was changed to is a tunnel that was opened (RFC 8441, section 5).
    let tunnel = status == StatusCode::SWITCHING_PROTOCOLS;
    let bodiless = of_head || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    let framing = match framing {
        _ if tunnel => Framing::Close,
        _ if bodiless => Framing::None,
        framing => framing,
    };
    let mut answer = Response::new(());
    *answer.status_mut() = if tunnel { StatusCode::OK } else { status };
    *answer.headers_mut() = headers;
    Some((answer, framing))
}

/// A request as HTTP/2, and how its body is written in the text. None: it can't be said in HTTP/2. `trailers`: the client takes
/// them.
pub(super) fn to_request(head: &[u8], trailers: bool) -> Option<(Request<()>, Framing)> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    if !parsed.parse(head).ok()?.is_complete() {
        return None;
    }
    let host = parsed.headers.iter().find(|field| field.name.eq_ignore_ascii_case("host"))?;
    let host = std::str::from_utf8(host.value).ok()?;
    let uri = Uri::builder().scheme("http").authority(host).path_and_query(parsed.path?).build().ok()?;
    let (mut headers, framing) = to_fields(parsed.headers)?;
    headers.remove(header::HOST);
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(parsed.method?.as_bytes()).ok()?;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Some((request, framing))
}

/// The fields of trailers. None: they are not fields.
pub(super) fn to_trailers(text: &[u8]) -> Option<HeaderMap> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    match httparse::parse_headers(text, &mut fields).ok()? {
        httparse::Status::Complete((_, fields)) => Some(to_fields(fields)?.0),
        httparse::Status::Partial => None,
    }
}

/// Fields without those that HTTP/2 says in other ways, and how the body is written.
fn to_fields(fields: &[httparse::Header<'_>]) -> Option<(HeaderMap, Framing)> {
    let mut headers = HeaderMap::with_capacity(fields.len());
    let mut framing = Framing::None;
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        match name {
            header::TRANSFER_ENCODING => framing = Framing::Chunked,
            header::CONNECTION | header::UPGRADE => {}
            _ => {
                let value = HeaderValue::from_bytes(field.value).ok()?;
                if name == header::CONTENT_LENGTH {
                    framing = Framing::Length(length_of(&value)?);
                }
                headers.append(name, value);
            }
        }
    }
    Some((headers, framing))
}

fn length_of(value: &HeaderValue) -> Option<u64> {
    crate::field::parse_length(value.as_bytes())
}

/// Cookies may come one by one; an instance that speaks HTTP/1.1 gets them as one field (RFC 9113, section 8.2.3).
fn cookies(headers: &HeaderMap, out: &mut Vec<u8>) {
    let mut crumbs = headers.get_all(header::COOKIE).iter();
    let Some(first) = crumbs.next() else { return };
    out.extend_from_slice(b"Cookie: ");
    out.extend_from_slice(first.as_bytes());
    for crumb in crumbs {
        out.extend_from_slice(b"; ");
        out.extend_from_slice(crumb.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// 16 bytes in base64: HTTP/2 has no such field, HTTP/1.1 wants one (RFC 6455, section 4.1).
fn websocket_key(random: [u64; 2]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = u128::from(random[0]) << 64 | u128::from(random[1]);
    // 21 digits of six bits each, one of the two that are left, and the padding.
    let digit = |at: u32| {
        let six = if at < 21 { bits >> (122 - 6 * at) } else { bits << 4 };
        char::from(DIGITS[(six & 63) as usize])
    };
    (0..22).map(digit).chain("==".chars()).collect()
}

fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    line(out, &[name, b": ", value]);
}

fn line(out: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(request: Request<()>, whole: bool) -> (String, Framing) {
        let mut out = Vec::new();
        let framing = from_request(&request.into_parts().0, whole, [0, 1], &mut out);
        (String::from_utf8(out).unwrap(), framing)
    }

    #[test]
    fn a_request_becomes_text() {
        let request = Request::builder()
            .uri("https://shop.example/a?b=c")
            .header("host", "Shop.example")
            .header("cookie", "a=1")
            .header("x-y", "z")
            .header("cookie", "b=2");
        let (text, framing) = text_of(request.body(()).unwrap(), true);
        assert_eq!(framing, Framing::None);
        assert_eq!(text, "GET /a?b=c HTTP/1.1\r\nHost: shop.example\r\nx-y: z\r\nCookie: a=1; b=2\r\n\r\n");
        // A host that says something else is left in, so that it is seen at the door.
        let request = Request::builder().uri("https://shop.example/").header("host", "other.example");
        assert!(text_of(request.body(()).unwrap(), true).0.contains("host: other.example\r\n"));
        let request = Request::builder().method("POST").uri("https://a/").header("content-length", "7");
        assert_eq!(text_of(request.body(()).unwrap(), false).1, Framing::Length(7));
        let request = Request::builder().method("POST").uri("https://a/");
        let (text, framing) = text_of(request.body(()).unwrap(), false);
        assert!(framing == Framing::Chunked && text.contains("Transfer-Encoding: chunked\r\n"));
    }

    #[test]
    fn an_answer_becomes_http2() {
        let head = b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 3\r\nConnection: close\r\n\r\n";
        let (answer, framing) = to_response(head, false).unwrap();
        assert_eq!((answer.status(), framing), (StatusCode::OK, Framing::Length(3)));
        assert_eq!(answer.headers().len(), 2, "{answer:?}");
        assert_eq!(to_response(head, true).unwrap().1, Framing::None);
        let head = b"HTTP/1.1 101 \r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        let (answer, framing) = to_response(head, false).unwrap();
        assert_eq!((answer.status(), framing), (StatusCode::OK, Framing::Close));
        assert!(answer.headers().is_empty());
    }

    #[test]
    fn a_request_goes_there_and_back() {
        let text =
            "PUT /x?y HTTP/1.1\r\nHost: a.example:8080\r\nx-a: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let (request, framing) = to_request(text.as_bytes(), true).unwrap();
        assert_eq!(framing, Framing::Chunked);
        assert_eq!(request.headers()[header::TE], "trailers");
        let (again, _) = text_of(request, false);
        assert_eq!(
            again,
            "PUT /x?y HTTP/1.1\r\nHost: a.example:8080\r\nx-a: 1\r\nte: trailers\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        assert!(to_request(b"GET /< HTTP/1.1\r\nHost: a\r\n\r\n", false).is_none(), "not a path of HTTP/2");
        assert!(to_request(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", false).is_some());
    }

    #[test]
    fn keys_are_base64() {
        assert_eq!(websocket_key([0, 0]), "AAAAAAAAAAAAAAAAAAAAAA==");
        assert_eq!(websocket_key([u64::MAX, u64::MAX]), "/////////////////////w==");
        // "the sample nonce", the example of RFC 6455, section 1.3.
        assert_eq!(websocket_key([0x7468_6520_7361_6d70, 0x6c65_206e_6f6e_6365]), "dGhlIHNhbXBsZSBub25jZQ==");
    }
}
