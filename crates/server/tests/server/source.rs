//! What is pushed: taken in once, refused with a reason, and bounded.

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::Command;

use serde_json::{Value, json};

use crate::api::Daemon;
use crate::waiting::{LONG, wait_until};

/// An archive with one file.
pub(crate) fn archive(content: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x"), content).unwrap();
    let made = Command::new("tar").arg("-C").arg(folder.path()).args(["-cf", "-", "x"]).output().unwrap();
    assert!(made.status.success());
    made.stdout
}

fn push(daemon: &Daemon, fields: &str, body: &[u8]) -> (u16, Value) {
    let mut stream = UnixStream::connect(daemon.state().join("admin.sock")).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let length = body.len();
    write!(stream, "POST /v1/push HTTP/1.0\r\nHost: x\r\n{fields}Content-Length: {length}\r\n\r\n").unwrap();
    // One who refuses need not read to the end.
    let _ = stream.write_all(body);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

fn queue(daemon: &Daemon) -> Value {
    let (status, _, queue) = daemon.ask("GET /v1/queue", "", &Value::Null);
    assert_eq!(status, 200, "{queue}");
    queue
}

#[test]
fn what_is_pushed_is_in_the_queue_once() {
    let daemon = Daemon::start_with("[source]\napprove = true\n");
    let v2 = archive("v2");
    let (status, pushed) = push(&daemon, "Tandem-Version: v2\r\n", &v2);
    assert_eq!((status, &pushed["standing"]), (202, &json!({"standing": "waiting"})), "{pushed}");
    let again = push(&daemon, "Tandem-Version: v2\r\nTandem-Hotfix: 1\r\n", &v2);
    assert_eq!(again, (200, pushed));
    assert_eq!(push(&daemon, "Tandem-Version: v3\r\n", &archive("v3")).0, 202);
    let queue = queue(&daemon);
    let told: Vec<_> = queue["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            (entry["version"].clone(), entry["standing"]["standing"].clone(), entry["origin"].clone())
        })
        .collect();
    let origin = json!({"from": "push"});
    assert_eq!(
        told,
        [(json!("v3"), json!("waiting"), origin.clone()), (json!("v2"), json!("superseded"), origin)]
    );
    // What is not needed any more is not kept.
    let inbox = daemon.state().join("inbox");
    wait_until("a swept inbox", || (fs::read_dir(&inbox).unwrap().count() == 1).then_some(()));
    let digest = queue["entries"][0]["digest"].as_str().unwrap();
    let (status, _, approved) = daemon.ask(&format!("POST /v1/queue/{digest}/approve"), "", &Value::Null);
    assert_eq!(status, 200, "{approved}");
    wait_until("a deployment by the source", || {
        let (_, _, history) = daemon.ask("GET /v1/deployments", "", &Value::Null);
        (history[0]["who"] == "source").then_some(())
    });
}

#[test]
fn what_can_not_be_taken_in_is_refused_with_a_reason_and_nothing_is_left_of_it() {
    let daemon = Daemon::start_with("[source]\nmax_size = \"64KiB\"\n");
    let good = archive("x");
    let zeros = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:";
    let large = vec![0; 100_000];
    let cases: [(&str, &[u8], u16, &str); 8] = [
        ("", &good, 400, "Tandem-Version is missing"),
        ("Tandem-Version: ../v1\r\n", &good, 400, "Tandem-Version"),
        ("Tandem-Version: v1\r\nContent-Digest: md5=:AA==:\r\n", &good, 400, "Content-Digest"),
        (&format!("Tandem-Version: v1\r\nContent-Digest: {zeros}\r\n"), &good, 400, "SHA-256 is"),
        ("Tandem-Version: v1\r\nTandem-Signature: ä\r\n", &good, 400, "Tandem-Signature"),
        ("Tandem-Version: v1\r\n", b"no archive", 400, "neither a folder nor"),
        ("Tandem-Version: v1\r\n", good.get(..1000).unwrap(), 400, "truncated"),
        ("Tandem-Version: v1\r\n", &large, 413, "max_size"),
    ];
    for (fields, body, status, why) in cases {
        let (answered, problem) = push(&daemon, fields, body);
        assert_eq!(answered, status, "{fields}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(why), "{fields}: {problem}");
    }
    // One that breaks off.
    let mut stream = UnixStream::connect(daemon.state().join("admin.sock")).unwrap();
    stream
        .write_all(
            b"POST /v1/push HTTP/1.1\r\nHost: x\r\nTandem-Version: v1\r\nContent-Length: 9000\r\n\r\nhalf",
        )
        .unwrap();
    stream.shutdown(Shutdown::Both).unwrap();
    let inbox = daemon.state().join("inbox");
    wait_until("an empty inbox", || (fs::read_dir(&inbox).unwrap().count() == 0).then_some(()));
    assert_eq!(queue(&daemon)["entries"], json!([]));
}

#[test]
fn a_paused_source_says_why_and_goes_on_when_it_is_told_to() {
    let daemon = Daemon::start();
    let pause = |body: Value| daemon.ask("POST /v1/source/pause", "", &body);
    assert_eq!(pause(json!({"why": "x".repeat(501)})).0, 400);
    let (status, _, queue) = pause(json!({"why": "the sale has begun"}));
    assert_eq!((status, &queue["paused"]["why"]), (200, &json!("the sale has begun")));
    assert_eq!(pause(Value::Null).0, 409);
    let (_, _, why) = daemon.ask("GET /v1/why", "", &Value::Null);
    assert!(why["remarks"][0].as_str().unwrap().contains("the sale has begun"), "{why}");
    assert_eq!(push(&daemon, "Tandem-Version: v1\r\n", &archive("v1")).0, 202);
    let (_, _, why) = daemon.ask("GET /v1/why", "", &Value::Null);
    assert!(why["waits"].to_string().contains("v1 came"), "{why}");
    assert_eq!(daemon.ask("POST /v1/source/resume", "", &Value::Null).0, 200);
    assert_eq!(daemon.ask("POST /v1/source/resume", "", &Value::Null).0, 409);
    let unknown = "ab".repeat(32);
    assert_eq!(daemon.ask(&format!("POST /v1/queue/{unknown}/approve"), "", &Value::Null).0, 404);
    assert_eq!(daemon.ask("POST /v1/queue/XYZ/approve", "", &Value::Null).0, 400);
}
