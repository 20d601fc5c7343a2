//! What a driver is: the one interface for every kind of engine that runs instances.
//!
//! Must not know any particular engine. Tested by the conformance suite through each driver.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tandem_core::base::{Digest, InstanceId, ServiceName, VersionLabel};
use tandem_core::fleet::{Findings, ObservedInstances};
use tandem_core::spec::RunSpec;

/// Runs the instances of one service. All methods block, are safe to repeat, and may be called from any thread.
pub trait Driver: Send + Sync {
    /// Makes the version's deliverable ready to run: an absolute path, or for a driver of containers the name of an image.
    /// The same label with the same content is success; the same label
    /// with other content is [`DriverError::OtherContent`].
    fn prepare(&self, version: &VersionLabel, source: &Path) -> Result<Digest, DriverError>;

    /// The digest of a deliverable that could be made ready to run, without making it ready: it is read to its end.
    fn inspect(&self, source: &Path) -> Result<Digest, DriverError>;

    /// The versions that are ready to run, with the digests of their deliverables.
    fn prepared(&self) -> Result<BTreeMap<VersionLabel, Digest>, DriverError>;

    /// A folder of a prepared version's deliverable, to be read. None: the deliverable has no such folder. `.` is all of it, or
    /// where it must be fetched from elsewhere, what was asked for before.
    fn folder(&self, version: &VersionLabel, path: &str) -> Result<Option<PathBuf>, DriverError>;

    /// A file of a deliverable that need not be prepared, of at most so many bytes. None: the deliverable has no such file.
    fn file(&self, source: &Path, path: &str, most: u64) -> Result<Option<Vec<u8>>, DriverError>;

    /// A file of a prepared version, of at most so many bytes. None: its deliverable has no such file.
    fn file_of(&self, version: &VersionLabel, path: &str, most: u64) -> Result<Option<Vec<u8>>, DriverError> {
        match self.folder(version, ".")? {
            Some(folder) => self.file(&folder, path, most),
            None => Ok(None),
        }
    }

    /// Runs a command of a prepared version to its end. [`DriverError::Command`] if it fails or takes too long; then nothing
    /// of it is left.
    fn run(&self, command: &RunCommand) -> Result<(), DriverError>;

    /// Starts an instance and returns where it is to listen, without waiting for it to do so. An instance that was ever
    /// started, also by a controller that has died since, is not started again.
    fn start(&self, start: &StartInstance) -> Result<SocketAddr, DriverError>;

    /// Every instance that the driver has anything of.
    fn observe(&self) -> Result<ObservedInstances, DriverError>;

    /// Asks an instance to stop: the signal now, the kill after the grace, also if the caller dies meanwhile. Returns at
    /// once. Success if there is nothing to stop.
    fn stop(&self, instance: InstanceId) -> Result<(), DriverError>;

    /// Removes what is left of an instance that has exited, except its log (a bounded number is kept).
    /// [`DriverError::Running`] while any process of it is left; success if there is nothing.
    fn remove(&self, instance: InstanceId) -> Result<(), DriverError>;

    /// Removes a version. [`DriverError::InUse`] while an instance of it was not removed; success if there is nothing.
    fn discard(&self, version: &VersionLabel) -> Result<(), DriverError>;

    /// What can be told of an instance that does not do what it should.
    fn findings(&self, instance: InstanceId) -> Result<Findings, DriverError>;

    /// The TCP connections that each running instance's processes hold. An instance is left out if nothing can be told of it; a
    /// connection of a process that may not be looked into is none.
    fn connections(&self) -> Result<BTreeMap<InstanceId, Vec<Connection>>, DriverError>;

    /// At most `limit` bytes of what the instance wrote, from `from` on; also of one that was removed, while its log is
    /// kept. To follow a log, ask again from [`LogChunk::next`].
    fn log(&self, instance: InstanceId, from: LogPosition, limit: usize) -> Result<LogChunk, DriverError>;

    /// Blocks until an instance may have changed since the last [`observe`](Driver::observe), or `at_most` has passed.
    fn wait(&self, at_most: Duration);
}

/// What is needed to start an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartInstance {
    /// Its number; never used for another instance.
    pub instance: InstanceId,
    /// The version it runs; it must be prepared.
    pub version: VersionLabel,
    /// The service it belongs to.
    pub service: ServiceName,
    /// How it is run; `env` is already resolved.
    pub run: RunSpec,
}

/// A TCP connection, as seen by who holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection {
    /// The end that the instance holds.
    pub near: SocketAddr,
    /// The other end.
    pub far: SocketAddr,
}

/// A command of a version that is no instance: it does something and ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunCommand {
    /// The version; it must be prepared.
    pub version: VersionLabel,
    /// Program and arguments; never passed through a shell.
    pub words: Vec<String>,
    /// More environment.
    pub env: BTreeMap<String, String>,
    /// How long it may take.
    pub within: Duration,
}

/// A place in all that an instance has ever written, in bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogPosition(pub u64);

impl LogPosition {
    /// The very beginning.
    pub const START: LogPosition = LogPosition(0);

    /// The place so many bytes before this, or the beginning.
    #[must_use]
    pub fn back(self, bytes: u64) -> LogPosition {
        LogPosition(self.0.saturating_sub(bytes))
    }
}

/// A piece of a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogChunk {
    /// The bytes as they were written.
    pub bytes: Vec<u8>,
    /// How many bytes between the place asked for and `bytes` are gone, because old parts of a long log are dropped.
    pub skipped: u64,
    /// Where to go on.
    pub next: LogPosition,
    /// The end of the log at this moment. `next == end`: there is nothing more yet.
    pub end: LogPosition,
}

/// Why a driver could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriverError {
    /// The deliverable cannot be used; the text says where and why.
    #[error("{}: {why}", .source_path.display())]
    Deliverable {
        /// The archive or folder.
        source_path: PathBuf,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// The label is taken by a deliverable with other content.
    #[error(
        "version {version} was made from a deliverable with digest {}, this one has {}: give it another label",
        .prepared.short(), .offered.short()
    )]
    OtherContent {
        /// The label.
        version: VersionLabel,
        /// What it stands for.
        prepared: Digest,
        /// What was to take its place.
        offered: Digest,
    },
    /// A command failed.
    #[error("`{command}` {why}")]
    Command {
        /// Its words.
        command: String,
        /// How it ended, and the last that it said.
        why: String,
    },
    /// The version was not prepared, or was discarded.
    #[error("version {0} is not prepared: deploy its deliverable first")]
    NotPrepared(VersionLabel),
    /// An instance of the version was not removed yet.
    #[error("version {version} is in use by instance {instance}")]
    InUse {
        /// The version.
        version: VersionLabel,
        /// One of its instances.
        instance: InstanceId,
    },
    /// A process of the instance is left.
    #[error("instance {0} still runs: stop it first")]
    Running(InstanceId),
    /// The driver knows no such instance.
    #[error("there is no instance {0}")]
    NoInstance(InstanceId),
    /// The instance was removed; its number is not used again.
    #[error("instance {0} was removed and can't be started again")]
    Removed(InstanceId),
    /// No port is free for the instance.
    #[error("no free port for an instance between {first} and {last} ({tried} tried): widen run.ports")]
    NoPort {
        /// The lowest port of the range.
        first: u16,
        /// The highest port of the range.
        last: u16,
        /// How many of them may be used at all, outside the range of outgoing connections.
        tried: usize,
    },
    /// The keeper of an instance could not begin its work.
    #[error("instance {instance}: its keeper did not start: {why}")]
    Keeper {
        /// The instance.
        instance: InstanceId,
        /// What the keeper said, or that it said nothing.
        why: String,
    },
    /// An engine did not do what was asked of it.
    #[error("{host}: {why}")]
    Engine {
        /// Where it listens.
        host: String,
        /// What was asked, and what it said.
        why: String,
    },
    /// The disk is full.
    #[error("{doing} {}: the disk is full: free some space and try again", .path.display())]
    DiskFull {
        /// What was being done, as "writing".
        doing: &'static str,
        /// Where.
        path: PathBuf,
    },
    /// A file was written by a newer Tandem, or is damaged.
    #[error("{}: {why}", .path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The system refused something.
    #[error("{doing} {}: {error}", .path.display())]
    Io {
        /// What was being done, as "writing".
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
}

impl DriverError {
    /// For `map_err`: the system refused `doing` something at `path`.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DriverError {
        let path = path.to_owned();
        move |error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                DriverError::DiskFull { doing, path }
            }
            _ => DriverError::Io { doing, path, error },
        }
    }
}
