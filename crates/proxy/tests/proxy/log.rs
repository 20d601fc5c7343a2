//! The log of requests: who is in it, that it follows its file, and that it never makes a request wait.

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use tandem_core::base::{Millis, Share};
use tandem_core::spec::{LogFormat, LogSpec, Queries};

use super::instance::{instance, named};
use super::proxy::{PATIENCE, Proxy, Raw, shop, status};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn logging(proxy: &Proxy, change: impl Fn(&mut LogSpec)) -> PathBuf {
    let path = proxy.folder.path().join("access.log");
    let access = path.to_str().map(str::to_owned);
    let mut spec = LogSpec { access, slow: Millis(60_000), ..LogSpec::default() };
    change(&mut spec);
    proxy.control().log(&spec).unwrap();
    path
}

/// Waits until there are so many lines: a client may have its answer before they are written.
fn lines(path: &Path, count: usize) -> Vec<String> {
    let start = Instant::now();
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if lines.len() >= count && text.ends_with('\n') {
            assert_eq!(lines.len(), count, "{text}");
            return lines;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {count} lines: {text}");
        std::thread::yield_now();
    }
}

/// Where another process finds this end of a pipe.
fn path_of(end: &OwnedFd) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), end.as_raw_fd())
}

fn dropped(proxy: &Proxy, enough: impl Fn(u64) -> bool) {
    let start = Instant::now();
    while !enough(proxy.control().metrics(&shop()).unwrap().log.dropped) {
        assert!(start.elapsed() < PATIENCE, "nothing was dropped");
        std::thread::yield_now();
    }
}

fn get(raw: &mut Raw, target: &str, more: &str) -> u16 {
    raw.send(format!("GET {target} HTTP/1.1\r\nHost: a.example\r\n{more}\r\n"));
    status(&raw.answer().0)
}

#[test]
fn a_line_tells_all_of_a_request_and_nothing_secret() {
    let mixed = instance(|arrived| {
        if arrived.path() == "/broken" {
            return false;
        }
        arrived.reply("12345");
        true
    });
    let proxy = Proxy::start(&[mixed]);
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    let path = logging(&proxy, |_| {});
    let mut raw = proxy.connect();
    let more =
        format!("Cookie: c00kie\r\nX-Request-ID: r1\r\ntraceparent: 00-{TRACE}-b7ad6b7169203331-01\r\n");
    assert_eq!(get(&mut raw, "/a%20b?passw0rd", &more), 200);
    lines(&path, 1);
    let post = "POST /broken HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nxy";
    assert_eq!(status(&proxy.ask(post)), 502);
    lines(&path, 2);
    assert_eq!(status(&proxy.ask("NO\r\n\r\n")), 400);
    let lines = lines(&path, 3);
    assert!(!lines.concat().contains("passw0rd") && !lines.concat().contains("c00kie"), "{lines:?}");
    let values: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [good, broken, refused] = values.as_slice() else { panic!("{values:?}") };
    for (key, value) in [
        ("client", "127.0.0.1"),
        ("method", "GET"),
        ("host", "a.example"),
        ("path", "/a%20b"),
        ("protocol", "HTTP/1.1"),
        ("service", "shop"),
        ("version", "v1"),
        ("instance", "i1"),
        ("request", "r1"),
        ("trace", TRACE),
    ] {
        assert_eq!(good[key], value, "{good}");
    }
    assert_eq!((&good["status"], &good["bytes_out"], &good["why"]), (&200.into(), &5.into(), &Value::Null));
    assert!(good["seconds"].as_f64().unwrap() >= good["head_seconds"].as_f64().unwrap(), "{good}");
    assert_eq!((&broken["method"], &broken["bytes_in"]), (&"POST".into(), &2.into()));
    assert_eq!(broken["why"], "the instance did not give a valid answer");
    assert_eq!((&refused["status"], &refused["method"]), (&400.into(), &"".into()));
    assert_eq!(refused["why"], "the head of the request is malformed");

    let path = logging(&proxy, |spec| {
        (spec.format, spec.queries) = (LogFormat::Combined, Queries::Shown);
        spec.access = spec.access.take().map(|path| path + ".combined");
    });
    get(&mut raw, "/x?y=1", "Referer: http://b/c?d\r\nUser-Agent: curl \"8\"\r\n");
    let lines = self::lines(&path.with_extension("log.combined"), 1);
    let (before, after) = lines[0].split_once('[').unwrap();
    assert_eq!(before, "127.0.0.1 - - ");
    let end = "\"GET /x?y=1 HTTP/1.1\" 200 5 \"http://b/c\" \"curl \\x228\\x22\"";
    assert_eq!(after.split_once("] ").unwrap().1, end);
}

#[test]
fn of_what_is_not_sampled_failures_and_slow_requests_are_kept() {
    let proxy = Proxy::start(&[named("one")]);
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    let path = logging(&proxy, |spec| spec.sample = Share::NONE);
    let mut raw = proxy.connect();
    for _ in 0..20 {
        assert_eq!(get(&mut raw, "/quick", ""), 200);
    }
    let mut proxy = proxy;
    proxy.route.members.clear();
    proxy.apply();
    assert_eq!(status(&proxy.ask("GET /none HTTP/1.1\r\nHost: a\r\n\r\n")), 503);
    assert!(lines(&path, 1)[0].contains("\"/none\""));
    // The rules are kept over a restart.
    proxy.restart();
    assert_eq!(status(&proxy.ask("GET /again HTTP/1.1\r\nHost: a\r\n\r\n")), 503);
    assert!(lines(&path, 2)[1].contains("\"/again\""));
}

#[test]
fn a_log_that_is_moved_away_is_begun_anew() {
    let proxy = Proxy::start(&[named("one")]);
    let path = logging(&proxy, |_| {});
    let mut raw = proxy.connect();
    get(&mut raw, "/first", "");
    lines(&path, 1);
    // As logrotate does it, with another file in its place.
    let moved = path.with_extension("1");
    std::fs::rename(&path, &moved).unwrap();
    std::fs::write(&path, "").unwrap();
    let start = Instant::now();
    while std::fs::read(&path).unwrap().is_empty() {
        assert!(start.elapsed() < PATIENCE, "it was not begun anew");
        get(&mut raw, "/second", "");
    }
    assert!(std::fs::read_to_string(&moved).unwrap().starts_with("{"));
    // Removed, and told so.
    std::fs::remove_file(&path).unwrap();
    let pid = rustix::process::Pid::from_child(&proxy.child);
    rustix::process::kill_process(pid, rustix::process::Signal::USR1).unwrap();
    let start = Instant::now();
    while !path.exists() {
        assert!(start.elapsed() < PATIENCE, "it was not begun anew");
        std::thread::yield_now();
    }
}

#[test]
fn what_ended_is_written_before_the_proxy_ends() {
    let mut proxy = Proxy::start(&[named("one")]);
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    logging(&proxy, |spec| spec.access = Some(path_of(&writer)));
    let mut raw = proxy.connect();
    for _ in 0..1000 {
        assert_eq!(get(&mut raw, "/", ""), 200);
    }
    drop((raw, writer));
    let pid = rustix::process::Pid::from_child(&proxy.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    // Most lines are behind a pipe that is full: it can't end well without a reader.
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(300) {
        assert!(proxy.child.try_wait().unwrap().is_none(), "it ended without its last lines");
        std::thread::yield_now();
    }
    let mut text = String::new();
    std::fs::File::from(reader).read_to_string(&mut text).unwrap();
    assert_eq!(text.lines().count(), 1000);
    proxy.child.wait().unwrap();
}

#[test]
fn a_full_disk_and_one_that_never_takes_anything_cost_lines_and_no_request() {
    let proxy = Proxy::start(&[named("one")]);
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    logging(&proxy, |spec| spec.access = Some("/dev/full".to_owned()));
    let mut raw = proxy.connect();
    for _ in 0..10 {
        assert_eq!(get(&mut raw, "/", ""), 200);
    }
    dropped(&proxy, |count| count == 10);

    // A pipe whose reader reads nothing: its few pages fill, and then the queue.
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    logging(&proxy, |spec| spec.access = Some(path_of(&writer)));
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for _ in 0..120 {
        raw.stream.get_mut().write_all(request.repeat(100).as_bytes()).unwrap();
        for _ in 0..100 {
            assert_eq!(status(&raw.answer().0), 200);
        }
    }
    dropped(&proxy, |count| count > 1000);
    drop(reader);
}
