//! `tandem up` and the commands that speak with it, as processes of the demo: none of them outlives it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::until;

/// How long starting, and stopping, may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long one command may take.
const LONGEST: Duration = Duration::from_secs(300);

/// A running `tandem up`.
pub(super) struct Daemon {
    program: PathBuf,
    folder: PathBuf,
    up: Child,
}

impl Daemon {
    /// Starts it for the `tandem.toml` in `folder`, and waits until it answers.
    pub(super) async fn start(program: &Path, folder: &Path) -> Result<Daemon, String> {
        let log = File::create(folder.join("up.log")).map_err(|why| format!("can't write a log: {why}"))?;
        // In a group of its own, so that a Ctrl-C at the terminal reaches the demo alone, which then ends it.
        let up = Command::new(program)
            .args(arguments(folder, &["up"]))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|why| format!("can't start {}: {why}", program.display()))?;
        let mut daemon = Daemon { program: program.to_owned(), folder: folder.to_owned(), up };
        match daemon.ready().await {
            Ok(()) => Ok(daemon),
            Err(why) => {
                daemon.show_log();
                let _ = daemon.stop().await;
                Err(why)
            }
        }
    }

    async fn ready(&mut self) -> Result<(), String> {
        let up = &mut self.up;
        let (program, folder) = (&self.program, &self.folder);
        let ready = until(PATIENCE, async || {
            if let Ok(Some(status)) = up.try_wait() {
                return Err(format!("`tandem up` ended by itself ({status})"));
            }
            let asked = Command::new(program)
                .args(arguments(folder, &["status", "--json"]))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .status()
                .await;
            Ok(asked.is_ok_and(|status| status.success()).then_some(()))
        });
        ready.await?.ok_or_else(|| format!("`tandem up` does not answer after {PATIENCE:?}"))
    }

    /// Runs one command as a user would; fails if it does not end with 0.
    pub(super) async fn tandem(&self, command: &[&str]) -> Result<(), String> {
        let shown = format!("tandem {}", command.join(" "));
        println!("── {shown}");
        let mut child = Command::new(&self.program)
            .args(arguments(&self.folder, command))
            .stdin(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|why| format!("can't run `{shown}`: {why}"))?;
        match tokio::time::timeout(LONGEST, child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(format!("`{shown}` failed ({status})")),
            Ok(Err(why)) => Err(format!("can't wait for `{shown}`: {why}")),
            Err(_) => Err(format!("`{shown}` was not done after {LONGEST:?}")),
        }
    }

    /// Shows the end of what `tandem up` said.
    pub(super) fn show_log(&self) {
        let log = fs::read_to_string(self.folder.join("up.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines.get(lines.len().saturating_sub(40)..).unwrap_or_default();
        eprintln!("── the last lines of `tandem up`\n{}", last.join("\n"));
    }

    /// Ends it as Ctrl-C would, and sees that nothing is left.
    pub(super) async fn stop(mut self) -> Result<(), String> {
        if let Some(pid) = self.up.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let ended = tokio::time::timeout(PATIENCE, self.up.wait()).await;
        let mut wrong = None;
        if ended.is_err() {
            wrong = Some(format!("`tandem up` was not gone {PATIENCE:?} after SIGTERM"));
            let _ = self.up.kill().await;
        }
        let gone =
            until(Duration::from_secs(5), async || Ok(left(&self.folder).is_empty().then_some(()))).await?;
        if gone.is_none() {
            let names: Vec<String> = left(&self.folder).into_iter().map(|(_, name)| name).collect();
            wrong.get_or_insert_with(|| format!("left running by `tandem up`: {}", names.join("; ")));
        }
        wrong.map_or(Ok(()), Err)
    }
}

impl Drop for Daemon {
    /// Whatever happened: no process of the demo stays.
    fn drop(&mut self) {
        let _ = self.up.start_kill();
        // Keepers end their apps when they are killed; what is killed in one pass may have started more before.
        for _ in 0..10 {
            let left = left(&self.folder);
            if left.is_empty() {
                return;
            }
            for (pid, _) in left {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

fn arguments<'a>(folder: &Path, command: &[&'a str]) -> Vec<std::borrow::Cow<'a, OsStr>> {
    let path = |name: &str| folder.join(name).into_os_string().into();
    let global =
        [OsStr::new("--config").into(), path("tandem.toml"), OsStr::new("--state").into(), path("state")];
    global.into_iter().chain(command.iter().map(|word| OsStr::new(*word).into())).collect()
}

/// Processes that have to do with the demo's folder: by their arguments, environment, program or working directory.
fn left(folder: &Path) -> Vec<(Pid, String)> {
    let mark = folder.as_os_str().as_encoded_bytes();
    let own = std::process::id().to_string();
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let mut found = Vec::new();
    for process in processes.flatten() {
        let name = process.file_name().to_string_lossy().into_owned();
        let Some(pid) = name.parse().ok().and_then(Pid::from_raw).filter(|_| name != own) else { continue };
        let read = |file: &str| fs::read(process.path().join(file)).unwrap_or_default();
        let follows =
            |link: &str| fs::read_link(process.path().join(link)).is_ok_and(|at| at.starts_with(folder));
        let names = |file: &str| read(file).windows(mark.len()).any(|part| part == mark);
        if names("cmdline") || names("environ") || follows("exe") || follows("cwd") {
            let command = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
            // A process that is gone but for its exit status has no arguments any more.
            if !command.is_empty() {
                found.push((pid, format!("{pid:?} {}", command.trim_end())));
            }
        }
    }
    found
}
