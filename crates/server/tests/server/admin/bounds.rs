//! Too much, too often, too hostile: what is bounded, and that the rest goes on.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;
use tandem_server::api::Role;

use super::Entrance;
use crate::source::archive;
use crate::waiting::{LONG, wait_until};

#[test]
fn whoever_fails_too_often_waits_and_sessions_go_on() {
    let entrance = Entrance::open();
    let (secret, admin) = entrance.token_for("boss", Role::Admin, &[], None);
    let login = |secret: &str| {
        let body = json!({ "token": secret }).to_string();
        entrance.open_call("POST /v1/login", "Content-Type: application/json\r\n", &body)
    };
    let session = login(&secret).field("set-cookie").split(';').next().unwrap().to_owned();
    let session = format!("Cookie: {session}\r\n");
    for _ in 0..5 {
        assert_eq!(entrance.ask_status("GET /v1/me", "Authorization: Bearer tdm_wrong\r\n"), 401);
        assert_eq!(login("tdm_wrong").status, 401);
    }
    for _ in 0..5 {
        let answer = entrance.open_call("GET /v1/me", &admin, "");
        assert_eq!(answer.status, 429, "not even the right one is looked at");
        let after: u64 = answer.field("retry-after").parse().unwrap();
        assert!((1..=61).contains(&after), "{after}");
        assert_eq!(login(&secret).status, 429);
    }
    // Pages whose session is over ask on, and nobody is locked out for it.
    for _ in 0..20 {
        assert_eq!(entrance.ask_status("GET /v1/me", "Cookie: tandem=over\r\n"), 401);
    }
    assert_eq!(entrance.ask_status("GET /v1/me", &session), 200);
    // A thousand refusals would not push out of the audit what was done.
    let refused = |entry: &&serde_json::Value| matches!(entry["status"].as_u64(), Some(401 | 429));
    assert_eq!(entrance.audit(&session).iter().filter(refused).count(), 20);
}

#[test]
fn a_deliverable_may_be_larger_than_other_calls_but_not_than_the_service_allows() {
    let entrance = Entrance::open();
    let token = entrance.token(Role::Deployer) + "Tandem-Version: v7\r\n";
    let push = "POST /v1/services/shop/push";
    let large = String::from_utf8(archive(&"x".repeat(1 << 20))).unwrap();
    let (status, pushed) = entrance.ask(push, &token, &large);
    assert_eq!((status, &pushed["version"]), (202, &json!("v7")), "{pushed}");
    // The body is never sent.
    let said = entrance.open_call(push, &format!("{token}Content-Length: 1000000000000\r\n"), "");
    assert_eq!(said.status, 413);
}

#[test]
fn what_is_too_large_is_not_read() {
    let entrance = Entrance::open();
    let token = entrance.token(Role::Deployer);
    let plan = "POST /v1/services/shop/plan";
    // The body is never sent.
    let said = entrance.open_call(plan, &format!("{token}Content-Length: 1000000000000\r\n"), "");
    assert_eq!(said.status, 413);
    let chunk = format!("8000\r\n{}\r\n", "x".repeat(0x8000));
    let body = chunk.repeat(20) + "0\r\n\r\n";
    let mut stream = TcpStream::connect(entrance.address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let host = entrance.address;
    write!(stream, "{plan} HTTP/1.1\r\nHost: {host}\r\n{token}Transfer-Encoding: chunked\r\n\r\n").unwrap();
    let _it_need_not_be_read = stream.write_all(body.as_bytes());
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");
    let login = "Content-Type: application/json\r\n";
    assert_eq!(entrance.ask("POST /v1/login", login, &"x".repeat(5000)).0, 400);
    assert_eq!(entrance.ask_status("GET /v1/me", &format!("X: {}\r\n", "x".repeat(100_000))), 431);
    assert_eq!(entrance.ask_status("GET /v1/me", &"X: x\r\n".repeat(200)), 431);
    assert_eq!(entrance.ask_status("GET /v1/me", &token), 200);
}

#[test]
fn no_path_leads_past_the_table() {
    let entrance = Entrance::open();
    let viewer = entrance.token(Role::Viewer);
    for path in [
        "/v1/services/../config",
        "/v1/services/shop/../config",
        "/v1/services/shop/../../config",
        "/v1/services/shop/why/../config",
        "/v1/services/shop/%2e%2e/config",
        "/v1/services/shop%2fconfig",
        "/v1/services/shop/deployments/..%2fconfig",
        "/v1/services/shop/deployments/1/../../config",
        "/v1/services/shop//config",
        "/v1/services/shop/config/",
        "/v1/services/shop/config%00",
        "/v1/services/shop/Config",
        "/v1/services//config",
        "/v1/services/./config",
        "//v1/services/shop/nothing",
        "/v1/services/shop/http://127.0.0.1/config",
    ] {
        let mut answer = entrance.open_call(&format!("GET {path}"), &viewer, "");
        let body = answer.text();
        let is_page = answer.status == 200 && body.contains("<html");
        assert!(
            (answer.status == 404 || is_page) && !body.contains("[run]"),
            "{path}: {} {body}",
            answer.status
        );
    }
    assert_eq!(entrance.ask_status("GET /v1/services/shop/config", &viewer), 403);
}

#[test]
fn streams_and_connections_are_bounded_and_free_again() {
    let entrance = Entrance::open();
    let (one, other) = (entrance.token(Role::Viewer), entrance.token(Role::Admin));
    let open = |token: &str| entrance.open_call("GET /v1/services/shop/events", token, "");
    let mut streams: Vec<_> = (0..60).map(|_| open(&one)).collect();
    let count = |streams: &[super::Answer<_>], status| streams.iter().filter(|s| s.status == status).count();
    assert_eq!((count(&streams, 200), count(&streams, 429)), (32, 28));
    let refused = streams.iter().find(|stream| stream.status == 429).unwrap();
    assert_ne!(refused.field("retry-after"), "");
    assert_eq!(open(&other).status, 200, "somebody else is served");
    streams.clear();
    wait_until("a place", || (open(&one).status == 200).then_some(()));

    // More connections than one address may have: some are closed at once, and all is well when they are gone.
    let mut idle: Vec<_> = (0..200).map(|_| TcpStream::connect(entrance.address).unwrap()).collect();
    let is_closed = |stream: &mut TcpStream| {
        stream.set_nonblocking(true).unwrap();
        match stream.read(&mut [0; 1]) {
            Ok(0) => true,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
            Ok(_) => false,
        }
    };
    wait_until("the closing of those beyond", || {
        (idle.iter_mut().map(is_closed).filter(|closed| *closed).count() >= 72).then_some(())
    });
    idle.clear();
    wait_until("an answer", || {
        let mut stream = TcpStream::connect(entrance.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        let host = entrance.address;
        write!(stream, "GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").ok()?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).ok()?;
        (&status == b"HTTP/1.1 200").then_some(())
    });
}

#[test]
fn a_service_that_is_away_is_told_and_costs_nobody_else() {
    let mut entrance = Entrance::open();
    let token = entrance.token(Role::Viewer);
    assert_eq!(entrance.ask("GET /v1/services/shop/status", &token, "").1["service"], "shop");
    entrance.daemon.kill();
    let (status, problem) = entrance.ask("GET /v1/services/shop/status", &token, "");
    assert_eq!((status, &problem["code"]), (503, &json!("unavailable")), "{problem}");
    assert_eq!(entrance.ask_status("GET /v1/me", &token), 200);
}
