//! `tandem up`, and the commands that speak with it.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::processes::{Kind, Process, kill, of_folder, terminate};
use crate::until;

/// How long starting, and stopping, may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long one command may take.
const LONGEST: Duration = Duration::from_secs(300);

/// A `tandem up` of its own, with its config and state in one folder. Dropped, it leaves no process behind.
pub struct Daemon {
    program: PathBuf,
    folder: PathBuf,
    up: Option<Child>,
}

/// What a command said and how it ended.
#[derive(Debug, Clone)]
pub struct Said {
    /// Its exit code; None if it was killed or took too long.
    pub code: Option<i32>,
    /// What it wrote as data.
    pub out: String,
    /// What it wrote for people.
    pub err: String,
}

impl Said {
    /// The data as JSON; null if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_default()
    }
}

impl Daemon {
    /// A daemon for the `tandem.toml` in `folder`; not started yet.
    pub fn new(program: &Path, folder: &Path) -> Daemon {
        Daemon { program: program.to_owned(), folder: folder.to_owned(), up: None }
    }

    /// The folder with its config and state.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts `tandem up` and waits until its own controller answers. May be called again after it was killed: then its
    /// end is waited for first, as whoever starts it anew would.
    ///
    /// # Errors
    /// It could not be started, or does not answer; with the end of what it said.
    pub async fn up(&mut self) -> Result<(), String> {
        if let Some(mut before) = self.up.take()
            && tokio::time::timeout(PATIENCE, before.wait()).await.is_err()
        {
            self.up = Some(before);
            return Err(self.with_log("`tandem up` still runs"));
        }
        let log = OpenOptions::new().create(true).append(true).open(self.log_file());
        let log = log.map_err(|why| format!("can't write a log: {why}"))?;
        // In a group of its own, so that a Ctrl-C at the terminal reaches only whoever uses this, who then ends it.
        let up = Command::new(&self.program)
            .args(self.arguments(&["up"]))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|why| format!("can't start {}: {why}", self.program.display()))?;
        self.up = Some(up);
        let answered = until(PATIENCE, async || {
            if let Some(Ok(Some(status))) = self.up.as_mut().map(Child::try_wait) {
                return Some(Err(format!("`tandem up` ended by itself ({status})")));
            }
            // One that was left behind may still answer.
            let up = self.up.as_ref().and_then(Child::id);
            let own = |process: &Process| process.kind == Kind::Controller && Some(process.parent) == up;
            let there = of_folder(&self.folder).iter().any(own);
            (there && self.tandem(&["status", "--json"]).await.code == Some(0)).then_some(Ok(()))
        });
        let answered = answered.await;
        answered
            .unwrap_or_else(|| Err("`tandem up` does not answer".to_owned()))
            .map_err(|why| self.with_log(&why))
    }

    /// Runs one command as a user would.
    pub async fn tandem(&self, command: &[&str]) -> Said {
        let child = Command::new(&self.program)
            .args(self.arguments(command))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .output();
        match tokio::time::timeout(LONGEST, child).await {
            Ok(Ok(output)) => Said {
                code: output.status.code(),
                out: String::from_utf8_lossy(&output.stdout).into_owned(),
                err: String::from_utf8_lossy(&output.stderr).into_owned(),
            },
            Ok(Err(why)) => Said { code: None, out: String::new(), err: why.to_string() },
            Err(_) => Said { code: None, out: String::new(), err: format!("not done after {LONGEST:?}") },
        }
    }

    /// Runs one command whose output goes where the caller's goes.
    ///
    /// # Errors
    /// It does not end with 0.
    pub async fn show(&self, command: &[&str]) -> Result<(), String> {
        let shown = format!("tandem {}", command.join(" "));
        let mut child = Command::new(&self.program)
            .args(self.arguments(command))
            .stdin(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|why| format!("can't run `{shown}`: {why}"))?;
        match tokio::time::timeout(LONGEST, child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(self.with_log(&format!("`{shown}` failed ({status})"))),
            Ok(Err(why)) => Err(format!("can't wait for `{shown}`: {why}")),
            Err(_) => Err(self.with_log(&format!("`{shown}` was not done after {LONGEST:?}"))),
        }
    }

    /// The process numbers of one kind, oldest first as far as numbers tell.
    pub fn pids(&self, kind: Kind) -> Vec<u32> {
        let mut pids: Vec<u32> =
            of_folder(&self.folder).into_iter().filter(|p| p.kind == kind).map(|p| p.pid).collect();
        pids.sort_unstable();
        pids
    }

    /// Ends it as Ctrl-C would, and sees that nothing is left.
    ///
    /// # Errors
    /// It did not end, or left something behind.
    pub async fn stop(mut self) -> Result<(), String> {
        let Some(mut up) = self.up.take() else { return Ok(()) };
        if let Some(pid) = up.id() {
            terminate(pid);
        }
        if tokio::time::timeout(PATIENCE, up.wait()).await.is_err() {
            return Err(self.with_log("`tandem up` was not gone a minute after SIGTERM"));
        }
        let gone =
            until(Duration::from_secs(5), async || of_folder(&self.folder).is_empty().then_some(())).await;
        let left: Vec<String> = of_folder(&self.folder).into_iter().map(|p| p.command).collect();
        gone.ok_or_else(|| self.with_log(&format!("left running by `tandem up`: {}", left.join("; "))))
    }

    /// A message with the end of what `tandem up` said.
    pub fn with_log(&self, why: &str) -> String {
        let log = fs::read_to_string(self.log_file()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines.get(lines.len().saturating_sub(40)..).unwrap_or_default();
        format!("{why}\n── the last lines of `tandem up`\n{}", last.join("\n"))
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("up.log")
    }

    fn arguments<'a>(&self, command: &[&'a str]) -> Vec<std::borrow::Cow<'a, OsStr>> {
        let path = |name: &str| self.folder.join(name).into_os_string().into();
        let global =
            [OsStr::new("--config").into(), path("tandem.toml"), OsStr::new("--state").into(), path("state")];
        global.into_iter().chain(command.iter().map(|word| OsStr::new(*word).into())).collect()
    }
}

impl Drop for Daemon {
    /// Whatever happened: no process stays. Keepers end their apps when they are killed; what is killed in one pass may
    /// have started more before.
    fn drop(&mut self) {
        for _ in 0..10 {
            let left = of_folder(&self.folder);
            if left.is_empty() {
                return;
            }
            for process in left {
                kill(process.pid);
            }
        }
    }
}
