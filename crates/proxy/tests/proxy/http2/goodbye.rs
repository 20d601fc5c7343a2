//! Instances that say goodbye (GOAWAY) while a request is on its way to them.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Response;
use tandem_core::spec::Protocol;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

use crate::proxy::Proxy;

/// An instance that says goodbye to the first request with a body, as having looked at the streams up to `last`, and then
/// serves; and how many requests with a body it served.
fn says_goodbye(last: u32) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let served = Arc::clone(&count);
    std::thread::spawn(move || {
        // A check has no body: it finds nobody.
        while has_body(&listener, last) == Some(false) {}
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, async move {
            listener.set_nonblocking(true).unwrap();
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::task::spawn_local(serve(stream, Arc::clone(&served)));
            }
        });
    });
    (address, count)
}

/// Answers all that comes, and counts what has a body.
async fn serve(stream: TcpStream, served: Arc<AtomicUsize>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        served.fetch_add(usize::from(request.method() == "POST"), Ordering::SeqCst);
        let _gone = respond.send_response(Response::new(()), true);
    }
}

/// Takes one connection up to its first request, says goodbye if that has a body, and whether it has.
fn has_body(listener: &std::net::TcpListener, last: u32) -> Option<bool> {
    let (mut stream, _) = listener.accept().ok()?;
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).ok()?;
    let mut seen = Vec::new();
    // The head of a frame of fields on the first stream; its flags say whether that is all.
    let flags = |seen: &[u8]| {
        let frame = seen.windows(9).find(|frame| frame[3] == 1 && frame[5..] == [0, 0, 0, 1])?;
        Some(frame[4])
    };
    while flags(&seen).is_none() {
        let mut piece = [0; 1024];
        let count = stream.read(&mut piece).ok()?;
        seen.extend_from_slice(&piece[..count]);
    }
    let has_body = flags(&seen)? & 1 == 0;
    if has_body {
        let [a, b, c, d] = last.to_be_bytes();
        stream.write_all(&[0, 0, 8, 7, 0, 0, 0, 0, 0, a, b, c, d, 0, 0, 0, 0]).ok()?;
    }
    Some(has_body)
}

#[test]
fn only_what_was_surely_not_looked_at_is_sent_again() {
    let ask = |last: u32| {
        let (address, count) = says_goodbye(last);
        let mut proxy = Proxy::start_with(&[], |route| route.protocol = Protocol::Http2);
        proxy.route.members.push(crate::proxy::member(1, address, tandem_core::traffic::Role::Serve));
        proxy.apply();
        // What was in force before is trusted, whatever checks say at first.
        proxy.restart();
        let head = proxy.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
        (crate::proxy::status(&head), count.load(Ordering::SeqCst))
    };
    assert_eq!(ask(0).0, 200, "the goodbye does not cover the request");
    assert_eq!(ask(1), (502, 0), "it may have been looked at");
}
