//! Who is believed what is told of the client, and by whom it is told.

use tandem_core::spec::Told;
use tandem_core::traffic::Listener;

use crate::instance::instance;
use crate::proxy::Proxy;

/// A proxy whose instance answers with what it is told of the client.
fn start(listener: impl Fn(Listener) -> Listener) -> Proxy {
    let echo = instance(|arrived| {
        let names = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded"];
        let told: Vec<&str> = names.iter().map(|name| arrived.field(name).unwrap_or("-")).collect();
        let told = told.join("|");
        arrived.reply(told);
        true
    });
    let mut proxy = Proxy::start(&[echo]);
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    proxy.listeners = vec![listener(Listener::new(proxy.address))];
    proxy.apply();
    proxy
}

fn ask(proxy: &Proxy, before: &[u8]) -> String {
    let mut raw = proxy.connect();
    raw.send(before);
    raw.send(
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 10.9.9.9\r\n\
         X-Forwarded-Proto: https\r\nX_Forwarded_Host: evil\r\nForwarded: for=192.0.2.1\r\n\r\n",
    );
    String::from_utf8(raw.answer().1).unwrap()
}

#[test]
fn only_trusted_peers_are_believed() {
    let stranger = "127.0.0.1|http|a|for=127.0.0.1;proto=http;host=\"a\"";
    let proxy = start(|listener| Listener { trusted: vec!["10.0.0.0/8".parse().unwrap()], ..listener });
    assert_eq!(ask(&proxy, b""), stranger);
    let proxy = start(|listener| Listener { trusted: vec!["127.0.0.0/8".parse().unwrap()], ..listener });
    assert_eq!(
        ask(&proxy, b""),
        "192.0.2.1, 10.9.9.9, 127.0.0.1|https|a|for=192.0.2.1, for=127.0.0.1;proto=http;host=\"a\""
    );
}

#[test]
fn an_announced_client_is_the_client_and_is_not_believed_itself() {
    let announced = |network: &str| {
        let network = network.parse().unwrap();
        start(|listener| Listener { trusted: vec![network], told: Told::Proxy, ..listener })
    };
    let proxy = announced("127.0.0.1");
    let line = b"PROXY TCP4 192.0.2.7 10.0.0.1 5000 443\r\n";
    assert_eq!(ask(&proxy, line), "192.0.2.7|http|a|for=192.0.2.7;proto=http;host=\"a\"");
    // Who is trusted must announce; anybody else who does so talks nonsense.
    assert_eq!(ask(&proxy, b""), "");
    let proxy = announced("10.0.0.0/8");
    assert_eq!(ask(&proxy, b""), "127.0.0.1|http|a|for=127.0.0.1;proto=http;host=\"a\"");
    let mut raw = proxy.connect();
    raw.send(line);
    assert!(raw.head().starts_with("HTTP/1.1 400 "));
}
