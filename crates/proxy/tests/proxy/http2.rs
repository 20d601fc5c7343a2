//! HTTP/2 at both ends: what a client of it sees, what an instance of it gets, and that attackers are cut.

use std::future::Future;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response, StatusCode};
use tandem_core::base::Millis;
use tandem_core::spec::Protocol;
use tandem_core::traffic::Encryption;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

use crate::instance::{gate, instance, named};
use crate::proxy::{PATIENCE, Proxy};
use crate::secure::{Authority, secure};

mod goodbye;

/// Runs a client's side to its end, within the time that everything has.
pub fn run<T>(body: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bounded = async { tokio::time::timeout(PATIENCE, body).await.expect("it took too long") };
    LocalSet::new().block_on(&runtime, bounded)
}

pub async fn connect(address: SocketAddr) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (requests, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::task::spawn_local(async move {
        let _ended = connection.await;
    });
    requests.ready().await.unwrap()
}

pub fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(format!("http://shop.example{path}"))
}

async fn read(mut body: RecvStream) -> Result<(Vec<u8>, Option<HeaderMap>), h2::Error> {
    let mut all = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        all.extend_from_slice(&piece);
    }
    Ok((all, body.trailers().await?))
}

pub async fn get(requests: &mut SendRequest<Bytes>, path: &str) -> (StatusCode, Vec<u8>) {
    let (answer, _) = requests.send_request(request("GET", path).body(()).unwrap(), true).unwrap();
    let answer = answer.await.unwrap();
    (answer.status(), read(answer.into_body()).await.unwrap().0)
}

#[test]
fn a_client_of_http2_is_served_by_an_instance_of_http1() {
    let echo = instance(|arrived| {
        let body = arrived.body();
        let told = format!(
            "{} {:?} {:?} {:?}|",
            arrived.head.lines().next().unwrap_or_default(),
            arrived.field("host"),
            arrived.field("cookie"),
            arrived.field("transfer-encoding"),
        );
        arrived.reply([told.as_bytes(), &body].concat());
        true
    });
    let proxy = Proxy::start(&[echo]);
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    run(async {
        let mut requests = connect(proxy.address).await;
        let asked = request("POST", "/a?b=c").header("cookie", "a=1").header("cookie", "b=2");
        let (answer, mut body) = requests.send_request(asked.body(()).unwrap(), false).unwrap();
        body.send_data(Bytes::from_static(b"one "), false).unwrap();
        body.send_data(Bytes::from_static(b"two"), true).unwrap();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(!answer.headers().contains_key("connection"));
        let (body, _) = read(answer.into_body()).await.unwrap();
        assert_eq!(
            String::from_utf8(body).unwrap(),
            "POST /a?b=c HTTP/1.1 Some(\"shop.example\") Some(\"a=1; b=2\") Some(\"chunked\")|one two"
        );
        // Many at once, one of them a HEAD.
        let (head, _) = requests.send_request(request("HEAD", "/h").body(()).unwrap(), true).unwrap();
        let mut answers = Vec::new();
        for at in 0..50 {
            let asked = request("GET", &format!("/{at}")).body(()).unwrap();
            requests = requests.ready().await.unwrap();
            answers.push(requests.send_request(asked, true).unwrap().0);
        }
        for (at, answer) in answers.into_iter().enumerate() {
            let (body, _) = read(answer.await.unwrap().into_body()).await.unwrap();
            assert!(body.starts_with(format!("GET /{at} ").as_bytes()));
        }
        let head = head.await.unwrap();
        assert!(head.headers().contains_key("content-length"));
        assert!(read(head.into_body()).await.unwrap().0.is_empty());
    });
}

#[test]
fn what_no_client_of_http1_may_say_is_refused_in_http2_too() {
    let proxy = Proxy::start(&[named("one")]);
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    run(async {
        let mut requests = connect(proxy.address).await;
        let two_hosts = request("GET", "/").header("host", "other.example");
        let (answer, _) = requests.send_request(two_hosts.body(()).unwrap(), true).unwrap();
        assert_eq!(answer.await.unwrap().status(), 400);
        let trace = request("TRACE", "/").body(()).unwrap();
        assert_eq!(requests.send_request(trace, true).unwrap().0.await.unwrap().status(), 405);
        let tunnel = Request::builder().method("CONNECT").uri("shop.example:443").body(()).unwrap();
        assert_eq!(requests.send_request(tunnel, false).unwrap().0.await.unwrap().status(), 501);
        assert_eq!(get(&mut requests, "/").await.0, 200, "the connection goes on");
    });
}

#[test]
fn answers_keep_their_form_and_a_broken_one_is_seen() {
    let scripted = instance(|arrived| {
        match arrived.path() {
            "/chunks" => arrived.write(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nx-sum: 5\r\n\r\n",
            ),
            "/none" => arrived.write("HTTP/1.1 204 No Content\r\n\r\n"),
            "/early" => arrived.write(
                "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            ),
            "/cut" => {
                arrived.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
                return false;
            }
            _ => {
                // Ends with the connection.
                arrived.write("HTTP/1.1 200 OK\r\n\r\nuntil the end");
                return false;
            }
        }
        true
    });
    let proxy = Proxy::start(&[scripted]);
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    run(async {
        let mut requests = connect(proxy.address).await;
        let ask = |requests: &mut SendRequest<Bytes>, path: &str| {
            requests.send_request(request("GET", path).body(()).unwrap(), true).unwrap().0
        };
        let (body, trailers) = read(ask(&mut requests, "/chunks").await.unwrap().into_body()).await.unwrap();
        assert_eq!((&*body, trailers.unwrap()["x-sum"].to_str().unwrap()), (&b"abcde"[..], "5"));
        let none = ask(&mut requests, "/none").await.unwrap();
        assert!(none.status() == 204 && none.body().is_end_stream());
        assert_eq!(get(&mut requests, "/early").await, (StatusCode::OK, b"ok".to_vec()));
        assert_eq!(get(&mut requests, "/").await.1, b"until the end");
        let cut = match ask(&mut requests, "/cut").await {
            Ok(answer) => read(answer.into_body()).await.map(drop),
            Err(error) => Err(error),
        };
        assert!(cut.is_err(), "what is missing must be missed");
        assert_eq!(get(&mut requests, "/none").await.0, 204, "the others do not suffer");
    });
}

#[test]
fn a_withdrawn_request_is_withdrawn_from_the_instance_too() {
    let (gate, wait) = gate();
    let (told, ended): (Sender<bool>, Receiver<bool>) = channel();
    let told = std::sync::Mutex::new(told);
    let slow = instance(move |arrived| {
        arrived.body();
        wait.wait();
        // The proxy has closed its side.
        let mut byte = [0];
        let end = matches!(Read::read(&mut arrived.stream, &mut byte), Ok(0) | Err(_));
        told.lock().unwrap().send(end).unwrap();
        false
    });
    let proxy = Proxy::start(&[slow]);
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    run(async {
        let mut requests = connect(proxy.address).await;
        let (answer, mut body) = requests.send_request(request("GET", "/").body(()).unwrap(), false).unwrap();
        body.send_data(Bytes::new(), true).unwrap();
        let waiting = tokio::task::spawn_blocking(move || {
            gate.reached();
            gate
        });
        let gate = waiting.await.unwrap();
        body.send_reset(h2::Reason::CANCEL);
        drop(answer);
        let idle = tokio::task::spawn_blocking(move || {
            proxy.wait_instance(1, "nothing in flight", |i| i.in_flight.total() == 0);
            gate.open();
        });
        idle.await.unwrap();
    });
    assert!(ended.recv_timeout(PATIENCE).unwrap());
}

#[test]
fn large_bodies_go_both_ways_at_once() {
    const SIZE: usize = 3_000_000;
    let echo = instance(|arrived| {
        let body = arrived.body();
        arrived.reply(body);
        true
    });
    let proxy = Proxy::start(&[echo]);
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    run(async {
        let mut requests = connect(proxy.address).await;
        let (answer, body) = requests.send_request(request("PUT", "/").body(()).unwrap(), false).unwrap();
        tokio::task::spawn_local(async move {
            let data: Vec<u8> = (0..SIZE).map(|at| (at % 251) as u8).collect();
            send(body, Bytes::from(data)).await;
        });
        let (body, _) = read(answer.await.unwrap().into_body()).await.unwrap();
        assert_eq!(body.len(), SIZE);
        assert!(body.iter().enumerate().all(|(at, &b)| b == (at % 251) as u8));
    });
}

async fn send(mut body: SendStream<Bytes>, mut data: Bytes) {
    while !data.is_empty() {
        body.reserve_capacity(data.len());
        let room = std::future::poll_fn(|cx| body.poll_capacity(cx)).await.unwrap().unwrap();
        let piece = data.split_to(room.min(data.len()));
        body.send_data(piece, data.is_empty()).unwrap();
    }
}

#[test]
fn https_agrees_on_http2_and_a_websocket_goes_through_it() {
    let upgrading = instance(|arrived| {
        assert_eq!(arrived.field("upgrade"), Some("websocket"));
        assert!(arrived.field("sec-websocket-key").is_some_and(|key| key.len() == 24));
        arrived.write(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n",
        );
        let mut piece = [0; 5];
        Read::read_exact(&mut arrived.stream, &mut piece).unwrap();
        piece.reverse();
        arrived.write(piece);
        false
    });
    let authority = Authority::new();
    let certificates = vec![authority.certificate(&["shop.example"])];
    let proxy = secure(&[upgrading], &Encryption { certificates, ..Encryption::default() });
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    run(async {
        let stream = TcpStream::connect(proxy.address).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(authority.client(&["h2", "http/1.1"], None));
        let stream = connector.connect("shop.example".try_into().unwrap(), stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (requests, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::task::spawn_local(async move {
            let _ended = connection.await;
        });
        let mut requests = requests.ready().await.unwrap();
        // The settings of the proxy say that it can do that.
        while !requests.is_extended_connect_protocol_enabled() {
            tokio::task::yield_now().await;
        }
        let mut asked = request("CONNECT", "/chat").body(()).unwrap();
        asked.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
        let (answer, mut to) = requests.send_request(asked, false).unwrap();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), 200);
        to.send_data(Bytes::from_static(b"hello"), false).unwrap();
        let mut from = answer.into_body();
        assert_eq!(from.data().await.unwrap().unwrap(), "olleh");
        assert!(read(from).await.unwrap().0.is_empty(), "the instance ended");
    });
}

/// An instance that speaks HTTP/2 only: answers with what it was asked, with trailers after a body of its own.
fn speaks_http2() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, async move {
            listener.set_nonblocking(true).unwrap();
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::task::spawn_local(connection(stream));
            }
        });
    });
    address
}

async fn connection(stream: TcpStream) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        tokio::task::spawn_local(async move {
            let (parts, mut body) = request.into_parts();
            if parts.uri.path() == "/grpc.health.v1.Health/Check" {
                let asked = body.data().await.unwrap().unwrap();
                assert_eq!(&asked[..], b"\0\0\0\0\x06\x0a\x04shop");
                let mut to = respond.send_response(Response::new(()), false).unwrap();
                to.send_data(Bytes::from_static(&[0, 0, 0, 0, 2, 8, 1]), false).unwrap();
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", "0".parse().unwrap());
                to.send_trailers(trailers).unwrap();
                return;
            }
            if parts.uri.path() == "/refused" {
                respond.send_reset(h2::Reason::REFUSED_STREAM);
                return;
            }
            let te = parts.headers.get("te").map(|te| te.to_str().unwrap().to_owned());
            let answer = Response::builder().header("content-type", "application/grpc");
            if parts.uri.path() == "/status-only" {
                let answer = answer.header("grpc-status", "7").body(()).unwrap();
                respond.send_response(answer, true).unwrap();
                return;
            }
            let mut to = respond.send_response(answer.body(()).unwrap(), false).unwrap();
            let head = format!("{} {} {te:?}|", parts.method, parts.uri);
            to.send_data(head.into(), false).unwrap();
            // Each piece comes back before the next one is sent.
            while let Some(Ok(piece)) = body.data().await {
                body.flow_control().release_capacity(piece.len()).unwrap();
                to.send_data(piece, false).unwrap();
            }
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            to.send_trailers(trailers).unwrap();
        });
    }
}

fn start_http2() -> Proxy {
    let proxy = Proxy::start_with(&[speaks_http2()], |route| {
        route.protocol = Protocol::Http2;
        route.probe.grpc = Some("shop".to_owned());
        route.timeouts.answer = Millis(5000);
    });
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    proxy
}

#[test]
fn grpc_goes_through_with_its_trailers_both_ways_at_once() {
    let proxy = start_http2();
    run(async {
        let mut requests = connect(proxy.address).await;
        let asked = request("POST", "/pkg.Service/Talk").header("te", "trailers");
        let asked = asked.header("content-type", "application/grpc").body(()).unwrap();
        let (answer, mut to) = requests.send_request(asked, false).unwrap();
        let answer = answer.await.unwrap();
        let mut from = answer.into_body();
        let first = from.data().await.unwrap().unwrap();
        assert_eq!(first, "POST http://shop.example/pkg.Service/Talk Some(\"trailers\")|");
        for word in ["one", "two", "three"] {
            to.send_data(Bytes::from(word), false).unwrap();
            assert_eq!(from.data().await.unwrap().unwrap(), word, "before the next one was sent");
        }
        to.send_data(Bytes::new(), true).unwrap();
        assert!(from.data().await.is_none());
        assert_eq!(from.trailers().await.unwrap().unwrap()["grpc-status"], "0");
        // An answer that is a status only ends with its head, or clients take it for a broken one.
        let only = request("POST", "/status-only").body(()).unwrap();
        let answer = requests.send_request(only, true).unwrap().0.await.unwrap();
        assert!(answer.headers()["grpc-status"] == "7" && answer.body().is_end_stream());
    });
}

#[test]
fn an_instance_of_http2_serves_clients_of_http1() {
    let proxy = start_http2();
    let mut raw = proxy.connect();
    raw.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    let (head, body) = raw.answer();
    assert_eq!(crate::proxy::status(&head), 200);
    assert_eq!(String::from_utf8(body).unwrap(), "POST http://a/x None|hello");
    assert_eq!(raw.head(), "grpc-status: 0\r\n\r\n", "the trailers");
    raw.send("GET /< HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(crate::proxy::status(&raw.answer().0), 400);
    assert_eq!(crate::proxy::status(&proxy.ask("GET /refused HTTP/1.1\r\nHost: a\r\n\r\n")), 502);
    assert_eq!(crate::proxy::status(&proxy.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")), 200);
}

#[test]
fn streams_have_places_like_connections() {
    let (gate, wait) = gate();
    let slow = instance(move |arrived| {
        wait.wait();
        arrived.reply("slow");
        true
    });
    // One for the connection, one for a stream.
    let proxy = Proxy::start_with(&[slow], |route| route.limits.connections = 2);
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    run(async {
        let mut requests = connect(proxy.address).await;
        let asked = |requests: &mut SendRequest<Bytes>| {
            requests.send_request(request("GET", "/").body(()).unwrap(), true).unwrap().0
        };
        let first = asked(&mut requests);
        let gate = tokio::task::spawn_blocking(move || {
            gate.reached();
            gate
        });
        let gate = gate.await.unwrap();
        let refused = asked(&mut requests).await.unwrap_err();
        assert_eq!(refused.reason(), Some(h2::Reason::REFUSED_STREAM));
        gate.open();
        assert_eq!(read(first.await.unwrap().into_body()).await.unwrap().0, b"slow");
    });
}

#[test]
fn an_idle_connection_ends_by_itself_also_after_streams() {
    let proxy = Proxy::start_with(&[named("one")], |route| route.timeouts.idle = Millis(300));
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    run(async {
        let stream = TcpStream::connect(proxy.address).await.unwrap();
        let (requests, connection) = h2::client::handshake(stream).await.unwrap();
        let ended = tokio::task::spawn_local(connection);
        let mut requests = requests.ready().await.unwrap();
        assert_eq!(get(&mut requests, "/").await.0, 200);
        ended.await.unwrap().unwrap();
    });
}

#[test]
fn who_withdraws_everything_at_once_is_cut_and_others_are_served() {
    let (gate, wait) = gate();
    let slow = instance(move |arrived| {
        if arrived.path() == "/slow" {
            wait.wait();
        }
        arrived.reply("ok");
        true
    });
    let proxy = Proxy::start(&[slow]);
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    run(async {
        let stream = TcpStream::connect(proxy.address).await.unwrap();
        let (requests, connection) = h2::client::handshake(stream).await.unwrap();
        let ended = tokio::task::spawn_local(connection);
        let mut requests = requests.ready().await.unwrap();
        // Rapid reset (CVE-2023-44487): far more than anybody could want, withdrawn before they are looked at.
        let attack = async {
            for _ in 0..100_000 {
                tokio::task::yield_now().await;
                let Ok(ready) = requests.clone().ready().await else { return };
                requests = ready;
                let asked = request("GET", "/slow").body(()).unwrap();
                let Ok((_, mut body)) = requests.send_request(asked, false) else { return };
                body.send_reset(h2::Reason::CANCEL);
            }
            panic!("the attack goes on");
        };
        tokio::select! {
            () = attack => {}
            end = ended => assert!(end.unwrap().is_err(), "it is cut"),
        }
        let mut other = connect(proxy.address).await;
        assert_eq!(get(&mut other, "/").await.0, 200);
    });
    drop(gate);
}
