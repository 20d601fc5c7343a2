//! The cluster: made, started, stopped.
//!
//! A guardian, a shell script whose input is a pipe from here, starts the server and stops it when the pipe closes: when
//! it is told to, when this process ends, and when this process is killed. It has a process group of its own, so that
//! Ctrl-C finds us first.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::port::Port;
use crate::processes;
use crate::programs::program;

/// How many ports are tried: somebody else may take one between our choice and the start.
const TRIES: usize = 5;

/// How long killed processes may take to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// `keep` on the input leaves the folder for the next start.
const GUARDIAN: &str = r#"
pg_ctl=$1 folder=$2
"$pg_ctl" -D "$folder/data" -w -t 60 -l "$folder/log" start >"$folder/start" 2>&1 || { echo failed; exit 1; }
echo ready
read -r word
"$pg_ctl" -D "$folder/data" -w -t 60 -m immediate stop >"$folder/stop" 2>&1
[ "$word" = keep ] || rm -rf "$folder"
"#;

/// A cluster in a folder.
#[derive(Debug)]
pub(crate) struct Cluster {
    // Ended before the folder goes.
    guardian: Mutex<Option<Child>>,
    port: Port,
    folder: TempDir,
    pg_ctl: PathBuf,
    user: Option<u32>,
}

impl Cluster {
    /// A new cluster, running.
    pub(crate) fn make(settings: &[(&str, &str)]) -> Result<Cluster, String> {
        let words = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
        Cluster::filled("initdb", &words, settings)
    }

    /// A cluster that follows another one.
    pub(crate) fn following(port: u16) -> Result<Cluster, String> {
        let port = port.to_string();
        let words =
            ["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-R", "--checkpoint=fast", "--no-sync"];
        Cluster::filled("pg_basebackup", &words, &[])
    }

    /// A cluster whose data folder a program fills, running.
    fn filled(name: &str, words: &[&str], settings: &[(&str, &str)]) -> Result<Cluster, String> {
        let needed = |name: &str| {
            program(name).ok_or_else(|| format!("{name} is not here; on Debian: apt-get install postgresql"))
        };
        let (maker, pg_ctl) = (needed(name)?, needed("pg_ctl")?);
        let folder = tempfile::Builder::new()
            .prefix("tandem-database-")
            .tempdir()
            .map_err(|why| format!("no temporary folder: {why}"))?;
        let user = match asked("id", &["-u"])?.as_str() {
            "0" => {
                Some(asked("id", &["-u", "postgres"])?.parse().map_err(|_| "no user postgres".to_owned())?)
            }
            _ => None,
        };
        chown(folder.path(), user, user).map_err(|why| format!("can't give the folder away: {why}"))?;
        let mut cluster = Cluster { guardian: Mutex::new(None), port: Port::claim()?, folder, pg_ctl, user };
        let data = cluster.folder().join("data");
        let mut command = cluster.command(&maker);
        let output = command.args(words).arg("-D").arg(&data).output();
        let output = output.map_err(|why| format!("can't run {name}: {why}"))?;
        if !output.status.success() {
            return Err(format!("{name} failed: {}", String::from_utf8_lossy(&output.stderr)));
        }
        let followed = std::fs::read_to_string(data.join("postgresql.auto.conf")).unwrap_or_default();
        let source = followed.lines().find(|line| line.starts_with("primary_conninfo")).unwrap_or_default();
        let mut failed = String::new();
        for _ in 0..TRIES {
            cluster.configure(settings, source)?;
            match cluster.run() {
                Ok(()) => return Ok(cluster),
                Err(why) => failed = why,
            }
            cluster.port = Port::claim()?;
        }
        Err(failed)
    }

    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.port.number()
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the server, and returns when it answers.
    pub(crate) fn run(&self) -> Result<(), String> {
        let mut command = self.command(Path::new("sh"));
        command.args(["-c", GUARDIAN, "guardian"]).arg(&self.pg_ctl).arg(self.folder());
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut guardian = command.spawn().map_err(|why| format!("can't run sh: {why}"))?;
        let mut line = String::new();
        if let Some(stdout) = guardian.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(|why| why.to_string())?;
        }
        if line.trim() != "ready" {
            let _ = guardian.wait();
            let told = |name: &str| std::fs::read_to_string(self.folder().join(name)).unwrap_or_default();
            return Err(format!("the server did not start: {}{}", told("start"), told("log")));
        }
        *self.guardian.lock().unwrap_or_else(PoisonError::into_inner) = Some(guardian);
        Ok(())
    }

    /// Stops the server at once and keeps its folder.
    pub(crate) fn stop(&self) -> Result<(), String> {
        let taken = self.guardian.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut guardian) = taken else { return Ok(()) };
        if let Some(mut stdin) = guardian.stdin.take() {
            stdin.write_all(b"keep\n").map_err(|why| why.to_string())?;
        }
        guardian.wait().map(|_| ()).map_err(|why| why.to_string())
    }

    /// Kills every process of the server without a word, and returns when none is left.
    pub(crate) fn kill(&self) -> Result<(), String> {
        let postmaster = self.postmaster()?;
        let told = |why: rustix::io::Errno| format!("can't signal the postmaster: {why}");
        // Stopped first: it starts nobody any more.
        kill_process(postmaster, Signal::STOP).map_err(told)?;
        let children = processes::children(postmaster);
        for process in children.iter().copied().chain([postmaster]) {
            let _ = kill_process(process, Signal::KILL);
        }
        let begun = Instant::now();
        while children.iter().copied().chain([postmaster]).any(processes::lives) {
            if begun.elapsed() > PATIENCE {
                return Err("killed processes of the server do not end".to_owned());
            }
            std::thread::yield_now();
        }
        // Only the guardian is left to be told.
        self.stop()
    }

    /// Sets how long a file may get that the server writes. By the server's own user, who may do so everywhere.
    pub(crate) fn limit_files(&self, bytes: Option<u64>) -> Result<(), String> {
        let postmaster = self.postmaster()?;
        let limit = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
        // It hands its limit to those that it starts: first it, then those that are there.
        let set = |process: Pid| {
            let mut command = self.command(Path::new("prlimit"));
            command.args(["--pid", &process.as_raw_nonzero().to_string(), &format!("--fsize={limit}:")]);
            command.output().map_err(|why| format!("can't run prlimit: {why}"))
        };
        let output = set(postmaster)?;
        if !output.status.success() {
            return Err(format!("prlimit failed: {}", String::from_utf8_lossy(&output.stderr)));
        }
        // Of those one may have ended meanwhile.
        processes::children(postmaster).into_iter().try_for_each(|child| set(child).map(|_| ()))
    }

    fn postmaster(&self) -> Result<Pid, String> {
        let file = self.folder().join("data/postmaster.pid");
        let text = std::fs::read_to_string(&file).map_err(|why| format!("{}: {why}", file.display()))?;
        let number = text.lines().next().and_then(|line| line.parse().ok());
        number.and_then(Pid::from_raw).ok_or_else(|| "postmaster.pid holds no number".to_owned())
    }

    fn configure(&self, settings: &[(&str, &str)], more: &str) -> Result<(), String> {
        let mut text = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\nmax_connections = 200\n\
             fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nshared_buffers = '64MB'\n\
             max_prepared_transactions = 10\nlog_min_messages = warning\n{more}\n",
            self.port(),
            self.folder().display()
        );
        if has_statements(&self.pg_ctl) {
            text.push_str("shared_preload_libraries = 'pg_stat_statements'\n");
        }
        for (key, value) in settings {
            text.push_str(&format!("{key} = '{}'\n", value.replace('\'', "''")));
        }
        let path = self.folder().join("data/postgresql.auto.conf");
        std::fs::write(&path, text).map_err(|why| format!("{}: {why}", path.display()))
    }

    /// A command as a user that PostgreSQL accepts: never root.
    fn command(&self, program: &Path) -> Command {
        let mut command = if self.user.is_some() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.folder.path());
        // What the person at the keyboard has set for a server of theirs.
        for name in ["PGDATA", "PGPORT", "PGHOST", "PGUSER", "PGOPTIONS", "PGPASSWORD"] {
            command.env_remove(name);
        }
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

fn asked(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|why| format!("can't run {program}: {why}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether this PostgreSQL brings `pg_stat_statements`, by the folder of its libraries beside that of its programs.
fn has_statements(pg_ctl: &Path) -> bool {
    // What stands on the PATH may be a link.
    let program = pg_ctl.canonicalize().unwrap_or_else(|_| pg_ctl.to_owned());
    let root = program.parent().and_then(Path::parent);
    root.is_some_and(|root| root.join("lib/pg_stat_statements.so").is_file())
}
