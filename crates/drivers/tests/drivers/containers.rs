//! The suite for all drivers, with containers of a real engine, and what only containers have.

use std::path::Path;
use std::time::Duration;

use tandem_core::base::InstanceId;
use tandem_core::fleet::Exit;
use tandem_core::spec::{DockerSpec, RunSpec, StopSpec};
use tandem_docker::{Engine, Registry, Tree};
use tandem_drivers::conformance::{Samples, check};
use tandem_drivers::docker::DockerDriver;
use tandem_drivers::{Driver, DriverError, LogPosition, StartInstance};

use crate::rig::{run, version};

const LASTING: &str = "#!/bin/sh\ntrap 'exit 0' TERM; echo begun; while :; do sleep 0.05; done\n";

/// An image with a shell, a folder of migrations and a document.
fn tree(mark: &str) -> Tree {
    let mut tree = Tree::busybox();
    tree.file("app/lasting", LASTING, 0o755);
    tree.file("app/db/migrations/1_a.sql", "SELECT 1;\n", 0o644);
    tree.file("app/api.json", "{}", 0o644);
    tree.file("app/mark", mark, 0o644);
    tree
}

fn spec(engines: &[&Engine]) -> DockerSpec {
    let hosts = engines.iter().map(|engine| engine.host().parse().unwrap()).collect();
    DockerSpec { hosts, ..DockerSpec::default() }
}

fn open(state: &Path, spec: &DockerSpec) -> DockerDriver {
    DockerDriver::open(state, &"shop".parse().unwrap(), spec, None).unwrap()
}

fn start(id: u64, label: &str, run: RunSpec) -> StartInstance {
    StartInstance { instance: InstanceId(id), version: version(label), service: "shop".parse().unwrap(), run }
}

fn until(what: &str, driver: &dyn Driver, condition: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "never true: {what}");
        driver.wait(Duration::from_millis(20));
    }
}

fn exit(driver: &dyn Driver, id: u64) -> Option<Exit> {
    match driver.observe().unwrap().remove(&InstanceId(id))?.status {
        tandem_core::fleet::RunStatus::Exited(exit) => Some(exit),
        _ => None,
    }
}

fn samples<'a>(deliverable: &'a Path, other: &'a Path) -> Samples<'a> {
    Samples {
        start: start(1, "v1", RunSpec::default()),
        deliverable,
        other,
        lasting: RunSpec { stop: StopSpec::default(), ..run(&["./lasting"]) },
        failing: run(&["sh", "-c", "exit 3"]),
        missing: run(&["./no-such-file"]),
        patience: Duration::from_secs(60),
    }
}

#[test]
fn containers_conform() {
    let engine = Engine::start();
    engine.import(&tree("one"), "shop:v1", &["WORKDIR /app"]);
    engine.import(&tree("two"), "shop:v2", &["WORKDIR /app"]);
    let folder = tempfile::tempdir().unwrap();
    // Built on the engine, and saved into archives.
    let driver = open(&folder.path().join("built"), &spec(&[&engine]));
    check(&driver, &samples(Path::new("shop:v1"), Path::new("shop:v2"))).unwrap();
    let archive = |name: &str| folder.path().join(name);
    engine.save("shop:v1", &archive("one.tar"));
    engine.save("shop:v2", &archive("two.tar"));
    engine.untag("shop:v1");
    engine.untag("shop:v2");
    let driver = open(&folder.path().join("saved"), &spec(&[&engine]));
    check(&driver, &samples(&archive("one.tar"), &archive("two.tar"))).unwrap();
    assert_eq!(engine.images(), "[]\n", "images are left");
    assert_eq!(engine.containers(), "[]\n", "containers are left");
}

#[test]
fn images_of_a_registry_are_held_to_their_digest() {
    let (engine, mut registry) = (Engine::start(), Registry::start());
    let (one, other) = (registry.name("team/shop:stable"), registry.name("team/shop:other"));
    engine.import(&tree("one"), &one, &["WORKDIR /app"]);
    engine.import(&tree("two"), &other, &["WORKDIR /app"]);
    engine.push(&one);
    engine.push(&other);
    engine.untag(&one);
    let folder = tempfile::tempdir().unwrap();
    let driver = open(folder.path(), &spec(&[&engine]));
    // What the tag stands for when it is asked.
    let digest = driver.inspect(Path::new(&one)).unwrap();
    let held = format!("{one}@sha256:{digest}");
    // The tag moves: what was meant is what is run.
    engine.tag(&other, &one);
    engine.push(&one);
    assert_ne!(driver.inspect(Path::new(&one)).unwrap(), digest);
    engine.untag(&one);
    assert_eq!(driver.prepare(&version("v1"), Path::new(&held)).unwrap(), digest);
    let mark = driver.file_of(&version("v1"), "mark", 100).unwrap().unwrap();
    assert_eq!(mark, b"one");
    let moved = driver.prepare(&version("v1"), Path::new(&one));
    assert!(matches!(moved, Err(DriverError::OtherContent { .. })), "{moved:?}");
    // Files, as migrations and contracts are found.
    let migrations = driver.folder(&version("v1"), "db/migrations").unwrap().unwrap();
    assert_eq!(std::fs::read_to_string(migrations.join("1_a.sql")).unwrap(), "SELECT 1;\n");
    assert_eq!(driver.file(Path::new(&held), "api.json", 100).unwrap().unwrap(), b"{}");
    assert!(driver.file(Path::new(&held), "api.json", 1).is_err());
    assert_eq!(driver.file(Path::new(&held), "no.json", 100).unwrap(), None);
    // What is not there is told before anything begins.
    let missing = driver.inspect(Path::new(&registry.name("team/shop:v9"))).unwrap_err().to_string();
    assert!(missing.contains("team/shop:v9 can't be had") && missing.contains("was it pushed"), "{missing}");
    registry.stop();
    let away = driver.inspect(Path::new(&registry.name("team/shop:stable"))).unwrap_err().to_string();
    assert!(away.contains("can't be reached"), "{away}");
    // What is prepared needs no registry.
    assert_eq!(driver.prepare(&version("v1"), Path::new(&held)).unwrap(), digest);
    driver.discard(&version("v1")).unwrap();
    assert!(!engine.images().contains(&digest.to_string()), "{}", engine.images());
}

#[test]
fn ends_are_told_and_a_driver_may_be_replaced() {
    let engine = Engine::start();
    let mut tree = tree("one");
    tree.file("app/hungry", "#!/bin/sh\nx=x; while :; do x=$x$x; done\n", 0o755);
    tree.file(
        "app/stubborn",
        "#!/bin/sh\ntrap 'echo asked' TERM; echo begun; while :; do sleep 0.05; done\n",
        0o755,
    );
    engine.import(&tree, "shop:v1", &["WORKDIR /app"]);
    let folder = tempfile::tempdir().unwrap();
    let limited = DockerSpec { memory: 32 << 20, ..spec(&[&engine]) };
    let driver = open(folder.path(), &limited);
    driver.prepare(&version("v1"), Path::new("shop:v1")).unwrap();
    driver.start(&start(1, "v1", run(&["./hungry"]))).unwrap();
    let stop = StopSpec { grace: tandem_core::base::Millis::from_secs(1), ..StopSpec::default() };
    let address = driver.start(&start(2, "v1", RunSpec { stop, ..run(&["./stubborn"]) })).unwrap();
    driver.start(&start(3, "v1", run(&["./lasting"]))).unwrap();
    until("it took too much memory", &driver, || exit(&driver, 1) == Some(Exit::OutOfMemory));
    let said = |id: u64| driver.log(InstanceId(id), LogPosition::START, 1000).unwrap().bytes;
    until("both have begun", &driver, || said(2) == b"begun\n" && said(3) == b"begun\n");
    // The engine goes on with a stop that its driver does not live to see.
    driver.stop(InstanceId(2)).unwrap();
    until("it was asked", &driver, || said(2) == b"begun\nasked\n");
    drop(driver);
    let driver = open(folder.path(), &limited);
    assert_eq!(driver.start(&start(2, "v1", run(&["./stubborn"]))).unwrap(), address);
    until("it was killed", &driver, || exit(&driver, 2) == Some(Exit::Signal(9)));
    // Another Tandem on the same engine sees nothing of it.
    let stranger = open(&folder.path().join("stranger"), &limited);
    assert!(stranger.observe().unwrap().is_empty());
    // Somebody removes a container behind our back.
    let name = |id: u64| format!("shop-{id}-");
    let all: String = engine.containers();
    let at = all.find(&name(3)).unwrap();
    let full: String = all[at..].chars().take_while(|c| *c != '"').collect();
    engine.ask("DELETE", &format!("/containers/{full}?force=1"), &[]);
    until("it is seen to be gone", &driver, || exit(&driver, 3) == Some(Exit::Unknown));
    for id in 1..=3 {
        driver.remove(InstanceId(id)).unwrap();
    }
    driver.discard(&version("v1")).unwrap();
}

#[test]
fn several_engines_share_the_work_and_one_that_is_silent_holds_up_nobody() {
    let (one, two) = (Engine::start(), Engine::start());
    for engine in [&one, &two] {
        engine.import(&tree("one"), "shop:v1", &["WORKDIR /app"]);
    }
    let (folder, archive) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
    one.save("shop:v1", archive.path());
    let driver = open(folder.path(), &spec(&[&one, &two]));
    driver.prepare(&version("v1"), archive.path()).unwrap();
    let addresses: Vec<_> =
        (1..=4).map(|id| driver.start(&start(id, "v1", run(&["./lasting"]))).unwrap().ip()).collect();
    let on = |engine: &Engine| engine.containers().matches("\"tandem.instance\"").count();
    assert_eq!((on(&one), on(&two)), (2, 2), "{addresses:?}");
    assert_eq!(driver.observe().unwrap().len(), 4);
    two.freeze();
    let begun = std::time::Instant::now();
    let seen = driver.observe().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    // That nobody answers says nothing of the instances.
    assert!(seen.values().all(|instance| instance.status == tandem_core::fleet::RunStatus::Running));
    let begun = std::time::Instant::now();
    driver.start(&start(5, "v1", run(&["./lasting"]))).unwrap();
    driver.observe().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(on(&one), 3);
    two.wake();
    until("it answers again", &driver, || driver.stop(InstanceId(2)).is_ok());
    until("what was stopped there has ended", &driver, || exit(&driver, 2) == Some(Exit::Code(0)));
}
