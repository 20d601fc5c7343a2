//! Browsers: logins, cookies, pages of others, names that lead here, the dashboard, encrypted connections.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use tandem_server::api::Role;

use super::{Answer, Entrance, request, talk};

const JSON: &str = "Content-Type: application/json\r\n";

impl Entrance {
    fn log_in(&self, fields: &str, body: &Value) -> Answer<TcpStream> {
        self.open_call("POST /v1/login", &format!("{JSON}{fields}"), &body.to_string())
    }

    /// A session by a token, as a header line with the cookie.
    fn session(&self, secret: &str) -> String {
        let answer = self.log_in("", &json!({ "token": secret }));
        assert_eq!(answer.status, 200, "{}", answer.head);
        cookie(&answer)
    }

    fn ticket(&self) -> String {
        let mut socket = UnixStream::connect(self.state.ticket_socket()).unwrap();
        socket.write_all(b"POST /v1/tickets HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let answer: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        let url = answer["url"].as_str().unwrap();
        let (page, ticket) = url.split_once("/#ticket=").unwrap();
        assert_eq!(page, format!("http://deploy.example.com:{}", self.address.port()));
        ticket.to_owned()
    }
}

fn cookie<S: Read>(answer: &Answer<S>) -> String {
    format!("Cookie: {}\r\n", answer.field("set-cookie").split(';').next().unwrap())
}

#[test]
fn a_browser_logs_in_by_a_token_and_its_session_is_worth_no_more() {
    let entrance = Entrance::open();
    let (secret, _) = entrance.token_for("wall", Role::Viewer, &[], None);
    let answer = entrance.log_in("", &json!({ "token": secret }));
    let told = answer.field("set-cookie").to_owned();
    assert!(
        told.starts_with("tandem=") && told.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"),
        "{told}"
    );
    let session = cookie(&answer);
    let (status, me) = entrance.ask("GET /v1/me", &session, "");
    assert_eq!((status, &me["role"]), (200, &json!("viewer")));
    assert!(me["expires"].is_u64());
    assert!(!session.contains(&secret));
    let own = format!("{session}Origin: http://{}\r\n", entrance.address);
    assert_eq!(entrance.ask_status("POST /v1/services/shop/rollback", &own), 403);
    // It ends with its token, or when it is closed.
    let (other, _) = entrance.token_for("other", Role::Viewer, &[], None);
    let another = entrance.session(&other);
    entrance.book().revoke(&"wall".parse().unwrap()).unwrap();
    assert_eq!(entrance.ask_status("GET /v1/me", &session), 401);
    assert_eq!(entrance.ask_status("GET /v1/me", &another), 200);
    let answer = entrance.open_call(
        "POST /v1/logout",
        &format!("{another}Origin: http://{}\r\n", entrance.address),
        "",
    );
    assert_eq!(answer.status, 204);
    assert!(answer.field("set-cookie").contains("Max-Age=0"), "{}", answer.head);
    assert_eq!(entrance.ask_status("GET /v1/me", &another), 401);
    for body in [json!({}), json!({"token": other, "ticket": "x"}), json!({"token": 1}), json!({"x": ""})] {
        assert_eq!(entrance.log_in("", &body).status, 400, "{body}");
    }
    assert_eq!(entrance.log_in("", &json!({ "token": "tdm_wrong" })).status, 401);
}

#[test]
fn a_ticket_is_good_for_one_login() {
    let entrance = Entrance::open();
    let ticket = entrance.ticket();
    let answer = entrance.log_in("", &json!({ "ticket": ticket }));
    assert_eq!(answer.status, 200, "{}", answer.head);
    let (_, me) = entrance.ask("GET /v1/me", &cookie(&answer), "");
    let uid = rustix::process::geteuid().as_raw();
    assert_eq!((&me["name"], &me["role"]), (&json!(format!("uid:{uid}")), &json!("admin")));
    assert_eq!(entrance.log_in("", &json!({ "ticket": ticket })).status, 401);
    let audit = entrance.audit(&cookie(&answer));
    let tickets = audit.iter().filter(|entry| entry["path"] == "/v1/tickets");
    assert_eq!(tickets.map(|entry| entry["who"].clone()).collect::<Vec<_>>(), [json!(format!("uid:{uid}"))]);
}

#[test]
fn a_page_of_somebody_else_can_do_nothing_with_the_cookie() {
    let entrance = Entrance::open();
    let (secret, bearer) = entrance.token_for("boss", Role::Admin, &[], None);
    let session = entrance.session(&secret);
    let own = format!("Origin: http://{}\r\n", entrance.address);
    let scale = |fields: &str| {
        entrance.ask("POST /v1/services/shop/scale", &format!("{session}{fields}"), "{\"instances\":3}").0
    };
    assert_eq!(scale(&own), 200);
    assert_eq!(scale(&format!("{own}Sec-Fetch-Site: same-origin\r\n")), 200);
    for fields in [
        "",
        "Origin: http://evil.example\r\n",
        "Origin: null\r\n",
        "Origin: http://localhost:3000\r\n",
        &format!("Origin: https://{}\r\n", entrance.address),
        &format!("{own}Sec-Fetch-Site: cross-site\r\n"),
        &format!("{own}Sec-Fetch-Site: same-site\r\n"),
    ] {
        assert_eq!(scale(fields), 403, "{fields}");
    }
    // Nor read anything, nor log somebody in.
    let status = "GET /v1/services/shop/status";
    assert_eq!(entrance.ask_status(status, &session), 200);
    for fields in ["Sec-Fetch-Site: same-site\r\n", "Origin: http://evil.example\r\n"] {
        assert_eq!(entrance.ask_status(status, &format!("{session}{fields}")), 403, "{fields}");
        assert_eq!(entrance.log_in(fields, &json!({ "token": secret })).status, 403, "{fields}");
    }
    let form = "Content-Type: text/plain\r\n";
    assert_eq!(entrance.ask("POST /v1/login", form, &json!({ "token": secret }).to_string()).0, 400);
    // A program with a token comes from no page.
    assert_eq!(entrance.ask("POST /v1/services/shop/scale", &bearer, "{\"instances\":3}").0, 200);
}

#[test]
fn a_name_that_somebody_lets_lead_here_is_not_ours() {
    let entrance = Entrance::open();
    let admin = entrance.token(Role::Admin);
    for host in ["deploy.example.com", "deploy.example.com:9", "localhost:1", "127.0.0.1"] {
        assert_eq!(entrance.ask_status("GET /v1/me", &format!("{admin}Host: {host}\r\n")), 200, "{host}");
    }
    for fields in ["Host: evil.example\r\n", "Host: localhost\r\nHost: localhost\r\n", "Host: \r\n"] {
        assert_eq!(entrance.ask_status("GET /v1/me", &format!("{admin}{fields}")), 421, "{fields}");
        assert_eq!(entrance.ask_status("GET /", fields), 421, "{fields}");
    }
    let whole = format!("GET http://{}/v1/me", entrance.address);
    assert_eq!(entrance.ask_status(&whole, &admin), 421, "what proxies are asked");
}

#[test]
fn the_dashboard_is_there_for_everybody_and_may_do_little() {
    let entrance = Entrance::open();
    let mut answer = entrance.open_call("GET /shop/deployments", "", "");
    assert_eq!((answer.status, answer.field("content-type")), (200, "text/html; charset=utf-8"));
    assert!(answer.text().contains("<html"));
    for what in ["GET /", "GET /v1/me", "GET /nothing.js"] {
        let answer = entrance.open_call(what, "", "");
        let policy = answer.field("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{what}: {policy}");
        assert_eq!(answer.field("x-content-type-options"), "nosniff");
        assert_eq!(answer.field("referrer-policy"), "no-referrer");
    }
    let tag = answer.field("etag").to_owned();
    assert_eq!(entrance.ask_status("GET /", &format!("If-None-Match: {tag}\r\n")), 304);
}

#[test]
fn encrypted_connections_have_a_cookie_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let own =
        CertificateParams::new(vec!["deploy.example.com".to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(folder.path().join("own.pem"), own.pem()).unwrap();
    fs::write(folder.path().join("own.key"), key.serialize_pem()).unwrap();
    let entrance = Entrance::with(Some(&folder.path().join("own")));
    let mut roots = RootCertStore::empty();
    roots.add(own.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
    let ask = |what: &str, fields: &str, body: &str| {
        let name = ServerName::try_from("deploy.example.com").unwrap();
        let connection = ClientConnection::new(config.clone(), name).unwrap();
        let stream = StreamOwned::new(connection, TcpStream::connect(entrance.address).unwrap());
        talk(stream, &request(entrance.address, what, &format!("Host: deploy.example.com\r\n{fields}"), body))
    };
    let (secret, _) = entrance.token_for("boss", Role::Admin, &[], None);
    let answer = ask("POST /v1/login", JSON, &json!({ "token": secret }).to_string());
    assert_eq!(answer.status, 200, "{}", answer.head);
    let told = answer.field("set-cookie");
    assert!(told.starts_with("__Host-tandem=") && told.ends_with("; Secure"), "{told}");
    let session = cookie(&answer);
    assert_eq!(ask("GET /v1/me", &session, "").status, 200);
    let scale = |origin: &str| {
        let fields = format!("{session}Origin: {origin}\r\n");
        ask("POST /v1/services/shop/scale", &fields, "{\"instances\":3}").status
    };
    assert_eq!(scale("http://deploy.example.com"), 403);
    assert_eq!(scale("https://deploy.example.com"), 200);
}
