//! Whole applications that nobody here wrote, with databases and migrations of their own, deployed from one published version to
//! a later one, back, and forward again, under a load that keeps a model of all that was acknowledged.
//!
//! No request may fail, nothing acknowledged may be missing, neither version may meet an error in the database, and the end
//! must be what the application's own way leaves.

mod application;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tandem_database::Server;
use tandem_trial::{Daemon, free_port, until};
use tokio::process::{Child, Command};

use super::{Stage, folder, write};
use crate::machine;
use application::{APPLICATIONS, Application};

/// What can be chosen.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Requests per second.
    #[arg(long, default_value_t = 10.0)]
    rate: f64,
    /// Build with all optimisations, which takes some minutes more.
    #[arg(long)]
    pub(super) release: bool,
}

/// How long the load's last look at every row may take, and how long the old shape may be kept.
const PATIENCE: Duration = Duration::from_secs(300);

/// Tries all of them.
pub(super) async fn run(stage: &Stage<'_>, options: &Options) -> Result<(), String> {
    let mut broken = Vec::new();
    for application in APPLICATIONS {
        println!("── {} {} and {}", application.name, application.versions[0], application.versions[1]);
        let home = machine::target(stage.root).join("applications");
        application.install(&home)?;
        if let Err(why) = tried(stage, application, &home, options.rate).await {
            broken.push(format!("{}: {why}", application.name));
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(broken.join("\n")) }
}

/// One application taken there, back and there again.
async fn tried(stage: &Stage<'_>, application: &Application, home: &Path, rate: f64) -> Result<(), String> {
    let folder = folder()?;
    // The server ends with this process, and its databases with it.
    let (server, url, plain) = tokio::task::block_in_place(|| {
        let prefix = ("log_line_prefix", "%d %a: ");
        let server: &'static Server =
            Box::leak(Box::new(Server::start(&[prefix, ("synchronous_commit", "on")])));
        let [one, other] = [(); 2]
            .map(|()| Box::leak(Box::new(server.database())).url())
            // SQLAlchemy knows no other name.
            .map(|url| url.replacen("postgres:", "postgresql:", 1));
        (server, one, other)
    });
    let address = free_port();
    application.configure(folder.path(), address, &url)?;
    let deliverables = [0, 1].map(|at| application.deliverable(folder.path(), home, at));
    let [old, new] = deliverables;
    let (old, new) = (old?, new?);
    let mut daemon = Daemon::new(&stage.tandem(), folder.path());
    daemon.up().await?;
    daemon.show(&["deploy", &old, "--version", "old"]).await?;
    let load = Load::start(application, folder.path(), address.port(), rate)?;
    daemon.show(&["deploy", &new, "--version", "new", "--strategy", "rolling"]).await?;
    daemon.show(&["rollback"]).await?;
    daemon.show(&["deploy", &new, "--version", "again", "--strategy", "flip"]).await?;
    settled(&daemon).await?;
    let told = load.end().await?;
    println!("{told}");
    daemon.stop().await?;
    let mut broken = told.broken();
    broken.extend(errors(server, &url)?);
    application.migrate(home, &plain)?;
    broken.extend(differences(server, &url, &plain)?);
    if broken.is_empty() { Ok(()) } else { Err(broken.join("\n")) }
}

/// Waits until one revision is left.
async fn settled(daemon: &Daemon) -> Result<(), String> {
    let settled = until(PATIENCE, async || {
        let status = daemon.tandem(&["status", "--json"]).await.json();
        let standing = &status["database"]["standing"];
        (standing.is_object() && standing["change"].is_null()).then_some(())
    });
    let settled = settled.await;
    settled.ok_or_else(|| daemon.with_log("the old shape of the schema was not removed"))
}

/// The load, in a process of its own.
struct Load(Child);

impl Load {
    fn start(application: &Application, folder: &Path, port: u16, rate: f64) -> Result<Load, String> {
        let script = folder.join("load.py");
        write(&script, application.load)?;
        let mut python = Command::new("python3");
        python.arg(script).args([port.to_string(), rate.to_string()]);
        python.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        python.spawn().map(Load).map_err(|why| format!("no load: {why}"))
    }

    /// No more requests; what came of those that were sent.
    async fn end(mut self) -> Result<Told, String> {
        drop(self.0.stdin.take());
        let output = tokio::time::timeout(PATIENCE, self.0.wait_with_output()).await;
        let output = output.map_err(|_| "the load does not end")?.map_err(|why| why.to_string())?;
        serde_json::from_slice(&output.stdout).map_err(|why| format!("the load ended without a word: {why}"))
    }
}

/// What came of the load.
#[derive(Deserialize)]
struct Told {
    requests: u64,
    failed: u64,
    rows: u64,
    wrong: u64,
    longest_ms: u64,
    examples: Vec<String>,
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} requests, {} failed, the longest {} ms; {} rows looked at, {} wrong",
            self.requests, self.failed, self.longest_ms, self.rows, self.wrong
        )
    }
}

impl Told {
    fn broken(&self) -> Vec<String> {
        if self.failed + self.wrong == 0 && self.rows > 0 { Vec::new() } else { self.examples.clone() }
    }
}

/// What the server refused to anybody in the application's own database but to Tandem.
fn errors(server: &Server, url: &str) -> Result<Vec<String>, String> {
    let log = server.folder().join("log");
    let text = fs::read_to_string(&log).map_err(|why| format!("{}: {why}", log.display()))?;
    let name = url.rsplit('/').next().unwrap_or_default();
    let own =
        |line: &&str| line.starts_with(&format!("{name} ")) && !line.starts_with(&format!("{name} tandem:"));
    let refused = |line: &&str| line.contains("ERROR:") || line.contains("FATAL:");
    Ok(text.lines().filter(own).filter(refused).map(str::to_owned).take(20).collect())
}

/// What of a schema is not as in another one, by its dump. Each is dumped, read in and dumped again: only then do rules that
/// were written in two ways read alike. The order of columns may differ.
fn differences(server: &Server, found: &str, wanted: &str) -> Result<Vec<String>, String> {
    let [found, wanted] = [found, wanted].map(|url| dumped_twice(server, url));
    let (found, wanted) = (found?, wanted?);
    let lacking = wanted.iter().filter(|line| !found.contains(line)).map(|line| format!("lacks {line}"));
    let more = found.iter().filter(|line| !wanted.contains(line)).map(|line| format!("has {line}"));
    Ok(lacking.chain(more).take(20).collect())
}

fn dumped_twice(server: &Server, url: &str) -> Result<Vec<String>, String> {
    tokio::task::block_in_place(|| {
        let copy = server.database();
        copy.execute(&dumped(url)?);
        let text = dumped(&copy.url())?;
        Ok(text.lines().map(|line| line.trim_end_matches(',').to_owned()).collect())
    })
}

fn dumped(url: &str) -> Result<String, String> {
    let program: PathBuf = machine::find("pg_dump").ok_or("pg_dump is not here")?;
    let mut dump = std::process::Command::new(program);
    dump.args(["--schema-only", "--exclude-schema=tandem", "--no-comments", "--dbname", url]);
    let output = dump.output().map_err(|why| format!("can't run pg_dump: {why}"))?;
    if !output.status.success() {
        return Err(format!("pg_dump failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // Words for psql alone.
    Ok(text.lines().filter(|line| !line.starts_with('\\')).map(|line| format!("{line}\n")).collect())
}
