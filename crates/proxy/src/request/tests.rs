use proptest::prelude::*;
use tandem_core::traffic::Route;
use tandem_core::traffic::matching::HostIndex;

use super::{Client, Door, Framing, Refusal, Request, RequestId, admit};

fn look(bytes: &[u8]) -> (Result<Option<Request>, Refusal>, Vec<u8>) {
    let route = Route::new("a".parse().unwrap(), Vec::new());
    let hosts = HostIndex::build(&[route]).unwrap();
    let client = Client::new("10.0.0.1:5000".parse().unwrap(), "127.0.0.1:80".parse().unwrap(), None, &[]);
    let mut out = Vec::new();
    let door =
        Door { hosts: &hosts, routes: &[], rules: &[], client: &client, fields: 100, random: [1, u64::MAX] };
    (admit(bytes, &door, &mut out), out)
}

/// Panics unless `head` is canonical: read by the letter of RFC 9112, without any lenience.
fn assert_canonical(head: &[u8]) {
    let text = head.strip_suffix(b"\r\n\r\n").expect("an empty line at the end");
    let lines: Vec<&[u8]> = split(text);
    let parts: Vec<&[u8]> = lines[0].split(|&b| b == b' ').collect();
    assert_eq!(parts.len(), 3);
    assert!(parts[0].iter().all(is_token) && !parts[0].is_empty());
    assert!(parts[1].iter().all(|&b| b > b' ' && b != 0x7f) && !parts[1].is_empty());
    assert_eq!(parts[2], b"HTTP/1.1");
    let mut framing = 0;
    let mut hosts = 0;
    for line in &lines[1..] {
        let colon = line.iter().position(|&b| b == b':').expect("a colon");
        let (name, value) = (&line[..colon], &line[colon + 2..]);
        assert_eq!(line[colon + 1], b' ');
        assert!(!name.is_empty() && name.iter().all(is_token));
        assert!(value.iter().all(|&b| b == b'\t' || b >= b' ' && b != 0x7f));
        let name = name.to_ascii_lowercase();
        hosts += usize::from(name == b"host");
        if name == b"content-length" {
            framing += 1;
            assert!(!value.is_empty() && value.iter().all(u8::is_ascii_digit));
        }
        if name == b"transfer-encoding" {
            framing += 1;
            assert_eq!(value, b"chunked");
        }
        assert!(!matches!(&name[..], b"te" | b"keep-alive" | b"proxy-connection" | b"http2-settings"));
    }
    assert!(framing <= 1 && hosts == 1);
}

fn split(text: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(2).position(|two| two == b"\r\n") {
        lines.push(&rest[..at]);
        rest = &rest[at + 2..];
    }
    lines.push(rest);
    assert!(lines.iter().all(|line| !line.contains(&b'\r') && !line.contains(&b'\n')));
    lines
}

fn is_token(b: &u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b)
}

/// Pieces from which heads are made that are nearly right.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known: Vec<&'static [u8]> = vec![
        b"GET / HTTP/1.1\r\n",
        b"POST http://a/x HTTP/1.1\r\n",
        b"Host: a\r\n",
        b"host:b:80\r\n",
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Connection: x, close\r\n",
        b"Connection: host\r\n",
        b"X: y\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b":",
        b"\0",
        b"\x7f",
        b"\xff",
        b"TE: a\r\n",
        b"Upgrade: h2c\r\nConnection: Upgrade\r\n",
        b"Content-Length:\r\n",
        b"OPTIONS * HTTP/1.0\r\n",
        b"Expect: 100-continue\r\n",
    ];
    prop_oneof![8 => proptest::sample::select(known).prop_map(<[u8]>::to_vec), 1 => any::<Vec<u8>>()]
}

proptest! {
    #[test]
    fn whatever_comes_in_what_leaves_is_canonical(pieces in proptest::collection::vec(piece(), 0..12)) {
        let mut bytes = b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec();
        if pieces.len() % 2 == 0 {
            bytes.clear();
        }
        bytes.extend(pieces.concat());
        bytes.extend(b"\r\n\r\n");
        if let (Ok(Some(request)), out) = look(&bytes) {
            prop_assert!(request.head <= bytes.len());
            assert_canonical(&out);
        }
    }

    #[test]
    fn a_head_is_judged_the_same_however_it_arrives(cut in 1..60_usize) {
        let whole = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nX: y\r\n\r\n";
        let (part, _) = look(&whole[..cut.min(whole.len() - 1)]);
        prop_assert!(matches!(part, Ok(None)));
    }
}

#[test]
fn what_is_known_of_a_request() {
    let (request, out) =
        look(b"HEAD http://A.b/x?y HTTP/1.1\r\nHost: a.b\r\nConnection: close\r\nAccept: a/json\r\n\r\n");
    let request = request.unwrap().unwrap();
    assert!(request.is_head && request.idempotent && !request.keep_alive && request.wants_json);
    assert_eq!(request.body, Framing::None);
    assert_eq!(&out[request.host.0..request.host.1], b"a.b");
    assert!(out.starts_with(b"HEAD /x?y HTTP/1.1\r\nHost: a.b\r\n"));
}

#[test]
fn ids_are_hexadecimal() {
    let id = RequestId::from_random([0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210]);
    assert_eq!(id.as_bytes(), b"0123456789abcdeffedcba9876543210");
}
