//! Versions that are no good: each is told from the others, and what runs is left untouched.

use std::fs;

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_versions_are_explained_and_never_get_a_request() {
    let stage = Stage::with_v1(|setup| setup.instances = 2).await;
    let load = stage.load(60.0);
    for (fault, told) in
        [("start", "refusing to start"), ("exit-after=0", "exited"), ("redirect", "redirect"), ("up", "500")]
    {
        let label = format!("bad-{}", fault.replace('=', "-"));
        let said = stage.deploy_as("v2", &label, Some(fault), &[]).await;
        assert_eq!(said.code, Some(3), "{fault}: {}", stage.daemon.with_log(&said.err));
        let text = format!("{}{}", said.out, said.err);
        assert!(text.contains(told), "{fault}: {text}");
    }
    let verdict = stage.all_is_well(load).await;
    assert_eq!(verdict.versions.keys().map(String::as_str).collect::<Vec<_>>(), ["v1"]);
    stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_dies_after_the_flip_is_left_at_once() {
    let stage = Stage::with_v1(|setup| {
        setup.instances = 2;
        (setup.bake, setup.warm) = ("30s", "30s");
    })
    .await;
    let said = stage.deploy_as("v2", "dying", Some("exit-after=4"), &["--strategy", "flip"]).await;
    assert_eq!(said.code, Some(3), "{}", stage.daemon.with_log(&said.err));
    let load = stage.load(60.0);
    crate::deployments::traffic(&load, 60).await;
    let verdict = stage.all_is_well(load).await;
    assert_eq!(verdict.versions.keys().map(String::as_str).collect::<Vec<_>>(), ["v1"]);
    stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_deployed_is_refused_with_a_reason() {
    let stage = Stage::with_v1(|setup| setup.instances = 1).await;
    let folder = stage.folder().to_owned();
    fs::write(folder.join("broken.tar.gz"), b"this is no archive").unwrap();
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();

    let missing = stage.daemon.tandem(&["deploy", &path("nothing-there"), "--version", "v9"]).await;
    assert!(missing.code.is_some_and(|code| code != 0), "{missing:?}");
    assert!(missing.err.contains("nothing-there"), "{}", missing.err);
    let broken = stage.daemon.tandem(&["deploy", &path("broken.tar.gz"), "--version", "v8"]).await;
    assert!(broken.code.is_some_and(|code| code != 0), "{broken:?}");
    assert!(broken.err.contains("broken.tar.gz") || broken.err.contains("archive"), "{}", broken.err);
    let same = stage.deploy("v1", &[]).await;
    assert_eq!(same.code, Some(5), "{same:?}");
    let nowhere = stage.daemon.tandem(&["rollback"]).await;
    assert_eq!(nowhere.code, Some(5), "{nowhere:?}");

    // One deployment at a time: the second is refused by the name of the first.
    let first = stage.deploy_as("v2", "slow", Some("bind"), &["--detach"]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    let second = stage.deploy("v3", &[]).await;
    assert_eq!(second.code, Some(5), "{second:?}");
    assert!(second.err.contains("slow"), "{}", second.err);
    let told = tandem_trial::until(std::time::Duration::from_secs(10), async || {
        stage.daemon.tandem(&["why"]).await.out.contains("not ready").then_some(())
    });
    told.await.expect("`why` tells what is waited for");
    let abort = stage.daemon.tandem(&["abort"]).await;
    assert_eq!(abort.code, Some(0), "{abort:?}");

    // A second daemon on the same state is refused.
    let again = stage.daemon.tandem(&["up"]).await;
    assert!(again.code.is_some_and(|code| code != 0), "{again:?}");
    stage.daemon.stop().await.unwrap();
}
