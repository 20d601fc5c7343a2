//! Instances that leave: nothing begun is lost before its time, nothing begins after it, and the end is visible.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tandem_core::base::Millis;
use tandem_core::traffic::Role;

use super::instance::{gate, instance, named};
use super::proxy::{Proxy, member, shop, status};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn what_is_in_flight_finishes_and_zero_is_told() {
    let (reached, wait) = gate();
    let old = instance(move |arrived| {
        wait.wait();
        arrived.reply("old");
        true
    });
    let mut proxy = Proxy::start(&[old]);
    let mut raw = proxy.connect();
    raw.send(GET);
    reached.reached();
    proxy.route.members.push(member(2, named("new"), Role::Serve));
    proxy.set_role(1, Role::Drain);
    proxy.apply();
    proxy.wait_instance(1, "one in flight", |i| i.in_flight.total() == 1);
    assert_eq!(proxy.connect_get(), b"new");
    // Out of the table altogether it is still reported, until it is idle.
    proxy.route.members.retain(|m| m.instance.0 == 2);
    proxy.apply();
    proxy.wait_instance(1, "one in flight", |i| i.in_flight.total() == 1);
    reached.open();
    assert_eq!(raw.answer().1, b"old");
    proxy.wait("the old one gone", |report| report.instances.len() == 1);
    raw.send(GET);
    assert_eq!(raw.answer().1, b"new", "the client's connection outlives the instance");
}

#[test]
fn a_slow_head_goes_where_requests_go_when_it_is_whole() {
    let mut proxy = Proxy::start_with(&[named("old"), named("new")], |route| {
        route.members[1].role = Role::Standby;
    });
    proxy.wait("health", |report| report.instances.values().all(|i| i.health.is_up()));
    let (begun, left) = GET.split_at(20);
    let mut raw = proxy.connect();
    raw.send(format!("{GET}{begun}"));
    assert_eq!(raw.answer().1, b"old");
    proxy.set_role(1, Role::Standby);
    proxy.set_role(2, Role::Serve);
    proxy.apply();
    raw.send(left);
    assert_eq!(raw.answer().1, b"new");
}

impl Proxy {
    fn connect_get(&self) -> Vec<u8> {
        let mut raw = self.connect();
        raw.send(GET);
        raw.answer().1
    }
}

#[test]
fn a_flip_is_one_instant_and_no_request_follows_a_zero() {
    let served = [Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0))];
    let counted = |name: &'static str, served: &Arc<AtomicU64>| {
        let served = Arc::clone(served);
        instance(move |arrived| {
            served.fetch_add(1, Ordering::SeqCst);
            arrived.reply(name);
            true
        })
    };
    let mut proxy = Proxy::start(&[counted("1", &served[0]), counted("2", &served[1])]);
    proxy.set_role(2, Role::Standby);
    proxy.apply();
    // The newest generation of which any client has had an answer: odd ones are served by 1, even ones by 2.
    let newest = AtomicU64::new(1);
    let stop = AtomicBool::new(false);
    let phase = AtomicU64::new(1);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut raw = proxy.connect();
                while !stop.load(Ordering::SeqCst) {
                    let (before, floor) = (phase.load(Ordering::SeqCst), newest.load(Ordering::SeqCst));
                    raw.send(GET);
                    let (head, body) = raw.answer();
                    assert_eq!(status(&head), 200);
                    let after = phase.load(Ordering::SeqCst) + 1;
                    let side = if body == b"1" { 1 } else { 0 };
                    // The latest generation that this answer can be of.
                    let of = (floor..=after).rev().find(|g| g % 2 == side);
                    assert!(of.is_some(), "answer {body:?} is older than {floor} (phase {before})");
                    if let Some(sure) = (before..=after).find(|g| g % 2 == side) {
                        newest.fetch_max(sure.min(phase.load(Ordering::SeqCst)), Ordering::SeqCst);
                    }
                }
            });
        }
        let mut route = proxy.route.clone();
        let mut control = proxy.control();
        for generation in 2..60_u64 {
            let (on, off) = if generation % 2 == 1 { (0, 1) } else { (1, 0) };
            route.members[on].role = Role::Serve;
            route.members[off].role = Role::Standby;
            let mut table = proxy.table();
            table.generation.0 += generation;
            table.routes = vec![route.clone()];
            control.apply(&shop(), &table).unwrap();
            phase.store(generation, Ordering::SeqCst);
            let leaving = route.members[off].instance;
            loop {
                let (_, report) = control.watch(&shop(), 0, Duration::ZERO).unwrap();
                if report.instances[&leaving].in_flight.total() == 0 {
                    break;
                }
            }
            let at_zero = served[off].load(Ordering::SeqCst);
            control.watch(&shop(), u64::MAX, Duration::from_millis(5)).unwrap();
            assert_eq!(served[off].load(Ordering::SeqCst), at_zero, "a request followed a zero");
        }
        stop.store(true, Ordering::SeqCst);
    });
}

#[test]
fn deadlines_cut_by_class_and_the_cut_is_visible() {
    let (reached, wait) = gate();
    let wait = Arc::new(wait);
    let old = instance(move |arrived| {
        match arrived.path() {
            "/stream" => arrived.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"),
            "/close" => arrived.write("HTTP/1.1 200 OK\r\n\r\nbegun"),
            "/upload" => {}
            _ => {}
        }
        wait.wait();
        false
    });
    let mut proxy = Proxy::start_with(&[old], |route| {
        route.drain.requests = Millis(300);
        route.drain.streams = Millis(300);
        route.drain.uploads = Millis(300);
    });
    let mut clients: Vec<_> = ["/plain", "/stream", "/upload"].map(|path| (path, proxy.connect())).into();
    for (path, raw) in &mut clients {
        let body = if *path == "/upload" { "Content-Length: 9\r\n\r\nabc" } else { "\r\n" };
        raw.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\n{body}"));
        reached.reached();
    }
    let mut old_client = proxy.connect();
    old_client.send("GET /close HTTP/1.0\r\n\r\n");
    reached.reached();
    proxy.wait_instance(1, "classes", |i| {
        (i.in_flight.requests, i.in_flight.streams, i.in_flight.uploads) == (1, 2, 1)
    });
    proxy.set_role(1, Role::Drain);
    proxy.apply();
    for (path, raw) in &mut clients {
        let (rest, _) = raw.rest();
        let text = String::from_utf8_lossy(&rest);
        match *path {
            "/stream" => assert!(text.starts_with("HTTP/1.1 200") && !text.ends_with("0\r\n\r\n"), "{text}"),
            _ => assert!(text.starts_with("HTTP/1.1 504"), "{path}: {text}"),
        }
    }
    assert!(!old_client.rest().1, "a cut answer without a length ended as if it were complete");
    let report = proxy.wait_instance(1, "nothing in flight", |i| i.in_flight.total() == 0);
    assert_eq!(report.counts.values().map(|c| (c.cut, c.failed)).next(), Some((4, 4)));
    for _ in 0..4 {
        reached.open();
    }
}

#[test]
fn idle_connections_to_a_leaving_instance_close_at_once() {
    let (reached, wait) = gate();
    let old = instance(move |arrived| {
        arrived.reply("old");
        let mut byte = [0];
        // Returns when the proxy closes the idle connection.
        let ended = std::io::Read::read(&mut arrived.stream, &mut byte).unwrap_or(0);
        assert_eq!(ended, 0);
        wait.wait();
        false
    });
    let mut proxy = Proxy::start_with(&[old], |route| route.timeouts.pool_idle = Millis(3_600_000));
    assert_eq!(proxy.connect_get(), b"old");
    proxy.set_role(1, Role::Standby);
    proxy.apply();
    reached.reached();
    reached.open();
}
