//! Instances as containers of one or several Docker engines (or what speaks like one).
//!
//! Who runs is for the engines to say; what is ours, and what was begun, stands in the state folder. So a new driver on the
//! same folder knows what the old one knew, and an engine that others use, too, is no danger to them: only what carries
//! our identity is touched. Each call is bounded in time; an engine that does not answer holds up none of the others.
//!
//! Must not know deployments, health or traffic. Tested by `tests/drivers` with real engines.

mod container;
mod content;
mod engine;
mod files;
mod image;
mod instance;
mod label;
mod logbook;
mod record;
mod runtime;
mod task;
mod trouble;
mod version;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::future::Future;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bollard::query_parameters::StopContainerOptions;
use tandem_core::base::{Digest, InstanceId, ServiceName, VersionLabel};
use tandem_core::fleet::{Findings, ObservedInstances, RunStatus};
use tandem_core::spec::{DockerSpec, EngineHost};

use crate::driver::{Connection, Driver, DriverError, LogChunk, LogPosition, RunCommand, StartInstance};
use crate::process::layout::Layout;
use crate::process::release::sink::remove_tree;
use crate::process::{layout, log, record as records, socket};
use engine::{Bell, Engine, QUICK, SLOW};
use image::{Login, Secret, Supply};
use record::{ContainerRecord, IdentityRecord};
use runtime::Runtime;
use trouble::Trouble;

/// So many logs of removed instances are kept.
const REMOVED_LOGS: usize = 20;
/// So many of the last lines of a log are shown.
const LINES: usize = 20;
/// A container that was asked to stop gets so much time beyond its grace before the engine is asked again.
const STOPPING: Duration = Duration::from_secs(24 * 3600);

/// The place of an engine, and its version or why it does not answer.
pub type EngineAnswer = (EngineHost, Result<String, String>);

/// The driver for containers.
#[derive(Debug)]
pub struct DockerDriver {
    layout: Layout,
    service: ServiceName,
    spec: DockerSpec,
    /// Who we are on the engines.
    state: String,
    supply: Supply,
    engines: Vec<Arc<Engine>>,
    bell: Arc<Bell>,
    logbook: logbook::Logbook,
    /// Held while a version is made or removed.
    preparing: Mutex<()>,
    /// Held while an instance gets its host, or a version goes.
    choosing: Mutex<()>,
    memory: Mutex<Memory>,
    /// Told when a call of `start` is through.
    started: Condvar,
    /// Last, so that it ends after all that needs it.
    runtime: Runtime,
}

/// What this driver began or saw; nothing that matters after a restart.
#[derive(Debug, Default)]
struct Memory {
    /// Instances that a call of `start` is busy with.
    starting: BTreeSet<InstanceId>,
    /// Instances that their engines were asked to stop.
    stopping: Arc<Mutex<BTreeSet<InstanceId>>>,
    /// What was last seen of each.
    known: BTreeMap<InstanceId, RunStatus>,
}

impl DockerDriver {
    /// A driver on the folder `docker` in the state folder, which is made if it is missing. Only one daemon may use it at a
    /// time. The engines need not answer yet. `password` is the one of the registry, if there is one.
    pub fn open(
        state: &Path,
        service: &ServiceName,
        spec: &DockerSpec,
        password: Option<String>,
    ) -> Result<DockerDriver, DriverError> {
        let root = state.join("docker");
        let layout = Layout::create(&root).map_err(DriverError::io("making the folder", &root))?;
        let identity = identity(&layout)?;
        let runtime = Runtime::begin().map_err(DriverError::io("beginning work in", &root))?;
        let bell = Arc::new(Bell::default());
        let certificates = spec.certificates.as_ref().map(PathBuf::from);
        let engine =
            |host: &EngineHost| Arc::new(Engine::new(host.clone(), certificates.clone(), bell.clone()));
        let engines: Vec<Arc<Engine>> = spec.hosts.iter().map(engine).collect();
        for engine in &engines {
            runtime.begin_work(engine.clone().watch(identity.clone()));
            runtime.begin_work(sweep(engine.clone(), identity.clone()));
        }
        let registry = spec.registry.clone();
        let login = match (registry.host, registry.user, password) {
            (Some(host), Some(user), Some(password)) => {
                Some(Login { host, user, password: Secret(password) })
            }
            _ => None,
        };
        Ok(DockerDriver {
            layout,
            service: service.clone(),
            spec: spec.clone(),
            state: identity,
            supply: Supply { login, within: spec.pull_within.to_std() },
            engines,
            bell,
            logbook: logbook::Logbook::default(),
            preparing: Mutex::default(),
            choosing: Mutex::default(),
            memory: Mutex::default(),
            started: Condvar::new(),
            runtime,
        })
    }

    /// What the engines say of themselves: for each its place, and its version or why it does not answer.
    pub fn engines(&self) -> Vec<EngineAnswer> {
        let asked = self.engines.iter().map(|engine| {
            let asked = engine.clone();
            let version = self.within(QUICK, async move {
                asked.call(QUICK, |docker| async move { docker.version().await }).await
            });
            let told = version.map(|version| version.version.unwrap_or_default());
            (engine.host.clone(), told.map_err(|trouble| trouble.to_string()))
        });
        asked.collect()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        locked(&self.memory)
    }

    /// Does something on an engine, at most for so long.
    fn within<T: Send + 'static>(
        &self,
        within: Duration,
        work: impl Future<Output = Result<T, Trouble>> + Send + 'static,
    ) -> Result<T, Trouble> {
        let late = || Err(Trouble::Away(format!("nothing came for {} s", within.as_secs())));
        self.runtime.wait(within, work).unwrap_or_else(late)
    }

    /// Asks the engines one after the other until one answers.
    fn first<T: Send + 'static, F: Future<Output = Result<T, Trouble>> + Send + 'static>(
        &self,
        doing: &str,
        within: Duration,
        work: impl Fn(Arc<Engine>) -> F,
    ) -> Result<T, DriverError> {
        let mut last = None;
        let (here, away): (Vec<_>, Vec<_>) = self.engines.iter().partition(|engine| !engine.is_away());
        for engine in here.into_iter().chain(away) {
            match self.within(within, work(engine.clone())) {
                Ok(done) => return Ok(done),
                Err(trouble) if trouble.is_away() => last = Some(self.told(engine, doing, trouble)),
                Err(trouble) => return Err(self.told(engine, doing, trouble)),
            }
        }
        Err(last.unwrap_or_else(no_engine))
    }

    fn told(&self, engine: &Engine, doing: &str, trouble: Trouble) -> DriverError {
        DriverError::Engine { host: engine.host.to_string(), why: format!("{doing}: {trouble}") }
    }

    fn engine(&self, record: &ContainerRecord) -> Result<Arc<Engine>, DriverError> {
        let engine = self.engines.iter().find(|engine| engine.host == record.host).cloned();
        engine.ok_or_else(|| DriverError::Engine {
            host: record.host.to_string(),
            why: format!("{} is on it, and `run.docker.hosts` does not name it any more: name it until that is stopped", record.name),
        })
    }

    fn record(&self, instance: InstanceId) -> Result<Option<ContainerRecord>, DriverError> {
        records::read(&self.layout.instance(instance))
    }

    /// The folder with the log of the instance, removed or not.
    fn log_folder(&self, instance: InstanceId) -> Result<PathBuf, DriverError> {
        let folders = [self.layout.instance(instance), self.layout.removed_instance(instance)];
        folders.into_iter().find(|folder| folder.exists()).ok_or(DriverError::NoInstance(instance))
    }

    /// Brings the kept log of an instance up to date, as far as its engine answers.
    fn take_over(&self, instance: InstanceId, all: bool) -> Result<(), DriverError> {
        let Some(record) = self.record(instance)?.filter(|record| record.address.is_some()) else {
            return Ok(());
        };
        let (engine, folder, turn) =
            (self.engine(&record)?, self.layout.instance(instance), self.logbook.turn(instance));
        let asked = engine.clone();
        let taken = self.within(SLOW + QUICK, async move {
            logbook::take_over(&asked, &record.name, &folder, &turn, all).await
        });
        taken.map_err(|trouble| {
            self.told(&engine, &format!("reading the log of instance {instance}"), trouble)
        })
    }

    /// What is said when the log of an instance can't be brought up to date: what is kept of it is shown all the same.
    fn try_take_over(&self, instance: InstanceId) {
        if let Err(error) = self.take_over(instance, false) {
            tracing::warn!(%instance, %error, "the newest of a log is not there");
        }
    }

    /// The first process of an instance that runs on this machine. Of others nothing can be told.
    fn process(&self, record: &ContainerRecord) -> Option<i32> {
        if !matches!(record.host, EngineHost::Socket(_)) {
            return None;
        }
        let (asked, name) = (self.engine(record).ok()?, record.name.clone());
        let seen = self.within(QUICK, async move { container::inspect(&asked, &name).await });
        let state = seen.ok().flatten().and_then(|seen| seen.state).filter(container::runs)?;
        i32::try_from(state.pid?).ok().filter(|pid| *pid > 0)
    }

    /// Moves the instance's folder away and leaves only its log and its end there.
    fn put_away(&self, instance: InstanceId) -> Result<(), DriverError> {
        let (folder, removed) = (self.layout.instance(instance), self.layout.removed_instance(instance));
        fs::rename(&folder, &removed).map_err(DriverError::io("removing", &folder))?;
        self.logbook.forget(instance);
        let kept = layout::ids(&self.layout.removed()).map_err(DriverError::io("reading", &removed))?;
        for old in kept.iter().take(kept.len().saturating_sub(REMOVED_LOGS)) {
            let path = self.layout.removed_instance(*old);
            fs::remove_dir_all(&path).map_err(DriverError::io("removing", &path))?;
        }
        Ok(())
    }
}

fn no_engine() -> DriverError {
    DriverError::Engine { host: "run.docker.hosts".to_owned(), why: "names no engine".to_owned() }
}

/// Who we are: drawn by lot once for each state folder.
fn identity(layout: &Layout) -> Result<String, DriverError> {
    if let Some(IdentityRecord { state }) = records::read(layout.root())? {
        return Ok(state);
    }
    let random = Path::new("/dev/urandom");
    let mut bytes = [0; 16];
    let drawn = fs::File::open(random).and_then(|mut file| file.read_exact(&mut bytes));
    drawn.map_err(DriverError::io("reading", random))?;
    let state: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    records::write(layout.root(), &IdentityRecord { state: state.clone() })?;
    Ok(state)
}

/// Removes what a driver before this one has left half done: nobody waits for its tasks any more.
async fn sweep(engine: Arc<Engine>, state: String) {
    for task in container::tasks(&engine, &state).await.unwrap_or_default() {
        if let Err(trouble) = container::remove(&engine, &task, true).await {
            tracing::debug!(engine = %engine.host, %trouble, "a left task is still there");
        }
    }
}

/// What a mutex here guards is whole at every moment, so a thread that panicked spoiled nothing.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Driver for DockerDriver {
    fn prepare(&self, version: &VersionLabel, source: &Path) -> Result<Digest, DriverError> {
        let _guard = locked(&self.preparing);
        self.make_ready(version, source)
    }

    fn inspect(&self, source: &Path) -> Result<Digest, DriverError> {
        let (digest, origin) = self.resolve(source)?;
        if let image::Origin::Archive(archive) = origin {
            self.holds_one_image(&archive)?;
        }
        Ok(digest)
    }

    fn prepared(&self) -> Result<BTreeMap<VersionLabel, Digest>, DriverError> {
        Ok(self.versions()?.into_iter().map(|(version, record)| (version, record.digest)).collect())
    }

    fn folder(&self, version: &VersionLabel, path: &str) -> Result<Option<PathBuf>, DriverError> {
        self.copied_folder(version, path)
    }

    fn file(&self, source: &Path, path: &str, most: u64) -> Result<Option<Vec<u8>>, DriverError> {
        self.copied_file(source, path, most)
    }

    fn file_of(&self, version: &VersionLabel, path: &str, most: u64) -> Result<Option<Vec<u8>>, DriverError> {
        let (engine, image) = self.image_somewhere(version)?;
        self.file_in(&engine, image, path, most)
    }

    fn run(&self, command: &RunCommand) -> Result<(), DriverError> {
        self.run_command(command)
    }

    fn start(&self, start: &StartInstance) -> Result<SocketAddr, DriverError> {
        let mut memory = self.memory();
        while !memory.starting.insert(start.instance) {
            memory = self.started.wait(memory).unwrap_or_else(PoisonError::into_inner);
        }
        drop(memory);
        let address = self.start_container(start);
        self.memory().starting.remove(&start.instance);
        self.started.notify_all();
        self.bell.ring();
        address
    }

    fn observe(&self) -> Result<ObservedInstances, DriverError> {
        self.bell.look();
        self.look()
    }

    fn stop(&self, instance: InstanceId) -> Result<(), DriverError> {
        let Some(record) = self.record(instance)? else { return Ok(()) };
        let (engine, asked, name) = (self.engine(&record)?, self.engine(&record)?, record.name.clone());
        let found = self.within(QUICK * 2, async move { container::inspect(&asked, &name).await });
        let found =
            found.map_err(|trouble| self.told(&engine, &format!("stopping instance {instance}"), trouble))?;
        let runs = found.and_then(|found| found.state).is_some_and(|state| container::runs(&state));
        let stopping = self.memory().stopping.clone();
        // A second request would be a second signal, which many apps take for an order to drop everything.
        if !runs || !locked(&stopping).insert(instance) {
            return Ok(());
        }
        // The engine knows signal and grace, and goes on with both if we die.
        self.runtime.begin_work(async move {
            let stop = |docker: bollard::Docker| async move {
                docker.stop_container(&record.name, None::<StopContainerOptions>).await
            };
            match engine.call(STOPPING, stop).await {
                Err(trouble) if !trouble.is_missing() => {
                    tracing::warn!(engine = %engine.host, %instance, %trouble, "an instance could not be stopped");
                }
                _ => {}
            }
            locked(&stopping).remove(&instance);
        });
        Ok(())
    }

    fn remove(&self, instance: InstanceId) -> Result<(), DriverError> {
        let Some(record) = self.record(instance)? else { return Ok(()) };
        let (engine, asked, state) = (self.engine(&record)?, self.engine(&record)?, self.state.clone());
        let failed = |trouble| self.told(&engine, &format!("removing instance {instance}"), trouble);
        let seen =
            self.within(QUICK * 2, async move { container::list(&asked, &state).await }).map_err(failed)?;
        let status = self.status(instance, &record, seen.get(&instance).copied())?;
        let RunStatus::Exited(_) = status else { return Err(DriverError::Running(instance)) };
        if seen.contains_key(&instance) {
            if let Err(error) = self.take_over(instance, true) {
                tracing::warn!(%instance, %error, "the end of a log is lost with its container");
            }
            let (asked, name) = (engine.clone(), record.name);
            let removed =
                self.within(SLOW + QUICK, async move { container::remove(&asked, &name, false).await });
            removed.map_err(failed)?;
        }
        self.put_away(instance)
    }

    fn discard(&self, version: &VersionLabel) -> Result<(), DriverError> {
        let _guard = locked(&self.preparing);
        let _unused = locked(&self.choosing);
        match self.records()?.into_iter().find(|(_, record)| record.version == *version) {
            Some((instance, _)) => Err(DriverError::InUse { version: version.clone(), instance }),
            None => self.let_go(version),
        }
    }

    fn findings(&self, instance: InstanceId) -> Result<Findings, DriverError> {
        self.try_take_over(instance);
        let folder = self.log_folder(instance)?;
        let lines = log::last_lines(&folder, LINES).map_err(DriverError::io("reading", &folder))?;
        let status = match self.record(instance)? {
            Some(_) => self.look()?.remove(&instance).map(|seen| seen.status),
            None => None,
        };
        let exit = match status {
            Some(RunStatus::Exited(exit)) => Some(exit),
            Some(_) => None,
            None => records::read::<records::ExitRecord>(&folder)?.map(|record| record.exit),
        };
        let process = self.record(instance)?.and_then(|record| self.process(&record));
        let mut listens = process.map(socket::listening_around).unwrap_or_default();
        listens.sort_unstable();
        Ok(Findings { exit, log: lines, listens, ..Findings::default() })
    }

    fn connections(&self) -> Result<BTreeMap<InstanceId, Vec<Connection>>, DriverError> {
        let mut found = BTreeMap::new();
        for (instance, record) in self.records()? {
            let own = self.process(&record).and_then(socket::established_around);
            found.extend(own.map(|own| (instance, own)));
        }
        Ok(found)
    }

    fn log(&self, instance: InstanceId, from: LogPosition, limit: usize) -> Result<LogChunk, DriverError> {
        self.try_take_over(instance);
        let folder = self.log_folder(instance)?;
        log::read(&folder, from, limit).map_err(DriverError::io("reading", &folder))
    }

    fn wait(&self, at_most: Duration) {
        self.bell.wait(at_most);
    }
}

/// For those who only want to know whether engines answer: a driver on a folder that goes with it.
///
/// # Errors
/// A folder or a thread can't be had.
pub fn ask_engines(spec: &DockerSpec) -> Result<Vec<EngineAnswer>, DriverError> {
    let temporary = std::env::temp_dir();
    let folder =
        tempfile::tempdir_in(&temporary).map_err(DriverError::io("making a folder in", &temporary))?;
    let service = ServiceName::unnamed();
    let driver = DockerDriver::open(folder.path(), &service, spec, None)?;
    let told = driver.engines();
    drop(driver);
    let _ = remove_tree(folder.path());
    Ok(told)
}
