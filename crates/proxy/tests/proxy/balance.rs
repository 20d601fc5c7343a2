//! How requests are divided among instances: rules, limits, new ones, and those that fail more than the others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tandem_core::base::Millis;
use tandem_core::spec::{Affinity, BalanceSpec, EjectSpec, Policy};
use tandem_core::traffic::{Health, Role};

use super::instance::{gate, instance, named};
use super::proxy::{PATIENCE, Proxy, member, status};

fn three(change: impl Fn(&mut BalanceSpec)) -> Proxy {
    let proxy = Proxy::start_with(&[named("a"), named("b"), named("c")], |route| change(&mut route.balance));
    proxy.wait("up", |report| report.instances.values().all(|instance| instance.health.is_up()));
    proxy
}

/// Who answers a request with these fields.
fn who(proxy: &Proxy, fields: &str) -> String {
    let mut client = proxy.connect();
    client.send(format!("GET / HTTP/1.1\r\nHost: x\r\n{fields}\r\n"));
    String::from_utf8(client.answer().1).unwrap()
}

#[test]
fn each_has_its_turn() {
    let proxy = three(|balance| balance.policy = Policy::RoundRobin);
    // One thread serves one connection.
    let mut client = proxy.connect();
    let mut turns = Vec::new();
    for _ in 0..9 {
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        turns.push(client.answer().1);
    }
    assert!(turns.windows(3).all(|t| t[0] != t[1] && t[1] != t[2] && t[0] != t[2]), "{turns:?}");
}

#[test]
fn what_belongs_together_goes_to_the_same_instance_on_every_thread() {
    let mut proxy = three(|balance| {
        balance.policy = Policy::Hash;
        balance.by = Affinity::Cookie("cart".to_owned());
    });
    let all = |proxy: &Proxy| -> BTreeMap<u32, String> {
        (0..30).map(|cart| (cart, who(proxy, &format!("Cookie: x=1; cart={cart}\r\n")))).collect()
    };
    let first = all(&proxy);
    assert_eq!((all(&proxy), all(&proxy)), (first.clone(), first.clone()));
    assert!(["a", "b", "c"].iter().all(|name| first.values().any(|who| who == name)), "{first:?}");
    let without: Vec<String> = (0..40).map(|_| who(&proxy, "")).collect();
    assert!(without.iter().any(|one| *one != without[0]), "who has none goes anywhere");
    // Only what was on the one that leaves goes elsewhere.
    proxy.set_role(2, Role::Drain);
    proxy.apply();
    let after = all(&proxy);
    assert!(first.iter().all(|(cart, who)| if who == "b" {
        after[cart] != "b"
    } else {
        after[cart] == *who
    }));
    // The client is the same whatever it sends.
    proxy.route.balance.by = Affinity::Client;
    proxy.apply();
    let clients: Vec<String> = (0..20).map(|_| who(&proxy, "")).collect();
    assert!(clients.iter().all(|one| *one == clients[0]), "{clients:?}");
}

#[test]
fn a_busy_instance_gets_no_more_and_what_waits_is_served_in_time() {
    let (gate, wait) = gate();
    let busy = instance(move |arrived| {
        if arrived.path() == "/slow" {
            wait.wait();
        }
        arrived.reply("busy");
        true
    });
    let mut proxy = Proxy::start_with(&[busy], |route| {
        route.balance.concurrent = 1;
        route.timeouts.hold = Millis(60_000);
    });
    proxy.wait_instance(1, "up", |i| i.health.is_up());
    let (mut slow, mut next) = (proxy.connect(), proxy.connect());
    slow.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    gate.reached();
    next.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(next.is_silent(Duration::from_millis(200)), "it waits for its turn");
    gate.open();
    assert_eq!((slow.answer().1, next.answer().1), (b"busy".to_vec(), b"busy".to_vec()));

    proxy.route.timeouts.hold = Millis(0);
    proxy.apply();
    slow.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    gate.reached();
    next.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let (head, body) = next.answer();
    assert_eq!(status(&head), 503);
    assert!(String::from_utf8(body).unwrap().contains("every instance is busy"));
    gate.open();
    slow.answer();
}

#[test]
fn a_new_instance_is_spared_at_first_and_gets_its_part_in_the_end() {
    const RAMP: Duration = Duration::from_secs(2);
    let mut proxy = Proxy::start_with(&[named("old")], |route| {
        route.balance.slow_start = Millis(RAMP.as_millis() as u64);
    });
    proxy.wait_instance(1, "up", |i| i.health.is_up());
    let start = Instant::now();
    while start.elapsed() < RAMP {
        assert_eq!(who(&proxy, ""), "old", "a new one that is alone serves at once");
    }
    let part = |proxy: &Proxy| (0..40).filter(|_| who(proxy, "") == "new").count();
    // What is measured too late says nothing: then with another one.
    let spared = (2..7).any(|id| {
        proxy.route.members.truncate(1);
        proxy.route.members.push(member(id, named("new"), Role::Serve));
        proxy.apply();
        let born = Instant::now();
        proxy.wait_instance(id, "up", |i| i.health.is_up());
        let part = part(&proxy);
        let in_time = born.elapsed() < RAMP / 2;
        assert!(!in_time || part < 20, "{part} of 40");
        in_time
    });
    assert!(spared, "the machine is too slow to see it");
    let start = Instant::now();
    while part(&proxy) < 10 {
        assert!(start.elapsed() < PATIENCE, "it never gets its part");
    }
}

#[test]
fn who_fails_more_than_the_others_is_left_alone_for_a_while() {
    let broken = Arc::new(AtomicBool::new(true));
    let fails = Arc::clone(&broken);
    let sick = instance(move |arrived| {
        if arrived.path() != "/up" && fails.load(Ordering::SeqCst) {
            arrived.write("HTTP/1.1 500 Oh\r\nContent-Length: 4\r\n\r\nsick");
        } else {
            arrived.reply("sick");
        }
        true
    });
    let proxy = Proxy::start_with(&[named("a"), sick], |route| {
        route.balance.policy = Policy::RoundRobin;
        route.balance.eject = EjectSpec {
            errors: "50%".parse().unwrap(),
            requests: 5,
            within: Millis(5_000),
            rest: Millis(2_000),
            ..EjectSpec::default()
        };
    });
    proxy.wait("up", |report| report.instances.values().all(|instance| instance.health.is_up()));
    let until = |what: &str, done: &dyn Fn() -> bool| {
        let start = Instant::now();
        while !done() {
            assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
            who(&proxy, "");
        }
    };
    let health = |id: u64| {
        proxy.wait("anything", |_| true).instances.values().nth(id as usize - 1).unwrap().health.clone()
    };
    until(
        "it is left alone",
        &|| matches!(health(2), Health::Down { last } if last.contains("it is left alone for 2s")),
    );
    assert!(health(1).is_up());
    assert!((0..20).all(|_| who(&proxy, "") == "a"));
    broken.store(false, Ordering::SeqCst);
    until("it is tried again", &|| health(2).is_up());
    until("it serves", &|| who(&proxy, "") == "sick");
}
