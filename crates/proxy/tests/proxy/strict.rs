//! What is refused at the door: whatever two parsers could read differently.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::instance::instance;
use super::proxy::{Proxy, status};

#[test]
fn requests_that_can_be_read_in_two_ways_are_refused_and_never_reach_an_instance() {
    let reached = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reached);
    let upstream = instance(move |arrived| {
        count.fetch_add(1, Ordering::SeqCst);
        arrived.reply("reached");
        true
    });
    let proxy = Proxy::start_with(&[upstream], |route| {
        route.limits.head = 16 * 1024;
        route.limits.body = 1000;
    });
    let long = "x".repeat(9000);
    let cases = [
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned()),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx".to_owned()),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx".to_owned()),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx".to_owned()),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nx".to_owned()),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n".to_owned()),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned()),
        (501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n".to_owned()),
        (400, "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\nHost: a\n\n".to_owned()),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n".to_owned()),
        (400, "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        (400, "GET http://u@a/ HTTP/1.1\r\nHost: u@a\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n".to_owned()),
        (400, "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        (400, "GET /\\x HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        (400, "GET x HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        (400, "G(T / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        (400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        (400, "GET /\r\n".to_owned()),
        (505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_owned()),
        (505, "PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n".to_owned()),
        (414, format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n")),
        (431, format!("GET / HTTP/1.1\r\nHost: a\r\nA: {long}\r\nB: {long}\r\n\r\n")),
        (431, format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(150))),
        (413, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n".to_owned()),
        (501, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        (405, "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        (417, "POST / HTTP/1.1\r\nHost: a\r\nExpect: more\r\nContent-Length: 1\r\n\r\nx".to_owned()),
    ];
    for (expected, request) in cases {
        let mut raw = proxy.connect();
        raw.send(&request);
        let (head, _) = raw.answer();
        let shown = &request[..request.len().min(90)];
        assert_eq!(status(&head), expected, "{shown:?} gave {head:?}");
        assert!(head.contains("Connection: close\r\n"), "{shown:?} gave {head:?}");
        assert_eq!(raw.rest(), (Vec::new(), true), "after {shown:?}");
    }
    assert_eq!(reached.load(Ordering::SeqCst), 0);
    assert_eq!(status(&proxy.ask("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")), 200);
    assert_eq!(status(&proxy.ask("GET http://A:80/x HTTP/1.1\r\nHost: a\r\n\r\n")), 200);
    let chunks = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\nx\r\n0\r\n\r\n";
    assert_eq!(status(&proxy.ask(chunks)), 400);
}
