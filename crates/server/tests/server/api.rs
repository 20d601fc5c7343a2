//! The admin API of a real controller, without a proxy: what is answered, refused, streamed and repeated.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tandem_server::controller::{ControllerOptions, run};

use crate::waiting::wait_until;

/// Where the controller of a test works.
const FOLDER: &str = "TANDEM_TEST_CONTROLLER";

/// Not a test of its own: the controller of the tests below.
#[test]
fn a_controller() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let (config, state) = (folder.join("tandem.toml"), folder.join("state"));
    run(ControllerOptions { config, front: state.clone(), state }).unwrap();
}

pub(crate) struct Daemon {
    folder: tempfile::TempDir,
    child: Child,
}

impl Daemon {
    pub(crate) fn start() -> Daemon {
        Daemon::start_with("")
    }

    /// With more in its configuration.
    pub(crate) fn start_with(more: &str) -> Daemon {
        let folder = tempfile::tempdir().unwrap();
        let config = "service = \"shop\"\n[run]\ncommand = [\"x\"]\ninstances = 2\n\
                      [[listen]]\naddress = \"127.0.0.1:1\"\n";
        fs::write(folder.path().join("tandem.toml"), format!("{config}{more}")).unwrap();
        fs::create_dir(folder.path().join("v1")).unwrap();
        fs::write(folder.path().join("v1/x"), "no program").unwrap();
        let child = Daemon::child(&folder);
        let daemon = Daemon { folder, child };
        daemon.await_ready();
        daemon
    }

    fn child(folder: &tempfile::TempDir) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "api::a_controller", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn await_ready(&self) {
        wait_until("the controller", || UnixStream::connect(self.socket()).ok().map(drop));
    }

    fn restart(&mut self) {
        self.kill();
        self.child = Daemon::child(&self.folder);
        self.await_ready();
    }

    /// Its state folder.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn socket(&self) -> PathBuf {
        self.state().join("admin.sock")
    }

    /// A request, with more header lines if need be; the status, the type and what follows the head.
    fn open(&self, what: &str, more: &str, body: &str) -> (u16, String, BufReader<UnixStream>) {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let length = body.len();
        // One who refuses need not read to the end.
        let _ = write!(stream, "{what} HTTP/1.0\r\nHost: x\r\n{more}Content-Length: {length}\r\n\r\n{body}");
        let mut answer = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(answer.read_line(&mut head).unwrap() > 0, "{head}");
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let kind =
            head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default().to_owned();
        (status, kind, answer)
    }

    pub(crate) fn ask(&self, what: &str, more: &str, body: &Value) -> (u16, String, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, kind, mut answer) = self.open(what, more, &body);
        let mut text = String::new();
        answer.read_to_string(&mut text).unwrap();
        (status, kind, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    fn get(&self, path: &str) -> Value {
        let (status, _, answer) = self.ask(&format!("GET {path}"), "", &Value::Null);
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Asks for a deployment of the folder `v1` under this label.
    fn deploy(&self, version: &str, more: &str) -> (u16, Value) {
        let source = self.folder.path().join("v1");
        let (status, _, answer) =
            self.ask("POST /v1/deployments", more, &json!({"source": source, "version": version}));
        (status, answer)
    }

    fn await_end(&self, id: u64) -> Value {
        wait_until("the end of the deployment", || {
            let record = self.get(&format!("/v1/deployments/{id}"));
            record["finished_at"].is_u64().then_some(record)
        })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The events of a stream until it ends: kind, id, data.
fn events(answer: impl BufRead) -> Vec<(String, Option<u64>, Value)> {
    let mut events = Vec::new();
    let (mut kind, mut id, mut data) = (String::new(), None, Value::Null);
    for line in answer.lines().map_while(Result::ok) {
        match line.split_once(": ") {
            Some(("event", value)) => kind = value.to_owned(),
            Some(("id", value)) => id = value.parse().ok(),
            Some(("data", value)) => data = serde_json::from_str(value).unwrap(),
            _ if line.is_empty() && !kind.is_empty() => {
                events.push((std::mem::take(&mut kind), id.take(), data.take()));
            }
            _ => {}
        }
    }
    events
}

#[test]
fn what_makes_no_sense_is_refused_as_a_problem() {
    let daemon = Daemon::start();
    let cases = [
        ("GET /v1/nothing", Value::Null, 404, "not-found"),
        ("GET /v1/deployments/d7", Value::Null, 404, "not-found"),
        ("GET /v1/deployments/seven", Value::Null, 400, "bad-request"),
        ("GET /v1/instances/i9/log", Value::Null, 404, "not-found"),
        ("DELETE /v1/status", Value::Null, 405, "method-not-allowed"),
        ("POST /v1/deployments", json!({"source": "relative", "version": "v1"}), 400, "bad-request"),
        ("POST /v1/deployments", json!({"source": "/not/there", "version": "v1"}), 400, "bad-request"),
        ("POST /v1/deployments", json!({"source": "/tmp", "version": "../v1"}), 400, "bad-request"),
        ("POST /v1/deployments", json!({"version": "v1"}), 400, "bad-request"),
        (
            "POST /v1/deployments",
            json!({"source": "/tmp", "version": "v1", "how": {"strategy": "flip", "batch": "1"}}),
            400,
            "bad-request",
        ),
        ("POST /v1/scale", json!({"instances": 0}), 400, "bad-request"),
        ("POST /v1/scale", json!({"instances": 5000}), 400, "bad-request"),
        ("POST /v1/rollback", Value::Null, 409, "conflict"),
        ("POST /v1/rollback", json!({"to": "v0"}), 404, "not-found"),
        ("POST /v1/plan", json!({"strategy": "flip"}), 400, "bad-request"),
        ("POST /v1/plan", json!([null, null]), 400, "bad-request"),
    ];
    for (what, body, status, code) in cases {
        let (answered, kind, problem) = daemon.ask(what, "", &body);
        assert_eq!(answered, status, "{what} {body}: {problem}");
        assert_eq!(kind, "application/problem+json", "{what}");
        assert_eq!(problem["code"], code, "{what}: {problem}");
        assert_eq!(problem["status"], status);
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
    }
    let (status, _, problem) = daemon.ask("POST /v1/scale", "", &json!("x".repeat(100_000)));
    assert_eq!((status, &problem["code"]), (400, &json!("bad-request")), "{problem}");
    let (status, _, problem) = daemon.ask("POST /v1/scale", "", &json!("x".repeat(600_000)));
    assert_eq!((status, &problem["code"]), (413, &json!("too-large")), "{problem}");
    assert_eq!(daemon.get("/v1/deployments"), json!([]));
}

#[test]
fn the_socket_is_its_owners_alone_and_the_status_tells_how_things_stand() {
    let daemon = Daemon::start();
    assert_eq!(fs::metadata(daemon.socket()).unwrap().permissions().mode() & 0o777, 0o600);
    let status = daemon.get("/v1/status");
    assert_eq!(status["service"], "shop");
    assert_eq!(status["wanted"], 2);
    assert_eq!(status["config_changed"], false);
    // There is no proxy: what it would tell is not known, which is not zero.
    assert_eq!((&status["healthy"], &status["counts"]), (&Value::Null, &Value::Null));
    fs::write(daemon.folder.path().join("tandem.toml"), "service = \"other\"\n").unwrap();
    assert_eq!(daemon.get("/v1/status")["config_changed"], true);
    assert_eq!(daemon.get("/v1/config")["changed"], true);

    assert_eq!(daemon.ask("POST /v1/scale", "", &json!({"instances": 3})).0, 200);
    wait_until("three wanted", || (daemon.get("/v1/status")["wanted"] == 3).then_some(()));
}

#[test]
fn a_request_sent_again_with_its_key_is_done_once() {
    let daemon = Daemon::start();
    let key = "Idempotency-Key: one\r\n";
    // What was refused was not done: the key is free again.
    let refused = daemon.ask("POST /v1/deployments", key, &json!({"source": "v1", "version": "v1"}));
    assert_eq!(refused.0, 400, "{}", refused.2);
    let (status, first) = daemon.deploy("v1", key);
    assert_eq!(status, 202, "{first}");
    assert_eq!(daemon.deploy("v1", key), (202, first));
    for (what, body) in [
        ("POST /v1/deployments", json!({"source": daemon.folder.path().join("v1"), "version": "v2"})),
        ("POST /v1/rollback", json!({})),
        ("POST /v1/deployments/d1/promote", json!({})),
    ] {
        let (status, _, problem) = daemon.ask(what, key, &body);
        assert_eq!((status, &problem["code"]), (422, &json!("key-used")), "{what} {body}: {problem}");
    }
    for bad in [
        "Idempotency-Key: \r\n".to_owned(),
        format!("Idempotency-Key: {}\r\n", "x".repeat(256)),
        key.repeat(2),
    ] {
        let (status, problem) = daemon.deploy("v1", &bad);
        assert_eq!((status, &problem["code"]), (400, &json!("bad-request")), "{bad}");
    }
    assert_eq!(daemon.get("/v1/deployments").as_array().unwrap().len(), 1);
}

#[test]
fn whoever_hangs_up_and_asks_again_with_the_key_learns_what_came_of_it() {
    let daemon = Daemon::start();
    let body = json!({"source": daemon.folder.path().join("v1"), "version": "v1"}).to_string();
    let mut hasty = UnixStream::connect(daemon.socket()).unwrap();
    let length = body.len();
    let head = "POST /v1/deployments HTTP/1.1\r\nHost: x\r\nIdempotency-Key: one\r\n";
    write!(hasty, "{head}Content-Length: {length}\r\n\r\n{body}").unwrap();
    // It arrived once it is in the history; its answer is not read.
    wait_until("the deployment", || (daemon.get("/v1/deployments") != json!([])).then_some(()));
    drop(hasty);
    assert_eq!(daemon.deploy("v1", "Idempotency-Key: one\r\n"), (202, json!({"id": 1})));
}

#[test]
fn a_stream_tells_all_of_a_deployment_and_goes_on_where_it_broke_off() {
    let mut daemon = Daemon::start();
    let (status, accepted) = daemon.deploy("v1", "");
    assert_eq!((status, &accepted["id"]), (202, &json!(1)));
    // What it is to run is no program: it fails by itself, and the stream ends with it.
    let (status, kind, answer) = daemon.open("GET /v1/deployments/d1/events", "", "");
    assert_eq!((status, kind.as_str()), (200, "text/event-stream"));
    let told = events(answer);
    let journal: Vec<_> = told.iter().filter(|(kind, ..)| kind == "journal").collect();
    assert_eq!(told.first().unwrap().0, "status");
    assert_eq!(journal.first().unwrap().2["recorded"]["event"], "requested");
    assert_eq!(journal.last().unwrap().2["recorded"]["event"], "finished");
    assert!(journal.iter().all(|(_, id, data)| *id == data["seq"].as_u64() && data["deployment"] == 1));
    let record = daemon.await_end(1);
    assert_eq!(record["receipt"]["verdict"], "failed", "{record}");
    assert!(record["turned_back"].is_string(), "{record}");

    // Broken off after the third, and taken up again, here after the controller was killed.
    daemon.restart();
    let third = journal[2].1.unwrap();
    let more = format!("Last-Event-ID: {third}\r\n");
    let rest = events(daemon.open("GET /v1/deployments/1/events", &more, "").2);
    let rest: Vec<_> = rest.iter().filter(|(kind, ..)| kind == "journal").collect();
    assert_eq!(rest, journal[3..]);
    assert_eq!(daemon.get("/v1/deployments").as_array().unwrap().len(), 1);
    assert_eq!(daemon.ask("GET /v1/events", "Last-Event-ID: x\r\n", &Value::Null).0, 400);
}

#[test]
fn a_label_with_other_content_is_refused_by_the_deployment() {
    let daemon = Daemon::start();
    daemon.deploy("v1", "");
    daemon.await_end(1);
    fs::write(daemon.folder.path().join("v1/x"), "something else").unwrap();
    daemon.deploy("v1", "");
    let record = daemon.await_end(2);
    assert!(record["turned_back"].as_str().unwrap().contains("another label"), "{record}");
}
