//! Commands that have a word in deployments, and people who are told of them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tandem_trial::{Kind, kill, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::stage::Stage;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// Each hook keeps what it is told, waits while there is a file `hold`, and objects if there is a file of its name.
const HOOK: &str = "#!/bin/sh\ncat > given-$TANDEM_HOOK\necho $TANDEM_HOOK >> asked\n\
    while [ -e hold ]; do sleep 0.05; done\n\
    if [ -e $TANDEM_HOOK ]; then echo the moon is full; exit 1; fi\n";

/// A shop with hooks, a command that is told, and an address that is.
async fn stage(address: std::net::SocketAddr, released: &Path) -> Stage {
    let text = format!(
        "[hooks]\nbegin = [\"sh\", \"hook\"]\n\
         release = [\"sh\", \"-c\", \"test -x bin/shop && echo $TANDEM_VERSION >> {}\"]\nready = [\"sh\", \"hook\"]\nserving = [\"sh\", \"hook\"]\nwithin = \"30s\"\n\
         [[notify]]\ncommand = [\"sh\", \"-c\", \"cat >> told; echo >> told\"]\n\
         [[notify]]\nurl = \"http://{address}/hook\"\nformat = \"slack\"\non = [\"turned-back\"]\n",
        released.display()
    );
    let stage = Stage::empty(|setup| {
        setup.instances = 2;
        setup.strategy = "flip";
        setup.more.push_str(&text);
    });
    let stage = stage.await;
    fs::write(stage.folder().join("hook"), HOOK).unwrap();
    let said = stage.deploy("v1", &[]).await;
    assert_eq!(said.code, Some(0), "{}", stage.daemon.with_log(&said.err));
    stage
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_default()
}

/// What the command was told so far: occasion and text.
fn told(folder: &Path) -> Vec<(String, String)> {
    let text = read(folder, "told");
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let word = |message: &Value, key: &str| message[key].as_str().unwrap_or_default().to_owned();
    messages.map(|message| (word(&message, "occasion"), word(&message, "text"))).collect()
}

/// Waits until the last that was told is this, and returns its text.
async fn await_told(stage: &Stage, occasion: &str, number: usize) -> String {
    let text = until(LONG, async || {
        let told = told(stage.folder());
        (told.len() == number)
            .then(|| told.into_iter().next_back())
            .flatten()
            .filter(|(of, _)| of == occasion)
    });
    let last = || format!("{occasion} is not told; told is {:?}", told(stage.folder()));
    text.await.unwrap_or_else(|| panic!("{}", stage.daemon.with_log(&last()))).1
}

/// The body of the next request, which is answered as `answer` says.
async fn receive(listener: &TcpListener, answer: &str) -> String {
    let (mut stream, _): (TcpStream, _) = listener.accept().await.unwrap();
    let mut got = Vec::new();
    loop {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await.unwrap();
        got.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&got).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if count == 0 || Some(body.len()) == length {
            let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            return body.to_owned();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_goes_on_as_long_as_everybody_agrees_and_people_are_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let released = elsewhere.path().join("released");
    let stage = stage(listener.local_addr().unwrap(), &released).await;
    let folder = stage.folder();
    assert_eq!(read(folder, "asked"), "begin\nready\nserving\n");
    let text = await_told(&stage, "settled", 2).await;
    assert!(text.starts_with("nothing → v1 in "), "{text}");

    // Before anything is done.
    let load = stage.load(50.0);
    fs::write(folder.join("begin"), "").unwrap();
    let said = stage.deploy("v2", &[]).await;
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("the hook `begin` failed (exit status: 1): the moon is full"), "{}", said.err);
    // Who is away for a moment is told later.
    let mut bodies = vec![receive(&listener, "503 Service Unavailable").await];
    bodies.push(receive(&listener, "200 OK").await);
    for body in bodies {
        assert_eq!(
            body,
            r#"{"text":":x: *shop*: d2 to v2 goes back: the hook `begin` failed (exit status: 1): the moon is full"}"#
        );
    }
    await_told(&stage, "rolled-back", 5).await;
    fs::remove_file(folder.join("begin")).unwrap();

    // When its clients are there already; and the controller dies while the first hook is asked.
    fs::write(folder.join("serving"), "").unwrap();
    fs::write(folder.join("hold"), "").unwrap();
    let (deployed, ()) = tokio::join!(stage.deploy("v2", &[]), async {
        let asked = until(LONG, async || (read(folder, "asked").lines().count() == 5).then_some(())).await;
        assert!(asked.is_some(), "{}", stage.daemon.with_log("nobody is asked"));
        let told = until(LONG, async || {
            let why = stage.daemon.tandem(&["why"]).await.out;
            why.contains("the hook `begin` (sh) has run for").then_some(())
        });
        assert!(told.await.is_some(), "{}", stage.daemon.with_log("nobody says whose word is waited for"));
        assert!(stage.daemon.pids(Kind::Controller).into_iter().all(kill));
        // Asked again: what it would have said is not known.
        let again = until(LONG, async || (read(folder, "asked").lines().count() == 6).then_some(())).await;
        assert!(again.is_some(), "{}", stage.daemon.with_log("nobody is asked again"));
        fs::remove_file(folder.join("hold")).unwrap();
        receive(&listener, "204 No Content").await;
    });
    assert_eq!(deployed.code, Some(3), "{}", stage.daemon.with_log(&deployed.err));
    assert!(deployed.err.contains("the hook `serving` failed"), "{}", deployed.err);
    let given: Value = serde_json::from_str(&read(folder, "given-ready")).unwrap();
    assert_eq!((&given["version"], &given["previous"]), (&"v2".into(), &"v1".into()));
    let address = given["instances"][0]["address"].as_str().unwrap();
    assert!(address.starts_with("127.0.0.1:"), "{given}");
    let text = await_told(&stage, "rolled-back", 8).await;
    assert!(text.contains("v1 → v2 rolled back to v1"), "{text}");
    // Once for each that came so far: v2 was refused the first time.
    assert_eq!(fs::read_to_string(&released).unwrap().split_whitespace().collect::<String>(), "v1v2");
    stage.all_is_well(load).await;
}
