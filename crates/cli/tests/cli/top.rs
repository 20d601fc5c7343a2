//! `tandem top` between a script of the daemon's answers and what is shown.

use serde_json::{Value, json};

use super::ran;
use super::talk::{start, status, under_way};

/// Sums of requests: so many well, so many failed, all in the bucket up to 10 ms.
fn requests(good: u64, failed: u64) -> Value {
    let mut buckets = vec![0; 15];
    buckets[1] = good + failed;
    json!({
        "ended": { "GET": { "2xx": good }, "POST": { "5xx": failed } },
        "durations": { "buckets": buckets, "micros": 0 }, "received": 0, "sent": 0,
    })
}

fn traffic(run: u64, one: Value, own: Value) -> Value {
    let instance = |version: &str, requests: Value, now: Value| json!({ "version": version, "requests": requests, "heads": { "buckets": [], "micros": 0 }, "now": now });
    let counts = json!({ "requests": 0, "failed": 0, "retried": 0, "websockets_moved": 0, "cut": 0 });
    let left = json!({ "requests": "12s", "uploads": "10m", "streams": "42s", "websockets": "42s" });
    let in_flight = json!({ "requests": 2, "uploads": 0, "streams": 1, "websockets": 0 });
    let leaving = json!({ "role": "drain", "health": { "state": "up" }, "in_flight": in_flight, "given": 1, "failed": 0, "left": left });
    let none = json!({ "requests": 0, "uploads": 0, "streams": 0, "websockets": 0 });
    let coming = json!({ "role": "standby", "health": { "state": "failing", "last": "500 Oops\u{1b}[2J" }, "in_flight": none, "given": 0, "failed": 0, "left": null });
    json!({
        "run": run, "pid": 1, "generation": 3,
        "connections": { "open": 17, "most": 20, "accepted": 40, "pauses": 0, "handshakes": 0, "failed_handshakes": 0 },
        "refused": {}, "log": { "written": 0, "dropped": 5 },
        "services": { "shop": { "counts": counts, "http1": 0, "http2": 0, "own": own, "instances": {
            "1": instance("v1", one, leaving),
            "2": instance("v2", requests(0, 0), coming),
            "3": instance("v0", requests(5, 5), Value::Null),
        } } },
    })
}

#[test]
fn rates_are_what_came_between_two_looks() {
    let (folder, daemon) = start();
    // Another run in between: there is nothing to subtract, and one look more.
    for (run, one, own) in [(1, requests(7, 7), 0), (2, requests(1000, 0), 3), (2, requests(1990, 10), 3)] {
        daemon.answers("GET /v1/traffic", 200, &traffic(run, one, requests(own, 0)));
        daemon.answers("GET /v1/status", 200, &status(under_way("shifting", false), json!([])));
    }
    let shown = ran(folder.path(), &["top", "--once"]);
    // How long the second was is not known to the digit.
    let lines = shown.lines().map(|line| line.split_whitespace().map(masked).collect::<Vec<_>>().join(" "));
    let lines: Vec<String> = lines.collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    exit 0
    --- stdout
    shop: v1, [rate] requests/s, 1.0% failed, p50 8 ms, p99 10 ms, 3 in flight, 17 connections, 5 lines of the log dropped
    d7 v1 → v2 by rolling: shifting for 5.0s, 1/2 ready

    VERSION INSTANCE STATE HEALTH REQ/S 5XX P50 P99 IN FLIGHT ENDS
    v1 [rate] 1.0% 8 ms 10 ms 3
    i1 serving up [rate] 1.0% 8 ms 10 ms 3 2 requests in 12.0s, 1 stream in 42.0s
    v2 0.0 - - - 0
    i2 starting 500 Oops 0.0 - - - 0
    --- stderr
    ");
}

/// A rate, without its digits.
fn masked(word: &str) -> String {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let is_rate = digits >= 2 && word.contains('.') && word.parse::<f64>().is_ok_and(|rate| rate > 1.0);
    if is_rate { "[rate]".to_owned() } else { word.to_owned() }
}

#[test]
fn as_json_it_is_for_programs() {
    let (folder, daemon) = start();
    for one in [requests(1000, 0), requests(1090, 10)] {
        daemon.answers("GET /v1/traffic", 200, &traffic(1, one, requests(0, 0)));
    }
    daemon.answers("GET /v1/status", 200, &status(Value::Null, json!([])));
    let output = super::tandem(folder.path(), &["top", "--once", "--json"]).output().unwrap();
    let top: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (rate, seconds) = (top["all"]["rate"].as_f64().unwrap(), top["seconds"].as_f64().unwrap());
    assert!((rate * seconds - 100.0).abs() < 0.01, "{top}");
    assert_eq!((&top["all"]["errors"], &top["versions"]["v1"]["errors"]), (&json!(0.1), &json!(0.1)));
    assert_eq!(top["versions"]["v2"]["errors"], Value::Null);
    assert_eq!((&top["instances"][0]["instance"], &top["instances"][0]["p50"]), (&json!(1), &json!(0.0075)));
    assert_eq!(top["instances"].as_array().map(Vec::len), Some(2), "one that left is not shown");
}

#[test]
fn without_a_proxy_that_is_said() {
    let (folder, daemon) = start();
    let away = super::daemon::problem(503, "unavailable", "the proxy does not answer at the moment");
    daemon.answers("GET /v1/traffic", 503, &away);
    let output = super::tandem(folder.path(), &["top"]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() != Some(0) && error.contains("the proxy does not answer"), "{error}");
}
