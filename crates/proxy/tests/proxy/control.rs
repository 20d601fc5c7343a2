//! Tables, reports, restarts and sockets over the control socket.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use tandem_core::base::Generation;
use tandem_proxy::control::ControlError;

use super::instance::{gate, instance, named};
use super::proxy::{Proxy, blog, shop, status};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn an_older_table_is_refused_and_the_same_one_is_a_success() {
    let mut proxy = Proxy::start(&[named("a")]);
    proxy.apply();
    let mut control = proxy.control();
    assert_eq!(control.apply(&shop(), &proxy.table()).unwrap(), Generation(2));
    let mut older = proxy.table();
    older.generation = Generation(1);
    assert!(matches!(control.apply(&shop(), &older), Err(ControlError::Fenced { current: Generation(2) })));
    let mut other = proxy.table();
    other.routes.clear();
    assert!(matches!(control.apply(&shop(), &other), Err(ControlError::Fenced { .. })));
    let mut twice = proxy.table();
    twice.generation = Generation(3);
    twice.routes.push(twice.routes[0].clone());
    assert!(matches!(control.apply(&shop(), &twice), Err(ControlError::Invalid(_))));
    assert_eq!(control.process().unwrap(), (proxy.child.id(), vec![shop(), blog()]));
    let socket = std::fs::metadata(proxy.folder.path().join("proxy.sock")).unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_watcher_waits_for_a_change_only() {
    let mut proxy = Proxy::start(&[named("a")]);
    proxy.wait_instance(1, "up", |i| i.health.is_up());
    let mut control = proxy.control();
    let (seen, _) = control.watch(&shop(), 0, Duration::from_secs(30)).unwrap();
    let (same, _) = control.watch(&shop(), seen, Duration::from_millis(20)).unwrap();
    assert_eq!(same, seen);
    let waiting = std::thread::spawn(move || control.watch(&shop(), seen, Duration::from_secs(30)).unwrap());
    proxy.apply();
    let (changed, report) = waiting.join().unwrap();
    assert!(changed > seen);
    assert_eq!(report.generation, Generation(2));
}

#[test]
fn a_killed_proxy_serves_again_from_its_file_before_anyone_tells_it() {
    let mut proxy = Proxy::start(&[named("a")]);
    let first = proxy.wait_instance(1, "up", |i| i.health.is_up());
    proxy.restart();
    assert_eq!(status(&proxy.ask(GET)), 200);
    let second = proxy.wait_instance(1, "up", |i| i.health.is_up());
    assert_ne!(first.run, second.run);
    assert_eq!(second.generation, Generation(1));
    // A damaged file is told and ignored.
    let path = proxy.folder.path().join("proxy/shop.table");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("shop", "ship")).unwrap();
    proxy.restart();
    assert_eq!(status(&proxy.ask(GET)), 404);
}

#[test]
fn told_to_end_it_finishes_what_it_began_and_leaves_the_rest_in_the_queue() {
    let (reached, wait) = gate();
    let upstream = instance(move |arrived| {
        if arrived.path() == "/slow" {
            wait.wait();
        }
        arrived.reply("done");
        true
    });
    let mut proxy = Proxy::start(&[upstream]);
    let (mut idle, mut busy) = (proxy.connect(), proxy.connect());
    idle.send(GET);
    assert_eq!(idle.answer().1, b"done");
    busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    reached.reached();
    let send = |name: &str| {
        let pid = proxy.child.id().to_string();
        assert!(std::process::Command::new("kill").args([name, &pid]).status().unwrap().success());
    };
    // These two are what a closing terminal sends; they are not for it.
    send("-INT");
    send("-HUP");
    send("-TERM");
    assert_eq!(idle.rest(), (Vec::new(), true));
    let mut late = proxy.connect();
    late.send(GET);
    reached.open();
    let (head, body) = busy.answer();
    assert!(head.contains("Connection: close\r\n"), "{head}");
    assert_eq!((body.as_slice(), busy.rest()), (&b"done"[..], (Vec::new(), true)));
    assert!(proxy.child.wait().unwrap().success());
    proxy.restart();
    assert_eq!(late.answer().1, b"done");
}

#[test]
fn the_listening_sockets_can_be_taken_from_a_running_proxy() {
    let proxy = Proxy::start(&[named("a")]);
    let listeners = proxy.control().listeners().unwrap();
    let [(address, sockets)] = listeners.as_slice() else { panic!("{listeners:?}") };
    assert_eq!((*address, sockets.len()), (proxy.address, 2));
    assert_eq!(status(&proxy.ask(GET)), 200);
}
