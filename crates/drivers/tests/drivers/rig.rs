//! A process driver on a folder of its own, with a deliverable made of small scripts. All that it started ends with it.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tandem_core::base::{InstanceId, Millis, VersionLabel};
use tandem_core::fleet::{Exit, RunStatus};
use tandem_core::spec::{RunSpec, Signal, StopSpec};
use tandem_drivers::process::ProcessDriver;
use tandem_drivers::process::keeper::KeeperCommand;
use tandem_drivers::{Driver, DriverError, LogPosition, StartInstance};

/// Nothing here takes longer unless it is broken.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Rig {
    pub(crate) driver: ProcessDriver,
    folder: tempfile::TempDir,
}

/// What the tests deploy: a server, and scripts that behave badly.
const SERVER: &str = "import os, socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', int(os.environ['PORT'])))
s.listen()
print('serving', os.environ['TANDEM_INSTANCE'], flush=True)
while True:
    c, _ = s.accept()
    c.close()
";

impl Rig {
    pub(crate) fn new() -> Rig {
        let folder = tempfile::tempdir().unwrap();
        let driver = open(folder.path());
        let rig = Rig { driver, folder };
        rig.script("server.py", SERVER, 0o644);
        rig
    }

    /// A file in the deliverable; before `prepare`.
    pub(crate) fn script(&self, name: &str, text: &str, mode: u32) {
        let path = self.source().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn source(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of an instance.
    pub(crate) fn instance(&self, id: u64) -> PathBuf {
        self.state().join(format!("instances/{id}"))
    }

    /// Another controller on the same folder, as after a restart.
    pub(crate) fn successor(&self) -> ProcessDriver {
        open(self.path())
    }

    pub(crate) fn prepare(&self) {
        self.driver.prepare(&version("v1"), &self.source()).unwrap();
    }

    pub(crate) fn start(&self, id: u64, command: &[&str]) -> SocketAddr {
        self.try_start(id, command).unwrap()
    }

    /// Prepares the deliverable if needed, and starts an instance of it.
    pub(crate) fn try_start(&self, id: u64, command: &[&str]) -> Result<SocketAddr, DriverError> {
        if self.driver.prepared().unwrap().is_empty() {
            self.prepare();
        }
        self.driver.start(&start(id, command))
    }

    pub(crate) fn serve(&self, id: u64) -> SocketAddr {
        let address = self.start(id, &["python3", "server.py"]);
        self.until("it serves", || self.log(id).contains("serving").then_some(()));
        address
    }

    pub(crate) fn status(&self, id: u64) -> Option<RunStatus> {
        self.driver.observe().unwrap().remove(&InstanceId(id)).map(|instance| instance.status)
    }

    pub(crate) fn log(&self, id: u64) -> String {
        let chunk = self.driver.log(InstanceId(id), LogPosition::START, 1 << 20).unwrap();
        String::from_utf8_lossy(&chunk.bytes).into_owned()
    }

    pub(crate) fn stop(&self, id: u64) {
        self.driver.stop(InstanceId(id)).unwrap();
    }

    /// Waits until the instance has exited, and says how.
    pub(crate) fn exit(&self, id: u64) -> Exit {
        self.until("it exits", || match self.status(id) {
            Some(RunStatus::Exited(exit)) => Some(exit),
            _ => None,
        })
    }

    /// Waits for a condition. Bounded only so that a broken build ends.
    pub(crate) fn until<T>(&self, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(value) = condition() {
                return value;
            }
            assert!(Instant::now() < deadline, "waited in vain until {what}");
            self.driver.wait(Duration::from_millis(20));
        }
    }

    /// The pids in whose command line `mark` stands, ended ones excepted.
    pub(crate) fn processes(&self, mark: &str) -> Vec<i32> {
        let mark = mark.as_bytes();
        let names =
            fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names
            .filter_map(|name| name.parse().ok())
            .filter(|pid: &i32| {
                let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                line.windows(mark.len()).any(|part| part == mark)
            })
            .collect()
    }

    /// The pid in one of an instance's files.
    pub(crate) fn keeper_pid(&self, id: u64) -> i32 {
        let text = fs::read_to_string(self.instance(id).join("keeper.json")).unwrap();
        let after = text.split("\"pid\":").nth(1).unwrap();
        after.trim_start().split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        for id in self.driver.observe().unwrap_or_default().into_keys() {
            let _ = self.driver.stop(id);
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        let live = || {
            self.driver
                .observe()
                .is_ok_and(|all| all.values().any(|i| !matches!(i.status, RunStatus::Exited(_))))
        };
        while live() && Instant::now() < deadline {
            self.driver.wait(Duration::from_millis(50));
        }
        // Releases are read-only.
        let _ = Command::new("chmod").arg("-R").arg("u+w").arg(self.path()).status();
    }
}

fn open(folder: &Path) -> ProcessDriver {
    let program = Path::new(env!("CARGO_BIN_EXE_tandem-keeper-fixture"));
    ProcessDriver::open(&folder.join("state"), KeeperCommand::other(program, Vec::new())).unwrap()
}

pub(crate) fn version(label: &str) -> VersionLabel {
    label.parse().unwrap()
}

pub(crate) fn start(id: u64, command: &[&str]) -> StartInstance {
    StartInstance {
        instance: InstanceId(id),
        version: version("v1"),
        service: "shop".parse().unwrap(),
        run: run(command),
    }
}

pub(crate) fn run(command: &[&str]) -> RunSpec {
    RunSpec {
        command: command.iter().map(|&argument| argument.to_owned()).collect(),
        instances: 1,
        stop: StopSpec { signal: Signal::Term, grace: Millis(300), ..StopSpec::default() },
        ..RunSpec::default()
    }
}

pub(crate) fn kill(pid: i32, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
}
