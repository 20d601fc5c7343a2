//! Containers: the shop as images of a registry, on a real engine, under load.

use std::time::Duration;

use tandem_docker::{Engine, Registry, Tree};
use tandem_trial::{Kind, kill, until};

use crate::deployments::traffic;
use crate::stage::{Stage, root, shop_program};

/// The shop of a release, as its team would build it; with a fault, it misbehaves.
fn image(release: &str, fault: Option<&str>) -> Tree {
    let folder = root().join("examples/shop");
    let text = |path: &str| std::fs::read_to_string(folder.join(path)).unwrap();
    let mut tree = Tree::default();
    tree.program("app/bin/shop", &shop_program());
    tree.file("app/release.json", &text(&format!("releases/{release}/release.json")), 0o644);
    tree.file("app/db/migrations/0001_orders.sql", &text("migrations/0001_orders.sql"), 0o644);
    if let Some(fault) = fault {
        tree.file("app/fault", fault, 0o644);
    }
    tree
}

struct Yard {
    engine: Engine,
    registry: Registry,
}

impl Yard {
    fn new() -> Yard {
        Yard { engine: Engine::start(), registry: Registry::start() }
    }

    /// Puts an image into the registry, and nowhere else.
    fn push(&self, tree: &Tree, image: &str) -> String {
        let name = self.registry.name(image);
        self.engine.import(tree, &name, &["WORKDIR /app", "CMD [\"bin/shop\"]"]);
        self.engine.push(&name);
        self.engine.untag(&name);
        name
    }
}

/// A daemon whose instances are containers, two of them.
async fn stage(engine: &Engine) -> Stage {
    let host = engine.host();
    let stage = Stage::empty(|setup| {
        setup.instances = 2;
        setup.env = ", HOST = \"0.0.0.0\"".to_owned();
        setup.more = format!("\n[run.docker]\nhosts = [\"{host}\"]\nmemory = \"128MiB\"\n");
    })
    .await;
    let data = stage.folder().join("data");
    std::fs::create_dir_all(&data).unwrap();
    let config = stage.folder().join("tandem.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    // Orders are written where the test finds them.
    let text = format!("{text}volumes = [\"{data}:{data}\"]\n", data = data.display());
    std::fs::write(&config, text.replace("command   = [\"bin/shop\"]\n", "")).unwrap();
    let said = stage.daemon.tandem(&["reload"]).await;
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&said.err));
    stage
}

async fn deploy(stage: &Stage, image: &str, more: &[&str]) -> tandem_trial::Said {
    stage.daemon.tandem(&[&["deploy", image], more].concat()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn images_are_deployed_under_load_and_nothing_is_lost() {
    let yard = Yard::new();
    let images =
        ["v1", "v2", "v3"].map(|release| yard.push(&image(release, None), &format!("team/shop:{release}")));
    let stage = stage(&yard.engine).await;
    let said = deploy(&stage, &images[0], &[]).await;
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&said.err));
    let load = stage.load(60.0);
    traffic(&load, 30).await;

    let rolling = deploy(&stage, &images[1], &["--strategy", "rolling"]).await;
    assert_eq!(rolling.code, Some(0), "{}", stage.daemon.with_log(&rolling.err));
    assert!(rolling.out.contains("v1 → v2") && rolling.out.contains("0 failed"), "{}", rolling.out);

    load.watch_flip("v2", "v3");
    let flip = deploy(&stage, &images[2], &["--strategy", "flip"]).await;
    assert_eq!(flip.code, Some(0), "{}", stage.daemon.with_log(&flip.err));
    traffic(&load, 30).await;
    load.end_watch();

    // The controller dies in the middle of a deployment, and its successor goes on.
    let said = deploy(&stage, &images[1], &["--strategy", "rolling", "--version", "v4", "--detach"]).await;
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&said.err));
    traffic(&load, 30).await;
    kill(*stage.daemon.pids(Kind::Controller).last().expect("a controller"));
    let settled = until(Duration::from_secs(60), async || {
        let status = stage.daemon.tandem(&["status", "--json"]).await;
        (status.code == Some(0) && status.json()["deployment"].is_null()).then_some(())
    });
    settled.await.unwrap_or_else(|| panic!("{}", stage.daemon.with_log("it never ends")));
    let back = stage.daemon.tandem(&["rollback"]).await;
    assert_eq!(back.code, Some(0), "{}", stage.daemon.with_log(&back.err));
    traffic(&load, 30).await;
    let verdict = stage.all_is_well(load).await;
    assert!(verdict.versions.contains_key("v4") || verdict.versions.contains_key("v2"), "{verdict}");
    let log = stage.daemon.tandem(&["logs"]).await;
    assert!(log.out.contains("open on port 8080"), "{}{}", log.out, log.err);
    stage.daemon.stop().await.unwrap();
    assert_eq!(yard.engine.ask("GET", "/containers/json", &[]).trim(), "[]", "containers run on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn images_that_are_no_good_are_explained_and_what_runs_is_left_alone() {
    let yard = Yard::new();
    let good = yard.push(&image("v1", None), "team/shop:v1");
    let mut hungry = Tree::busybox();
    hungry.file("app/bin/shop", "#!/bin/sh\nx=x; while :; do x=$x$x; done\n", 0o755);
    let mut empty = Tree::busybox();
    empty.file("app/read.me", "nothing\n", 0o644);
    let bad = [
        (yard.push(&image("v2", Some("start")), "team/shop:v2"), "refusing to start"),
        (yard.push(&image("v2", Some("exit-after=0")), "team/shop:v3"), "exited with code 7"),
        (yard.push(&hungry, "team/shop:v4"), "more memory"),
        (yard.push(&empty, "team/shop:v5"), "is it in the image"),
    ];
    let stage = stage(&yard.engine).await;
    assert_eq!(deploy(&stage, &good, &[]).await.code, Some(0));
    let load = stage.load(30.0);
    let missing = deploy(&stage, &yard.registry.name("team/shop:v9"), &[]).await;
    assert_eq!(missing.code, Some(2), "{missing:?}");
    assert!(
        missing.err.contains("team/shop:v9 can't be had") && missing.err.contains("was it pushed"),
        "{missing:?}"
    );
    let moving = deploy(&stage, &yard.registry.name("team/shop:latest"), &[]).await;
    assert!(moving.code == Some(2) && moving.err.contains("--version"), "{moving:?}");
    let folder = deploy(&stage, &stage.folder().join("data").to_string_lossy(), &["--version", "v8"]).await;
    assert!(folder.code == Some(1) && folder.err.contains("docker save"), "{folder:?}");
    for (image, told) in &bad {
        let said = deploy(&stage, image, &[]).await;
        assert_eq!(said.code, Some(3), "{image}: {}", stage.daemon.with_log(&said.err));
        let text = format!("{}{}", said.out, said.err);
        assert!(text.contains(told), "{image}: {text}");
    }
    let verdict = stage.all_is_well(load).await;
    assert_eq!(verdict.versions.keys().map(String::as_str).collect::<Vec<_>>(), ["v1"]);
    // An image that was saved into a file is as good as one that is pulled.
    let archive = stage.folder().join("shop-v6.tar");
    let name = yard.registry.name("team/shop:v6");
    yard.engine.import(&image("v2", None), &name, &["WORKDIR /app", "CMD [\"bin/shop\"]"]);
    yard.engine.save(&name, &archive);
    yard.engine.untag(&name);
    let said = deploy(&stage, &archive.to_string_lossy(), &[]).await;
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&said.err));
    stage.daemon.stop().await.unwrap();
}
