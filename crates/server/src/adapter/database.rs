//! The database as the engine's port: what is done to the schema runs on a thread of its own, what is seen on another.
//!
//! Decides nothing: which job is begun, and when, is the engine's. Tested end to end in `crates/cli/tests/cli/release`.

mod progress;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tandem_core::base::{Revision, VersionLabel};
use tandem_core::database::{Change, ChangePhase, Job, ObservedDatabase, Standing, Work};
use tandem_drivers::Driver;
use tandem_engine::{Database, PortError};
use tandem_postgres::Phase;
use tandem_postgres::preparation::Prepared;

use self::progress::Progress;
use crate::clock::Clock;
use crate::schema::{Examined, Folder, Next, Site, Trouble, lens};
use crate::wake::Wake;

/// How often the database is looked at while its schema changes, or may.
const SOON: Duration = Duration::from_secs(1);

/// How often it is looked at else: somebody may change the schema by hand.
const LATER: Duration = Duration::from_secs(15);

/// The keeper of a service's schema.
pub(crate) struct SchemaKeeper {
    /// The database; the folder of migrations is each deliverable's own.
    pub(crate) site: Site,
    /// The folder of migrations in a deliverable.
    pub(crate) migrations: String,
    driver: Arc<dyn Driver>,
    clock: Clock,
    wake: Wake,
    /// Raised when the controller ends: work stops between two transactions.
    stop: AtomicBool,
    known: Mutex<Known>,
    changed: Condvar,
}

#[derive(Default)]
struct Known {
    seen: Option<ObservedDatabase>,
    work: Work,
    rows: u64,
    plans: BTreeMap<VersionLabel, Box<Prepared>>,
    /// The job that failed last, and how often in a row.
    failed: Option<(Job, u32)>,
}

/// What a deliverable needs of the database.
pub(crate) enum Needs {
    /// It finds this revision, or the deployment will make it.
    Revision(Option<Revision>),
    /// A change that is under way must be over first.
    Settlement,
}

impl SchemaKeeper {
    pub(crate) fn new(
        site: Site,
        migrations: String,
        driver: Arc<dyn Driver>,
        clock: Clock,
        wake: Wake,
    ) -> SchemaKeeper {
        let (stop, known, changed) = (AtomicBool::new(false), Mutex::default(), Condvar::new());
        SchemaKeeper { site, migrations, driver, clock, wake, stop, known, changed }
    }

    /// Looks at the migrations of a version, and prepares the plan of those that are pending.
    pub(crate) fn examine(&self, version: &VersionLabel) -> Result<Needs, String> {
        let Some(site) = self.site_of(version)? else {
            // It knows nothing of migrations: it is for the schema that is there.
            let revision = self.site.revision().map_err(|trouble| trouble.to_string())?;
            return Ok(Needs::Revision(revision.as_deref().map(named).transpose()?));
        };
        match site.examine().map_err(|trouble| trouble.to_string())? {
            Examined::There(revision) => Ok(Needs::Revision(revision.as_deref().map(named).transpose()?)),
            Examined::Pending(revision, prepared) => {
                let revision = named(&revision)?;
                self.known().plans.insert(version.clone(), prepared);
                Ok(Needs::Revision(Some(revision)))
            }
            Examined::Unsettled => Ok(Needs::Settlement),
        }
    }

    /// The database with the migrations of a version. None: the version has none.
    fn site_of(&self, version: &VersionLabel) -> Result<Option<Site>, String> {
        let folder = self.driver.folder(version, &self.migrations).map_err(|error| error.to_string())?;
        Ok(folder.map(|migrations| Site { migrations, ..self.site.clone() }))
    }

    /// Looks at the database again and again, until the controller ends.
    pub(crate) fn watch(&self) {
        while !self.stop.load(Ordering::Acquire) {
            self.look();
            let known = self.known();
            let busy = known.seen.as_ref().is_none_or(|seen| seen.standing.change.is_some());
            let at_most = if busy { SOON } else { LATER };
            let on = |_: &mut Known| !self.stop.load(Ordering::Acquire);
            drop(self.changed.wait_timeout_while(known, at_most, on));
        }
    }

    /// The controller ends.
    pub(crate) fn end(&self) {
        self.stop.store(true, Ordering::Release);
        self.changed.notify_all();
    }

    fn look(&self) {
        let seen = self.seen();
        let mut known = self.known();
        let seen = match seen {
            Ok(seen) => Some(seen),
            Err(trouble) => {
                if known.seen.is_some() {
                    tracing::warn!("the database does not answer: {trouble}");
                }
                None
            }
        };
        let news = known.seen != seen || matches!(known.work, Work::Running { .. });
        known.seen = seen;
        drop(known);
        if news {
            self.wake.wake();
        }
    }

    /// The database at this moment, without what is done here.
    fn seen(&self) -> Result<ObservedDatabase, Trouble> {
        let standing = self.site.standing(None)?;
        let state = standing.state;
        let mut seen = ObservedDatabase {
            standing: Standing {
                revision: state.revision.and_then(|revision| revision.name.parse().ok()),
                change: None,
            },
            operator: state.operator.map(|session| session.to_string()),
            ..ObservedDatabase::default()
        };
        if let Some(change) = state.change {
            let phase = match change.phase {
                Phase::Starting => ChangePhase::Expanding,
                Phase::Contracting => ChangePhase::Contracting,
                Phase::Undoing => ChangePhase::Undoing,
                Phase::Mixed | Phase::Settled | Phase::Undone => ChangePhase::Mixed,
            };
            let clients = |revision: &str| -> Result<u32, Trouble> {
                let clients = self.site.clients(&lens(revision))?.len();
                Ok(u32::try_from(clients).unwrap_or(u32::MAX))
            };
            (seen.old_clients, seen.new_clients) = (clients(&change.from)?, clients(&change.to)?);
            let from = change.from.parse().ok();
            let to = change.to.parse().ok();
            seen.standing.change = to.map(|to| Change { from, to, phase });
        }
        Ok(seen)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does a job to its end, on the thread of the caller.
    fn carry_out(&self, job: &Job) -> Result<(), Trouble> {
        let mut progress = Progress::new(|text, rows| self.progressed(text, rows));
        match job {
            Job::Expand { version, to } => self.expand(version, to, &mut progress)?,
            Job::Contract { .. } => {
                let differences = self.site.operate(&self.stop)?.contract(false, &mut progress)?;
                if !differences.is_empty() {
                    tracing::warn!(
                        "after the contract the schema differs from what the plain migrations leave: {}",
                        differences.join("; ")
                    );
                }
            }
            Job::Undo { .. } => self.site.operate(&self.stop)?.undo(&mut progress)?,
        }
        Ok(())
    }

    fn expand(
        &self,
        version: &VersionLabel,
        to: &Revision,
        progress: &mut Progress<'_>,
    ) -> Result<(), Trouble> {
        let mut execution = self.site.operate(&self.stop)?;
        if let Some(active) = execution.active()? {
            // Begun before, by a controller that has died since.
            return Ok(execution.start(&active.plan, progress)?);
        }
        let kept = self.known().plans.remove(version);
        let prepared = match kept {
            Some(prepared) => prepared,
            None => self.plan(version, to)?,
        };
        for note in &prepared.plan.notes {
            tracing::info!("schema {to}: {}", note.message);
        }
        Ok(execution.start(&prepared.plan, progress)?)
    }

    /// The plan was made by a controller that has died since: it is made anew.
    fn plan(&self, version: &VersionLabel, to: &Revision) -> Result<Box<Prepared>, Trouble> {
        let gone = || Trouble::Unplanned(format!("the migrations of {version} are not there any more"));
        let site = self.site_of(version).map_err(Trouble::Unplanned)?.ok_or_else(gone)?;
        let folder = Folder::read(&site.migrations)?;
        let standing = site.standing(Some(&folder))?;
        match site.prepare(&folder, &standing, Some(to.as_str()), Default::default())? {
            Next::Plan(prepared) => Ok(prepared),
            Next::Nothing => Err(gone()),
        }
    }

    fn progressed(&self, text: String, filled: u64) {
        let mut known = self.known();
        known.rows = filled;
        if let Work::Running { progress, .. } = &mut known.work {
            *progress = text;
        }
    }

    /// What came of a job. The database is looked at first, so that nobody sees the end of the work without its effect.
    fn ended(&self, job: Job, result: Result<(), Trouble>) {
        self.look();
        let mut known = self.known();
        known.work = match result {
            Ok(()) => {
                known.failed = None;
                Work::Idle
            }
            Err(trouble) => {
                tracing::warn!("can't {job}: {trouble}");
                let before = known.failed.take().filter(|(before, _)| *before == job);
                let attempts = before.map_or(1, |(_, attempts)| attempts + 1);
                known.failed = Some((job.clone(), attempts));
                let (at, again) = (self.clock.now(), trouble.may_pass());
                Work::Failed { job, error: trouble.to_string(), at, attempts, again }
            }
        };
        drop(known);
        self.wake.wake();
    }
}

/// The keeper, as the engine sees it.
pub(crate) struct DatabasePort(pub(crate) Arc<SchemaKeeper>);

impl Database for DatabasePort {
    fn observe(&mut self) -> Option<ObservedDatabase> {
        let known = self.0.known();
        let mut seen = known.seen.clone()?;
        if matches!(known.work, Work::Running { .. }) {
            // That is this controller itself.
            seen.operator = None;
        }
        Some(ObservedDatabase { work: known.work.clone(), rows: known.rows, ..seen })
    }

    fn begin(&mut self, job: &Job) -> Result<(), PortError> {
        let mut known = self.0.known();
        match &known.work {
            Work::Running { job: running, .. } if running == job => return Ok(()),
            Work::Running { job: running, .. } => {
                return Err(PortError(format!("can't {job}: {running} is being done")));
            }
            Work::Idle | Work::Failed { .. } => {}
        }
        let (keeper, mine) = (Arc::clone(&self.0), job.clone());
        let work = move || {
            let result = keeper.carry_out(&mine);
            keeper.ended(mine, result);
        };
        let begun = thread::Builder::new().name("schema".to_owned()).spawn(work);
        begun.map_err(|error| PortError(format!("can't begin to {job}: {error}")))?;
        known.work = Work::Running { job: job.clone(), progress: String::new() };
        Ok(())
    }
}

fn named(revision: &str) -> Result<Revision, String> {
    revision.parse().map_err(|error| format!("{error}: rename the last migration"))
}
