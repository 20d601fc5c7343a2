//! What rules answer in place of the instances.

use tandem_core::spec::RuleSpec;
use tandem_core::traffic::Route;

use super::http2;
use super::instance::named;
use super::proxy::{Proxy, status};

fn rule(path: &str) -> RuleSpec {
    RuleSpec { path: Some(path.to_owned()), ..RuleSpec::default() }
}

fn rules(route: &mut Route) {
    let text = |text: &str| Some(text.to_owned());
    let moved = RuleSpec { redirect: text("https://new.example{path}{query}"), ..rule("/old") };
    let writes = RuleSpec { methods: vec!["POST".to_owned()], status: Some(405), ..rule("/") };
    let gone =
        RuleSpec { status: Some(410), body: text("<p>gone</p>"), media: text("text/html"), ..rule("/gone") };
    let empty = RuleSpec { status: Some(204), ..rule("=/empty") };
    let local = RuleSpec {
        redirect: text("{path}"),
        status: Some(302),
        hosts: vec!["*.local".to_owned()],
        ..rule("/")
    };
    route.rules = vec![moved, writes, gone, empty, local];
}

/// The answer to a request on a connection that goes on afterwards, as the next answer on it shows.
fn ask(proxy: &Proxy, line: &str, host: &str) -> (String, String) {
    let mut client = proxy.connect();
    client.send(format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\nGET /after HTTP/1.1\r\nHost: x\r\n\r\n"));
    let (head, body) = match line.starts_with("HEAD") {
        true => (client.head(), Vec::new()),
        false => client.answer(),
    };
    assert!(client.answer().1.ends_with(b"app"), "{line} {host}: {head}");
    (head, String::from_utf8(body).unwrap())
}

#[test]
fn rules_answer_before_instances_do_and_the_connection_goes_on() {
    let proxy = Proxy::start_with(&[named("app")], rules);
    for (line, host, code, wanted) in [
        ("GET /old/a?b=c", "x", 308, "\r\nLocation: https://new.example/old/a?b=c\r\n"),
        ("HEAD /gone/x", "x", 410, "\r\nContent-Type: text/html\r\nContent-Length: 11\r\n"),
        ("GET //evil.example/x", "A.Local:81", 302, "\r\nLocation: /evil.example/x\r\n"),
        ("POST /old", "x", 308, "\r\nContent-Length: 0\r\n"),
        ("POST /other", "x", 405, "\r\nX-Request-ID: "),
    ] {
        let (head, _) = ask(&proxy, line, host);
        assert_eq!(status(&head), code, "{line}: {head}");
        assert!(head.contains(wanted), "{line}: {head}");
    }
    assert_eq!(ask(&proxy, "GET /gone", "x").1, "<p>gone</p>");
    for (line, host) in
        [("GET /older", "x"), ("GET /empty/", "x"), ("GET /", "local"), ("GET /goner", "a.b.local")]
    {
        assert_eq!(ask(&proxy, line, host).1, "app", "{line} {host}");
    }
    let mut client = proxy.connect();
    client.send("GET /empty HTTP/1.1\r\nHost: x\r\n\r\nGET /after HTTP/1.1\r\nHost: x\r\n\r\n");
    let head = client.head();
    assert!(status(&head) == 204 && !head.contains("Content-"), "{head}");
    assert!(client.answer().1.ends_with(b"app"));
}

#[test]
fn a_rule_holds_whether_or_not_an_instance_serves() {
    let proxy = Proxy::start_with(&[], rules);
    let answer = proxy.ask("POST /old HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(status(&answer), 308, "{answer}");
    assert!(answer.contains("\r\nConnection: close\r\n"), "what follows a body is no request: {answer}");
    let upgrade = "GET /old HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(status(&proxy.ask(upgrade)), 308);
}

#[test]
fn a_table_brings_its_rules_and_takes_them_away() {
    let mut proxy = Proxy::start_with(&[named("app")], rules);
    proxy.restart();
    assert_eq!(status(&ask(&proxy, "GET /old", "x").0), 308, "a proxy that comes back has its rules");
    proxy.route.rules.clear();
    proxy.apply();
    assert_eq!(ask(&proxy, "GET /old", "x").1, "app");
}

#[test]
fn streams_of_http2_have_the_same_rules() {
    let proxy = Proxy::start_with(&[named("app")], rules);
    http2::run(async {
        let mut requests = http2::connect(proxy.address).await;
        let request = http2::request("GET", "/old?a").body(()).unwrap();
        let answer = requests.send_request(request, true).unwrap().0.await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["location"]),
            (308, &"https://new.example/old?a".parse().unwrap())
        );
        let (status, body) = http2::get(&mut requests, "/gone").await;
        assert_eq!((status.as_u16(), body.as_slice()), (410, b"<p>gone</p>".as_slice()));
        assert_eq!(http2::get(&mut requests, "/").await.1, b"app");
    });
}
