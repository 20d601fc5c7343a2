//! The generator against small servers that misbehave in each way that the verdict must see.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tandem_load::{FailureKind, Load, Mix, Plan, Verdict};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server that gives each connection's each request (as text) and number to `answer`; an empty answer closes.
async fn server(answer: impl Fn(&str, u64) -> String + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, answer.clone()));
        }
    });
    address
}

async fn serve(mut stream: TcpStream, answer: impl Fn(&str, u64) -> String) {
    let mut text = String::new();
    let mut buffer = [0; 8192];
    for number in 0.. {
        loop {
            let whole = text.find("\r\n\r\n").map(|at| at + 4).is_some_and(|head| {
                if text.contains("chunked") {
                    text.ends_with("0\r\n\r\n")
                } else {
                    !text.contains("POST") || text.len() > head
                }
            });
            if whole {
                break;
            }
            match stream.read(&mut buffer).await {
                Ok(count) if count > 0 => text.push_str(&String::from_utf8_lossy(&buffer[..count])),
                _ => return,
            }
        }
        let reply = answer(&text, number);
        text.clear();
        if reply.is_empty() || stream.write_all(reply.as_bytes()).await.is_err() || reply.contains("CUT") {
            return;
        }
    }
}

fn id_of(request: &str) -> &str {
    request.lines().find_map(|line| line.strip_prefix("X-Request-ID: ")).unwrap_or("")
}

fn good(request: &str, version: &str) -> String {
    let id = id_of(request);
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTandem-Shop-Version: {version}\r\nTandem-Shop-Request: {id}\r\n\r\nok"
    )
}

async fn run(address: SocketAddr, mix: Mix) -> Verdict {
    let mut plan = Plan::new(address);
    (plan.rate, plan.at_most, plan.mix) = (500.0, 60, mix);
    plan.timeout = Duration::from_secs(5);
    plan.upload.every = Duration::from_millis(1);
    Load::start(plan).expect("a good plan").finish().await
}

const KEPT: Mix = Mix { get: 1, fresh: 0, post: 0, upload: 0 };
const ALL: Mix = Mix { get: 1, fresh: 1, post: 1, upload: 1 };

#[tokio::test]
async fn a_good_server_is_clean_for_every_kind() {
    let address = server(|request, _| good(request, "v1")).await;
    let verdict = run(address, ALL).await;
    assert!(verdict.is_clean(), "{verdict}");
    assert_eq!((verdict.sent, verdict.answered, verdict.versions["v1"]), (60, 60, 60));
    assert!(!verdict.acknowledged.is_empty() && verdict.acknowledged.len() < 60);
}

#[tokio::test]
async fn chunked_and_close_delimited_answers_are_read_to_their_end() {
    let address = server(|request, _| {
        let head = format!("HTTP/1.1 200 OK\r\nTandem-Shop-Request: {}\r\n", id_of(request));
        let chunked = format!("HTTP/1.1 103 Early Hints\r\n\r\n{head}Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n");
        if request.contains("product") { format!("{head}Connection: close\r\n\r\nCUT") } else { chunked }
    })
    .await;
    let verdict = run(address, KEPT).await;
    assert!(verdict.is_clean(), "{verdict}");
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_replaced() {
    let address =
        server(|request, number| if number == 0 { good(request, "v1") } else { String::new() }).await;
    // The server closes only when it is asked again: that is a loss, and seen as one.
    let verdict = run(address, KEPT).await;
    assert!(verdict.failures[&FailureKind::Closed].count > 0, "{verdict}");

    let address = server(|request, _| good(request, "v1") + "CUT").await;
    // Bytes that nobody asked for, then closed: the connection is not used again, and nothing is lost.
    let verdict = run(address, KEPT).await;
    assert!(verdict.is_clean(), "{verdict}");
}

#[tokio::test]
async fn each_kind_of_failure_is_named() {
    type Answer = fn(&str, u64) -> String;
    let cases: [(FailureKind, Answer); 5] = [
        (FailureKind::Status, |_, _| "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".to_owned()),
        (FailureKind::Closed, |_, _| String::new()),
        (FailureKind::Cut, |_, _| "HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nCUT".to_owned()),
        (FailureKind::Malformed, |_, _| "CUT is not HTTP at all".to_owned()),
        (FailureKind::Crossed, |_, _| {
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTandem-Shop-Request: another\r\n\r\n".to_owned()
        }),
    ];
    for (kind, answer) in cases {
        let verdict = run(server(answer).await, KEPT).await;
        assert_eq!(
            verdict.failures.get(&kind).map(|failures| failures.count),
            Some(60),
            "{kind:?}: {verdict}"
        );
        assert_eq!((verdict.answered, verdict.failed), (0, 60));
    }
}

#[tokio::test]
async fn no_listener_is_a_failure_to_connect() {
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        listener.local_addr().expect("an address")
    };
    let verdict = run(address, KEPT).await;
    assert_eq!(verdict.failures[&FailureKind::Connect].count, 60, "{verdict}");
}

async fn run_flip(address: SocketAddr) -> Verdict {
    let mut plan = Plan::new(address);
    (plan.rate, plan.at_most, plan.mix) = (500.0, 60, KEPT);
    let load = Load::start(plan).expect("a good plan");
    load.watch_flip("v1", "v2");
    load.finish().await
}

#[tokio::test]
async fn a_flip_at_one_instant_is_clean() {
    let served = Arc::new(AtomicU64::new(0));
    let address = server(move |request, _| {
        good(request, if served.fetch_add(1, Ordering::SeqCst) < 20 { "v1" } else { "v2" })
    })
    .await;
    let verdict = run_flip(address).await;
    assert!(verdict.is_clean() && verdict.versions.len() == 2, "{verdict}");
}

#[tokio::test]
async fn a_flip_that_goes_back_is_seen() {
    // The second request on a connection is sent after its first answer: after an answer of the new version.
    let address = server(|request, number| good(request, if number == 0 { "v2" } else { "v1" })).await;
    let verdict = run_flip(address).await;
    assert!(verdict.wrong_version.count > 0 && !verdict.is_clean(), "{verdict}");
}
