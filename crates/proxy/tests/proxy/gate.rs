//! Requests that somebody has wait, or be told to come back.

use std::time::Duration;

use tandem_core::base::Millis;
use tandem_core::traffic::{Gate, Listener, Maintenance};

use super::http2::{connect, run};
use super::instance::named;
use super::proxy::{Proxy, status};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn told(allow: &[&str]) -> Maintenance {
    Maintenance {
        message: "back at <noon>".to_owned(),
        page: None,
        retry_after: Millis(90_500),
        allow: allow.iter().map(|network| network.parse().unwrap()).collect(),
    }
}

fn answer(proxy: &Proxy, fields: &str) -> (String, String) {
    let mut client = proxy.connect();
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
    let (head, body) = client.answer();
    (head, String::from_utf8(body).unwrap())
}

#[test]
fn clients_are_told_to_come_back_but_for_those_who_are_let_through() {
    let mut proxy = Proxy::start(&[named("one")]);
    proxy.wait_instance(1, "up", |i| i.health.is_up());
    let mut kept = proxy.connect();
    kept.send(GET);
    assert_eq!(kept.answer().1, b"one");
    proxy.route.gate = Gate::Closed(told(&["192.0.2.7"]));
    proxy.apply();

    kept.send(GET);
    let (head, body) = kept.answer();
    assert_eq!(status(&head), 503, "on a connection that was there before, too");
    assert!(
        head.contains("\r\nRetry-After: 91\r\n") && head.contains("\r\nCache-Control: no-store\r\n"),
        "{head}"
    );
    assert!(String::from_utf8(body).unwrap().contains("back at &#60;noon&#62;"));
    let (head, body) = answer(&proxy, "Accept: application/json\r\n");
    assert!(
        head.contains("application/problem+json") && body.contains("\"detail\":\"back at <noon>\""),
        "{body}"
    );
    let (over_http2, _) = run(async { super::http2::get(&mut connect(proxy.address).await, "/").await });
    assert_eq!(over_http2, 503);

    // Who says so of himself is nobody; a trusted peer's word counts, and of several the last that it did not believe.
    let from = |who: &str| format!("X-Forwarded-For: {who}\r\n");
    assert_eq!(status(&answer(&proxy, &from("192.0.2.7")).0), 503);
    proxy.listeners =
        vec![Listener { trusted: vec!["127.0.0.0/8".parse().unwrap()], ..Listener::new(proxy.address) }];
    proxy.apply();
    for (who, code) in [
        ("192.0.2.7", 200),
        ("198.51.100.1, 192.0.2.7", 200),
        ("192.0.2.7, 127.0.0.9", 200),
        ("192.0.2.7, 198.51.100.1", 503),
        ("192.0.2.7, nonsense", 503),
        ("192.0.2.8", 503),
    ] {
        assert_eq!(status(&answer(&proxy, &from(who)).0), code, "{who}");
    }

    // A proxy that comes back goes on with it, and the instance is still checked.
    proxy.restart();
    assert_eq!(status(&answer(&proxy, "").0), 503);
    proxy.wait_instance(1, "up", |i| i.health.is_up());
    proxy.route.gate = Gate::Open;
    proxy.apply();
    assert_eq!(answer(&proxy, "").1, "one");
}

#[test]
fn held_requests_go_on_when_the_gate_opens_or_when_they_waited_long_enough() {
    let mut proxy = Proxy::start(&[named("one")]);
    proxy.wait_instance(1, "up", |i| i.health.is_up());
    proxy.route.gate = Gate::Held { longest: Millis(60_000) };
    proxy.apply();
    let mut held: Vec<_> = (0..20).map(|_| proxy.connect()).collect();
    held.iter_mut().for_each(|client| client.send(GET));
    assert!(held[0].is_silent(Duration::from_millis(300)), "it waits");
    proxy.route.gate = Gate::Open;
    proxy.apply();
    for client in &mut held {
        assert_eq!(client.answer().1, b"one");
    }
    // Nobody opens it: whoever closed it is gone.
    proxy.route.gate = Gate::Held { longest: Millis(300) };
    proxy.apply();
    assert_eq!(answer(&proxy, "").1, "one");
    let counts = proxy.wait("counts", |_| true).counts;
    assert_eq!(counts.values().map(|counts| counts.failed).sum::<u64>(), 0);
}
