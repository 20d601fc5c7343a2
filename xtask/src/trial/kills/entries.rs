//! The controller killed at every entry of the journal of a deployment, by every strategy.
//!
//! The entries are counted where everybody may listen to them, the event stream, which is open before the deployment is
//! asked for; so the kill comes right after the entry was made, and before or after what follows from it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tandem_trial::{Kind, kill};

use super::judgement::{Moment, Tally};
use super::shop::{Ground, deploy, over};

/// Each with what else is said, so that it takes a few seconds.
const STRATEGIES: [(&str, &[&str]); 3] = [
    ("rolling", &[]),
    ("flip", &["--warm", "300ms"]),
    ("canary", &["--warm", "300ms", "--steps", "34% for 300ms"]),
];

/// More than any deployment of the trial has.
const ENTRIES: usize = 500;

/// So long the stream may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// Kills the controller at every entry of a deployment by each strategy.
pub(super) async fn run(ground: &mut Ground, tally: &mut Tally) -> Result<(), String> {
    for (strategy, more) in STRATEGIES {
        let mut seen = ground.load.records().len();
        for entry in 1..=ENTRIES {
            let Some(moment) = kill_at(ground, strategy, more, entry).await? else {
                println!("   {strategy}: killed at each of {} entries", entry - 1);
                break;
            };
            super::traffic(&ground.load, 50).await;
            let records = ground.load.records();
            for (record, why) in
                tally.judge(Kind::Controller, &moment, records.get(seen..).unwrap_or_default())
            {
                println!("✘ {}: {why}\n{}", moment.label, super::told(ground, &moment, record));
            }
            seen = records.len();
            match ground.settled(&moment.label).await? {
                true => tally.settled += 1,
                false => tally.rolled_back += 1,
            }
            ground.in_place().await.map_err(|why| format!("{}: {why}", moment.label))?;
        }
    }
    Ok(())
}

/// Deploys, and kills the controller when so many entries were made. None: the deployment was over before.
async fn kill_at(
    ground: &Ground,
    strategy: &str,
    more: &[&str],
    entry: usize,
) -> Result<Option<Moment>, String> {
    let release = ["v1", "v2", "v3"][entry % 3];
    let label = format!("{strategy}-{entry}");
    let pid = ground.daemon.pids(Kind::Controller).first().copied().ok_or("there is no controller")?;
    let socket = ground.daemon.folder().join("state/admin.sock");
    let (told, reached) = mpsc::channel();
    let listening = Instant::now();
    let (ready, listens) = mpsc::channel();
    let watcher = std::thread::spawn(move || {
        let _ = told.send(kill_after(&socket, pid, entry, &ready));
    });
    if listens.recv_timeout(SILENCE).is_err() {
        return Err(format!("{label}: the event stream could not be had: {:?}", reached.recv()));
    }
    let since = ground.load.now();
    let deliverable = deploy(&ground.daemon, ground.shop(), release, &label, strategy, more).await?;
    let killed = tokio::task::spawn_blocking(move || reached.recv_timeout(SILENCE));
    let killed = killed.await.map_err(|why| why.to_string())?.map_err(|why| format!("{label}: {why}"))??;
    let moment = Moment { label, pid, since, until: ground.load.now(), into: listening.elapsed() };
    watcher.join().map_err(|_| "the watcher of the entries died")?;
    over(&ground.daemon).await.map_err(|why| format!("{}: killed at entry {entry}: {why}", moment.label))?;
    let _ = fs::remove_dir_all(deliverable);
    Ok(killed.then_some(moment))
}

/// Listens until so many entries of a new deployment were made, and kills. False: it was over before.
fn kill_after(socket: &PathBuf, pid: u32, entry: usize, listens: &mpsc::Sender<()>) -> Result<bool, String> {
    let told = |why: std::io::Error| format!("the event stream broke: {why}");
    let mut stream = UnixStream::connect(socket).map_err(told)?;
    stream.set_read_timeout(Some(SILENCE)).map_err(told)?;
    stream
        .write_all(b"GET /v1/events HTTP/1.1\r\nhost: tandem\r\naccept: text/event-stream\r\n\r\n")
        .map_err(told)?;
    let mut made = 0;
    for line in BufReader::new(stream).lines() {
        let line = line.map_err(told)?;
        // The first thing that is told is how things stand.
        if line.starts_with("event: status") && made == 0 {
            let _ = listens.send(());
        }
        let Some(data) = line.strip_prefix("data: ") else { continue };
        if !data.contains("\"recorded\"") {
            continue;
        }
        if made > 0 || data.contains("\"event\":\"requested\"") {
            made += 1;
        }
        if made == entry {
            return Ok(kill(pid));
        }
        if data.contains("\"event\":\"finished\"") && made > 0 {
            return Ok(false);
        }
    }
    Err("the event stream ended".to_owned())
}
