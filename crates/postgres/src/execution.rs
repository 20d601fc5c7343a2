//! A plan carried out: begun, contracted or undone, one step at a time, and taken up again after any interruption.
//!
//! Decides nothing about what a change means: the plan says it. Each step's end is written in the journal in the step's
//! own transaction, or the step can be repeated; so an end at any point, `kill -9` included, leaves a database that
//! [`Execution::resume`] or [`Execution::undo`] brings to a good end. One operator at a time. Tested in
//! `tests/postgres/execution.rs`.

mod attempt;
mod batch;
mod fill;
mod replica;
mod rights;
mod step;
mod sweep;
mod verification;
mod volume;
mod witness;

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use postgres::Client;
use tandem_schema::fingerprint::Fingerprint;
use tandem_schema::name::literal;
use tandem_schema::plan::{Lock, MigrationRef, Plan, Step, Work};

use self::attempt::{Line, Rights};
use self::fill::Place;
use self::step::{Alone, may};
use self::witness::Witness;
use crate::connection::connect;
use crate::failure::Failure;
use crate::finding::Finding;
use crate::journal::{Active, Journal, Position, Turn, operate};
use crate::phase::Phase;
use crate::rows;

pub use self::rights::may_change;
pub use self::verification::{clients, verify};

/// Limits of an execution.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long a step waits for a lock, and with it everybody behind it, before it gives way.
    pub lock_timeout: Duration,
    /// How long a step tries again before it fails.
    pub budget: Duration,
    /// How long a batch of a fill should take.
    pub batch: Duration,
    /// How far a replica may be behind before fills wait.
    pub lag: Duration,
    /// How many bytes of write-ahead log the server may write in a second while rows are filled. None: as many as come.
    pub wal: Option<u64>,
    /// Who does it, for the journal.
    pub by: String,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            lock_timeout: Duration::from_millis(80),
            budget: Duration::from_secs(60),
            batch: Duration::from_millis(50),
            lag: Duration::from_secs(10),
            wal: None,
            by: "tandem".to_owned(),
        }
    }
}

/// Where a change came to that was gone on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The phase.
    pub phase: Phase,
    /// After a contract: what of the schema differs from what the plain migrations would have left.
    pub differences: Vec<String>,
}

/// Who is told how it goes.
pub trait Watch {
    /// A step begins: its title, its place from 0, how many there are.
    fn step(&mut self, title: &str, index: usize, count: usize);
    /// Rows were walked: how many, of how many by estimate, per second, and how long it takes to the end.
    fn rows(&mut self, done: u64, total: u64, rate: f64, left: Option<Duration>);
    /// Something is waited for.
    fn waiting(&mut self, why: &str);
    /// Something should be known.
    fn note(&mut self, text: &str);
}

/// An operator at work on a database: it holds the lock of the one operator while it lives.
pub struct Execution<'a> {
    line: Line<'a>,
    noted: bool,
    witness: Option<Witness>,
}

impl<'a> Execution<'a> {
    /// Connects, and becomes the one operator. `stop` is set by whoever wants a clean end.
    pub fn open(url: &str, options: Options, stop: &'a AtomicBool) -> Result<Execution<'a>, Failure> {
        let (mut guard, mut work) = (connect(url)?, connect(url)?);
        operate(&mut guard)?;
        guard.batch_execute("LISTEN tandem")?;
        rights::may_create(&mut work)?;
        Journal::open(&mut work)?;
        rights::may_write(&mut work)?;
        // Better an error than rows that are not seen. The zone is the user's, as in any tool that runs a migration. What
        // the journal says is on disk, also where the database's own clients do without that.
        work.batch_execute(
            "SET row_security = off; RESET \"TimeZone\";
             SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
        )?;
        let rights = Rights {
            replica: may(&mut work, "SET LOCAL session_replication_role = 'replica'")?,
            patience: may(&mut work, "SET LOCAL deadlock_timeout = 20")?,
        };
        let row = work.query_one(
            "SELECT pg_backend_pid(), (SELECT setting::int FROM pg_settings WHERE name = 'deadlock_timeout')",
            &[],
        )?;
        let patience = Duration::from_millis(u64::try_from(row.try_get::<_, i32>(1)?).unwrap_or(1000));
        let line = Line { pid: row.try_get(0)?, work, guard, options, stop, rights, patience };
        Ok(Execution { line, noted: false, witness: None })
    }

    /// From now on notes which locks each transaction took, looking on through another connection to the same database.
    pub(crate) fn witness(&mut self, client: Client) {
        self.witness = Some(Witness::new(client));
    }

    /// The locks that were noted since this was last called, one entry for each transaction.
    pub(crate) fn taken(&mut self) -> Vec<Vec<Lock>> {
        self.witness.as_mut().map(Witness::told).unwrap_or_default()
    }

    /// Takes a database as it is for a revision: its migrations ran before Tandem came.
    pub fn adopt(&mut self, name: &str, migrations: &[MigrationRef]) -> Result<(), Failure> {
        Journal::of(&mut self.line.work).adopt(name, migrations)
    }

    /// Begins a plan and brings the database to where both revisions are served. Goes on if it was begun already.
    pub fn start(&mut self, plan: &Plan, watch: &mut (dyn Watch + Send)) -> Result<(), Failure> {
        if let Some(active) = self.active()? {
            if active.plan != *plan || matches!(active.phase, Phase::Contracting | Phase::Undoing) {
                return Err(Failure::Active { to: active.plan.to, phase: active.phase });
            }
            return self.carry_on(active, watch);
        }
        let found = shape(&mut self.line.guard)?;
        let drift = plan.before.differences(&found);
        if !drift.is_empty() {
            return Err(Failure::Drifted(drift));
        }
        let moved = rows::moved(&mut self.line.guard, &plan.premises)?;
        if !moved.is_empty() {
            return Err(Failure::Moved(moved));
        }
        may_change(&mut self.line.guard, plan)?;
        let by = self.line.options.by.clone();
        Journal::of(&mut self.line.work).begin(plan, &by)?;
        let active = self.active()?.ok_or(Failure::Taken)?;
        self.carry_on(active, watch)
    }

    /// Goes on with what was under way, and tells where it came to. A pause ends.
    pub fn resume(&mut self, watch: &mut (dyn Watch + Send)) -> Result<End, Failure> {
        let active = self.active()?.ok_or(Failure::Nothing("resume"))?;
        let phase = match active.phase {
            Phase::Contracting => {
                return Ok(End { phase: Phase::Settled, differences: self.settle(active, watch)? });
            }
            Phase::Undoing => Phase::Undone,
            _ => Phase::Mixed,
        };
        self.carry_on(active, watch)?;
        Ok(End { phase, differences: Vec::new() })
    }

    /// Makes the new revision the only one, if rows are ready and (without `force`) no client of the old one is seen.
    /// Tells what of the schema differs from what the plain migrations would have left.
    pub fn contract(&mut self, force: bool, watch: &mut (dyn Watch + Send)) -> Result<Vec<String>, Failure> {
        let mut active = self.active()?.ok_or(Failure::Nothing("contract"))?;
        match active.phase {
            Phase::Mixed | Phase::Contracting => {}
            phase => {
                let help = "resume it first";
                return Err(Failure::Phase { verb: "contract", phase, help });
            }
        }
        if active.phase == Phase::Mixed || active.next <= turning_point(&active.plan) {
            self.ready(&active.plan, force)?;
        }
        if active.phase == Phase::Mixed {
            (active.phase, active.next) = (Phase::Contracting, 0);
        }
        self.settle(active, watch)
    }

    /// Makes the old revision the only one again; possible until the contract's last transaction.
    pub fn undo(&mut self, watch: &mut (dyn Watch + Send)) -> Result<(), Failure> {
        let mut active = self.active()?.ok_or(Failure::Nothing("undo"))?;
        let last = turning_point(&active.plan).min(active.plan.no_return);
        if active.phase == Phase::Contracting && active.next > last {
            let help = "values of the old revision are overwritten already; resume finishes the contract";
            return Err(Failure::Phase { verb: "undo", phase: active.phase, help });
        }
        if active.phase != Phase::Undoing {
            (active.phase, active.next) = (Phase::Undoing, 0);
        }
        self.carry_on(active, watch)
    }

    /// What is not ready for the contract, row by row.
    pub fn verify(&mut self, plan: &Plan) -> Result<Vec<Finding>, Failure> {
        self.at_home(plan)?;
        verify(&mut self.line.work, plan)
    }

    /// The change that is active.
    pub fn active(&mut self) -> Result<Option<Active>, Failure> {
        Journal::of(&mut self.line.work).active()
    }

    /// Does what is left of a contract, and looks at what there is then.
    fn settle(&mut self, active: Active, watch: &mut (dyn Watch + Send)) -> Result<Vec<String>, Failure> {
        let expected = active.plan.after.clone();
        self.carry_on(active, watch)?;
        Ok(expected.differences(&shape(&mut self.line.guard)?))
    }

    fn ready(&mut self, plan: &Plan, force: bool) -> Result<(), Failure> {
        if !force {
            let clients = clients(&mut self.line.guard, &plan.old_lens)?;
            if !clients.is_empty() {
                return Err(Failure::Clients(clients));
            }
        }
        let findings = self.verify(plan)?;
        if findings.is_empty() { Ok(()) } else { Err(Failure::Rows(findings)) }
    }

    /// The user's texts find what they name without a schema as in any tool: at home first.
    fn at_home(&mut self, plan: &Plan) -> Result<(), Failure> {
        let row = self.line.work.query_one(
            "SELECT quote_ident($1) || coalesce(', ' || nullif(reset_val, ''), '') FROM pg_settings WHERE name = 'search_path'",
            &[&plan.home],
        )?;
        let path: String = row.try_get(0)?;
        let set = format!("SELECT set_config('search_path', {}, false)", literal(&path));
        Ok(self.line.work.batch_execute(&set)?)
    }

    /// Does the steps that are left of a phase, and moves to the next one.
    fn carry_on(&mut self, active: Active, watch: &mut (dyn Watch + Send)) -> Result<(), Failure> {
        self.at_home(&active.plan)?;
        let by = self.line.options.by.clone();
        let turn = Journal::of(&mut self.line.work).take(active.id, &by)?;
        let (plan, phase) = (&active.plan, active.phase);
        let steps = match phase {
            Phase::Starting => &plan.start,
            Phase::Contracting => &plan.contract,
            Phase::Undoing => &plan.undo,
            Phase::Mixed | Phase::Settled | Phase::Undone => return Ok(()),
        };
        // The phase is written before its first step, so that nothing of it is done that the journal does not know.
        let here = if active.next >= steps.len() {
            after(plan, phase, steps.len())
        } else {
            Position { phase, next: active.next, reached: false }
        };
        Journal::of(&mut self.line.work).advance(turn, plan, here)?;
        for (index, step) in steps.iter().enumerate().skip(active.next) {
            self.line.go_on()?;
            watch.step(&step.title, index, steps.len());
            self.step(turn, plan, phase, (index, step), watch)?;
        }
        Ok(())
    }

    fn step(
        &mut self,
        turn: Turn,
        plan: &Plan,
        phase: Phase,
        (index, step): (usize, &Step),
        watch: &mut (dyn Watch + Send),
    ) -> Result<(), Failure> {
        let to = after(plan, phase, index + 1);
        let title = &step.title;
        match &step.work {
            Work::Transaction { locks, statements } => {
                let (pid, mut taken) = (self.line.pid, Vec::new());
                self.line.transaction(title, locks, statements, watch, |transaction| {
                    if let Some(witness) = &mut self.witness {
                        taken = witness.look(pid)?;
                    }
                    Journal::of(transaction).advance(turn, plan, to)
                })?;
                if let Some(witness) = &mut self.witness {
                    witness.keep(taken);
                }
                return Ok(());
            }
            Work::Alone { clear, statement, done } => {
                let alone = Alone { clear: clear.as_deref(), statement, done: done.as_deref() };
                self.line.alone(title, alone, watch)?;
            }
            Work::Fill(fill) => {
                if !self.line.rights.replica && !self.noted {
                    self.noted = true;
                    watch.note("this role may not set session_replication_role: the tables' own triggers fire for filled rows");
                }
                let index = i32::try_from(index).unwrap_or(i32::MAX);
                let list = phase.list().unwrap_or_default();
                self.line.fill(Place { turn, list, index, title }, fill, watch)?;
            }
        }
        self.record(turn, plan, to)
    }

    /// Writes down where the change is, with what that means, in one transaction.
    fn record(&mut self, turn: Turn, plan: &Plan, to: Position) -> Result<(), Failure> {
        let mut transaction = self.line.work.transaction()?;
        Journal::of(&mut transaction).advance(turn, plan, to)?;
        Ok(transaction.commit()?)
    }
}

/// Where a change is when `next` steps of a phase are done.
fn after(plan: &Plan, phase: Phase, next: usize) -> Position {
    let (count, end) = match phase {
        Phase::Starting => (plan.start.len(), Phase::Mixed),
        Phase::Contracting => (plan.contract.len(), Phase::Settled),
        Phase::Undoing => (plan.undo.len(), Phase::Undone),
        Phase::Mixed | Phase::Settled | Phase::Undone => (0, phase),
    };
    let reached = phase == Phase::Contracting && (next == turning_point(plan) + 1 || next >= count);
    if next >= count { Position { phase: end, next: 0, reached } } else { Position { phase, next, reached } }
}

/// The contract's last transaction (its last step, if it has none): with it the new revision is reached.
fn turning_point(plan: &Plan) -> usize {
    let last = plan.contract.iter().rposition(|step| matches!(step.work, Work::Transaction { .. }));
    last.unwrap_or(plan.contract.len().saturating_sub(1))
}

/// What a database's schema is, without lenses: what a plan's `before` and `after` are held against.
pub fn shape(client: &mut Client) -> Result<Fingerprint, Failure> {
    Ok(Fingerprint::of(&crate::reading::schema(client)?))
}

/// Asks the operator at work, in whatever process, to let fills wait, or to go on.
pub fn pause(client: &mut Client, paused: bool) -> Result<(), Failure> {
    Journal::open(client)?.pause(paused)
}
