//! Metrics as they are asked for: at the admin socket, and at an address of their own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::api::Daemon;
use crate::waiting::wait_until;

/// The whole answer to what is written, head and all.
fn ask(address: SocketAddr, text: &str) -> String {
    let mut stream = wait_until("the address of metrics", || TcpStream::connect(address).ok());
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn metrics_have_an_address_where_nothing_else_is() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let daemon = Daemon::start_with(&format!("[metrics]\nlisten = \"{address}\"\n"));
    let plain = ask(address, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    let (head, body) = plain.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4;"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
    // There is no proxy: what it would tell is not known, which is not zero.
    assert!(body.contains("\ntandem_proxy_up 0\n") && !body.contains("tandem_connections"), "{body}");
    assert!(body.contains("\ntandem_instances_wanted{service=\"shop\"} 2\n"), "{body}");
    assert!(body.contains("tandem_process_threads{process=\"controller\"} "), "{body}");

    let accept = "accept: application/openmetrics-text;version=1.0.0,*/*;q=0.1\r\n";
    let open = ask(address, &format!("GET /metrics?x HTTP/1.1\r\nHost: x\r\n{accept}\r\n"));
    assert!(open.contains("Content-Type: application/openmetrics-text; version=1.0.0;"), "{open}");
    assert!(open.ends_with("\n# EOF\n"), "{open}");
    let head = ask(address, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");

    for (text, status) in [
        ("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "404"),
        ("POST /metrics HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "400"),
        (format!("{:8192}", "GET"), "400"),
    ] {
        let answer = ask(address, &text);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    drop(daemon);
}

#[test]
fn the_admin_socket_tells_them_too() {
    let daemon = Daemon::start_with("");
    let (status, kind, page) = daemon.ask("GET /v1/metrics", "", &Value::Null);
    assert_eq!((status, kind.as_str()), (200, "text/plain; version=0.0.4; charset=utf-8"));
    assert!(page.as_str().unwrap().contains("\ntandem_proxy_up 0\n"), "{page}");
    let accept = "Accept: application/openmetrics-text\r\n";
    let (_, kind, page) = daemon.ask("GET /v1/metrics", accept, &Value::Null);
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(page.as_str().unwrap().ends_with("# EOF\n"));
    let (status, _, problem) = daemon.ask("GET /v1/traffic", "", &Value::Null);
    assert_eq!((status, &problem["code"]), (503, &"unavailable".into()));
}
