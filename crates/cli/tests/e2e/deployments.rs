//! Deployments that go well, and what they tell.

use std::time::Duration;

use tandem_load::Load;

use crate::stage::Stage;

/// Waits until so many more requests have ended.
pub(crate) async fn traffic(load: &Load, requests: u64) {
    load.ended(load.so_far().sent + requests).await;
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
    let baking = tandem_trial::until(Duration::from_secs(30), async || {
        status().await.contains("\"baking\"").then_some(())
    });
    baking.await.expect("it bakes");
    let before = stage.daemon.pids(tandem_trial::Kind::Keeper);
    let back = stage.daemon.tandem(&["rollback"]).await;
    assert_eq!(back.code, Some(0), "{}", stage.daemon.with_log(&back.err));
    let after = stage.daemon.pids(tandem_trial::Kind::Keeper);
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
        let there = tandem_trial::until(Duration::from_secs(30), async || {
            (stage.daemon.pids(tandem_trial::Kind::Keeper).len() == wanted).then_some(())
        });
        there.await.expect("as many as wanted");
    }
    stage.all_is_well(load).await;
    stage.daemon.stop().await.unwrap();
}
