//! Connections that change their protocol.

use std::io::Read;

use tandem_core::base::Millis;
use tandem_core::traffic::Role;

use super::instance::instance;
use super::proxy::{Proxy, status};

const ASK: &str = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: x\r\n\r\n";

fn echo() -> std::net::SocketAddr {
    instance(|arrived| {
        if arrived.field("upgrade").is_none() {
            arrived.reply("plain");
            return true;
        }
        assert_eq!(arrived.field("connection"), Some("Upgrade"));
        if arrived.path() == "/refuse" {
            arrived.reply("no");
            return true;
        }
        arrived.write(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x01\x00",
        );
        let mut piece = [0; 1024];
        while let Ok(count @ 1..) = arrived.stream.read(&mut piece) {
            arrived.write(&piece[..count]);
        }
        false
    })
}

#[test]
fn bytes_are_relayed_after_a_checked_101_only() {
    let proxy = Proxy::start(&[echo()]);
    let mut raw = proxy.connect();
    raw.send(ASK);
    let head = raw.head();
    assert!(head.starts_with("HTTP/1.1 101") && head.contains("Upgrade: websocket\r\n"), "{head}");
    proxy.wait_instance(1, "a websocket", |i| i.in_flight.websockets == 1);
    let mut piece = [0; 2];
    raw.stream.read_exact(&mut piece).unwrap();
    assert_eq!(&piece, b"\x01\x00");
    for at in 0..500_u32 {
        raw.send(at.to_be_bytes());
        let mut back = [0; 4];
        raw.stream.read_exact(&mut back).unwrap();
        assert_eq!(u32::from_be_bytes(back), at);
    }
    drop(raw);
    proxy.wait_instance(1, "nothing in flight", |i| i.in_flight.total() == 0);
    // Refused, HTTP/2 asked for, or not asked in the right way: an ordinary exchange.
    let mut raw = proxy.connect();
    raw.send(ASK.replace("/ws", "/refuse"));
    assert_eq!(raw.answer().1, b"no");
    raw.send(ASK.replace("WebSocket\r", "h2c\r"));
    assert_eq!(raw.answer().1, b"plain");
    raw.send(ASK.replace("keep-alive, Upgrade", "keep-alive"));
    assert_eq!(raw.answer().1, b"plain");
}

#[test]
fn websockets_of_a_leaving_instance_are_told_to_go() {
    let mut proxy = Proxy::start_with(&[echo()], |route| route.drain.websockets = Millis(400));
    let mut raw = proxy.connect();
    raw.send(ASK);
    assert_eq!(status(&raw.head()), 101);
    let mut hello = [0; 2];
    raw.stream.read_exact(&mut hello).unwrap();
    // Half a frame from the client: the server's side is at a boundary all the same.
    proxy.set_role(1, Role::Drain);
    proxy.apply();
    assert_eq!(raw.rest(), (vec![0x88, 0x02, 0x03, 0xe9], true));
    let report = proxy.wait_instance(1, "nothing in flight", |i| i.in_flight.total() == 0);
    assert_eq!(report.counts.values().map(|c| (c.websockets_moved, c.failed, c.cut)).next(), Some((1, 0, 0)));
}
