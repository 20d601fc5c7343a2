//! Deployments that go well, and what they tell.

use std::time::Duration;

use tandem_load::Load;
use tandem_trial::{Kind, until};

use crate::stage::{Stage, get};

/// Waits until so many more requests have ended.
pub(crate) async fn traffic(load: &Load, requests: u64) {
    load.ended(load.so_far().sent + requests).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_wait_or_are_told_to_come_back_and_that_outlives_everything() {
    let mut stage = Stage::with_v1(|setup| setup.instances = 2).await;
    let load = stage.load(100.0);
    traffic(&load, 50).await;
    // Held and let go under load: nobody gets anything but an answer.
    let said = stage.daemon.tandem(&["hold", "--for", "20s"]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    let why = stage.daemon.tandem(&["why"]).await;
    assert!(why.out.contains("new requests wait for another"), "{}", why.out);
    assert_eq!(stage.daemon.tandem(&["hold", "--end"]).await.code, Some(0));
    traffic(&load, 100).await;
    stage.all_is_well(load).await;

    let said = stage.daemon.tandem(&["maintenance", "on", "--retry-after", "9d"]).await;
    assert_eq!(said.code, Some(2), "{}", said.err);
    let said = stage.daemon.tandem(&["maintenance", "on", "--message", "back at noon"]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    for kind in [Kind::Controller, Kind::Proxy, Kind::Supervisor] {
        for pid in stage.daemon.pids(kind) {
            tandem_trial::kill(pid);
        }
    }
    stage.daemon.up().await.unwrap();
    let answer = get(stage.address, "/").await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("back at noon"), "{answer}");
    let said = stage.daemon.tandem(&["status"]).await;
    assert!(said.out.contains("maintenance for"), "{}", said.out);
    let said = stage.deploy("v2", &[]).await;
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&said.err));
    assert_eq!(stage.daemon.tandem(&["maintenance", "off"]).await.code, Some(0));
    let answer = until(Duration::from_secs(20), async || {
        Some(get(stage.address, "/").await).filter(|answer| answer.starts_with("HTTP/1.1 200 "))
    });
    assert!(answer.await.is_some_and(|answer| answer.contains("v2")));
    stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_flip_and_rollback_lose_nothing() {
    let stage = Stage::with_v1(|_| {}).await;
    let load = stage.load(100.0);
    traffic(&load, 50).await;

    load.watch_visitors("v1", "v2");
    let rolling = stage.deploy("v2", &["--strategy", "rolling"]).await;
    assert_eq!(rolling.code, Some(0), "{}", stage.daemon.with_log(&rolling.err));
    assert!(rolling.out.contains("v1 → v2") && rolling.out.contains("0 failed"), "{}", rolling.out);
    assert!(rolling.out.contains("capacity never below 4/4"), "{}", rolling.out);

    load.watch_flip("v2", "v3");
    let flip = stage.deploy("v3", &["--strategy", "flip"]).await;
    assert_eq!(flip.code, Some(0), "{}", stage.daemon.with_log(&flip.err));
    traffic(&load, 50).await;

    load.end_watch();
    let back = stage.daemon.tandem(&["rollback"]).await;
    assert_eq!(back.code, Some(0), "{}", stage.daemon.with_log(&back.err));
    traffic(&load, 50).await;

    let verdict = stage.all_is_well(load).await;
    let seen: Vec<&str> = verdict.versions.keys().map(String::as_str).collect();
    assert_eq!(seen, ["v1", "v2", "v3"]);
    let history = stage.daemon.tandem(&["history", "--json"]).await;
    assert_eq!(history.json().as_array().map(Vec::len), Some(4), "{}", history.out);
    stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_upgrade_without_surge_keeps_its_floor() {
    let stage = Stage::with_v1(|_| {}).await;
    let load = stage.load(60.0);
    let said = stage.deploy("v2", &["--strategy", "rolling", "--batch", "2", "--surge", "0"]).await;
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&said.err));
    assert!(said.out.contains("capacity never below 2/4"), "{}", said.out);
    stage.all_is_well(load).await;
    stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_while_the_old_pool_is_warm_is_a_matter_of_routing() {
    let stage = Stage::with_v1(|setup| setup.warm = "60s").await;
    let load = stage.load(60.0);
    let said = stage.deploy("v2", &["--strategy", "flip", "--detach"]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    let status = async || stage.daemon.tandem(&["status", "--json"]).await.json().to_string();
    let baking = until(Duration::from_secs(30), async || status().await.contains("\"baking\"").then_some(()));
    baking.await.expect("it bakes");
    let before = stage.daemon.pids(Kind::Keeper);
    let back = stage.daemon.tandem(&["rollback"]).await;
    assert_eq!(back.code, Some(0), "{}", stage.daemon.with_log(&back.err));
    let after = stage.daemon.pids(Kind::Keeper);
    assert!(after.iter().all(|pid| before.contains(pid)), "nothing new was started: {before:?} → {after:?}");
    assert_eq!(after.len(), 4);
    stage.all_is_well(load).await;
    stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_instances_follows_scale() {
    let stage = Stage::with_v1(|setup| setup.instances = 2).await;
    let load = stage.load(60.0);
    for wanted in [4, 1] {
        let said = stage.daemon.tandem(&["scale", &wanted.to_string()]).await;
        assert_eq!(said.code, Some(0), "{}", said.err);
        let there = until(Duration::from_secs(30), async || {
            (stage.daemon.pids(Kind::Keeper).len() == wanted).then_some(())
        });
        there.await.expect("as many as wanted");
    }
    stage.all_is_well(load).await;
    stage.daemon.stop().await.unwrap();
}
