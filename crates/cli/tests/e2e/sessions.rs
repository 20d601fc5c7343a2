//! Clients that stay, links to a version without traffic, files of a version that is gone.

use std::fs;
use std::time::Duration;

use tandem_trial::until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stage::Stage;

/// One request on a connection of its own; the whole answer.
pub(crate) async fn ask(stage: &Stage, target: &str, fields: &str) -> String {
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n{fields}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// The version that answered.
fn version(answer: &str) -> &str {
    let line = answer.lines().find_map(|line| line.strip_prefix("tandem-shop-version: "));
    line.unwrap_or_else(|| panic!("no version in {answer}"))
}

/// The cookie that an answer sets, as a field.
fn cookie(answer: &str) -> String {
    let line = answer.lines().find_map(|line| line.strip_prefix("Set-Cookie: "));
    let value = line.and_then(|line| line.split(';').next());
    format!("Cookie: {}\r\n", value.unwrap_or_else(|| panic!("no cookie in {answer}")))
}

async fn phase(stage: &Stage, wanted: &str) {
    let reached = until(Duration::from_secs(60), async || {
        let status = stage.daemon.tandem(&["status", "--json"]).await.json();
        (status["deployment"]["phase"] == wanted).then_some(())
    });
    reached.await.unwrap_or_else(|| panic!("{}", stage.daemon.with_log(wanted)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_stays_with_the_old_version_until_it_is_over() {
    let stage = Stage::with_v1(|setup| {
        (setup.instances, setup.strategy) = (1, "flip");
        setup.more = "[sessions]\npin = \"stay\"\nidle = \"3s\"\n".to_owned();
    })
    .await;
    let first = ask(&stage, "/", "").await;
    assert_eq!(version(&first), "v1");
    let session = cookie(&first);
    let said = stage.deploy("v2", &["--detach"]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    phase(&stage, "baking").await;
    for _ in 0..3 {
        assert_eq!(version(&ask(&stage, "/", "").await), "v2");
        assert_eq!(version(&ask(&stage, "/", &session).await), "v1");
    }
    let why = stage.daemon.tandem(&["why"]).await.out;
    assert!(why.contains("about 1 sessions stay with v1"), "{why}");
    let status = stage.daemon.tandem(&["status"]).await.out;
    assert!(status.contains("about 1 sessions at v1"), "{status}");

    // Nobody comes any more: the version goes by itself, and who comes back later is served by the new one.
    let watched = stage.daemon.tandem(&["watch"]).await;
    assert_eq!(watched.code, Some(0), "{}", stage.daemon.with_log(&watched.err));
    assert_eq!(version(&ask(&stage, "/", &session).await), "v2");
    stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_shows_a_version_that_has_no_traffic() {
    let stage = Stage::with_v1(|setup| (setup.instances, setup.warm) = (1, "60s")).await;
    let none = stage.daemon.tandem(&["link", "v7"]).await;
    assert!(none.code == Some(2) && none.err.contains("no instance of v7 is running"), "{none:?}");
    let said = stage.deploy("v2", &["--strategy", "flip", "--detach"]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    phase(&stage, "baking").await;
    let link = stage.daemon.tandem(&["link", "v1"]).await;
    let target = link.out.trim().strip_prefix(&format!("http://{}", stage.address));
    let target = target.unwrap_or_else(|| panic!("{link:?}"));
    let led = ask(&stage, target, "").await;
    assert!(led.starts_with("HTTP/1.1 303") && led.contains("Location: /\r\n"), "{led}");
    assert_eq!(version(&ask(&stage, "/", &cookie(&led)).await), "v1");
    assert_eq!(version(&ask(&stage, "/", "").await), "v2");
    assert_eq!(version(&ask(&stage, "/", "x-deployment-id: v1\r\n").await), "v1");
    let current = stage.daemon.tandem(&["link", "--json"]).await.json();
    assert_eq!(current["version"], "v2");
    stage.daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_a_version_that_is_gone_are_on_the_shelf() {
    let stage = Stage::empty(|setup| {
        setup.instances = 1;
        setup.more = "[assets]\nfolders = { \"/static\" = \"public\" }\n".to_owned();
    })
    .await;
    for label in ["v1", "v2"] {
        let deliverable = stage.shop.deliverable(label, label, None).unwrap();
        fs::create_dir_all(deliverable.join("public/js")).unwrap();
        fs::create_dir_all(deliverable.join(".next/static/chunks")).unwrap();
        fs::write(deliverable.join(format!("public/js/app-{label}a1b2c3d4.js")), label).unwrap();
        fs::write(deliverable.join("public/plain.txt"), label).unwrap();
        fs::write(deliverable.join(format!(".next/static/chunks/{label}.css")), label).unwrap();
        let said = stage.deploy_folder(&deliverable, label, &[]).await;
        assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&said.err));
    }
    // The shop answers for no files at all; what its versions brought is there all the same.
    for target in
        ["/static/js/app-v1a1b2c3d4.js", "/static/js/app-v1a1b2c3d4.js?dpl=v1", "/_next/static/chunks/v1.css"]
    {
        let answer = ask(&stage, target, "").await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\nv1"), "{target}: {answer}");
    }
    for target in ["/static/plain.txt", "/static/js/app-v3a1b2c3d4.js", "/static/../release.json"] {
        let answer = ask(&stage, target, "").await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{target}: {answer}");
    }
    stage.daemon.stop().await.unwrap();
}
