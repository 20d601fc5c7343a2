//! What is asked of the daemon, what is shown of its answers, and the exit codes that follow.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::daemon::{Daemon, problem, stream};
use super::{ran, tandem};

pub(crate) fn start() -> (TempDir, Daemon) {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::in_folder(folder.path());
    std::fs::create_dir(folder.path().join("shop-v2")).unwrap();
    (folder, daemon)
}

pub(crate) fn instance(id: u64, version: &str, stage: &str, health: Value) -> Value {
    json!({
        "instance": id, "version": version, "stage": stage, "since": 60_000,
        "address": format!("127.0.0.1:{}", 20_000 + id), "health": health,
        "in_flight": { "requests": 3, "uploads": 0, "streams": 1, "websockets": 0 },
        "requests": 1200, "failed": 0, "exit": null,
    })
}

pub(crate) fn status(deployment: Value, waits: Value) -> Value {
    json!({
        "service": "shop", "at": 100_000, "listen": ["127.0.0.1:8080"], "current": "v1", "previous": null,
        "wanted": 2, "healthy": 2,
        "instances": [
            instance(1, "v1", "serving", json!({ "state": "up" })),
            instance(2, "v2", "starting", json!({ "state": "failing", "last": "500 Oops\u{1b}[2J" })),
        ],
        "deployment": deployment, "waits": waits,
        "counts": { "requests": 2400, "failed": 1, "retried": 0, "websockets_moved": 0, "cut": 0 },
        "config_changed": false, "trouble": null,
    })
}

pub(crate) fn under_way(phase: &str, paused: bool) -> Value {
    json!({
        "id": 7, "kind": "deploy", "version": "v2", "from": "v1", "strategy": "rolling", "requested_at": 90_000,
        "phase": phase, "phase_since": 95_000, "paused": paused, "turned_back": null, "ready": 1, "wanted": 2,
    })
}

fn event(seq: u64, at: u64, mut event: Value) -> (&'static str, Value) {
    event["at"] = json!(at);
    ("journal", json!({ "seq": seq, "deployment": 7, "recorded": event }))
}

fn receipt(verdict: Value) -> Value {
    let mut receipt = json!({
        "from": "v1", "to": "v2", "took": "12s 340ms", "lowest_capacity": 2, "wanted": 2, "mixed_state": "4s",
        "counts": { "requests": 48_210, "failed": 0, "retried": 1, "websockets_moved": 3, "cut": 0 },
    });
    receipt.as_object_mut().unwrap().extend(verdict.as_object().unwrap().clone());
    receipt
}

fn record(verdict: Value, diagnosis: Value) -> Value {
    json!({
        "id": 7, "kind": "deploy", "version": "v2", "strategy": "rolling", "requested_at": 1_700_000_000_000_u64,
        "finished_at": 1_700_000_012_340_u64, "turned_back": null, "diagnosis": diagnosis, "receipt": receipt(verdict),
    })
}

fn settled() -> Value {
    json!({ "verdict": "settled" })
}

fn finished(seq: u64, verdict: Value) -> (&'static str, Value) {
    event(seq, 112_340, json!({ "event": "finished", "deployment": 7, "receipt": receipt(verdict) }))
}

/// The deployment's way up to its last step.
fn beginning() -> Vec<(&'static str, Value)> {
    vec![
        ("status", status(under_way("preparing", false), json!([]))),
        event(40, 100_000, json!({ "event": "prepared", "version": "v2", "digest": "ab".repeat(32) })),
        event(41, 100_100, json!({ "event": "entered", "deployment": 7, "phase": "shifting" })),
        event(
            42,
            100_200,
            json!({ "event": "done", "outcome": { "done": "started", "instance": 2, "address": "127.0.0.1:20002" } }),
        ),
        event(43, 101_900, json!({ "event": "ready", "instance": 2 })),
    ]
}

fn deploys(folder: &Path, daemon: &Daemon, words: &[&str]) -> String {
    daemon.answers("POST /v1/deployments", 202, &json!({ "id": 7 }));
    ran(folder, &[&["deploy", "shop-v2"], words].concat())
}

#[test]
fn a_deployment_is_told_line_by_line_and_ends_with_its_receipt() {
    let (folder, daemon) = start();
    let events = [beginning(), vec![finished(44, settled())]].concat();
    daemon.answers_with("GET /v1/deployments/7/events", 200, stream(&events));
    daemon.answers("GET /v1/deployments/7", 200, &record(settled(), Value::Null));
    insta::assert_snapshot!(deploys(folder.path(), &daemon, &["--strategy", "rolling", "--batch", "50%"]), @r###"
exit 0
--- stdout
✔ v1 → v2 in 12.3s: 48 210 requests, 0 failed, 1 retried, 3 WebSockets moved, capacity never below 2/2, mixed state 4.0s
--- stderr
d7: deploying v2 from shop-v2
    0.0s   v2 is ready to run (digest abababababab)
    0.1s   shifting
    0.2s   i2 started at 127.0.0.1:20002
    1.9s ✔ i2 is ready
"###);
    let asked = daemon.asked();
    let here = folder.path().canonicalize().unwrap().join("shop-v2");
    assert_eq!(
        asked[0].body,
        json!({
            "source": here, "version": "v2", "how": { "strategy": "rolling", "batch": "50%" },
            "break_contract": false,
        })
    );
    assert!(asked[0].head.contains("idempotency-key: "), "{asked:?}");
}

#[test]
fn a_deployment_that_went_back_by_itself_shows_why() {
    let (folder, daemon) = start();
    let verdict = json!({ "verdict": "rolled_back", "reason": "i2 exited with code 1 before it was ready" });
    let turned = event(
        44,
        102_000,
        json!({
            "event": "turned_back", "deployment": 7,
            "reason": { "reason": "ended_early", "instance": 2, "exit": { "code": 1 } },
        }),
    );
    let events = [beginning(), vec![turned, finished(45, verdict.clone())]].concat();
    daemon.answers_with("GET /v1/deployments/7/events", 200, stream(&events));
    let diagnosis = json!({
        "deployment": 7, "instance": 2, "health": { "state": "failing", "last": "connection refused" },
        "findings": {
            "exit": { "code": 1 }, "log": ["starting\u{1b}[31m", "Error: no such table: orders"], "listens": [],
            "stranger": null,
        },
        "cause": "the command exited with code 1: its last log lines say why",
    });
    daemon.answers("GET /v1/deployments/7", 200, &record(verdict, diagnosis));
    insta::assert_snapshot!(deploys(folder.path(), &daemon, &[]), @r###"
exit 3
--- stdout
✘ v1 → v2 rolled back to v1 after 12.3s, because i2 exited with code 1 before it was ready: 48 210 requests, 0 failed, 1 retried, 3 WebSockets moved, capacity never below 2/2, mixed state 4.0s
--- stderr
d7: deploying v2 from shop-v2
    0.0s   v2 is ready to run (digest abababababab)
    0.1s   shifting
    0.2s   i2 started at 127.0.0.1:20002
    1.9s ✔ i2 is ready
    2.0s ✘ d7 goes back: i2 exited with code 1 before it was ready
  likely cause: the command exited with code 1: its last log lines say why
  i2 exited with code 1
  last health answer: connection refused
  the last lines that i2 wrote:
    | starting
    | Error: no such table: orders
"###);
}

#[test]
fn a_daemon_that_comes_back_is_followed_on() {
    let (folder, daemon) = start();
    daemon.answers_with("GET /v1/deployments/7/events", 200, stream(&beginning()));
    daemon.answers_with("GET /v1/deployments/7/events", 200, stream(&[finished(44, settled())]));
    daemon.answers("GET /v1/deployments/7", 200, &record(settled(), Value::Null));
    let told = deploys(folder.path(), &daemon, &["--json"]);
    assert!(told.starts_with("exit 0\n--- stdout\n{\"id\":7,"), "{told}");
    assert!(told.contains("the daemon went away") && told.contains("the daemon is back"), "{told}");
    let again: Vec<_> = daemon.asked().into_iter().filter(|asked| asked.what.ends_with("/events")).collect();
    assert!(!again[0].head.contains("last-event-id"), "{again:?}");
    assert!(again[1].head.contains("last-event-id: 43"), "{again:?}");
}

#[test]
fn leaving_a_deployment_lets_it_go_on() {
    let (folder, daemon) = start();
    daemon.answers("POST /v1/deployments", 202, &json!({ "id": 7 }));
    insta::assert_snapshot!(ran(folder.path(), &["deploy", "shop-v2", "--detach"]), @r###"
exit 0
--- stdout
d7
--- stderr
d7 to v2 has begun: watch it with `tandem watch d7`
"###);
    let paused = [("status", status(under_way("shifting", true), json!([])))];
    daemon.answers_without_end("GET /v1/deployments/7/events", stream(&beginning()));
    let told = deploys(folder.path(), &daemon, &["--timeout", "300ms"]);
    assert!(told.starts_with("exit 124") && told.contains("d7 is not over yet and goes on"), "{told}");
    daemon.answers_with("GET /v1/deployments/7/events", 200, stream(&paused));
    insta::assert_snapshot!(deploys(folder.path(), &daemon, &[]), @r###"
exit 4
--- stdout
--- stderr
d7: deploying v2 from shop-v2
d7 is paused: watch it with `tandem watch d7`, let it go on with `tandem resume`
"###);
}

#[test]
fn refusals_become_exit_codes() {
    let (folder, daemon) = start();
    let busy = problem(409, "busy", "d6 to v1 is under way: watch it with `tandem watch`");
    daemon.answers("POST /v1/deployments", 409, &busy);
    insta::assert_snapshot!(ran(folder.path(), &["deploy", "shop-v2"]), @r###"
exit 5
--- stdout
--- stderr
error: d6 to v1 is under way: watch it with `tandem watch`
"###);
    daemon.answers(
        "POST /v1/rollback",
        409,
        &problem(409, "conflict", "there is no earlier version to go back to"),
    );
    daemon.answers("POST /v1/scale", 503, &problem(503, "unavailable", "the disk is full"));
    daemon.answers("GET /v1/status", 200, &status(Value::Null, json!([])));
    for (words, code) in
        [(&["rollback"][..], 5), (&["scale", "3"], 1), (&["pause"], 5), (&["watch", "d9"], 2)]
    {
        let output = tandem(folder.path(), words).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{words:?} {output:?}");
    }
}

/// `tandem status --watch | head -1` ends, though nothing happens any more.
#[test]
fn whoever_watches_for_nobody_ends() {
    let (folder, daemon) = start();
    let stands = status(Value::Null, json!([]));
    daemon.answers_without_end("GET /v1/events", stream(&[("status", stands)]));
    let mut watch = tandem(folder.path(), &["status", "--watch"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(watch.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with("shop: v1"), "{first}");
    assert_eq!(watch.wait().unwrap().code(), Some(0));
}

#[test]
fn status_shows_what_runs() {
    let (folder, daemon) = start();
    let waits = json!([{
        "sentence": "i2 is not ready yet (500 Oops); it has 40s left", "until": 140_000,
        "wait": { "wait": "not_ready", "instance": 2, "health": { "state": "unknown" }, "until": 140_000 },
    }]);
    let stands = status(under_way("shifting", false), waits);
    daemon.answers("GET /v1/status", 200, &stands);
    insta::assert_snapshot!(ran(folder.path(), &["status"]), @r###"
exit 0
--- stdout
shop: v1, 2/2 healthy on 127.0.0.1:8080, 2400 requests, 1 failed
d7 v1 → v2 by rolling: shifting for 5.0s, 1/2 ready
  waiting: i2 is not ready yet (500 Oops); it has 40s left

INSTANCE  VERSION  STATE     HEALTH    IN FLIGHT  REQUESTS  FAILED  ADDRESS          SINCE
i1        v1       serving   up                4      1200       0  127.0.0.1:20001  40.0s
i2        v2       starting  500 Oops          4      1200       0  127.0.0.1:20002  40.0s
--- stderr
"###);
    daemon.answers("GET /v1/status", 200, &stands);
    let json = tandem(folder.path(), &["status", "--json"]).output().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&json.stdout).unwrap(), stands);
}

#[test]
fn the_small_verbs_say_what_they_did() {
    let (folder, daemon) = start();
    let folder = folder.path();
    daemon.answers(
        "GET /v1/why",
        200,
        &json!({ "deployment": "d7 to v2 by rolling is shifting", "waits": ["i2 is not ready yet"] }),
    );
    insta::assert_snapshot!(ran(folder, &["why"]), @r###"
exit 0
--- stdout
d7 to v2 by rolling is shifting
  i2 is not ready yet
--- stderr
"###);
    daemon.answers("POST /v1/scale", 200, &json!({ "instances": 3 }));
    insta::assert_snapshot!(ran(folder, &["scale", "3"]), @r###"
exit 0
--- stdout
--- stderr
3 instances are wanted from now on: see `tandem status`
"###);
    for verb in ["pause", "resume", "promote", "abort"] {
        daemon.answers("GET /v1/status", 200, &status(under_way("shifting", false), json!([])));
        let path = match verb {
            "pause" => "POST /v1/deployments/7/pause",
            "resume" => "POST /v1/deployments/7/resume",
            "promote" => "POST /v1/deployments/7/promote",
            _ => "POST /v1/deployments/7/abort",
        };
        daemon.answers(path, 202, &json!({ "id": 7 }));
        let output = tandem(folder, &[verb]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{verb}: {output:?}");
    }
    daemon.answers("GET /v1/deployments", 200, &json!([record(settled(), Value::Null)]));
    insta::assert_snapshot!(ran(folder, &["history"]), @r###"
exit 0
--- stdout
ID  BEGAN                VERSION  FROM  BY        TOOK  REQUESTS  FAILED  MIXED  RESULT
d7  2023-11-14 22:13:20  v2       v1    rolling  12.3s     48210       0   4.0s  settled
--- stderr
"###);
    daemon.answers("POST /v1/plan", 200, &foreseen());
    insta::assert_snapshot!(ran(folder, &["plan"]), @r###"
exit 0
--- stdout
v1 → v2: 2 steps in about 41.0s, at most 3 instances at once, capacity never below 2/2, mixed state 21.0s, 0.024 EUR for 30m 0s of extra instances
STEP    AT  WHAT                 NEW  OLD  RUNNING
   1  1.0s  start 1 of v2 (i3)     0    2        3
   2  6.2s  route to 1, drain 1    1    1        3
reckoned with: made ready to run in 1.0s, up in 5.2s, drained in 0.1s (as measured here)
reckoned with: stopped in 1.0s (assumed: nothing was measured yet)
the last 2 forecasts were off by 20%, 0%

WAY                   FIRST  ALL NEW AFTER  BACK IN  MIXED STATE  PEAK  LOWEST   EXTRA       COST
rolling, 1 at a time    50%          30.0s     0.0s        21.0s     3     2/2  30m 0s  0.024 EUR  unbeaten
flip                    50%          30.0s     0.0s        21.0s     3     2/2  30m 0s  0.024 EUR
--- stderr
"###);
}

#[test]
fn a_plan_of_a_way_back_tells_where_it_leads() {
    let (folder, daemon) = start();
    let mut turned = foreseen();
    (turned["ways"], turned["end"]) =
        (json!([]), json!({ "verdict": "rolled_back", "reason": "somebody asked" }));
    daemon.answers("POST /v1/plan", 200, &turned);
    let told = ran(folder.path(), &["rollback", "--plan"]);
    assert!(
        told.contains("back to v1: 2 steps in about 41.0s") && !told.contains("it would go back"),
        "{told}"
    );
    assert_eq!(daemon.asked().remove(0).body["back"], true);
    daemon.answers("POST /v1/plan", 200, &turned);
    let told = ran(folder.path(), &["plan", "--break", "i3@1"]);
    assert!(
        told.contains("i3 dies, as soon as it runs") && told.contains("it would go back, because somebody"),
        "{told}"
    );
}

/// What a daemon foresees.
fn foreseen() -> Value {
    let step = |at: &str, what: &str, new: u32, old: u32| json!({ "at": at, "what": what, "new": new, "old": old, "running": 3 });
    let figures = json!({
        "took": "41s", "served": "30s", "back": "0s", "first": 500_000, "mixed_state": "21s", "peak": 3,
        "lowest_capacity": 2, "extra": "30m",
    });
    let way = |name: &str, unbeaten: bool| json!({ "name": name, "strategy": { "flip": { "warm": "30s" } }, "figures": figures, "steps": [], "unbeaten": unbeaten });
    let estimate = |typical: &str, measured: u32| json!({ "typical": typical, "measured": measured });
    let mut forecast = json!({
        "from": "v1", "to": "v2", "wanted": 2, "end": { "verdict": "settled" }, "price": "0.048 EUR",
        "steps": [step("1s", "start 1 of v2 (i3)", 0, 2), step("6s 200ms", "route to 1, drain 1", 1, 1)],
        "basis": {
            "prepare": estimate("1s", 1), "ready": estimate("5s 200ms", 4), "drain": estimate("100ms", 4),
            "stop": estimate("1s", 0), "requests": null,
            "judged": [{ "foreseen": "40s", "took": "50s" }, { "foreseen": "41s", "took": "41s" }],
        },
        "ways": [way("rolling, 1 at a time", true), way("flip", false)],
    });
    forecast.as_object_mut().unwrap().extend(figures.as_object().unwrap().clone());
    forecast
}

#[test]
fn a_plan_tells_what_a_contract_breaks() {
    let (folder, daemon) = start();
    let counted = |total: u64, callers: Value| json!({ "calls": { "total": total, "callers": callers }, "over": "24h", "complete": true });
    let total = "response property `total` is gone";
    let mut forecast = foreseen();
    forecast["ways"] = json!([]);
    forecast["contract"] = json!({
        "broken": [
            { "operation": "GET /orders/{id}", "changes": [total],
              "counted": counted(1204, json!({ "checkout/3.1": 900, "curl/8": 4 })) },
            { "operation": "POST /old", "changes": [], "counted": counted(0, json!({})) },
        ],
        "ahead": [{ "operation": "GET /stock", "changes": [] }],
        "more": 0,
    });
    daemon.answers("POST /v1/plan", 200, &forecast);
    insta::assert_snapshot!(ran(folder.path(), &["plan", "shop-v2", "--strategy", "flip"]), @r###"
exit 5
--- stdout
v1 → v2: 2 steps in about 41.0s, at most 3 instances at once, capacity never below 2/2, mixed state 21.0s, 0.024 EUR for 30m 0s of extra instances
STEP    AT  WHAT                 NEW  OLD  RUNNING
   1  1.0s  start 1 of v2 (i3)     0    2        3
   2  6.2s  route to 1, drain 1    1    1        3
reckoned with: made ready to run in 1.0s, up in 5.2s, drained in 0.1s (as measured here)
reckoned with: stopped in 1.0s (assumed: nothing was measured yet)
the last 2 forecasts were off by 20%, 0%

✘ GET /orders/{id}: response property `total` is gone; called 1 204 times in the last 24h, by checkout/3.1 (900), curl/8 (4) and others
! POST /old is gone; not called in the last 24h
clients of v2 while the version before serves, too:
  GET /stock is not there yet
refused, unless it is deployed with --break-contract
--- stderr
"###);
    let asked = daemon.asked().remove(0).body;
    assert!(asked["source"].as_str().is_some_and(|source| source.ends_with("/shop-v2")), "{asked}");
}

#[test]
fn logs_of_several_instances_are_told_apart() {
    let (folder, daemon) = start();
    daemon.answers("GET /v1/status", 200, &status(Value::Null, json!([])));
    daemon.answers_with("GET /v1/instances/1/log", 200, "one\ntwo\n");
    daemon.answers_with("GET /v1/instances/2/log", 200, "three\nunfinished");
    insta::assert_snapshot!(ran(folder.path(), &["logs"]), @r###"
exit 0
--- stdout
i1    one
i1    two
i2    three
i2    unfinished
--- stderr
"###);
    daemon.answers_with("GET /v1/instances/2/log", 200, "three\n");
    insta::assert_snapshot!(ran(folder.path(), &["logs", "i2", "--json"]), @r###"
exit 0
--- stdout
{"instance":2,"line":"three"}
--- stderr
"###);
}

/// Ctrl-C stops the watching, not the deployment: exit code 130 and a hint.
#[test]
fn an_interrupt_detaches() {
    let (folder, daemon) = start();
    daemon.answers("POST /v1/deployments", 202, &json!({ "id": 7 }));
    daemon.answers_without_end("GET /v1/deployments/7/events", stream(&beginning()));
    let child = tandem(folder.path(), &["deploy", "shop-v2"]).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !daemon.asked().iter().any(|asked| asked.what.ends_with("/events")) {
        assert!(std::time::Instant::now() < deadline, "the events were never asked for");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.status.signal()), (Some(130), None), "{error}");
    assert!(error.contains("d7 goes on: watch it with `tandem watch d7`"), "{error}");
}
