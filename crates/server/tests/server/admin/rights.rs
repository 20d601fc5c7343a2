//! Who may do what: every route with every role, as nobody, and with tokens that are no good any more.

use std::fs;
use std::io::{BufRead, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use tandem_core::base::Millis;
use tandem_server::admin::TokenError;
use tandem_server::api::Role;

use super::{Entrance, request};
use crate::waiting::wait_until;

/// All that can be asked of a service, and who may: written down a second time, by what people were promised.
const CALLS: &[(Role, &[&str])] = &[
    (
        Role::Viewer,
        &[
            "GET /v1/status",
            "GET /v1/why",
            "GET /v1/events",
            "GET /v1/deployments",
            "GET /v1/deployments/{id}",
            "GET /v1/deployments/{id}/events",
            "GET /v1/metrics",
            "GET /v1/traffic",
            "GET /v1/queue",
        ],
    ),
    (
        Role::Deployer,
        &[
            "POST /v1/deployments",
            "POST /v1/deployments/{id}/pause",
            "POST /v1/deployments/{id}/resume",
            "POST /v1/deployments/{id}/promote",
            "POST /v1/deployments/{id}/abort",
            "POST /v1/rollback",
            "POST /v1/push",
            "POST /v1/queue/{digest}/approve",
            "POST /v1/source/pause",
            "POST /v1/source/resume",
            "POST /v1/hold",
            "POST /v1/plan",
            "GET /v1/link",
            "GET /v1/instances/{id}/log",
        ],
    ),
    (Role::Admin, &["POST /v1/scale", "POST /v1/gate", "GET /v1/config"]),
];

#[test]
fn every_call_needs_its_role() {
    let entrance = Entrance::open();
    let [viewer, deployer, admin] =
        [Role::Viewer, Role::Deployer, Role::Admin].map(|role| entrance.token(role));
    let other = entrance.token_for("other", Role::Admin, &["blog"], None).1;
    let callers = [(Role::Viewer, viewer), (Role::Deployer, deployer), (Role::Admin, admin)];
    for (needed, calls) in CALLS {
        for call in *calls {
            let what =
                call.replace("/v1/", "/v1/services/shop/").replace("{id}", "7").replace("{digest}", "ab");
            let body = if what.starts_with("POST") { "1" } else { "" };
            assert_eq!(entrance.ask_status(&what, ""), 401, "{what} as nobody");
            assert_eq!(entrance.ask_status(&what, &other), 404, "{what} with a token for another service");
            for (role, token) in &callers {
                // What is no value of theirs is refused by the routes, and nothing happens.
                let status = entrance.open_call(&what, token, body).status;
                let is_refused = matches!(status, 401 | 403);
                assert_eq!(is_refused, role < needed, "{what} as {}: {status}", role.name());
            }
        }
    }
    // Nothing is left out.
    let routes = include_str!("../../../src/api/route.rs");
    for path in routes.split(".route(").skip(1).filter_map(|rest| rest.split('"').nth(1)) {
        let is_there = |call: &&str| call.split_once(' ').is_some_and(|(_, known)| known == path);
        assert!(CALLS.iter().any(|(_, calls)| calls.iter().any(is_there)), "{path}");
    }
}

#[test]
fn what_is_answered_here_has_roles_too() {
    let entrance = Entrance::open();
    let (viewer, admin) = (entrance.token(Role::Viewer), entrance.token(Role::Admin));
    let narrow = entrance.token_for("narrow", Role::Admin, &["shop"], Some(Millis::from_secs(60))).1;
    let (status, me) = entrance.ask("GET /v1/me", &viewer, "");
    assert_eq!(
        (status, me),
        (200, json!({"name":"viewer","role":"viewer","services":["shop"],"expires":null}))
    );
    assert!(entrance.ask("GET /v1/me", &narrow, "").1["expires"].is_u64());
    assert_eq!(entrance.ask("GET /v1/services", &viewer, ""), (200, json!([{"name": "shop"}])));
    for (token, status) in [(&viewer, 403), (&narrow, 403), (&admin, 200)] {
        assert_eq!(entrance.ask_status("GET /v1/audit", token), status);
    }
    for (what, status) in [
        ("GET /v1", 404),
        ("GET /v1/", 404),
        ("GET /v1/status", 404),
        ("GET /v1/services/shop", 404),
        ("GET /v1/services/shop/", 404),
        ("GET /v1/services/blog/status", 404),
        ("DELETE /v1/me", 405),
        ("DELETE /v1/services/shop/status", 405),
        ("OPTIONS /v1/services/shop/status", 405),
        ("PUT /", 405),
    ] {
        let (answered, problem) = entrance.ask(what, &admin, "");
        assert_eq!((answered, &problem["status"]), (status, &json!(status)), "{what}: {problem}");
    }
    for (what, methods) in [
        ("PUT /", "GET,HEAD"),
        ("GET /v1/login", "POST"),
        ("DELETE /v1/me", "GET,HEAD"),
        ("PUT /v1/services/shop/deployments", "GET,HEAD,POST"),
    ] {
        let answer = entrance.open_call(what, &admin, "");
        assert_eq!((answer.status, answer.field("allow")), (405, methods), "{what}");
    }
}

#[test]
fn a_token_that_is_over_or_revoked_is_refused_at_once() {
    let mut entrance = Entrance::open();
    let (_, short) = entrance.token_for("short", Role::Viewer, &[], Some(Millis(1)));
    wait_until("the end of a token", || (entrance.ask_status("GET /v1/me", &short) == 401).then_some(()));
    let (_, ci) = entrance.token_for("ci", Role::Viewer, &[], None);
    let mut stream = entrance.open_call("GET /v1/services/shop/events", &ci, "");
    assert_eq!((stream.status, stream.field("content-type")), (200, "text/event-stream"));
    let mut told = String::new();
    while !told.contains("event: status") {
        assert!(stream.rest.read_line(&mut told).unwrap() > 0, "{told}");
    }
    assert!(matches!(
        entrance.book().create("ci".parse().unwrap(), Role::Admin, Vec::new(), None),
        Err(TokenError::Taken(_))
    ));
    entrance.book().revoke(&"ci".parse().unwrap()).unwrap();
    assert_eq!(entrance.ask_status("GET /v1/me", &ci), 401);
    // What was under way ends, too, though the service lives.
    stream.text();
    assert!(entrance.child.try_wait().unwrap().is_none());
    // Another one of that name is another one.
    entrance.token_for("ci", Role::Viewer, &[], None);
    assert_eq!(entrance.ask_status("GET /v1/me", &ci), 401);

    let file = entrance.state.tokens();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let secret = ci.split_whitespace().last().unwrap();
    assert!(!fs::read_to_string(&file).unwrap().contains(secret.strip_prefix("tdm_").unwrap()));
    // Where nobody knows who may ask, nobody may.
    let admin = entrance.token(Role::Admin);
    fs::write(&file, "{").unwrap();
    assert_eq!(entrance.ask_status("GET /v1/me", &admin), 503);
    fs::remove_file(&file).unwrap();
    assert_eq!(entrance.ask_status("GET /v1/me", &admin), 401);
}

#[test]
fn who_did_what_is_written_down() {
    let entrance = Entrance::open();
    let (admin, viewer) = (entrance.token(Role::Admin), entrance.token(Role::Viewer));
    let uid = format!("uid:{}", rustix::process::geteuid().as_raw());
    entrance.daemon.ask("POST /v1/scale", "", &json!({"instances": 3}));
    entrance.daemon.ask("GET /v1/status", "", &json!(null));
    entrance.ask("POST /v1/services/shop/scale?x=secret", &admin, "{\"instances\":3}");
    entrance.ask("POST /v1/services/shop/scale", &viewer, "{\"instances\":4}");
    entrance.ask("GET /v1/services/shop/status", &viewer, "");
    entrance.ask("GET /v1/services/shop/status", "Authorization: Bearer tdm_wrong\r\n", "");
    let told: Vec<_> = entrance
        .audit(&admin)
        .iter()
        .map(|entry| {
            json!([
                entry["who"],
                entry["role"],
                entry["from"],
                entry["method"],
                entry["path"],
                entry["status"]
            ])
        })
        .collect();
    let scale = "/v1/services/shop/scale";
    assert_eq!(
        told,
        [
            json!(["?", null, "127.0.0.1", "GET", "/v1/services/shop/status", 401]),
            json!(["viewer", "viewer", "127.0.0.1", "POST", scale, 403]),
            json!(["admin", "admin", "127.0.0.1", "POST", scale, 200]),
            json!([uid, null, null, "POST", scale, 200]),
        ]
    );
    assert_eq!(entrance.ask("GET /v1/audit?limit=1", &admin, "").1.as_array().unwrap().len(), 1);
    assert_eq!(entrance.ask_status("GET /v1/audit?limit=x", &admin), 400);
}

#[test]
fn a_deployer_holds_requests_and_ends_no_maintenance() {
    let entrance = Entrance::open();
    let (deployer, admin) = (entrance.token(Role::Deployer), entrance.token(Role::Admin));
    let closed = json!({"gate": "closed", "message": "m", "retry_after": "1m"}).to_string();
    // There is no proxy here that would have it in force, so the answer is late; it is recorded all the same.
    let mut asking = TcpStream::connect(entrance.address).unwrap();
    let gate = request(entrance.address, "POST /v1/services/shop/gate", &admin, &closed);
    asking.write_all(gate.as_bytes()).unwrap();
    let status = || entrance.ask("GET /v1/services/shop/status", &deployer, "").1;
    wait_until("a maintenance", || (status()["maintenance"]["message"] == "m").then_some(()));
    for hold in ["{\"longest\":\"1s\"}", "{}"] {
        let (status, problem) = entrance.ask("POST /v1/services/shop/hold", &deployer, hold);
        assert_eq!((status, &problem["code"]), (409, &json!("conflict")), "{problem}");
    }
    assert_eq!(status()["maintenance"]["message"], "m");
}
