//! What is measured of requests and connections.

use std::io::{Read, Write};
use std::time::Instant;

use tandem_core::base::InstanceId;
use tandem_core::traffic::metrics::{
    InstanceMetrics, Method, Metrics, Requests, ServiceMetrics, StatusClass,
};
use tandem_core::traffic::{Encryption, Role};

use super::http2::{connect, get, request, run};
use super::instance::{gate, instance, named};
use super::proxy::{PATIENCE, Proxy, shop, status};
use super::secure::{Authority, secure};

/// Waits until what was measured is as wanted: a client may have its answer before it is counted.
fn wait(proxy: &Proxy, what: &str, wanted: impl Fn(&ServiceMetrics) -> bool) -> Metrics {
    let (mut control, start) = (proxy.control(), Instant::now());
    loop {
        let metrics = control.metrics(&shop()).unwrap();
        if wanted(of_shop(&metrics)) {
            return metrics;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}: {metrics:#?}");
        std::thread::yield_now();
    }
}

fn of_shop(metrics: &Metrics) -> &ServiceMetrics {
    &metrics.services[&"shop".parse().unwrap()]
}

fn of(service: &ServiceMetrics, id: u64) -> &InstanceMetrics {
    &service.instances[&InstanceId(id)]
}

fn ended(requests: &Requests) -> Vec<(Method, StatusClass, u64)> {
    let by_method = requests.ended.iter();
    by_method.flat_map(|(m, classes)| classes.iter().map(|(class, count)| (*m, *class, *count))).collect()
}

#[test]
fn requests_are_measured_by_method_class_and_instance() {
    let mixed = instance(|arrived| {
        arrived.body();
        match arrived.path() {
            "/gone" => arrived.write("HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\ngone"),
            "/chunks" => {
                arrived.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
            }
            _ => arrived.reply("12345"),
        }
        true
    });
    let mut proxy = Proxy::start(&[mixed]);
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    // Two connections, so that both threads may have their share.
    for _ in 0..2 {
        let mut raw = proxy.connect();
        for line in ["GET /", "HEAD /", "GET /gone", "GET /chunks", "BREW /"] {
            raw.send(format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n"));
            if line == "HEAD /" { drop(raw.head()) } else { drop(raw.answer()) }
        }
        raw.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n1234567");
        raw.answer();
        raw.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n");
        raw.answer();
        raw.send("NO\r\n\r\n");
        raw.answer();
    }
    let metrics = wait(&proxy, "all requests", |shop| of(shop, 1).requests.count() == 14);
    let one = of(of_shop(&metrics), 1);
    let expected = [
        (Method::Get, StatusClass::Success, 4),
        (Method::Get, StatusClass::ClientError, 2),
        (Method::Head, StatusClass::Success, 2),
        (Method::Post, StatusClass::Success, 4),
        (Method::Other, StatusClass::Success, 2),
    ];
    assert_eq!(ended(&one.requests), expected);
    assert_eq!((one.requests.durations.count(), one.heads.count()), (14, 14));
    assert!(one.requests.durations.micros >= one.heads.micros && one.heads.micros > 0);
    // Bodies of 7 and 2 bytes up; of 5, 4, 3, 5, 5 and 5 down.
    assert_eq!((one.requests.received, one.requests.sent), (18, 54));
    let service = of_shop(&metrics);
    assert_eq!((service.http1, service.http2, service.own.count()), (14, 0, 0));
    assert_eq!(metrics.refused, [(400, 2)].into());
    assert!(metrics.connections.accepted >= 2 && metrics.connections.most > 0, "{:?}", metrics.connections);
    let now = one.now.as_ref().unwrap();
    assert!((now.role, now.given, now.left) == (Some(Role::Serve), 14, None) && now.health.is_up());

    // Without an instance the proxy answers itself; what left is still known, and nothing has shrunk.
    proxy.route.members.clear();
    proxy.apply();
    assert_eq!(status(&proxy.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")), 503);
    let metrics = wait(&proxy, "the answer of its own", |shop| shop.own.count() == 1);
    assert_eq!(ended(&of_shop(&metrics).own), [(Method::Get, StatusClass::ServerError, 1)]);
    assert_eq!(of(of_shop(&metrics), 1).requests.count(), 14);
}

#[test]
fn what_an_instance_fails_is_its_own_and_a_leaving_one_tells_its_deadlines() {
    let broken = instance(|arrived| {
        arrived.write("nonsense\r\n\r\n");
        false
    });
    let mut proxy = Proxy::start(&[broken]);
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(status(&proxy.ask(post)), 502);
    let metrics = wait(&proxy, "the failure", |shop| of(shop, 1).requests.count() == 1);
    let one = of(of_shop(&metrics), 1);
    assert_eq!(ended(&one.requests), [(Method::Post, StatusClass::ServerError, 1)]);
    assert_eq!((one.requests.durations.count(), one.heads.count()), (1, 0));
    assert_eq!((of_shop(&metrics).counts.failed, one.now.as_ref().unwrap().failed), (1, 1));
    proxy.set_role(1, Role::Drain);
    proxy.apply();
    let metrics = proxy.control().metrics(&shop()).unwrap();
    let now = of(of_shop(&metrics), 1).now.clone().unwrap();
    let left = now.left.unwrap();
    assert_eq!(now.role, Some(Role::Drain));
    assert!(left.requests <= proxy.route.drain.requests && left.uploads > left.requests, "{left:?}");
}

#[test]
fn what_a_client_of_http2_withdraws_ends_without_an_answer() {
    let (gate, wait_there) = gate();
    let slow = instance(move |arrived| {
        if arrived.path() == "/slow" {
            wait_there.wait();
        }
        arrived.reply("done");
        true
    });
    let proxy = Proxy::start(&[slow]);
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    // The instance waits to the end: it never answers.
    let _closed = run(async {
        let mut requests = connect(proxy.address).await;
        get(&mut requests, "/").await;
        let (answer, stream) =
            requests.send_request(request("GET", "/slow").body(()).unwrap(), true).unwrap();
        let reached = tokio::task::spawn_blocking(move || {
            gate.reached();
            gate
        });
        let gate = reached.await.unwrap();
        drop((answer, stream));
        get(&mut requests, "/").await;
        gate
    });
    let metrics = wait(&proxy, "all requests", |shop| of(shop, 1).requests.count() == 3);
    let expected = [(Method::Get, StatusClass::None, 1), (Method::Get, StatusClass::Success, 2)];
    assert_eq!(ended(&of(of_shop(&metrics), 1).requests), expected);
    assert_eq!((of_shop(&metrics).http1, of_shop(&metrics).http2), (0, 3));
}

#[test]
fn an_upgraded_connection_counts_its_bytes_and_has_no_duration() {
    let echo = instance(|arrived| {
        arrived
            .write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\nhello");
        let mut said = [0; 3];
        arrived.stream.read_exact(&mut said).unwrap();
        arrived.write(said);
        false
    });
    let proxy = Proxy::start(&[echo]);
    let mut raw = proxy.connect();
    raw.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n");
    assert_eq!(status(&raw.head()), 101);
    let mut hello = [0; 5];
    raw.stream.read_exact(&mut hello).unwrap();
    raw.send("abc");
    assert_eq!(raw.rest().0, b"abc");
    drop(raw);
    let metrics = wait(&proxy, "its end", |shop| of(shop, 1).requests.count() == 1);
    let requests = &of(of_shop(&metrics), 1).requests;
    assert_eq!(ended(requests), [(Method::Get, StatusClass::Upgraded, 1)]);
    assert_eq!((requests.received, requests.sent, requests.durations.count()), (3, 8, 0));
}

#[test]
fn handshakes_are_counted_as_they_end() {
    let authority = Authority::new();
    let certificates = vec![authority.certificate(&["a.example"])];
    let encryption = Encryption { certificates, ..Encryption::default() };
    let proxy = secure(&[named("one")], &encryption);
    super::secure::connect(&proxy, &authority.client(&[], None), "a.example").unwrap();
    let mut raw = proxy.connect();
    raw.stream.get_mut().write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    raw.rest();
    let start = Instant::now();
    loop {
        let seen = proxy.control().metrics(&shop()).unwrap().connections;
        if (seen.accepted, seen.handshakes, seen.failed_handshakes, seen.open) == (2, 1, 1, 0) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{seen:?}");
        std::thread::yield_now();
    }
}
