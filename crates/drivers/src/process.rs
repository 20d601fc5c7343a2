//! Instances as processes of this machine, each under a keeper of its own.
//!
//! The driver keeps nothing that matters in memory: all of it is in the state folder and in `/proc`, so a new driver on
//! the same folder knows what the old one knew. The state folder belongs to one daemon at a time; its owner sees to that.
//!
//! Must not know deployments, health or traffic. Tested by `tests/drivers` with real processes.

mod census;
pub(crate) mod command;
mod findings;
mod identity;
pub mod keeper;
pub(crate) mod layout;
pub(crate) mod log;
mod port;
pub(crate) mod record;
pub(crate) mod release;
pub(crate) mod socket;
mod start;
mod task;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::process::Child;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Signal, pidfd_send_signal};
use tandem_core::base::{Digest, InstanceId, VersionLabel};
use tandem_core::fleet::{Exit, Findings, ObservedInstance, ObservedInstances, RunStatus};

use crate::driver::{Connection, Driver, DriverError, LogChunk, LogPosition, RunCommand, StartInstance};
use census::Census;
use identity::Identity;
use keeper::KeeperCommand;
use layout::Layout;
use record::{ExitRecord, KeeperRecord, Record, SpecRecord};
pub use release::Limits;

/// So many logs of removed instances are kept.
const REMOVED_LOGS: usize = 20;

/// The driver for processes of this machine.
#[derive(Debug)]
pub struct ProcessDriver {
    layout: Layout,
    keeper: KeeperCommand,
    limits: Limits,
    /// Held while a release is made or removed.
    preparing: Mutex<()>,
    /// Read by those who are about to use a release, written by those who remove one.
    releases: RwLock<()>,
    /// Ports that were chosen and do not stand in a record yet.
    ports: Mutex<BTreeSet<u16>>,
    memory: Mutex<Memory>,
    /// Told when a call of `start` is through.
    started: Condvar,
    /// Wakes those who wait.
    changed: OwnedFd,
}

/// What this driver started or saw; only for reaping and waiting.
#[derive(Debug, Default)]
struct Memory {
    /// The keepers that are children of this process and were not reaped yet.
    children: Vec<Child>,
    /// Instances that a call of `start` is busy with.
    starting: BTreeSet<InstanceId>,
    /// The keepers that were last seen to run.
    running: BTreeMap<InstanceId, Identity>,
}

impl ProcessDriver {
    /// A driver on the state folder `state`, which is made if it is missing. Only one daemon may use it at a time.
    pub fn open(state: &Path, keeper: KeeperCommand) -> Result<ProcessDriver, DriverError> {
        let layout = Layout::create(state).map_err(DriverError::io("making the folder", state))?;
        let changed = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| DriverError::io("waiting in", state)(error.into()))?;
        release::sweep(&layout).map_err(DriverError::io("cleaning", &layout.releases()))?;
        sweep(&layout).map_err(DriverError::io("cleaning", state))?;
        Ok(ProcessDriver {
            layout,
            keeper,
            limits: Limits::default(),
            preparing: Mutex::default(),
            releases: RwLock::default(),
            ports: Mutex::default(),
            memory: Mutex::default(),
            started: Condvar::new(),
            changed,
        })
    }

    /// The same driver with other limits on what a deliverable may hold.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> ProcessDriver {
        self.limits = limits;
        self
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        locked(&self.memory)
    }

    /// The instance's folder, if anything of it is left.
    fn folder(&self, instance: InstanceId) -> Option<PathBuf> {
        let folder = self.layout.instance(instance);
        folder.exists().then_some(folder)
    }

    /// Where the log of the instance lies, removed or not.
    fn log_folder(&self, instance: InstanceId) -> Result<PathBuf, DriverError> {
        let removed = || Some(self.layout.removed_instance(instance)).filter(|folder| folder.exists());
        self.folder(instance).or_else(removed).ok_or(DriverError::NoInstance(instance))
    }

    fn all(&self) -> Result<Vec<InstanceId>, DriverError> {
        let folder = self.layout.instances();
        layout::ids(&folder).map_err(DriverError::io("reading", &folder))
    }

    /// Whether an instance runs. The order of looking matters: a keeper writes its last file before it ends.
    fn status(
        &self,
        instance: InstanceId,
        census: &mut Option<Census>,
    ) -> Result<(RunStatus, Option<KeeperRecord>), DriverError> {
        let folder = self.layout.instance(instance);
        let Some(keeper) = record::read::<KeeperRecord>(&folder)? else {
            let status = if self.memory().starting.contains(&instance) {
                RunStatus::Running
            } else {
                RunStatus::Exited(Exit::NotExecuted("its keeper was never started".to_owned()))
            };
            return Ok((status, None));
        };
        let runs = keeper.identity.runs();
        let status = match record::read::<ExitRecord>(&folder)? {
            Some(record) => RunStatus::Exited(record.exit),
            None if runs => RunStatus::Running,
            None if census.get_or_insert_with(Census::take).of_instance(&keeper).is_empty() => {
                RunStatus::Exited(Exit::Unknown)
            }
            None => RunStatus::Orphaned,
        };
        Ok((status, Some(keeper)))
    }

    fn reap(&self) {
        self.memory().children.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    }

    fn wake(&self) {
        let _ = rustix::io::write(&self.changed, &1_u64.to_ne_bytes());
    }

    /// The version's users, by their records.
    fn user(&self, version: &VersionLabel) -> Result<Option<InstanceId>, DriverError> {
        for instance in self.all()? {
            let spec: Option<SpecRecord> = record::read(&self.layout.instance(instance))?;
            if spec.is_some_and(|spec| spec.version == *version) {
                return Ok(Some(instance));
            }
        }
        Ok(None)
    }

    /// Moves the instance's folder away and leaves only its log there.
    fn put_away(&self, instance: InstanceId, folder: &Path) -> Result<(), DriverError> {
        let removed = self.layout.removed_instance(instance);
        fs::rename(folder, &removed).map_err(DriverError::io("removing", folder))?;
        strip(&removed);
        let kept = layout::ids(&self.layout.removed()).map_err(DriverError::io("reading", &removed))?;
        for old in kept.iter().take(kept.len().saturating_sub(REMOVED_LOGS)) {
            let path = self.layout.removed_instance(*old);
            fs::remove_dir_all(&path).map_err(DriverError::io("removing", &path))?;
        }
        Ok(())
    }
}

/// Completes what a crash cut off: removals after their first half, and starts of which there is only a folder.
fn sweep(layout: &Layout) -> io::Result<()> {
    for instance in layout::ids(&layout.removed())? {
        strip(&layout.removed_instance(instance));
    }
    for instance in layout::ids(&layout.instances())? {
        let folder = layout.instance(instance);
        if ![SpecRecord::FILE, KeeperRecord::FILE].iter().any(|file| folder.join(file).exists()) {
            fs::remove_dir_all(folder)?;
        }
    }
    Ok(())
}

/// Takes from the folder of a removed instance what may hold secrets, and what nobody needs any more.
fn strip(removed: &Path) {
    for file in [SpecRecord::FILE, KeeperRecord::FILE, "keeper.err"] {
        let _ = fs::remove_file(removed.join(file));
    }
}

/// What a mutex here guards is whole at every moment, so a thread that panicked spoiled nothing.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Driver for ProcessDriver {
    fn prepare(&self, version: &VersionLabel, source: &Path) -> Result<Digest, DriverError> {
        let _guard = locked(&self.preparing);
        release::prepare(&self.layout, version, source, &self.limits)
    }

    fn prepared(&self) -> Result<BTreeMap<VersionLabel, Digest>, DriverError> {
        release::prepared(&self.layout)
    }

    fn folder(&self, version: &VersionLabel, path: &str) -> Result<Option<PathBuf>, DriverError> {
        let files = self.layout.files(version);
        if !files.is_dir() {
            return Err(DriverError::NotPrepared(version.clone()));
        }
        // Nothing outside the deliverable is its own.
        let inside =
            Path::new(path).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let folder = files.join(path);
        Ok((inside && folder.is_dir()).then_some(folder))
    }

    fn inspect(&self, source: &Path) -> Result<Digest, DriverError> {
        release::inspect(&self.layout, source, &self.limits)
    }

    fn file(&self, source: &Path, path: &str, most: u64) -> Result<Option<Vec<u8>>, DriverError> {
        release::file(source, Path::new(path), most, &self.limits)
    }

    fn run(&self, command: &RunCommand) -> Result<(), DriverError> {
        let files = self.layout.files(&command.version);
        if !files.is_dir() {
            return Err(DriverError::NotPrepared(command.version.clone()));
        }
        task::run(command, &files)
            .map_err(|why| DriverError::Command { command: command.words.join(" "), why })
    }

    fn start(&self, start: &StartInstance) -> Result<SocketAddr, DriverError> {
        let mut memory = self.memory();
        while !memory.starting.insert(start.instance) {
            memory = self.started.wait(memory).unwrap_or_else(PoisonError::into_inner);
        }
        drop(memory);
        let address = self.start_keeper(start);
        let record = record::read::<KeeperRecord>(&self.layout.instance(start.instance)).ok().flatten();
        let mut memory = self.memory();
        memory.starting.remove(&start.instance);
        memory.running.extend(record.map(|record| (start.instance, record.identity)));
        drop(memory);
        self.started.notify_all();
        self.wake();
        address
    }

    fn observe(&self) -> Result<ObservedInstances, DriverError> {
        self.reap();
        let mut census = None;
        let mut observed = ObservedInstances::new();
        let mut running = BTreeMap::new();
        for instance in self.all()? {
            let Some(spec) = record::read::<SpecRecord>(&self.layout.instance(instance))? else { continue };
            let (status, keeper) = self.status(instance, &mut census)?;
            if status == RunStatus::Running {
                running.extend(keeper.map(|keeper| (instance, keeper.identity)));
            }
            observed
                .insert(instance, ObservedInstance { version: spec.version, address: spec.address, status });
        }
        self.memory().running = running;
        Ok(observed)
    }

    fn stop(&self, instance: InstanceId) -> Result<(), DriverError> {
        let Some(folder) = self.folder(instance) else { return Ok(()) };
        let Some(keeper) = record::read::<KeeperRecord>(&folder)? else { return Ok(()) };
        if let Some(handle) = keeper.identity.open() {
            // That it has ended meanwhile is what was wanted.
            let _ = pidfd_send_signal(&handle, Signal::TERM);
            return Ok(());
        }
        for process in Census::take().of_instance(&keeper) {
            process.signal(Signal::KILL);
        }
        self.wake();
        Ok(())
    }

    fn remove(&self, instance: InstanceId) -> Result<(), DriverError> {
        let Some(folder) = self.folder(instance) else { return Ok(()) };
        let status = self.status(instance, &mut None)?.0;
        if status == RunStatus::Running || status == RunStatus::Orphaned {
            return Err(DriverError::Running(instance));
        }
        if record::read::<ExitRecord>(&folder)?.is_some() {
            return self.put_away(instance, &folder);
        }
        // A driver before this one may have started a keeper that did not get to the lock yet: held here, it never will.
        let lock = File::open(&folder).map_err(DriverError::io("reading", &folder))?;
        let locked = flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok();
        if !locked || self.status(instance, &mut None)?.0 != status {
            return Err(DriverError::Running(instance));
        }
        self.put_away(instance, &folder)
    }

    fn discard(&self, version: &VersionLabel) -> Result<(), DriverError> {
        let _guard = locked(&self.preparing);
        let _unused = self.releases.write().unwrap_or_else(PoisonError::into_inner);
        match self.user(version)? {
            Some(instance) => Err(DriverError::InUse { version: version.clone(), instance }),
            None => release::discard(&self.layout, version),
        }
    }

    fn findings(&self, instance: InstanceId) -> Result<Findings, DriverError> {
        let folder = self.log_folder(instance)?;
        findings::gather(&folder).map_err(DriverError::io("reading", &folder))
    }

    fn connections(&self) -> Result<BTreeMap<InstanceId, Vec<Connection>>, DriverError> {
        let (census, established) = (Census::take(), socket::established());
        let mut found = BTreeMap::new();
        for instance in self.all()? {
            let Some(keeper) = record::read::<KeeperRecord>(&self.layout.instance(instance))? else {
                continue;
            };
            let inodes =
                census.of_instance(&keeper).into_iter().flat_map(|process| socket::held_by(process.pid));
            // Several processes may hold one socket.
            let inodes: BTreeSet<u64> = inodes.collect();
            let own = inodes.iter().filter_map(|inode| established.get(inode).copied()).collect();
            found.insert(instance, own);
        }
        Ok(found)
    }

    fn log(&self, instance: InstanceId, from: LogPosition, limit: usize) -> Result<LogChunk, DriverError> {
        let folder = self.log_folder(instance)?;
        log::read(&folder, from, limit).map_err(DriverError::io("reading", &folder))
    }

    fn wait(&self, at_most: Duration) {
        let running: Vec<Identity> = self.memory().running.values().cloned().collect();
        let handles: Vec<OwnedFd> = running.iter().filter_map(Identity::open).collect();
        if handles.len() < running.len() {
            return;
        }
        // A length that the system can't express is as good as forever.
        let timeout = Timespec::try_from(at_most).ok();
        let mut fds: Vec<PollFd<'_>> =
            handles.iter().map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)).collect();
        fds.push(PollFd::from_borrowed_fd(self.changed.as_fd(), PollFlags::IN));
        let _ = poll(&mut fds, timeout.as_ref());
        let mut count = [0; 8];
        let _ = rustix::io::read(&self.changed, &mut count);
        self.reap();
    }
}
