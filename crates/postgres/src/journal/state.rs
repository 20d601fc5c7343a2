//! Where a database stands, for people and programs: what `schema status` shows.
//!
//! Only reads, and needs no journal to be there. Tested in `tests/postgres/journal.rs`.

use postgres::Client;
use serde::{Deserialize, Serialize};
use tandem_schema::plan::{MigrationRef, Note, Step};

use super::{Active, FORMAT, Journal, Revision, format, operator};
use crate::failure::Failure;
use crate::phase::Phase;
use crate::session::Session;

/// Where a database stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The revision that was reached last.
    pub revision: Option<Revision>,
    /// The change that is active.
    pub change: Option<ChangeState>,
    /// Who works on it at this moment.
    pub operator: Option<Session>,
}

/// Where a change stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeState {
    /// Its number.
    pub id: i64,
    /// The old revision.
    pub from: String,
    /// The new revision.
    pub to: String,
    /// The migrations that lead to it.
    pub migrations: Vec<MigrationRef>,
    /// How far it is.
    pub phase: Phase,
    /// The step that is done now, or comes next.
    pub step: Option<StepState>,
    /// Fills wait.
    pub paused: bool,
    /// Who works on it, or did last.
    pub by: String,
    /// Since when.
    pub begun: String,
    /// What a person should know.
    pub notes: Vec<Note>,
}

/// Where a step stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepState {
    /// What it does.
    pub title: String,
    /// Its place in the list, from 0.
    pub index: usize,
    /// How many there are.
    pub count: usize,
    /// Rows that were walked, if it walks rows.
    pub rows_done: Option<u64>,
    /// Rows that there are, by estimate.
    pub rows_total: Option<u64>,
}

/// Where a database stands.
pub fn state(client: &mut Client) -> Result<State, Failure> {
    match format(client)? {
        None => return Ok(State { revision: None, change: None, operator: None }),
        Some(FORMAT) => {}
        Some(found) => return Err(Failure::Format { found, known: FORMAT }),
    }
    let mut reading = client.build_transaction().read_only(true).start()?;
    let mut journal = Journal::of(&mut reading);
    let revision = journal.revision()?;
    let change = match journal.active()? {
        Some(active) => Some(journal.change(active)?),
        None => None,
    };
    let operator = operator(&mut reading)?;
    Ok(State { revision, change, operator })
}

/// All revisions that were reached, in order; none where there is no journal.
pub fn revisions(client: &mut Client) -> Result<Vec<Revision>, Failure> {
    match format(client)? {
        None => Ok(Vec::new()),
        Some(FORMAT) => Journal::of(client).revisions(),
        Some(found) => Err(Failure::Format { found, known: FORMAT }),
    }
}

impl<C: postgres::GenericClient> Journal<'_, C> {
    fn change(&mut self, active: Active) -> Result<ChangeState, Failure> {
        let step = match active.phase {
            Phase::Starting => self.step(&active, &active.plan.start)?,
            Phase::Contracting => self.step(&active, &active.plan.contract)?,
            Phase::Undoing => self.step(&active, &active.plan.undo)?,
            Phase::Mixed | Phase::Settled | Phase::Undone => None,
        };
        Ok(ChangeState {
            id: active.id,
            phase: active.phase,
            step,
            paused: active.paused,
            by: active.by,
            begun: active.begun,
            from: active.plan.from,
            to: active.plan.to,
            migrations: active.plan.migrations,
            notes: active.plan.notes,
        })
    }

    fn step(&mut self, active: &Active, steps: &[Step]) -> Result<Option<StepState>, Failure> {
        let Some(step) = steps.get(active.next) else { return Ok(None) };
        let index = i32::try_from(active.next).unwrap_or(i32::MAX);
        let row = self.client.query_opt(
            "SELECT rows_done, rows_total FROM tandem.progress WHERE change = $1 AND list = $2 AND step = $3",
            &[&active.id, &active.phase.list(), &index],
        )?;
        let rows = |column: usize| -> Result<Option<u64>, postgres::Error> {
            let Some(row) = &row else { return Ok(None) };
            Ok(u64::try_from(row.try_get::<_, i64>(column)?).ok())
        };
        Ok(Some(StepState {
            title: step.title.clone(),
            index: active.next,
            count: steps.len(),
            rows_done: rows(0)?,
            rows_total: rows(1)?,
        }))
    }
}
