//! Clients between several live versions: who is served by which, links to one that has no traffic, files that one lacks.

use std::fs;

use tandem_core::base::Millis;
use tandem_core::traffic::session::PLACES;
use tandem_core::traffic::{LiveVersion, Role, Sessions};

use super::instance::{instance, named};
use super::proxy::{Proxy, member, status};

fn live(version: &str, share: u32, holds: bool) -> LiveVersion {
    LiveVersion {
        version: version.parse().unwrap(),
        key: format!("secret{version}").parse().ok(),
        share,
        holds,
        known: share > 0,
    }
}

fn sessions(versions: Vec<LiveVersion>) -> Sessions {
    Sessions { cookie: "tandem".to_owned(), pins: true, idle: Millis(60_000), versions, chosen: None }
}

/// Two versions that share the clients, the second of them the new one.
fn halves() -> Sessions {
    sessions(vec![live("v2", PLACES / 2, true), live("v1", PLACES / 2, false)])
}

fn get(proxy: &Proxy, target: &str, fields: &str) -> (String, String) {
    let mut raw = proxy.connect();
    raw.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
    let (head, body) = raw.answer();
    (head, String::from_utf8(body).unwrap())
}

/// The cookie that an answer sets, as the client sends it back.
fn cookie(head: &str) -> Option<String> {
    let line = head.lines().find_map(|line| line.strip_prefix("Set-Cookie: "))?;
    Some(format!("Cookie: a=b; {}\r\n", line.split(';').next().unwrap()))
}

#[test]
fn a_client_is_told_its_version_and_keeps_to_it() {
    let mut proxy = Proxy::start_with(&[named("one"), named("two")], |route| route.sessions = halves());
    proxy.wait("health", |report| report.instances.values().all(|i| i.health.is_up()));
    let mut seen = [0, 0];
    let mut of_one = None;
    for _ in 0..40 {
        let (head, body) = get(&proxy, "/", "");
        let fields = cookie(&head).expect("each new client is told");
        let other = get(&proxy, "/", &fields);
        assert_eq!((other.1, cookie(&other.0)), (body.clone(), None));
        seen[usize::from(body == "two")] += 1;
        if body == "one" {
            of_one = Some(fields);
        }
    }
    assert!(seen[0] > 5 && seen[1] > 5, "{seen:?}");
    let report = proxy.wait("sessions", |report| !report.sessions.is_empty());
    let held = &report.sessions[&"shop".parse().unwrap()][&"v2".parse().unwrap()];
    assert!(held.clients.abs_diff(seen[1]) <= 1 && held.quiet < Millis(60_000), "{held:?} {seen:?}");

    // Forward, and not back: not even when the new version has no share any more.
    proxy.route.sessions = sessions(vec![live("v2", PLACES, true), live("v1", 0, false)]);
    proxy.apply();
    let (head, body) = get(&proxy, "/", &of_one.unwrap());
    assert_eq!(body, "two");
    let fields = cookie(&head).unwrap();
    proxy.route.sessions = sessions(vec![live("v2", 1, true), live("v1", PLACES - 1, false)]);
    proxy.apply();
    assert_eq!(get(&proxy, "/", &fields).1, "two");

    // An answer that may be kept for other clients names nobody.
    let shared = instance(|arrived| {
        arrived.write("HTTP/1.1 200 OK\r\nCache-Control: max-age=5, Public\r\nContent-Length: 0\r\n\r\n");
        true
    });
    let proxy = Proxy::start_with(&[shared], |route| {
        route.sessions = sessions(vec![live("v1", PLACES, true), live("v2", 0, false)]);
    });
    assert_eq!(cookie(&get(&proxy, "/", "").0), None);
}

#[test]
fn a_version_without_traffic_is_seen_by_its_link_alone() {
    let mut proxy = Proxy::start_with(&[named("one"), named("two")], |route| {
        route.members[1].role = Role::Standby;
        route.sessions = sessions(vec![live("v2", 0, false), live("v1", PLACES, false)]);
    });
    proxy.wait_instance(2, "health", |i| i.health.is_up());
    for fields in
        ["", "x-deployment-id: v2\r\n", "Cookie: tandem=secretv2.00000000\r\n", "Cookie: tandem=secretv\r\n"]
    {
        assert_eq!(get(&proxy, "/?tandem=wrong&dpl=v2", fields).1, "one", "{fields}");
    }
    let (head, _) = get(&proxy, "//x/y?a=1&tandem=secretv2&b", "");
    assert_eq!(status(&head), 303);
    assert!(head.contains("\r\nLocation: /x/y?a=1&b\r\n"), "{head}");
    let fields = cookie(&head).unwrap();
    assert_eq!(get(&proxy, "/", &fields).1, "two");
    assert_eq!(
        proxy.ask(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}Content-Length: 0\r\n\r\n")).len(),
        38
    );
    assert!(
        get(&proxy, "/?tandem=none", &fields)
            .0
            .contains("Set-Cookie: tandem=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0")
    );

    // It does not run any more: the link shows nothing else in its place, until nobody knows its key.
    proxy.set_role(2, Role::Drain);
    proxy.apply();
    let (head, body) = get(&proxy, "/", &fields);
    assert_eq!(status(&head), 503);
    assert!(body.contains("the version of this link"), "{body}");
    proxy.route.sessions = Sessions::default();
    proxy.apply();
    assert_eq!(get(&proxy, "/", &fields).1, "one");
}

#[test]
fn an_old_page_is_answered_by_the_version_that_made_it() {
    let proxy = Proxy::start_with(&[named("one"), named("two")], |route| {
        route.members[0].role = Role::Standby;
        let old = LiveVersion { known: true, ..live("v1", 0, false) };
        route.sessions = sessions(vec![live("v2", PLACES, true), old]);
    });
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    proxy.wait_instance(2, "health", |i| i.health.is_up());
    assert_eq!(get(&proxy, "/", "").1, "two");
    assert_eq!(get(&proxy, "/", "X-Deployment-Id: v1\r\n").1, "one");
    assert_eq!(get(&proxy, "/app.js?dpl=v1", "Cookie: tandem=secretv2.00000000\r\n").1, "one");
    // What is not up any more can't answer: the new version does what it can.
    let dead = Proxy::start_with(&["127.0.0.1:1".parse().unwrap(), named("two")], |route| {
        route.members[0].role = Role::Standby;
        let old = LiveVersion { known: true, ..live("v1", 0, false) };
        route.sessions = sessions(vec![live("v2", PLACES, true), old]);
    });
    assert_eq!(get(&dead, "/", "X-Deployment-Id: v1\r\n").1, "two");
}

#[test]
fn a_file_that_one_version_lacks_comes_from_another_or_from_the_shelf() {
    let files = |own: &'static str| {
        instance(move |arrived| {
            if arrived.path().split('?').next() == Some(own) {
                arrived.reply(own);
            } else {
                arrived.write("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nmine");
            }
            true
        })
    };
    let (one, two) = (files("/assets/one-11111111a.js"), files("/assets/two-22222222b.js"));
    let mut proxy = Proxy::start_with(&[one, two], |route| route.assets = vec!["/assets/".to_owned()]);
    proxy.wait("health", |report| report.instances.values().all(|i| i.health.is_up()));
    for _ in 0..20 {
        for path in ["/assets/one-11111111a.js", "/assets/two-22222222b.js"] {
            let (head, body) = get(&proxy, &format!("{path}?v"), "");
            assert_eq!((status(&head), body.as_str()), (200, path));
        }
    }
    // Nobody has it: the instance's own answer stands, as it does for all other paths.
    for path in ["/assets/none-33333333c.js", "/assets/../shelf", "/other.js"] {
        let (head, body) = get(&proxy, path, "");
        assert_eq!((status(&head), body.as_str()), (404, "mine"));
    }

    // The old one has gone; what it had is on the shelf.
    let shelf = proxy.folder.path().join("shelf/shop/assets");
    fs::create_dir_all(&shelf).unwrap();
    let large = "x".repeat(700_000);
    fs::write(shelf.join("one-11111111a.js"), &large).unwrap();
    proxy.route.members = vec![member(2, two, Role::Serve)];
    proxy.apply();
    let mut raw = proxy.connect();
    for _ in 0..2 {
        raw.send("GET /assets/one-11111111a.js HTTP/1.1\r\nHost: a\r\n\r\n");
        let (head, body) = raw.answer();
        assert!(head.contains("Content-Type: text/javascript") && head.contains("immutable"), "{head}");
        assert_eq!((status(&head), body.len()), (200, large.len()));
    }
    raw.send("HEAD /assets/one-11111111a.js HTTP/1.1\r\nHost: a\r\n\r\nGET /assets/%2e%2e/%2e%2e/table HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(status(&raw.head()), 200);
    assert_eq!(raw.answer().1, b"mine");
    raw.send("POST /assets/one-11111111a.js HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    assert_eq!(status(&raw.answer().0), 404);
}
