//! The database as the engine's port: what is done to the schema runs on a thread of its own, what is seen on another.
//!
//! Decides nothing: which job is begun, and when, is the engine's. Tested end to end in `crates/cli/tests/e2e/schema.rs`.

mod attribution;
mod progress;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tandem_core::base::{Revision, Timestamp, VersionLabel};
use tandem_core::database::{Change, ChangePhase, Job, ObservedDatabase, Standing, Work};
use tandem_drivers::Driver;
use tandem_engine::{Database, PortError};
use tandem_postgres::preparation::Prepared;
use tandem_postgres::{Execution, Failure, Phase};

use self::attribution::{Connections, attribute};
use self::progress::Progress;
use crate::clock::Clock;
use crate::schema::{Examined, Roles, Site, Source, Trouble};
use crate::wake::Wake;

/// How often the database is looked at while its schema changes, or may.
const SOON: Duration = Duration::from_secs(1);

/// How often it is looked at else: somebody may change the schema by hand.
const LATER: Duration = Duration::from_secs(15);

/// The keeper of a service's schema.
pub(crate) struct SchemaKeeper {
    /// The database; the folder of migrations is each deliverable's own.
    pub(crate) site: Site,
    /// As whom the instances of each revision connect. None: as the role of the app.
    pub(crate) roles: Option<Roles>,
    /// What a deliverable's migrations are.
    source: Source,
    driver: Arc<dyn Driver>,
    clock: Clock,
    wake: Wake,
    /// Raised when the controller ends.
    over: AtomicBool,
    /// Raised when the job at work is not wanted any more: it stops between two transactions.
    stop: AtomicBool,
    known: Mutex<Known>,
    /// Held from reading the database until that is known, so that nothing older takes the place of something newer.
    looking: Mutex<()>,
    changed: Condvar,
}

#[derive(Default)]
struct Known {
    seen: Option<ObservedDatabase>,
    /// When the last look began, whether or not it saw anything.
    looked: Timestamp,
    /// What was seen before this is of no use to somebody.
    wanted: Timestamp,
    work: Work,
    rows: u64,
    /// What was prepared last, and for whom.
    plan: Option<(VersionLabel, Box<Prepared>)>,
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
        roles: Option<Roles>,
        source: Source,
        driver: Arc<dyn Driver>,
        clock: Clock,
        wake: Wake,
    ) -> SchemaKeeper {
        let (over, stop) = (AtomicBool::new(false), AtomicBool::new(false));
        let (known, looking, changed) = (Mutex::default(), Mutex::default(), Condvar::new());
        SchemaKeeper { site, roles, source, driver, clock, wake, over, stop, known, looking, changed }
    }

    /// Looks at the migrations of a version, and prepares the plan of those that are pending.
    pub(crate) fn examine(&self, version: &VersionLabel, known: Option<&Revision>) -> Result<Needs, String> {
        let examined = self.examined(version, known).map_err(|trouble| trouble.to_string())?;
        // Somebody may have changed the schema since the last look: what follows is decided on what was examined.
        self.look();
        if let (true, Examined::There(Some(revision))) = (self.site.qualified, &examined) {
            self.site.complete_lens(revision).map_err(|trouble| trouble.to_string())?;
        }
        if let Examined::There(Some(revision)) | Examined::Pending(revision, _) = &examined {
            self.admit(revision).map_err(|trouble| trouble.to_string())?;
        }
        match examined {
            Examined::There(revision) => Ok(Needs::Revision(revision.as_deref().map(named).transpose()?)),
            Examined::Pending(revision, prepared) => {
                let revision = named(&revision)?;
                // One deployment at a time: an older plan is of no use any more.
                self.known().plan = Some((version.clone(), prepared));
                Ok(Needs::Revision(Some(revision)))
            }
            Examined::Unsettled => Ok(Needs::Settlement),
        }
    }

    /// Where instances have a role of their revision's own: makes it, and connects as they will. Nothing is left of one that
    /// leads nowhere.
    fn admit(&self, revision: &str) -> Result<(), Trouble> {
        let Some(roles) = &self.roles else { return Ok(()) };
        roles.sweep(&self.site);
        roles.admit(&self.site, revision).inspect_err(|_| roles.sweep(&self.site))
    }

    fn examined(&self, version: &VersionLabel, known: Option<&Revision>) -> Result<Examined, Trouble> {
        self.source.examine(&self.site, &*self.driver, version, known.map(Revision::as_str))
    }

    /// Looks at the database again and again, until the controller ends.
    pub(crate) fn watch(&self) {
        while !self.over.load(Ordering::Acquire) {
            self.look();
            let known = self.known();
            let busy = known.seen.as_ref().is_none_or(|seen| seen.standing.change.is_some());
            let at_most = if busy { SOON } else { LATER };
            let on = |known: &mut Known| !self.over.load(Ordering::Acquire) && known.wanted <= known.looked;
            drop(self.changed.wait_timeout_while(known, at_most, on));
        }
    }

    /// The controller ends.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.stop.store(true, Ordering::Release);
        self.changed.notify_all();
    }

    fn look(&self) {
        let _alone = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let at = self.clock.now();
        let seen = self.seen(at);
        let mut known = self.known();
        known.looked = at;
        let seen = match seen {
            Ok(seen) => Some(seen),
            Err(trouble) => {
                if known.seen.is_some() {
                    tracing::warn!("the database does not answer: {trouble}");
                }
                None
            }
        };
        known.seen = seen;
        drop(known);
        self.wake.wake();
    }

    /// The database at this moment, without what is done here.
    fn seen(&self, at: Timestamp) -> Result<ObservedDatabase, Trouble> {
        let standing = self.site.standing(None)?;
        let state = standing.state;
        let mut seen = ObservedDatabase {
            standing: Standing {
                revision: state.revision.and_then(|revision| revision.name.parse().ok()),
                change: None,
            },
            operator: state.operator.map(|session| session.to_string()),
            at,
            ..ObservedDatabase::default()
        };
        if let Some(change) = state.change {
            let phase = match change.phase {
                Phase::Starting => ChangePhase::Expanding,
                Phase::Contracting => ChangePhase::Contracting,
                Phase::Undoing => ChangePhase::Undoing,
                Phase::Mixed | Phase::Settled | Phase::Undone => ChangePhase::Mixed,
            };
            let clients = self.site.connected(&[&change.from, &change.to])?;
            let from = change.from.parse().ok();
            let to = change.to.parse().ok();
            seen.standing.change = to.map(|to| Change { from, to, phase });
            if let Some(change) = seen.standing.change.clone() {
                attribute(&mut seen, &change, &clients, self.connections().as_ref());
            }
        }
        Ok(seen)
    }

    /// The connections that instances hold. None: that can't be told.
    fn connections(&self) -> Option<Connections> {
        let connections = self.driver.connections();
        connections
            .inspect_err(|error| tracing::warn!(%error, "whose the database's sessions are can't be told"))
            .ok()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does a job to its end, on the thread of the caller.
    fn carry_out(&self, job: &Job) -> Result<(), Trouble> {
        let mut progress = Progress::new(|text, rows| self.progressed(text, rows));
        let mut execution = self.site.operate(&self.stop)?;
        let active = execution.active()?;
        let (Job::Expand { to, .. } | Job::Contract { to } | Job::Undo { to }) = job;
        if let Some(active) = active.as_ref().filter(|active| active.plan.to != to.as_str()) {
            return Err(Failure::Active { to: active.plan.to.clone(), phase: active.phase }.into());
        }
        match (job, active) {
            // Begun before, by a controller that has died since.
            (Job::Expand { .. }, Some(active)) => execution.start(&active.plan, &mut progress)?,
            (Job::Expand { version, .. }, None) => self.expand(&mut execution, version, to, &mut progress)?,
            // Done before, and nobody was told.
            (Job::Contract { .. } | Job::Undo { .. }, None) => {}
            (Job::Contract { .. }, Some(_)) => {
                let differences = execution.contract(false, &mut progress)?;
                if !differences.is_empty() {
                    tracing::warn!(
                        "after the contract the schema differs from what the plain migrations leave: {}",
                        differences.join("; ")
                    );
                }
            }
            (Job::Undo { .. }, Some(_)) => execution.undo(&mut progress)?,
        }
        if let (Some(roles), Job::Contract { .. } | Job::Undo { .. }) = (&self.roles, job) {
            roles.sweep(&self.site);
        }
        Ok(())
    }

    /// Nothing is under way yet.
    fn expand(
        &self,
        execution: &mut Execution<'_>,
        version: &VersionLabel,
        to: &Revision,
        progress: &mut Progress<'_>,
    ) -> Result<(), Trouble> {
        if self.site.revision()?.as_deref() == Some(to.as_str()) {
            return Ok(());
        }
        let kept = self.known().plan.take();
        let prepared = match kept {
            Some((of, prepared)) if of == *version => prepared,
            _ => self.plan(version, to)?,
        };
        for note in &prepared.plan.notes {
            tracing::info!("schema {to}: {}", note.message);
        }
        Ok(execution.start(&prepared.plan, progress)?)
    }

    /// The plan was made by a controller that has died since: it is made anew.
    fn plan(&self, version: &VersionLabel, to: &Revision) -> Result<Box<Prepared>, Trouble> {
        match self.examined(version, None)? {
            Examined::Pending(revision, prepared) if revision == to.as_str() => Ok(prepared),
            _ => Err(Trouble::Unplanned(format!("the migrations of {version} do not lead to {to} any more"))),
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
            // Cut off on request: what comes instead is the engine's to say.
            Err(Trouble::Failure(Failure::Stopped)) => Work::Idle,
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
    fn observe(&mut self, since: Timestamp) -> Option<ObservedDatabase> {
        let mut known = self.0.known();
        if known.wanted < since {
            known.wanted = since;
            self.0.changed.notify_all();
        }
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
            Work::Running { job: running, .. } => {
                if running != job {
                    self.0.stop.store(true, Ordering::Release);
                }
                return Ok(());
            }
            Work::Idle | Work::Failed { .. } => {}
        }
        self.0.stop.store(self.0.over.load(Ordering::Acquire), Ordering::Release);
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
