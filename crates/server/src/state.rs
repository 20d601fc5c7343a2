//! The state folder: where each thing lies in it, who may use it, and which version of Tandem wrote it.
//!
//! Must not know what the files hold. Tested in `tests/server/state.rs`.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tandem_core::base::ServiceName;

/// The form of the state folder that this version of Tandem reads and writes.
pub const FORMAT: u32 = 1;

/// The longest path of a Unix socket on Linux, in bytes.
const LONGEST_SOCKET_PATH: usize = 107;

/// How long a process that holds a lock may take to end before the lock counts as held.
const ENDING: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// The state folder of one service, by absolute path; and that of the proxy in front of it, which is the same if there is no
/// other service behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateFolder {
    path: PathBuf,
    front: PathBuf,
}

/// Why a state folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It can't be created, read or written.
    #[error("can't {doing} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb: `create`, `read`.
        doing: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A later version of Tandem wrote it.
    #[error(
        "the state folder {} was written by a newer version of Tandem (format {found}, this one knows up to {FORMAT}): \
         run that version, or choose another folder with --state",
        path.display()
    )]
    Newer {
        /// The folder.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// The file that tells the format holds something else.
    #[error("{} should hold a format number but holds {found:?}: is this really a state folder of Tandem?", path.display())]
    NotAFormat {
        /// The file.
        path: PathBuf,
        /// What it holds, its beginning.
        found: String,
    },
    /// Another process of the same kind works on it.
    #[error("{what} with the state folder {} runs already{}", path.display(), holder(*pid))]
    Held {
        /// Which kind of process, with its article.
        what: &'static str,
        /// The folder.
        path: PathBuf,
        /// Who holds it, if that is known.
        pid: Option<u32>,
    },
    /// The sockets in it could not be bound.
    #[error(
        "the path of the state folder {} is too long for Unix sockets ({length} bytes with the socket's name, \
         {LONGEST_SOCKET_PATH} are possible): choose a shorter one with --state",
        path.display()
    )]
    PathTooLong {
        /// The folder.
        path: PathBuf,
        /// The length of the longest socket path in it.
        length: usize,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
}

/// Which process a lock stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `tandem up` itself.
    Supervisor,
    /// The process that decides.
    Controller,
    /// The process that answers the network.
    Admin,
    /// Whoever changes tokens.
    Tokens,
}

impl Part {
    fn file(self) -> &'static str {
        match self {
            Part::Supervisor => "supervisor.lock",
            Part::Controller => "controller.lock",
            Part::Admin => "admin.lock",
            Part::Tokens => "tokens.lock",
        }
    }

    /// Which process that is, with its article.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Part::Supervisor => "a `tandem up`",
            Part::Controller => "a `tandem controller`",
            Part::Admin => "a `tandem admin`",
            Part::Tokens => "a `tandem token`",
        }
    }
}

/// The right to be the only process of its kind on a folder. Ends with the value, or with the process.
#[derive(Debug)]
pub struct Lock {
    file: File,
    /// Whether the last holder ended without saying so: it was killed, and what it started may still run.
    pub after_crash: bool,
}

impl Lock {
    /// Gives the lock back, noting that nothing was left behind.
    pub fn release(self) {
        // If this fails the next one merely takes a closer look.
        let _ = self.file.set_len(0);
    }
}

impl StateFolder {
    /// The folder at `path`, which need not exist. A relative path is taken from the current directory.
    pub fn at(path: &Path) -> StateFolder {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        StateFolder { front: path.clone(), path }
    }

    /// The same with the proxy's things in the folder `front`.
    #[must_use]
    pub fn behind(self, front: &Path) -> StateFolder {
        StateFolder { front: StateFolder::at(front).path, ..self }
    }

    /// The folder of one of several services behind the proxy of this one.
    #[must_use]
    pub fn service(&self, name: &ServiceName) -> StateFolder {
        let path = self.services().join(name.as_str());
        StateFolder { path, front: self.front.clone() }
    }

    /// Where the folders of several services are.
    pub fn services(&self) -> PathBuf {
        self.path.join("services")
    }

    /// The folders of services that are none of these.
    pub fn others(&self, names: &[ServiceName]) -> Vec<StateFolder> {
        let folders = fs::read_dir(self.services()).into_iter().flatten().flatten();
        let names_of = folders.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        names_of.filter(|name| !names.contains(name)).map(|name| self.service(&name)).collect()
    }

    /// The name of the service, where the folder is one of several.
    pub fn name(&self) -> Option<String> {
        self.path.file_name().and_then(|name| name.to_str()).map(str::to_owned)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The socket of the admin API.
    pub fn admin_socket(&self) -> PathBuf {
        self.path.join("admin.sock")
    }

    /// The socket at which tickets for the dashboard are had.
    pub fn ticket_socket(&self) -> PathBuf {
        self.front.join("tickets.sock")
    }

    /// Tokens for the network, by digests.
    pub fn tokens(&self) -> PathBuf {
        self.front.join("tokens.json")
    }

    /// Who did what: the file that is written to, and by numbers from 1 those put aside before.
    pub fn audit(&self, number: usize) -> PathBuf {
        self.front.join(if number == 0 { "audit.jsonl".to_owned() } else { format!("audit.{number}.jsonl") })
    }

    /// The socket by which the proxy is told tables.
    pub fn proxy_socket(&self) -> PathBuf {
        self.front.join("proxy.sock")
    }

    /// The socket of a proxy that is leaving.
    pub fn leaving_proxy(&self, pid: i32) -> PathBuf {
        self.front.join(format!("proxy-{pid}.sock"))
    }

    /// The sockets of proxies that are leaving, some of them perhaps gone.
    pub fn leaving_proxies(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(&self.front).into_iter().flatten().flatten().map(|entry| entry.path());
        let leaving = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with("proxy-") && name.ends_with(".sock")
        };
        let mut found: Vec<PathBuf> = files.filter(leaving).collect();
        found.sort();
        found
    }

    /// Why the last reload changed nothing.
    pub fn refusal(&self) -> PathBuf {
        self.front.join("reload.refused")
    }

    /// What the proxy keeps: the last good tables and certificates, the rules of the log.
    pub fn proxy(&self) -> PathBuf {
        self.front.join("proxy")
    }

    /// What is kept of a certificate authority.
    pub fn acme(&self) -> PathBuf {
        self.path.join("acme.json")
    }

    /// The database of the store.
    pub fn database(&self) -> PathBuf {
        self.path.join("tandem.db")
    }

    /// The copy of the configuration that is in force, as `tandem up` checked it.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// Where the clock's offset is kept.
    pub fn clock(&self) -> PathBuf {
        self.path.join("clock.json")
    }

    /// How far in the journal each of those who are told of deployments was told, a file for each.
    pub fn notified(&self) -> PathBuf {
        self.path.join("notified")
    }

    /// Deliverables that came by themselves, until they are deployed.
    pub fn inbox(&self) -> PathBuf {
        self.path.join("inbox")
    }

    /// Files of recent versions whose names tell their content, by service and path.
    pub fn shelf(&self) -> PathBuf {
        self.front.join("shelf")
    }

    /// By which the keys of versions are made.
    pub fn secret(&self) -> PathBuf {
        self.path.join("secret")
    }

    /// What earlier runs of the proxy have counted.
    pub fn counts(&self) -> PathBuf {
        self.path.join("counts.json")
    }

    /// How often operations were called.
    pub fn calls(&self) -> PathBuf {
        self.path.join("calls.json")
    }

    /// The contracts that instances told, a file for each version.
    pub fn contracts(&self) -> PathBuf {
        self.path.join("contracts")
    }

    fn format(&self) -> PathBuf {
        self.path.join("format")
    }

    /// Creates the folder for its owner alone if it is not there, and checks that this version of Tandem may use it.
    pub fn prepare(&self) -> Result<(), StateError> {
        let sockets = [self.leaving_proxy(i32::MAX), self.admin_socket()];
        let length = sockets.iter().map(|socket| socket.as_os_str().len()).max().unwrap_or_default();
        if length > LONGEST_SOCKET_PATH {
            return Err(StateError::PathTooLong { path: self.path.clone(), length });
        }
        if !self.path.is_dir() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&self.path)
                .map_err(failed("create the state folder", &self.path))?;
            // The folder often lies inside a repository.
            write_file(&self.path.join(".gitignore"), b"*\n")?;
        }
        match self.read_format()? {
            None => write_file(&self.format(), format!("{FORMAT}\n").as_bytes()),
            Some(found) if found > FORMAT => Err(StateError::Newer { path: self.path.clone(), found }),
            Some(_) => Ok(()),
        }
    }

    fn read_format(&self) -> Result<Option<u32>, StateError> {
        let path = self.format();
        let text = match fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &path)(error)),
        };
        match text.trim().parse() {
            Ok(format) => Ok(Some(format)),
            Err(_) => Err(StateError::NotAFormat { path, found: text.chars().take(40).collect() }),
        }
    }

    /// Takes the lock of `part`, or says who has it.
    pub fn lock(&self, part: Part) -> Result<Lock, StateError> {
        let path = self.path.join(part.file());
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed("open", &path))?;
        let mut taken = file.try_lock();
        let pid = read_pid(&mut file);
        if matches!(taken, Err(fs::TryLockError::WouldBlock)) && pid.is_some_and(ends_soon) {
            taken = file.try_lock();
        }
        match taken {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(StateError::Held { what: part.name(), path: self.path.clone(), pid });
            }
            Err(fs::TryLockError::Error(error)) => return Err(failed("lock", &path)(error)),
        }
        let me = std::process::id().to_string();
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(me.as_bytes()))
            .map_err(failed("write", &path))?;
        Ok(Lock { file, after_crash: pid.is_some() })
    }

    /// Who holds the lock of `part` right now, if anyone does.
    pub fn holder(&self, part: Part) -> Option<u32> {
        let mut file = File::open(self.path.join(part.file())).ok()?;
        match file.try_lock() {
            Err(fs::TryLockError::WouldBlock) => read_pid(&mut file),
            _ => None,
        }
    }
}

/// Waits a moment for the end of a process: one that was just killed still holds its locks while it is taken down. The
/// number may belong to somebody else by now; then the wait was for nothing, and nothing else.
fn ends_soon(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => {
            let mut handles = [PollFd::new(&handle, PollFlags::IN)];
            poll(&mut handles, Some(&ENDING)).is_ok_and(|ended| ended > 0)
        }
        Err(error) => error == Errno::SRCH,
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_owned();
    move |source| StateError::Io { doing, path, source }
}

/// Writes a file so that after a crash either the old or the new content is there, never a part.
pub fn write_file(path: &Path, content: &[u8]) -> Result<(), StateError> {
    write_as(path, content, 0o600)
}

/// The same for a file that others may read.
pub(crate) fn write_shared_file(path: &Path, content: &[u8]) -> Result<(), StateError> {
    write_as(path, content, 0o644)
}

fn write_as(path: &Path, content: &[u8], mode: u32) -> Result<(), StateError> {
    let beside = path.with_added_extension("new");
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        match path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    };
    write().map_err(failed("write", path))
}
