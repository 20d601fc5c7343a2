//! What rules do with requests: answers in place of instances, other paths, other header fields.

use tandem_core::spec::RuleSpec;
use tandem_core::traffic::session::PLACES;
use tandem_core::traffic::{LiveVersion, Route, Sessions};

use crate::http2;
use crate::instance::instance;
use crate::proxy::{Proxy, status};

fn rule(path: &str) -> RuleSpec {
    RuleSpec { path: Some(path.to_owned()), ..RuleSpec::default() }
}

fn rules(route: &mut Route) {
    let text = |text: &str| Some(text.to_owned());
    let to = |text: &str| Some(text.parse().unwrap());
    let moved = RuleSpec { redirect: to("https://new.example{path}"), ..rule("/old") };
    let mut gone = RuleSpec { status: Some(410), answer: text("<p>gone</p>"), ..rule("/gone") };
    gone.content_type = text("text/html");
    gone.response.set.insert("x-why".to_owned(), "retired".to_owned());
    let empty = RuleSpec { status: Some(204), answer: text(""), ..rule("=/empty") };
    let mut api = RuleSpec { rewrite: to("/v2{rest}"), ..rule("/api") };
    api.headers.insert("x-beta".to_owned(), "1".to_owned());
    api.request.set.insert("x-env".to_owned(), "prod".to_owned());
    api.request.remove.push("x-debug".to_owned());
    api.response.set.insert("x-frame-options".to_owned(), "DENY".to_owned());
    api.response.remove.push("server".to_owned());
    let local = RuleSpec { redirect: to("{path}"), status: Some(302), ..RuleSpec::default() };
    let local = RuleSpec { hosts: vec!["*.local".to_owned()], methods: vec!["GET".to_owned()], ..local };
    route.rules = vec![moved, gone, empty, api, local];
}

/// An instance that answers with the head that it got.
fn echo() -> std::net::SocketAddr {
    instance(|arrived| {
        arrived.body();
        let head = arrived.head.clone();
        let fields = "Server: app\r\nX-Frame-Options: ALLOW\r\nX_Frame_Options: ALLOW\r\n";
        if arrived.field("upgrade").is_some() {
            let switched =
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
            arrived.write(format!("{switched}{fields}\r\n{head}"));
            return false;
        }
        arrived.write(format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n{head}", head.len()));
        true
    })
}

fn start() -> Proxy {
    let proxy = Proxy::start_with(&[echo()], rules);
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    proxy
}

/// The answer to a request on a connection that goes on afterwards, as the next answer on it shows.
fn ask(proxy: &Proxy, line: &str, host: &str, fields: &str) -> (String, String) {
    let mut client = proxy.connect();
    client.send(format!("{line} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n"));
    let head_only = line.starts_with("HEAD") || line.starts_with("GET /empty ");
    let (head, body) = if head_only { (client.head(), Vec::new()) } else { client.answer() };
    client.send("GET /after HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(client.answer().1.starts_with(b"GET /after HTTP/1.1\r\n"), "{line} {host}: {head}");
    (head, String::from_utf8(body).unwrap())
}

const BETA: &str = "X-Beta: 1\r\nX-Env: evil\r\nx_env: evil\r\nX-Debug: 1\r\nX-Other: kept\r\n";

#[test]
fn rules_answer_in_place_of_instances_and_the_connection_goes_on() {
    let proxy = start();
    for (line, host, code, wanted) in [
        ("GET /old/a?b=c", "x", 308, "\r\nLocation: https://new.example/old/a?b=c\r\n"),
        ("POST /old", "x", 308, "\r\nContent-Length: 0\r\n"),
        ("HEAD /gone/x", "x", 410, "\r\nContent-Type: text/html\r\nContent-Length: 11\r\nx-why: retired\r\n"),
        ("GET /empty", "x", 204, "HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET //evil.example/x", "A.Local:81", 302, "\r\nLocation: /evil.example/x\r\n"),
    ] {
        let (head, _) = ask(&proxy, line, host, "");
        assert_eq!(status(&head), code, "{line}: {head}");
        assert!(head.contains(wanted), "{line}: {head}");
    }
    assert_eq!(ask(&proxy, "GET /gone", "x", "").1, "<p>gone</p>");
    for (line, host) in [
        ("GET /older", "x"),
        ("GET /empty/", "x"),
        ("GET /", "local"),
        ("POST /", "a.local"),
        ("GET /", "a.b.local"),
    ] {
        let (head, body) = ask(&proxy, line, host, "");
        assert!(
            status(&head) == 200 && body.starts_with(&format!("{line} HTTP/1.1")),
            "{line} {host}: {head}"
        );
    }
    // With a body that nobody reads, the connection ends.
    let answer = proxy.ask("POST /old HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    assert!(status(&answer) == 308 && answer.contains("\r\nConnection: close\r\n"), "{answer}");
}

#[test]
fn instances_get_another_path_and_other_fields_and_so_do_clients() {
    let proxy = start();
    for (line, wanted) in [
        ("GET /api/a?b=/api", "GET /v2/a?b=/api HTTP/1.1\r\nHost: x:80\r\n"),
        ("GET /api?", "GET /v2? HTTP/1.1\r\nHost: x:80\r\n"),
        ("DELETE /api//a", "DELETE /v2//a HTTP/1.1\r\nHost: x:80\r\n"),
    ] {
        let (head, body) = ask(&proxy, line, "x:80", BETA);
        assert!(body.starts_with(wanted), "{body}");
        assert!(
            body.contains("\r\nX-Other: kept\r\n") && body.ends_with("\r\nx-env: prod\r\n\r\n"),
            "{body}"
        );
        assert!(!body.contains("evil") && !body.to_lowercase().contains("x-debug"), "{body}");
        assert!(head.contains("\r\nx-frame-options: DENY\r\n") && !head.contains("ALLOW"), "{head}");
        assert!(!head.contains("Server"), "{head}");
    }
    // Another value, and it is another request.
    let (head, body) = ask(&proxy, "GET /api/a", "x", "X-Beta: 2\r\nX-Debug: 1\r\n");
    assert!(body.starts_with("GET /api/a HTTP/1.1\r\n") && body.contains("X-Debug: 1"), "{body}");
    assert!(head.contains("Server: app"), "{head}");
    // A body goes along, and what is too long by a rule is not sent.
    let mut client = proxy.connect();
    client.send(format!("PUT /api/a HTTP/1.1\r\nHost: x\r\n{BETA}Transfer-Encoding: chunked\r\n\r\n"));
    client.send("3\r\nabc\r\n0\r\n\r\n");
    let body = String::from_utf8(client.answer().1).unwrap();
    assert!(
        body.starts_with("PUT /v2/a HTTP/1.1\r\n") && body.contains("Transfer-Encoding: chunked"),
        "{body}"
    );
}

#[test]
fn a_connection_that_changes_its_protocol_obeys_rules() {
    let proxy = start();
    let mut client = proxy.connect();
    client.send(format!(
        "GET /api/ws HTTP/1.1\r\nHost: x\r\n{BETA}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    ));
    let head = client.head();
    assert!(status(&head) == 101 && head.contains("x-frame-options: DENY"), "{head}");
    let got = client.head();
    assert!(got.starts_with("GET /v2/ws HTTP/1.1\r\n") && got.contains("\r\nx-env: prod\r\n"), "{got}");
    assert!(got.contains("\r\nUpgrade: websocket\r\n"), "{got}");
    let answer =
        proxy.ask("GET /old HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(status(&answer), 308);
}

#[test]
fn a_table_brings_its_rules_and_takes_them_away() {
    let mut proxy = start();
    proxy.restart();
    assert_eq!(status(&ask(&proxy, "GET /old", "x", "").0), 308, "a proxy that comes back has its rules");
    proxy.route.rules.clear();
    proxy.apply();
    assert!(ask(&proxy, "GET /old", "x", "").1.starts_with("GET /old "));
}

#[test]
fn streams_of_http2_have_the_same_rules() {
    let proxy = start();
    http2::run(async {
        let mut requests = http2::connect(proxy.address).await;
        let request = http2::request("GET", "/old?a").body(()).unwrap();
        let answer = requests.send_request(request, true).unwrap().0.await.unwrap();
        let location = answer.headers()["location"].to_str().unwrap();
        assert_eq!((answer.status().as_u16(), location), (308, "https://new.example/old?a"));
        let (status, body) = http2::get(&mut requests, "/gone").await;
        assert_eq!((status.as_u16(), body.as_slice()), (410, b"<p>gone</p>".as_slice()));
        let request = http2::request("GET", "/api/a?b").header("x-beta", "1").header("x-debug", "1");
        let answer = requests.send_request(request.body(()).unwrap(), true).unwrap().0.await.unwrap();
        assert_eq!(answer.headers()["x-frame-options"], "DENY");
        let body = answer.into_body().data().await.unwrap().unwrap();
        let got = std::str::from_utf8(&body).unwrap();
        assert!(got.starts_with("GET /v2/a?b HTTP/1.1\r\n") && got.contains("\r\nx-env: prod\r\n"), "{got}");
        assert!(!got.contains("x-debug"), "{got}");
    });
}

#[test]
fn sessions_know_requests_as_clients_sent_them_and_no_rule_has_a_cookie_shared() {
    let live = LiveVersion {
        version: "v1".parse().unwrap(),
        key: "secretv1".parse().ok(),
        share: PLACES,
        holds: true,
        known: true,
    };
    let other =
        LiveVersion { version: "v2".parse().unwrap(), key: None, share: 0, holds: false, known: false };
    let start = |cache: &str| {
        Proxy::start_with(&[echo()], |route| {
            rules(route);
            route.rules[3].response.set.insert("cache-control".to_owned(), cache.to_owned());
            let versions = vec![live.clone(), other.clone()];
            route.sessions =
                Sessions { cookie: "tandem".to_owned(), pins: true, versions, ..Sessions::default() };
        })
    };
    let proxy = start("no-store");
    let (head, body) = ask(&proxy, "GET /api/a", "x", BETA);
    assert!(head.contains("\r\nSet-Cookie: tandem=secretv1."), "{head}");
    assert!(body.starts_with("GET /v2/a "), "{body}");
    let link = proxy.ask(&format!("GET /api/a?tandem=secretv1 HTTP/1.1\r\nHost: x\r\n{BETA}\r\n"));
    assert!(status(&link) == 303 && link.contains("\r\nLocation: /api/a\r\n"), "{link}");
    let head = ask(&start("public, max-age=60"), "GET /api/a", "x", BETA).0;
    assert!(head.contains("cache-control: public") && !head.contains("Set-Cookie"), "{head}");
}

#[test]
fn files_and_keys_are_those_of_the_path_that_the_client_sent() {
    let lacks = || {
        instance(|arrived| {
            arrived.write("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nmine");
            true
        })
    };
    let proxy = Proxy::start_with(&[lacks()], |route| {
        route.rules =
            vec![RuleSpec { rewrite: Some("/a/longer/path{path}".parse().unwrap()), ..rule("/assets") }];
        route.assets = vec!["/assets/".to_owned()];
    });
    proxy.wait_instance(1, "up", |_| true);
    let shelf = proxy.folder.path().join("shelf/shop/assets");
    std::fs::create_dir_all(&shelf).unwrap();
    std::fs::write(shelf.join("app-11111111a.js"), "shelved").unwrap();
    let mut client = proxy.connect();
    client.send("GET /assets/app-11111111a.js HTTP/1.1\r\nHost: a\r\n\r\n");
    let (head, body) = client.answer();
    assert_eq!((status(&head), body), (200, b"shelved".to_vec()));
}
