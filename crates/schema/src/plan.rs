//! A plan: what is done to a database to bring it from one revision to the next, as data.
//!
//! The steps are a fixed ordered list: a begun order must not change, so the plan is stored as it is when it begins. Each
//! step can be repeated without harm: a transaction's end is recorded within it, everything else tolerates having
//! happened. Printable, storable, comparable.

use serde::{Deserialize, Serialize};

use crate::fingerprint::Fingerprint;
use crate::name::Name;
use crate::source::Place;

/// From one revision to the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The revision that is alive; empty for a database before its first migration.
    pub from: String,
    /// The revision that comes: the name of the last migration.
    pub to: String,
    /// The migrations of this step, in order.
    pub migrations: Vec<MigrationRef>,
    /// The schema where the real tables live.
    pub home: String,
    /// The schema of views for clients of `from`.
    pub old_lens: String,
    /// The schema of views for clients of `to`.
    pub new_lens: String,
    /// Clients write the schema before each name: each lens holds a view of everything, also when nothing is going on.
    #[serde(default)]
    pub qualified: bool,
    /// Done by `start`, in order; the first changes the shape in one transaction, the others work beside the clients.
    pub start: Vec<Step>,
    /// Done by `contract`, in order, when no client of `from` is left; the last transaction gives the tables their final shape.
    pub contract: Vec<Step>,
    /// Done by `undo`, in order, from any point before the contract's last transaction; tolerates what was not done yet.
    pub undo: Vec<Step>,
    /// What changes, explained.
    pub changes: Vec<Change>,
    /// What a person should know.
    pub notes: Vec<Note>,
    /// The catalog before, without which the plan is not begun.
    pub before: Fingerprint,
    /// The catalog that the plain migrations would leave, which must be there after the contract.
    pub after: Fingerprint,
    /// The catalog that an undo leaves: `before`, but for what PostgreSQL can't take back (an enum's new value).
    pub undone: Fingerprint,
    /// From this step of `contract` on, values of the old revision are overwritten and an undo is refused.
    pub no_return: usize,
    /// Each condition must hold for every row before the contract's last transaction (a `verify` reports it at any time).
    pub checks: Vec<RowCheck>,
    /// Tables whose old values must come out of the new ones again.
    #[serde(default)]
    pub trips: Vec<Trip>,
    /// Clients of each side, relation by relation: what they see.
    pub views: Vec<Seen>,
    /// Rows that decided what is done: they must be the same when it begins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub premises: Vec<Premise>,
}

/// A migration that was planned, by name and content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationRef {
    /// Its name (the file's, without what is only form).
    pub name: String,
    /// SHA-256 of its text, by which an edited file is noticed.
    pub checksum: String,
}

/// Rows of a table that were looked at when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Premise {
    /// The table.
    pub table: Name,
    /// How many there were.
    pub rows: u64,
    /// By which it is known whether they are the same.
    pub digest: String,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What it does, for people (`fill users.phone`).
    pub title: String,
    /// How it is done.
    pub work: Work,
}

/// How a step is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// All at once, and recorded in the same transaction. The locks are taken first, in this order, with a short limit, and the
    /// whole is tried again when one can't be had.
    Transaction {
        /// What is locked, and how.
        locks: Vec<Lock>,
        /// The statements.
        statements: Vec<String>,
    },
    /// One statement outside of a transaction that can be repeated.
    Alone {
        /// Run before each try: removes what a failed try may have left (an invalid index).
        clear: Option<String>,
        /// The statement. It is skipped if `done` holds.
        statement: String,
        /// A query of one boolean: whether it has happened already.
        done: Option<String>,
    },
    /// Rows written in batches by key ranges.
    Fill(Fill),
}

/// A lock on a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// The table.
    pub table: Name,
    /// How.
    pub mode: Mode,
}

/// PostgreSQL's modes of locks on a table that make writers wait, from the weakest to the strongest. As text: in the words of
/// LOCK TABLE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Mode {
    /// `CREATE INDEX` takes it.
    #[serde(rename = "SHARE")]
    Share,
    /// `CREATE TRIGGER` and foreign keys take it.
    #[serde(rename = "SHARE ROW EXCLUSIVE")]
    ShareRowExclusive,
    /// Readers go on, `SELECT … FOR UPDATE` does not.
    #[serde(rename = "EXCLUSIVE")]
    Exclusive,
    /// Nobody else does anything.
    #[serde(rename = "ACCESS EXCLUSIVE")]
    AccessExclusive,
}

impl Mode {
    /// All of them.
    pub const ALL: [Mode; 4] = [Mode::Share, Mode::ShareRowExclusive, Mode::Exclusive, Mode::AccessExclusive];

    /// The name in the view `pg_locks`.
    pub fn in_pg_locks(self) -> &'static str {
        match self {
            Mode::Share => "ShareLock",
            Mode::ShareRowExclusive => "ShareRowExclusiveLock",
            Mode::Exclusive => "ExclusiveLock",
            Mode::AccessExclusive => "AccessExclusiveLock",
        }
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(match self {
            Mode::Share => "SHARE",
            Mode::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Mode::Exclusive => "EXCLUSIVE",
            Mode::AccessExclusive => "ACCESS EXCLUSIVE",
        })
    }
}

/// Rows that get values of new columns, or an image in a new table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fill {
    /// The table.
    pub table: Name,
    /// Columns of a unique, not null key, in order; empty: the rows are walked by `ctid`.
    pub key: Vec<String>,
    /// Another table where each row gets an image, and the columns by which that is known; else the rows themselves are written.
    #[serde(default)]
    pub into: Option<(Name, Vec<String>)>,
    /// Columns and the expressions that they get, over the columns of the table.
    pub set: Vec<(String, String)>,
    /// Which rows are written.
    pub needed: String,
    /// The planner's estimate of the rows, for progress.
    pub rows: u64,
}

/// What holds for each row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCheck {
    /// The table.
    pub table: Name,
    /// A condition that is true for rows that are wrong.
    pub wrong: String,
    /// What it means, for people (`users.email holds NULL`).
    pub meaning: String,
}

/// The way there and back of a table's values: what is asked of each row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trip {
    /// The table.
    pub table: Name,
    /// The old columns that are to come back.
    pub columns: Vec<String>,
    /// The new columns as they would be made: what is selected beside the row itself, which is called `new`.
    pub made: Vec<String>,
    /// True of a row that would not come back, over the row and what was made.
    pub wrong: String,
    /// The columns by which a row is told; none: its place.
    pub key: Vec<String>,
    /// The planner's estimate of the rows.
    pub rows: u64,
}

/// A change of the migration, explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The kind (`add column`, `change type`, …): the name of the file in `change/` that handles it.
    pub kind: String,
    /// The object (`users.phone`).
    pub object: String,
    /// What happens at expand.
    pub expand: Option<String>,
    /// What is written to existing rows.
    pub backfill: Option<String>,
    /// What happens at contract.
    pub contract: Option<String>,
}

/// What a client sees under a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The name in its schema.
    pub name: String,
    /// The clients of the old revision see a view (else the real thing, or nothing).
    pub old_by_view: bool,
    /// The clients of the new revision see a view.
    pub new_by_view: bool,
}

/// How much a note matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Good to know.
    Hint,
    /// A person should decide whether it is right.
    Warning,
}

/// What a person should know about a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// How much it matters.
    pub weight: Weight,
    /// A stable short name (`long-backfill`).
    pub code: String,
    /// What it is.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Where it comes from.
    pub place: Option<Place>,
}

/// A change that can't be made safe as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// A stable short name (`needs-up`).
    pub code: String,
    /// What can't be done, and why.
    pub message: String,
    /// The text that is missing, or another way.
    pub help: String,
    /// The statement that asks for it, where one can be told.
    pub place: Option<Place>,
}
