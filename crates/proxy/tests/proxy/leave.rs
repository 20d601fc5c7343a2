//! A proxy that another one took over from: whoever is there is served to the end, nobody new is.

use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::instance::{gate, instance, named};
use crate::proxy::{PATIENCE, Proxy, status};

fn leave(proxy: &Proxy) {
    kill_process(Pid::from_child(&proxy.child), Signal::USR2).unwrap();
}

/// Asks until the answer says that it is the last one: the proxy knows that it leaves.
fn await_last(proxy_side: &mut crate::proxy::Raw) {
    let start = Instant::now();
    loop {
        proxy_side.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let (head, _) = proxy_side.answer();
        assert_eq!(status(&head), 200);
        if head.contains("Connection: close") {
            assert_eq!(proxy_side.rest(), (Vec::new(), true));
            return;
        }
        assert!(start.elapsed() < PATIENCE, "it does not leave");
    }
}

#[test]
fn an_idle_connection_gets_its_next_answer_and_the_process_ends_after_the_last_one() {
    let mut proxy = Proxy::start(&[named("one")]);
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    let (mut busy, mut idle) = (proxy.connect(), proxy.connect());
    idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(status(&idle.answer().0), 200);
    leave(&proxy);
    await_last(&mut busy);
    assert!(proxy.child.try_wait().unwrap().is_none(), "somebody is still there");
    await_last(&mut idle);
    let start = Instant::now();
    while proxy.child.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < PATIENCE, "the process does not end");
        std::thread::yield_now();
    }
}

#[test]
fn tables_are_taken_and_requests_finish_while_it_leaves() {
    let (gate, wait) = gate();
    let slow = instance(move |arrived| {
        if arrived.path() == "/slow" {
            wait.wait();
        }
        arrived.reply("slow");
        true
    });
    let mut proxy = Proxy::start(&[slow]);
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    let (mut waiting, mut busy, mut idle) = (proxy.connect(), proxy.connect(), proxy.connect());
    idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    idle.answer();
    waiting.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    gate.reached();
    leave(&proxy);
    await_last(&mut busy);
    proxy.wait_instance(1, "one in flight", |i| i.in_flight.total() == 1);
    // The instance leaves, another comes: also for those who are still here.
    proxy.route.members.push(crate::proxy::member(2, named("two"), tandem_core::traffic::Role::Serve));
    proxy.set_role(1, tandem_core::traffic::Role::Drain);
    proxy.apply();
    proxy.wait_instance(2, "health", |i| i.health.is_up());
    idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(idle.answer().1, b"two");
    gate.open();
    assert_eq!(waiting.answer().1, b"slow");
    proxy.wait_instance(1, "nothing in flight", |i| i.in_flight.total() == 0);
}
