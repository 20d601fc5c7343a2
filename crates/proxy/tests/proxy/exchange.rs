//! One request and its answer, in all their forms.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tandem_core::base::Millis;
use tandem_core::traffic::Role;

use super::instance::{gate, instance, named};
use super::proxy::{PATIENCE, Proxy, member, status};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn keep_alive_pipelining_and_fields() {
    let upstream = instance(|arrived| {
        let body = arrived.body();
        let text = format!("{}{}", arrived.head, String::from_utf8(body).unwrap());
        arrived.reply(text);
        true
    });
    let proxy = Proxy::start(&[upstream]);
    let mut raw = proxy.connect();
    raw.send("POST /a?b=%0d%0a HTTP/1.1\r\nhost: A.example\r\nX-Forwarded-For: 6.6.6.6\r\nx_forwarded_proto: https\r\nForwarded: for=x\r\n\
              Connection: x-secret, host, content-length\r\nX-Secret: 1\r\nTE: trailers\r\nKeep-Alive: 1\r\nX-Request-ID: abc\r\n\
              Content-Length: 4\r\n\r\nbodyGET /two HTTP/1.1\r\nHost: a\r\n\r\n");
    let first = String::from_utf8(raw.answer().1).unwrap();
    assert!(first.starts_with("POST /a?b=%0d%0a HTTP/1.1\r\nHost: A.example\r\n"), "{first}");
    assert!(first.ends_with("\r\n\r\nbody"), "{first}");
    for present in [
        "X-Request-ID: abc\r\n",
        "X-Forwarded-For: 127.0.0.1\r\n",
        "X-Forwarded-Host: A.example\r\n",
        "Content-Length: 4\r\n",
    ] {
        assert_eq!(first.matches(present).count(), 1, "{present} in {first}");
    }
    for absent in ["6.6.6.6", "x_forwarded", "X-Secret", "for=x", "\nTE", "Keep-Alive", "\nConnection"] {
        assert!(!first.contains(absent), "{absent} in {first}");
    }
    let (_, second) = raw.answer();
    assert!(second.starts_with(b"GET /two HTTP/1.1\r\n"));
}

#[test]
fn chunks_are_made_anew_in_both_directions() {
    let upstream = instance(|arrived| {
        assert_eq!(arrived.body(), b"hello world");
        arrived.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n");
        arrived.write("2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n");
        true
    });
    let proxy = Proxy::start(&[upstream]);
    let mut raw = proxy.connect();
    for _ in 0..2 {
        raw.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;e=1\r\nhello\r\n");
        raw.send("6\r\n world\r\n0\r\n\r\n");
        let (head, body) = raw.answer();
        assert_eq!(body, b"abcde", "{head}");
        let mut trailer = String::new();
        while !trailer.ends_with("\r\n\r\n") {
            assert_ne!(std::io::BufRead::read_line(&mut raw.stream, &mut trailer).unwrap(), 0);
        }
        assert_eq!(trailer, "X-Sum: 5\r\n\r\n");
    }
    // HTTP/1.0 knows no chunks: the end of the connection is the end of the answer.
    let mut old = proxy.connect();
    old.send("POST / HTTP/1.0\r\nContent-Length: 11\r\n\r\nhello world");
    let (rest, ended) = old.rest();
    assert!(ended && rest.ends_with(b"Connection: close\r\n\r\nabcde"), "{}", String::from_utf8_lossy(&rest));
}

#[test]
fn answers_without_a_body_have_none() {
    let upstream = instance(|arrived| {
        match arrived.path() {
            "/204" => arrived.write("HTTP/1.1 204 No Content\r\n\r\n"),
            "/304" => arrived.write("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
            "/early" => arrived.write(
                "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            ),
            "/close" => {
                arrived.write("HTTP/1.1 200 OK\r\n\r\nuntil the end");
                return false;
            }
            _ => arrived.write("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"),
        }
        true
    });
    let proxy = Proxy::start(&[upstream]);
    let mut raw = proxy.connect();
    raw.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET /204 HTTP/1.1\r\nHost: a\r\n\r\nGET /304 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(raw.head().contains("Content-Length: 7\r\n"));
    assert!(raw.head().starts_with("HTTP/1.1 204 "));
    assert!(raw.head().starts_with("HTTP/1.1 304 "));
    raw.send("GET /early HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(status(&raw.head()), 103);
    assert_eq!(raw.answer().1, b"ok");
    raw.send("GET /close HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(raw.answer().1, b"until the end");
}

#[test]
fn large_bodies_pass_whole_in_both_directions() {
    const SIZE: usize = 100 * 1024 * 1024;
    fn sum(bytes: &[u8]) -> u64 {
        bytes.iter().fold(7, |sum: u64, &b| (sum ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
    }
    let upstream = instance(|arrived| {
        let body = arrived.body();
        arrived.reply(body);
        true
    });
    let proxy = Proxy::start(&[upstream]);
    let data: Vec<u8> = (0..SIZE).map(|at| ((at * 31) >> 7) as u8).collect();
    let mut raw = proxy.connect();
    let mut sender = raw.stream.get_ref().try_clone().unwrap();
    let expected = sum(&data);
    let sending = std::thread::spawn(move || {
        sender
            .write_all(format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n").as_bytes())
            .unwrap();
        sender.write_all(&data).unwrap();
    });
    let (head, body) = raw.answer();
    sending.join().unwrap();
    assert_eq!((status(&head), body.len(), sum(&body)), (200, SIZE, expected));
}

#[test]
fn a_body_is_asked_for_only_when_the_instance_wants_it() {
    let upstream = instance(|arrived| {
        if arrived.path() == "/no" {
            arrived.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
            return false;
        }
        assert_eq!(arrived.field("expect"), Some("100-continue"));
        if arrived.path() == "/asks" {
            arrived.write("HTTP/1.1 100 Continue\r\n\r\n");
        }
        let body = arrived.body();
        arrived.reply(body);
        true
    });
    let proxy = Proxy::start(&[upstream]);
    let ask = |path: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    };
    let mut raw = proxy.connect();
    // One that asks, and one that never does: the proxy asks in its place.
    for path in ["/asks", "/silent"] {
        raw.send(ask(path));
        assert_eq!(status(&raw.head()), 100);
        raw.send("abc");
        let (head, body) = raw.answer();
        assert_eq!((status(&head), body.as_slice()), (200, &b"abc"[..]));
    }
    raw.send(ask("/no"));
    let head = raw.head();
    assert!(head.starts_with("HTTP/1.1 413 ") && head.contains("Connection: close"), "{head}");
    assert_eq!(raw.rest(), (Vec::new(), true));
}

#[test]
fn an_early_answer_is_delivered_although_the_upload_goes_on() {
    let upstream = instance(|arrived| {
        arrived.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
        false
    });
    let proxy = Proxy::start(&[upstream]);
    let mut raw = proxy.connect();
    raw.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n");
    raw.send(vec![b'x'; 100_000]);
    let (head, body) = raw.answer();
    assert_eq!((status(&head), body.as_slice()), (403, &b"no"[..]));
    assert!(head.contains("Connection: close"), "{head}");
}

#[test]
fn an_answer_that_breaks_off_looks_broken() {
    let upstream = instance(|arrived| {
        match arrived.path() {
            "/length" => arrived.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"),
            _ => arrived.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
        }
        false
    });
    let proxy = Proxy::start(&[upstream]);
    for path in ["/length", "/chunked"] {
        let mut raw = proxy.connect();
        raw.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let (rest, _) = raw.rest();
        assert!(!rest.ends_with(b"0\r\n\r\n") && rest.len() < 150, "{}", String::from_utf8_lossy(&rest));
    }
    let mut old = proxy.connect();
    old.send("GET /chunked HTTP/1.0\r\n\r\n");
    assert!(!old.rest().1, "a truncated answer to HTTP/1.0 ended as if it were complete");
    proxy.wait("three failures", |report| report.counts.values().any(|counts| counts.failed == 3));
}

#[test]
fn a_malformed_answer_becomes_a_502() {
    let upstream = instance(|arrived| {
        let answer = match arrived.path() {
            "/both" => "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "/twice" => "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
            "/bare" => "HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
            "/switch" => "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            _ => "nonsense\r\n\r\n",
        };
        arrived.write(answer);
        false
    });
    let proxy = Proxy::start(&[upstream]);
    for path in ["/both", "/twice", "/bare", "/switch", "/nonsense"] {
        assert_eq!(status(&proxy.ask(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))), 502, "{path}");
    }
}

#[test]
fn what_was_not_sent_is_tried_elsewhere() {
    // Nobody listens on this one.
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = Proxy::start(&[dead, named("alive")]);
    for _ in 0..20 {
        let answer = proxy.connect_and_post();
        assert_eq!(answer, b"alive");
    }
}

impl Proxy {
    fn connect_and_post(&self) -> Vec<u8> {
        let mut raw = self.connect();
        raw.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
        raw.answer().1
    }
}

#[test]
fn a_stale_connection_costs_an_idempotent_request_nothing_and_sends_no_other_twice() {
    let posts = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&posts);
    // Reads the second request of a connection and then drops it: the worst moment.
    let upstream = instance(move |arrived| {
        arrived.body();
        if arrived.path() == "/post" {
            seen.fetch_add(1, Ordering::SeqCst);
        }
        if arrived.nth > 0 {
            return false;
        }
        arrived.reply("ok");
        true
    });
    let proxy = Proxy::start(&[upstream]);
    let mut raw = proxy.connect();
    for _ in 0..6 {
        raw.send(GET);
        assert_eq!(raw.answer().1, b"ok");
    }
    let report = proxy.wait("retries", |r| r.counts.values().any(|c| c.retried >= 1));
    assert_eq!(report.counts.values().map(|c| c.failed).sum::<u64>(), 0);
    raw.send("POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    assert!(matches!(status(&raw.answer().0), 200 | 502));
    assert_eq!(posts.load(Ordering::SeqCst), 1, "a POST was sent twice");
}

#[test]
fn an_instance_that_hangs_is_a_504_and_a_lone_service_without_instances_a_503() {
    let (reached, wait) = gate();
    let hangs = instance(move |_| {
        wait.wait();
        false
    });
    let mut proxy = Proxy::start_with(&[hangs], |route| route.timeouts.answer = Millis(300));
    let mut raw = proxy.connect();
    raw.send("GET / HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n");
    reached.reached();
    let (head, body) = raw.answer();
    assert_eq!(status(&head), 504);
    assert!(String::from_utf8(body).unwrap().contains("\"status\":504"), "{head}");
    proxy.route.members = vec![member(1, hangs, Role::Standby)];
    proxy.apply();
    let answer = proxy.ask(GET);
    assert!(status(&answer) == 503 && answer.contains("Retry-After"), "{answer}");
    reached.open();
}

#[test]
fn a_client_that_dawdles_is_ended() {
    let proxy = Proxy::start_with(&[named("x")], |route| {
        route.timeouts.head = Millis(300);
        route.timeouts.idle = Millis(300);
        route.timeouts.body = Millis(300);
    });
    let mut slow = proxy.connect();
    slow.send("GET / HTTP/1.1\r\nHo");
    assert_eq!(status(&slow.answer().0), 408);
    let mut silent = proxy.connect();
    assert_eq!(silent.rest(), (Vec::new(), true));
    let mut body = proxy.connect();
    body.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    assert_eq!(status(&body.answer().0), 408);
    assert!(PATIENCE.as_secs() > 0);
}
