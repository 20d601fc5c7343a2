//! Canaries: a good version goes from step to step, a worse one is found by its answers, somebody is asked where nobody comes.

use std::time::Duration;

use tandem_trial::{Setup, until};

use crate::deployments::traffic;
use crate::stage::{Stage, get, get_with};

/// Two short steps, and a guard that is content with few answers.
fn canary(setup: &mut Setup) {
    setup.strategy = "canary";
    setup.more = r#"
[deploy.canary]
steps = ["25% for 1s", "50% for 1s"]
warm  = "1s"

[deploy.guard]
errors  = "< 1%"
p95     = "< 150ms"
sample  = 60
extend  = "2m"
"#
    .to_owned();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_version_comes_step_by_step_and_nothing_is_lost() {
    let stage = Stage::with_v1(canary).await;
    let load = stage.load(100.0);
    traffic(&load, 50).await;
    load.watch_visitors("v1", "v2");
    let said = stage.deploy("v2", &[]).await;
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&said.err));
    assert!(said.err.contains("step 1 is good") && said.err.contains("step 2 is good"), "{}", said.err);
    assert!(said.err.contains("errors 0% (0/"), "{}", said.err);
    assert!(said.out.contains("v1 → v2") && said.out.contains("capacity never below 4/4"), "{}", said.out);
    traffic(&load, 50).await;
    let verdict = stage.all_is_well(load).await;
    assert_eq!(verdict.versions.keys().map(String::as_str).collect::<Vec<_>>(), ["v1", "v2"]);
    stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worse_version_is_taken_back_and_hurts_few() {
    let stage = Stage::with_v1(canary).await;
    for (fault, told) in [("errors=30", "errors "), ("slow=400", "p95 ")] {
        let load = stage.load(100.0);
        traffic(&load, 50).await;
        let label = fault.replace('=', "-");
        let steps = ["--steps", "20% for 1h"];
        let said = stage.deploy_as("v2", &label, Some(fault), &steps).await;
        assert_eq!(said.code, Some(3), "{fault}: {}", stage.daemon.with_log(&said.err));
        assert!(said.out.contains(told) && said.out.contains("rolled back to v1"), "{fault}: {}", said.out);
        traffic(&load, 50).await;
        let verdict = load.stop().await;
        // Its answers were of 20 % of the clients, and for a short time.
        let served = verdict.versions.get(&label).copied().unwrap_or(0);
        assert!(served > 0 && served * 3 < verdict.sent, "{fault}: {served} of {}: {verdict}", verdict.sent);
        assert_eq!(verdict.answered + verdict.failed, verdict.sent, "{verdict}");
        stage.no_order_twice(&verdict);
    }
    let answer = get(stage.address, "/").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("tandem-shop-version: v1"), "{answer}");
    stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_comes_somebody_is_asked_and_whoever_is_chosen_sees_it_first() {
    let stage = Stage::with_v1(|setup| {
        canary(setup);
        setup.instances = 2;
        setup.more = setup.more.replace("extend  = \"2m\"", "extend  = \"1s\"");
        let chosen = "[\"0% for 100ms\", \"50% for 100ms\"]\nheaders = { x-canary = \"1\" }";
        setup.more = setup.more.replace("[\"25% for 1s\", \"50% for 1s\"]", chosen);
    })
    .await;
    let said = stage.deploy("v2", &[]).await;
    assert_eq!(said.code, Some(4), "{}", stage.daemon.with_log(&said.err));
    assert!(said.err.contains("tandem promote"), "{}", said.err);
    let why = stage.daemon.tandem(&["why"]).await;
    assert!(why.out.contains("of 60 answers, too few to tell"), "{}", why.out);
    for _ in 0..10 {
        assert!(get(stage.address, "/").await.contains("tandem-shop-version: v1"));
        let chosen = get_with(stage.address, "/", "X-Canary: 1\r\n").await;
        assert!(chosen.contains("tandem-shop-version: v2"), "{chosen}");
    }
    // The controller dies, and its successor asks again.
    for pid in stage.daemon.pids(tandem_trial::Kind::Controller) {
        tandem_trial::kill(pid);
    }
    let asked = until(Duration::from_secs(20), async || {
        stage.daemon.tandem(&["why"]).await.out.contains("it waits for somebody").then_some(())
    });
    assert!(asked.await.is_some(), "{}", stage.daemon.with_log("nobody is asked"));
    let late = stage.daemon.tandem(&["promote", "--step", "2"]).await;
    assert_eq!(late.code, Some(5), "{late:?}");
    let said = stage.daemon.tandem(&["promote", "--all"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = stage.daemon.tandem(&["watch"]).await;
    assert!(said.code == Some(0) || said.err.contains("no deployment"), "{said:?}");
    assert!(get(stage.address, "/").await.contains("tandem-shop-version: v2"));
    stage.daemon.stop().await.unwrap();
}
