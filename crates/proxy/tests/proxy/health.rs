//! Checks of instances, and what requests show of them.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tandem_core::base::Millis;
use tandem_core::traffic::{Health, Role};

use super::instance::{instance, named, serve};
use super::proxy::{Proxy, member, status};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn failing(proxy: &Proxy, id: u64, text: &str) {
    proxy.wait_instance(id, text, |i| match &i.health {
        Health::Failing { last } | Health::Down { last } => last.contains(text),
        _ => false,
    });
}

#[test]
fn a_check_says_what_it_met() {
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = instance(|arrived| {
        match arrived.path() {
            "/moved" => arrived.write("HTTP/1.1 301 Moved Permanently\r\nLocation: /login\r\n\r\n"),
            "/check" => arrived.write("HTTP/1.1 200 OK\r\nTandem-Version: v9\r\nContent-Length: 0\r\n\r\n"),
            _ => arrived.write("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"),
        }
        false
    });
    let mut proxy = Proxy::start_with(&[dead, silent.local_addr().unwrap(), other], |route| {
        route.probe.path = "/check".to_owned();
    });
    failing(&proxy, 1, "connection refused");
    failing(&proxy, 2, "no answer within 1s");
    failing(&proxy, 3, "answered for version v9 instead of v3");
    proxy.route.probe.path = "/moved".to_owned();
    proxy.apply();
    failing(&proxy, 3, "301 Moved Permanently, Location: /login");
    proxy.route.probe.path = "/broken".to_owned();
    proxy.apply();
    failing(&proxy, 3, "500 Internal Server Error");
}

#[test]
fn requests_take_a_dead_instance_down_and_checks_bring_it_back() {
    let well = Arc::new(AtomicBool::new(true));
    let shown = Arc::clone(&well);
    let sick = instance(move |arrived| {
        if shown.load(Ordering::SeqCst) {
            arrived.reply("sick");
        }
        shown.load(Ordering::SeqCst)
    });
    let proxy = Proxy::start(&[sick, named("well")]);
    proxy.wait("both up", |r| r.instances.values().all(|i| i.health.is_up()));
    well.store(false, Ordering::SeqCst);
    let mut failed = 0;
    for _ in 0..100 {
        failed += u32::from(status(&proxy.ask(GET)) == 502);
    }
    assert!((1..=40).contains(&failed), "{failed} failed");
    well.store(true, Ordering::SeqCst);
    proxy.wait("both up again", |r| r.instances.values().all(|i| i.health.is_up()));
}

#[test]
fn an_instance_that_is_not_up_gets_requests_only_when_none_is() {
    let dead = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = dead.local_addr().unwrap();
    let mut proxy = Proxy::start(&[named("a")]);
    proxy.wait_instance(1, "up", |i| i.health.is_up());
    proxy.route.members.push(member(2, address, Role::Serve));
    proxy.apply();
    for _ in 0..20 {
        assert_eq!(status(&proxy.ask(GET)), 200);
    }
    // The panic floor: it is the only one, so it is tried although no check was ever answered.
    proxy.set_role(1, Role::Standby);
    proxy.route.probe.path = "/never".to_owned();
    proxy.apply();
    serve(dead, |arrived| {
        match arrived.path() {
            "/never" => arrived.write("HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n"),
            _ => arrived.reply("floor"),
        }
        true
    });
    assert_eq!(status(&proxy.ask(GET)), 200);
}

#[test]
fn a_request_is_held_until_an_instance_can_take_it_but_not_forever() {
    let mut proxy = Proxy::start_with(&[], |route| route.timeouts.hold = Millis(60_000));
    let mut raw = proxy.connect();
    raw.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    // It is there when nothing can take it; the answer comes after this.
    let mut early = [0];
    raw.stream.get_ref().set_nonblocking(true).unwrap();
    assert!(std::io::Read::read(&mut raw.stream, &mut early).is_err(), "it waits");
    raw.stream.get_ref().set_nonblocking(false).unwrap();
    proxy.route.members.push(member(1, named("one"), Role::Serve));
    proxy.apply();
    assert_eq!(raw.answer().1, b"one");
    // One that refuses connections has seen nothing of a request.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    proxy.route.members = vec![member(2, nobody, Role::Serve)];
    proxy.apply();
    raw.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    proxy.wait_instance(2, "a try", |i| i.failed > 0);
    proxy.route.members = vec![member(3, named("three"), Role::Serve)];
    proxy.apply();
    assert_eq!(raw.answer().1, b"three");
    proxy.route.members.clear();
    proxy.route.timeouts.hold = Millis(200);
    proxy.apply();
    raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(status(&raw.answer().0), 503);
}
