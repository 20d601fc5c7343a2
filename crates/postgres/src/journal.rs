//! The journal: Tandem's own schema in a database, where revisions and changes are written down.
//!
//! What a step did is recorded in the transaction that did it; whoever comes after a crash reads here where to go on.
//! Knows nothing of how steps are carried out. Tested in `tests/postgres/journal.rs`.

mod state;

use postgres::error::SqlState;
use postgres::{GenericClient, SimpleQueryRow};
use serde::{Deserialize, Serialize};
use tandem_schema::name::literal;
use tandem_schema::plan::{MigrationRef, Plan};

use crate::failure::Failure;
use crate::phase::Phase;
use crate::session::{COLUMNS, Session};

pub use state::{ChangeState, State, StepState, revisions, state};

/// The format of the schema `tandem` that this program reads and writes.
pub const FORMAT: i32 = 1;

/// The key of the advisory lock that an operator holds (`tandem` in ASCII).
const OPERATOR: i64 = 0x7461_6e64_656d;

/// The key under which the journal is created.
const CREATION: i64 = OPERATOR + 1;

/// How a moment is written.
const MOMENT: &str = "AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'";

/// A revision that was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// Its name.
    pub name: String,
    /// The migrations that led to it from the one before.
    pub migrations: Vec<MigrationRef>,
    /// It was there before Tandem was.
    pub adopted: bool,
    /// When it was reached.
    pub at: String,
}

/// The change that is active.
#[derive(Debug, Clone, PartialEq)]
pub struct Active {
    /// Its number.
    pub id: i64,
    /// What is done.
    pub plan: Plan,
    /// How far it is.
    pub phase: Phase,
    /// The next step in the phase's list.
    pub next: usize,
    /// Fills wait.
    pub paused: bool,
    /// Who works on it, or did last.
    pub by: String,
    /// Since when.
    pub begun: String,
}

/// The right to write about a change: lost when another operator takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    /// The change.
    pub change: i64,
    /// The number of this operator's turn.
    pub turn: i64,
}

/// What batches ask and write, as texts: many of them go to the server at once.
impl Turn {
    /// Asks whether fills wait. Until the transaction's end nobody can take the change.
    pub(crate) fn pause_query(self) -> String {
        format!(
            "SELECT paused FROM tandem.change WHERE id = {} AND turn = {} AND ended IS NULL FOR SHARE",
            self.change, self.turn
        )
    }

    /// What the answer says; fails if the turn is over.
    pub(crate) fn is_paused(self, answer: Option<&SimpleQueryRow>) -> Result<bool, Failure> {
        Ok(answer.ok_or(Failure::Taken)?.get(0) == Some("t"))
    }

    /// Marks how far a step of a list that walks rows came.
    pub(crate) fn mark_statement(
        self,
        (list, step): (&str, i32),
        mark: &str,
        done: u64,
        total: u64,
    ) -> String {
        let rows = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        format!(
            "INSERT INTO tandem.progress VALUES ({}, {}, {step}, {}::jsonb, {}, {})
             ON CONFLICT (change, list, step) DO UPDATE
             SET mark = excluded.mark, rows_done = excluded.rows_done, rows_total = excluded.rows_total",
            self.change,
            literal(list),
            literal(mark),
            rows(done),
            rows(total)
        )
    }
}

/// Where a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// The phase.
    pub phase: Phase,
    /// The next step in its list.
    pub next: usize,
    /// The plan's revision is reached with it.
    pub reached: bool,
}

/// The journal, through a connection or within a transaction.
pub struct Journal<'a, C: GenericClient> {
    client: &'a mut C,
}

impl<'a, C: GenericClient> Journal<'a, C> {
    /// Opens the journal, and creates it on first use.
    pub fn open(client: &'a mut C) -> Result<Journal<'a, C>, Failure> {
        if format(client)?.is_none() {
            create(client)?;
        }
        match format(client)? {
            Some(FORMAT) => Ok(Journal { client }),
            found => Err(Failure::Format { found: found.unwrap_or_default(), known: FORMAT }),
        }
    }

    /// A journal that was opened before.
    pub(crate) fn of(client: &'a mut C) -> Journal<'a, C> {
        Journal { client }
    }

    /// The revision that was reached last.
    pub fn revision(&mut self) -> Result<Option<Revision>, Failure> {
        Ok(self.revisions()?.pop())
    }

    /// All revisions that were reached, in order.
    pub fn revisions(&mut self) -> Result<Vec<Revision>, Failure> {
        let query = format!(
            "SELECT name, migrations::text, adopted, to_char(at {MOMENT}) FROM tandem.revision ORDER BY number"
        );
        let read = |row: &postgres::Row| -> Result<Revision, Failure> {
            Ok(Revision {
                name: row.try_get(0)?,
                migrations: read(row.try_get(1)?)?,
                adopted: row.try_get(2)?,
                at: row.try_get(3)?,
            })
        };
        self.client.query(&query, &[])?.iter().map(read).collect()
    }

    /// Takes a database as it is for a revision: its migrations ran before Tandem came.
    pub fn adopt(&mut self, name: &str, migrations: &[MigrationRef]) -> Result<(), Failure> {
        if let Some(active) = self.active()? {
            return Err(Failure::Active { to: active.plan.to, phase: active.phase });
        }
        self.reach(name, migrations, true)
    }

    fn reach(&mut self, name: &str, migrations: &[MigrationRef], adopted: bool) -> Result<(), Failure> {
        self.client.execute(
            "INSERT INTO tandem.revision (name, migrations, adopted) VALUES ($1, $2::text::jsonb, $3)
             ON CONFLICT (name) DO UPDATE SET migrations = excluded.migrations",
            &[&name, &written(&migrations)?, &adopted],
        )?;
        Ok(())
    }

    /// Writes down that a change begins.
    pub fn begin(&mut self, plan: &Plan, by: &str) -> Result<i64, Failure> {
        if let Some(active) = self.active()? {
            return Err(Failure::Active { to: active.plan.to, phase: active.phase });
        }
        let found = self.revision()?.map(|revision| revision.name).unwrap_or_default();
        if found != plan.from {
            return Err(Failure::Revision { wanted: plan.from.clone(), found });
        }
        let row = self.client.query_one(
            "INSERT INTO tandem.change (plan, phase, by) VALUES ($1::text::jsonb, 'starting', $2) RETURNING id",
            &[&written(plan)?, &by],
        )?;
        Ok(row.try_get(0)?)
    }

    /// The change that is active.
    pub fn active(&mut self) -> Result<Option<Active>, Failure> {
        let query = format!(
            "SELECT id, plan::text, phase, next, paused, by, to_char(begun {MOMENT}) FROM tandem.change WHERE ended IS NULL"
        );
        let Some(row) = self.client.query_opt(&query, &[])? else { return Ok(None) };
        Ok(Some(Active {
            id: row.try_get(0)?,
            plan: read(row.try_get(1)?)?,
            phase: {
                let name: String = row.try_get(2)?;
                Phase::named(&name)
                    .ok_or_else(|| Failure::Unreadable(format!("a change is in the phase `{name}`")))?
            },
            next: usize::try_from(row.try_get::<_, i32>(3)?)
                .map_err(|_| Failure::Unreadable("a step below zero".to_owned()))?,
            paused: row.try_get(4)?,
            by: row.try_get(5)?,
            begun: row.try_get(6)?,
        }))
    }

    /// Takes the active change: whoever had it before can write no more. A pause ends with it.
    pub(crate) fn take(&mut self, change: i64, by: &str) -> Result<Turn, Failure> {
        let row = self.client.query_opt(
            "UPDATE tandem.change SET turn = turn + 1, paused = false, by = $2 WHERE id = $1 AND ended IS NULL RETURNING turn",
            &[&change, &by],
        )?;
        Ok(Turn { change, turn: row.ok_or(Failure::Taken)?.try_get(0)? })
    }

    /// Records where the change is now, and what that means.
    pub(crate) fn advance(&mut self, turn: Turn, plan: &Plan, to: Position) -> Result<(), Failure> {
        let next = i32::try_from(to.next).unwrap_or(i32::MAX);
        let moved = self.client.execute(
            "UPDATE tandem.change SET phase = $3, next = $4, ended = CASE WHEN $5 THEN now() END
             WHERE id = $1 AND turn = $2 AND ended IS NULL",
            &[&turn.change, &turn.turn, &to.phase.name(), &next, &to.phase.ends()],
        )?;
        if moved != 1 {
            return Err(Failure::Taken);
        }
        if to.reached {
            self.reach(&plan.to, &plan.migrations, false)?;
        }
        Ok(())
    }

    /// How far a step that walks rows came, as it was marked, and how many were walked.
    pub(crate) fn progress(
        &mut self,
        change: i64,
        list: &str,
        step: i32,
    ) -> Result<Option<(String, u64)>, Failure> {
        let row = self.client.query_opt(
            "SELECT mark::text, rows_done FROM tandem.progress WHERE change = $1 AND list = $2 AND step = $3",
            &[&change, &list, &step],
        )?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some((row.try_get(0)?, u64::try_from(row.try_get::<_, i64>(1)?).unwrap_or(0))))
    }

    /// Asks the operator of the active change, whoever it is, to let fills wait or go on.
    pub fn pause(&mut self, paused: bool) -> Result<(), Failure> {
        let done =
            self.client.execute("UPDATE tandem.change SET paused = $1 WHERE ended IS NULL", &[&paused])?;
        if done == 0 {
            return Err(Failure::Nothing("pause"));
        }
        self.client.batch_execute("NOTIFY tandem")?;
        Ok(())
    }
}

/// Takes the lock of the one operator, for as long as the connection lives.
pub(crate) fn operate(client: &mut postgres::Client) -> Result<(), Failure> {
    if client.query_one("SELECT pg_try_advisory_lock($1)", &[&OPERATOR])?.try_get(0)? {
        return Ok(());
    }
    Err(Failure::Busy(operator(client)?.into_iter().collect()))
}

/// Who holds the operator's lock.
pub(crate) fn operator(client: &mut impl GenericClient) -> Result<Option<Session>, Failure> {
    let query = format!(
        "SELECT {COLUMNS} FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
           AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND (l.classid::bigint << 32 | l.objid::bigint) = $1"
    );
    Ok(client.query_opt(&query, &[&OPERATOR])?.as_ref().map(Session::of).transpose()?)
}

/// The format that is there, if a journal is.
fn format(client: &mut impl GenericClient) -> Result<Option<i32>, Failure> {
    if !client.query_one("SELECT to_regclass('tandem.format') IS NOT NULL", &[])?.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let row = client.query_opt("SELECT number FROM tandem.format", &[])?;
    Ok(Some(row.map_or(Ok(0), |row| row.try_get(0))?))
}

/// Creates the journal; of two that come at once, the second finds it.
fn create(client: &mut impl GenericClient) -> Result<(), Failure> {
    let mut transaction = client.transaction()?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&CREATION])?;
    let tables = transaction.batch_execute(include_str!("journal/tables.sql"));
    match tables {
        Ok(()) => {
            transaction.batch_execute(include_str!("journal/held.sql"))?;
            Ok(transaction.commit()?)
        }
        // Somebody created it while this one waited. Asking first does not help: what a session knows of names is brought
        // up to date only when a transaction begins.
        Err(error) if error.code() == Some(&SqlState::DUPLICATE_TABLE) => Ok(transaction.rollback()?),
        Err(error) => Err(error.into()),
    }
}

fn written(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::Unreadable(error.to_string()))
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| Failure::Unreadable(error.to_string()))
}
