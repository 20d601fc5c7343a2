//! The threads of the controller: the engine's loop, and those that wake it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tandem_core::base::Timestamp;
use tandem_core::spec::{Access, Names, RunSpec, ServiceSpec};
use tandem_drivers::Driver;
use tandem_engine::{Engine, EngineError, Message, Outside, Ports, View};
use tokio::sync::{oneshot, watch};

use super::ControllerError;
use super::shutdown::Stopped;
use crate::acme::Authority;
use crate::adapter::acme::AcmeKeeper;
use crate::adapter::certificates::CertificateKeeper;
use crate::adapter::contract::{ContractKeeper, ContractPort};
use crate::adapter::database::{DatabasePort, SchemaKeeper};
use crate::adapter::hook::{HookPort, Runner};
use crate::adapter::instances::{DriverInstances, InstanceDatabase};
use crate::adapter::journal::StoreJournal;
use crate::adapter::source::{SourceKeeper, SourcePort};
use crate::adapter::traffic::{ProxyTraffic, Reports};
use crate::audit::Audit;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::feed::Feed;
use crate::notify::Notifier;
use crate::office::Office;
use crate::preparations::Preparations;
use crate::schema::{Roles, Site, Source, tables};
use crate::secret::Secret;
use crate::seen::Seen;
use crate::shelf::Shelf;
use crate::state::StateFolder;
use crate::store::Store;
use crate::wake::{Inbox, Wake, bell};

/// How long the driver is asked to wait for a change; then it is asked again.
const WATCH: Duration = Duration::from_secs(5);

/// The running threads.
pub(crate) struct Work {
    pub(crate) wake: Wake,
    pub(crate) feed: Arc<Feed>,
    pub(crate) seen: watch::Receiver<Arc<Seen>>,
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) clock: Clock,
    state: StateFolder,
    spec: ServiceSpec,
    reports: Arc<Reports>,
    passes: Arc<Passes>,
    /// Of the database's schema. None: there is no database.
    keeper: Option<Arc<SchemaKeeper>>,
    /// Of what versions promise. None: nothing that is written down.
    contract: Option<Arc<ContractKeeper>>,
    /// Of certificates. None: nothing is encrypted.
    certificates: Option<Arc<CertificateKeeper>>,
    /// Of an authority that gives them. None: there are only files.
    acme: Option<Arc<AcmeKeeper>>,
    /// Of what comes by itself.
    source: Arc<SourceKeeper>,
    /// Whoever tells people. None: nobody is to be told.
    notifier: Option<Arc<Notifier>>,
    engine: JoinHandle<()>,
    /// Becomes ready when the engine's thread is over, for whatever reason.
    over: Option<oneshot::Receiver<()>>,
}

impl Work {
    /// Takes up the work where the journal left it. `path`: the configuration as the team edits it.
    pub(crate) fn begin(
        state: &StateFolder,
        config: &Config,
        path: &Path,
        driver: Arc<dyn Driver>,
    ) -> Result<Work, ControllerError> {
        let spec = config.spec.clone();
        let store = Store::open(&state.database())?;
        let (clock, last) = (Clock::open(state, store.last_time()?)?, store.last()?);
        let preparations = Arc::new(Preparations::default());
        let feed = Arc::new(Feed::new(preparations.clone()));
        let reports = Reports::open(state, &spec.service);
        let (wake, inbox) = bell();
        let mut run = spec.run.clone();
        run.env = config::environment(&spec)?;
        let service = spec.service.clone();
        let secret = Secret::open(state)?;
        let database = database(&spec, &run, &secret, &driver, clock, &wake)?;
        let keeper = database.as_ref().map(|database| Arc::clone(&database.keeper));
        let contract = ContractKeeper::new(&spec, &driver, state, clock, &wake).map(Arc::new);
        let base = path.parent().unwrap_or(Path::new(".")).to_owned();
        let certificates = CertificateKeeper::new(&spec, base.clone(), state).map(Arc::new);
        let authority = Authority::of(&spec, &base, config::external_account(&spec)?);
        let acme = AcmeKeeper::new(&spec, authority, state, certificates.as_ref()).map(Arc::new);
        let source = SourceKeeper::open(&spec, &base, state, driver.clone(), wake.clone());
        let source = source.map_err(|source| ControllerError::System { doing: "open the inbox", source })?;
        let source = Arc::new(source);
        let runner = Runner {
            driver: driver.clone(),
            env: run.env.clone(),
            database: database.clone(),
            turn: Arc::default(),
        };
        let instances = DriverInstances {
            driver: driver.clone(),
            service: service.clone(),
            run,
            database,
            contract: contract.clone(),
            secret,
            shelf: Shelf::new(&state.shelf(), &service, &spec.assets),
            preparations,
            wake: wake.clone(),
        };
        let journal = StoreJournal::new(store, service, feed.clone());
        let traffic = ProxyTraffic::new(reports.clone());
        let (publish, seen) = watch::channel(Arc::new(Seen::default()));
        let notifier = Notifier::new(&spec, &base, (state, last), (&feed, &seen, clock))?.map(Arc::new);
        let (over_sender, over) = oneshot::channel();
        let hooks = HookPort::new(&spec, &base, (clock, &wake), runner);
        let parts = (journal, instances, traffic, keeper.clone(), contract.clone(), hooks, source.clone());
        let passes = Arc::new(Passes::default());
        let outside = World { inbox, clock, publish, passes: passes.clone() };
        let engine = begin_engine(spec.clone(), parts, outside, over_sender)?;
        let work = Work {
            wake,
            feed,
            seen,
            driver,
            clock,
            state: state.clone(),
            spec,
            reports,
            passes,
            keeper,
            contract,
            certificates,
            acme,
            source,
            notifier,
            engine,
            over: Some(over),
        };
        work.begin_watchers()?;
        Ok(work)
    }

    /// Where the admin API gets its answers; `path` is the configuration as the team edits it.
    pub(crate) fn office(&self, path: &Path, config: Config) -> Result<Office, ControllerError> {
        Ok(Office {
            config,
            feed: self.feed.clone(),
            driver: self.driver.clone(),
            seen: self.seen.clone(),
            wake: self.wake.clone(),
            clock: self.clock,
            contract: self.contract.clone(),
            certificates: self.certificates.clone(),
            source: self.source.clone(),
            notifier: self.notifier.clone(),
            state: self.state.clone(),
            path: path.to_owned(),
            store: Mutex::new(Store::open(&self.state.database())?),
            audit: Audit::of(&self.state),
        })
    }

    fn begin_watchers(&self) -> Result<(), ControllerError> {
        let (reports, wake) = (self.reports.clone(), self.wake.clone());
        spawn("traffic", move || reports.watch(&wake))?;
        let (driver, reports, wake) = (self.driver.clone(), self.reports.clone(), self.wake.clone());
        let passes = self.passes.clone();
        spawn("instances", move || {
            // The driver watches what it has seen: before the first pass that is nothing.
            passes.await_after(LOADED, WATCH);
            while !reports.is_over() {
                driver.wait(WATCH);
                let before = passes.count();
                wake.wake();
                // A change is one until the engine has looked; asking again before that would run in a circle.
                passes.await_after(before, WATCH);
            }
        })?;
        if let Some(keeper) = self.keeper.clone() {
            spawn("database", move || keeper.watch())?;
        }
        if let Some(keeper) = self.contract.clone() {
            let seen = self.seen.clone();
            spawn("calls", move || keeper.watch(|| seen.borrow().view.state.live()))?;
        }
        if let Some(keeper) = self.certificates.clone() {
            spawn("certificates", move || keeper.watch())?;
        }
        if let Some(keeper) = self.acme.clone() {
            spawn("acme", move || keeper.work())?;
        }
        if let Some(notifier) = self.notifier.clone() {
            for at in 0..notifier.targets() {
                let notifier = notifier.clone();
                spawn("notify", move || notifier.work(at))?;
            }
        }
        let (keeper, seen) = (self.source.clone(), self.seen.clone());
        spawn("source", move || keeper.watch(|| seen.borrow().view.state.queue.clone()))?;
        Ok(())
    }

    /// Ends with the engine's thread.
    pub(crate) fn over(&mut self) -> oneshot::Receiver<()> {
        self.over.take().unwrap_or_else(|| oneshot::channel().1)
    }

    /// Stops the engine between two passes; the instances run on.
    pub(crate) fn end(self) -> Result<Stopped, ControllerError> {
        self.wake.stop();
        self.reports.stop();
        if let Some(keeper) = &self.keeper {
            keeper.end();
        }
        if let Some(keeper) = &self.contract {
            keeper.end();
        }
        if let Some(keeper) = &self.certificates {
            keeper.end();
        }
        self.source.end();
        self.engine.join().map_err(|_| ControllerError::EngineEnded)?;
        Ok(Stopped { state: self.state, spec: self.spec, driver: self.driver, clock: self.clock })
    }
}

/// The database of the service and its keeper, if the configuration names one.
fn database(
    spec: &ServiceSpec,
    run: &RunSpec,
    secret: &Secret,
    driver: &Arc<dyn Driver>,
    clock: Clock,
    wake: &Wake,
) -> Result<Option<InstanceDatabase>, ControllerError> {
    let Some(place) = config::database(spec)? else { return Ok(None) };
    let database = &spec.database;
    let site = Site {
        url: place.owner,
        scratch_url: place.scratch,
        home: database.home.clone(),
        qualified: database.names == Names::Qualified,
        wal: Some(database.wal).filter(|limit| *limit > 0),
        // Each deliverable brings its own.
        migrations: PathBuf::new(),
        rows: tables(&database.rows, &database.home),
    };
    let source = Source::of(database, &run.env);
    let roles = match database.access {
        Access::Url => None,
        Access::Role => Some(Roles::new(&site, &place.app, &spec.service, secret.clone())?),
    };
    let keeper = SchemaKeeper::new(site, roles, source, Arc::clone(driver), clock, wake.clone());
    let (url, variable) = (place.app, database.variable.clone());
    Ok(Some(InstanceDatabase { keeper: Arc::new(keeper), url, variable }))
}

fn spawn(
    name: &'static str,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, ControllerError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|source| ControllerError::System { doing: "begin a thread", source })
}

type Parts = (
    StoreJournal,
    DriverInstances,
    ProxyTraffic,
    Option<Arc<SchemaKeeper>>,
    Option<Arc<ContractKeeper>>,
    Option<HookPort>,
    Arc<SourceKeeper>,
);

/// The ports of the engine stay on its thread; that the journal can be taken up is waited for.
fn begin_engine(
    spec: ServiceSpec,
    (journal, instances, traffic, keeper, contract, hooks, source): Parts,
    mut outside: World,
    over: oneshot::Sender<()>,
) -> Result<JoinHandle<()>, ControllerError> {
    let (loaded, is_loaded) = std::sync::mpsc::sync_channel(1);
    let thread = spawn("engine", move || {
        let _over = over;
        let ports = Ports {
            journal: Box::new(journal),
            instances: Box::new(instances),
            traffic: Box::new(traffic),
            database: keeper.map(|keeper| Box::new(DatabasePort(keeper)) as Box<dyn tandem_engine::Database>),
            contracts: contract
                .map(|keeper| Box::new(ContractPort(keeper)) as Box<dyn tandem_engine::Contracts>),
            hooks: hooks.map(|port| Box::new(port) as Box<dyn tandem_engine::Hooks>),
            source: Some(Box::new(SourcePort(source))),
            clock: Box::new(outside.clock),
        };
        match Engine::load(spec, ports) {
            Ok(mut engine) => {
                outside.publish(engine.view(), None);
                let _ = loaded.send(Ok(()));
                tandem_engine::run(&mut engine, &mut outside);
            }
            Err(error) => drop(loaded.send(Err(error))),
        }
    })?;
    match is_loaded.recv() {
        Ok(Ok(())) => Ok(thread),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(ControllerError::EngineEnded),
    }
}

/// The first publication tells what was loaded, before any pass.
const LOADED: u64 = 1;

/// Counts the engine's publications, one after each pass, for threads that wait for the next.
#[derive(Debug, Default)]
struct Passes {
    count: Mutex<u64>,
    more: Condvar,
}

impl Passes {
    fn count(&self) -> u64 {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn one_more(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.more.notify_all();
    }

    /// Waits until there were more than `before`.
    fn await_after(&self, before: u64, at_most: Duration) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.more.wait_timeout_while(count, at_most, |count| *count <= before));
    }
}

/// The world around the engine's loop.
struct World {
    inbox: Inbox,
    clock: Clock,
    publish: watch::Sender<Arc<Seen>>,
    passes: Arc<Passes>,
}

impl Outside for World {
    fn next(&mut self, until: Timestamp) -> Message {
        self.inbox.next(until.since(self.clock.now()).to_std())
    }

    fn publish(&mut self, view: &View, error: Option<&EngineError>) {
        let trouble = error.map(ToString::to_string);
        self.publish.send_replace(Arc::new(Seen { view: view.clone(), trouble }));
        self.passes.one_more();
    }
}
