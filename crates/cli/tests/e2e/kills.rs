//! `kill -9` in the middle of deployments under load. The trial (`cargo xtask trial kills`) does the same many times.

use std::time::Duration;

use tandem_load::{FailureKind, Load, Outcome};
use tandem_trial::{Kind, kill, until};

use crate::deployments::traffic;
use crate::stage::Stage;

/// Kills a process of that kind at a moment of a deployment, and sees it end.
async fn kill_once(stage: &mut Stage, load: &Load, kind: Kind, label: &str, after: u64) {
    let before = load.records().len();
    let said = stage.deploy_as("v2", label, None, &["--strategy", "rolling", "--detach"]).await;
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&said.err));
    traffic(load, after).await;
    let pid = *stage.daemon.pids(kind).last().expect("a process of that kind");
    assert!(kill(pid));
    if kind == Kind::Supervisor {
        stage.daemon.up().await.unwrap();
    }
    let settled = until(Duration::from_secs(60), async || {
        let status = stage.daemon.tandem(&["status", "--json"]).await;
        (status.code == Some(0) && status.json()["deployment"].is_null()).then_some(())
    });
    if settled.await.is_none() {
        let status = stage.daemon.tandem(&["status"]).await;
        panic!("{}", stage.daemon.with_log(&format!("{} never ends\n{}", label, status.out)));
    }
    let full =
        until(Duration::from_secs(30), async || (stage.daemon.pids(Kind::Instance).len() == 4).then_some(()));
    full.await.expect("as many instances as wanted");
    traffic(load, 30).await;
    let failed: Vec<_> = load
        .records()
        .into_iter()
        .skip(before)
        .filter(|record| matches!(record.outcome, Outcome::Failed { .. }))
        .collect();
    match kind {
        Kind::Supervisor | Kind::Controller | Kind::Admin => {
            assert!(failed.is_empty(), "{kind:?}: {failed:?}");
        }
        // Only what was in flight in it, and no connection refused.
        Kind::Proxy | Kind::Keeper | Kind::Instance => {
            assert!(failed.len() <= 10, "{kind:?}: {failed:?}");
            let refused = failed
                .iter()
                .any(|record| matches!(record.outcome, Outcome::Failed { kind: FailureKind::Connect, .. }));
            assert!(!refused, "{kind:?}: {failed:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_process_may_be_killed_in_a_deployment() {
    let mut stage = Stage::with_v1(|_| {}).await;
    let load = stage.load(60.0);
    for (at, kind) in Kind::ALL.into_iter().enumerate() {
        let label = format!("k{at}");
        kill_once(&mut stage, &load, kind, &label, 20 + 25 * at as u64).await;
    }
    let verdict = load.stop().await;
    let twice = tandem_load::Journal::read(&stage.shop.orders()).unwrap().check(&verdict.acknowledged);
    assert!(twice.twice.is_empty() && twice.missing.is_empty(), "{twice}");
    stage.daemon.stop().await.unwrap();
}
