//! Why a change could not be begun or carried on.
//!
//! What a person can do stands in each message. Tested where it happens, in `tests/postgres`.

use std::time::Duration;

use postgres::error::SqlState;
use tandem_schema::name::{Name, bare};

use crate::error::Error;
use crate::finding::Finding;
use crate::phase::Phase;
use crate::session::{Session, named};

/// Why a change could not be begun or carried on.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No connection.
    #[error(transparent)]
    Connection(#[from] Error),
    /// The server refused something, or went away.
    #[error("{}", told(.0))]
    Database(#[from] postgres::Error),
    /// A statement of a step failed.
    #[error("{step}: {}, in: {}", told(.source), beginning(.statement))]
    Statement {
        /// The step's title.
        step: String,
        /// The statement.
        statement: String,
        /// What the server said.
        source: postgres::Error,
    },
    /// Locks were not to be had within the budget.
    #[error("{step} had to give way for {} s, in the way: {}; end them, or try again at a quieter time ({}{})",
        .waited.as_secs(), named(.blockers), told(.source), within(.statement.as_deref()))]
    Blocked {
        /// The step's title.
        step: String,
        /// The statement that gave way last, where it was one.
        statement: Option<String>,
        /// How long it was tried.
        waited: Duration,
        /// Who was seen in the way.
        blockers: Vec<Session>,
        /// The last refusal.
        source: postgres::Error,
    },
    /// Somebody else works on this database's schema.
    #[error("another operator works on this database: {}; wait for it, or end it", named(.0.as_slice()))]
    Busy(Vec<Session>),
    /// Somebody took the change over while this operator worked.
    #[error("the change was taken over by another operator; look at its state, this one does nothing more")]
    Taken,
    /// Stopped on request, between two transactions.
    #[error("stopped on request; resume goes on from here")]
    Stopped,
    /// The journal was written by a newer Tandem.
    #[error(
        "the schema `tandem` in this database has format {found}, this program knows {known}: use a newer one"
    )]
    Format {
        /// What is there.
        found: i32,
        /// What this program writes.
        known: i32,
    },
    /// The journal holds what can't be read.
    #[error("the journal in this database can't be read: {0}")]
    Unreadable(String),
    /// The database is at another revision.
    #[error("the plan goes from revision `{wanted}`, the database is at `{found}`; make the plan anew")]
    Revision {
        /// Where the plan begins.
        wanted: String,
        /// Where the database is.
        found: String,
    },
    /// The schema is not what the plan was made for.
    #[error("the schema is not what the plan was made for: {}; make the plan anew", .0.join("; "))]
    Drifted(Vec<String>),
    /// Rows that decided what the plan does are not what they were.
    #[error("rows that decided what the migrations do have changed since they were tried: {}; make the plan anew", tables(.0))]
    Moved(Vec<Name>),
    /// Another change is active.
    #[error("a change to `{to}` is active ({phase}); contract or undo it first")]
    Active {
        /// Where it goes.
        to: String,
        /// How far it is.
        phase: Phase,
    },
    /// No change is active.
    #[error("no change is active in this database; nothing to {0}")]
    Nothing(&'static str),
    /// Not from here.
    #[error("can't {verb} a change that is {phase}; {help}")]
    Phase {
        /// What was asked for.
        verb: &'static str,
        /// How far the change is.
        phase: Phase,
        /// What can be done.
        help: &'static str,
    },
    /// Rows break what must hold.
    #[error("rows are not ready for the contract: {}", findings(.0))]
    Rows(Vec<Finding>),
    /// Clients of the old revision are still there.
    #[error("clients of the old revision are still connected: {}; end them, or use force", named(.0.as_slice()))]
    Clients(Vec<Session>),
}

impl Failure {
    /// The state that the server gave.
    pub fn code(&self) -> Option<&SqlState> {
        match self {
            Failure::Database(error) | Failure::Statement { source: error, .. } => error.code(),
            _ => None,
        }
    }

    /// Whether the same can succeed a moment later: a lock was not to be had, or a deadlock was resolved.
    pub(crate) fn passes(&self) -> bool {
        const PASSING: [&SqlState; 3] = [
            &SqlState::LOCK_NOT_AVAILABLE,
            &SqlState::T_R_DEADLOCK_DETECTED,
            &SqlState::T_R_SERIALIZATION_FAILURE,
        ];
        self.code().is_some_and(|code| PASSING.contains(&code))
    }

    /// Whether the same may succeed later, without anybody changing a migration: the server was away, full or busy, or
    /// somebody was in the way.
    pub fn may_pass(&self) -> bool {
        match self {
            Failure::Connection(error) => error.may_pass(),
            Failure::Database(error) | Failure::Statement { source: error, .. } => {
                error.code().is_none_or(|code| crate::error::passes(code.code()))
            }
            Failure::Blocked { .. }
            | Failure::Busy(_)
            | Failure::Moved(_)
            | Failure::Taken
            | Failure::Stopped
            | Failure::Clients(_) => true,
            _ => false,
        }
    }

    /// With the step and the statement where it happened.
    pub(crate) fn at(self, step: &str, statement: &str) -> Failure {
        match self {
            Failure::Database(source) => {
                Failure::Statement { step: step.to_owned(), statement: statement.to_owned(), source }
            }
            other => other,
        }
    }
}

/// A database's error in one line: what it said, its detail and hint; without a word of its, why there is none.
fn told(error: &postgres::Error) -> String {
    let Some(said) = error.as_db_error() else { return Error::without_words(error).to_string() };
    let more = [said.detail(), said.hint()].into_iter().flatten().map(|text| format!(" ({text})"));
    format!("{}{}", said.message(), more.collect::<String>())
}

fn tables(names: &[Name]) -> String {
    names.iter().map(|name| bare(&name.to_string())).collect::<Vec<_>>().join(", ")
}

fn within(statement: Option<&str>) -> String {
    statement.map(|statement| format!(", in: {}", beginning(statement))).unwrap_or_default()
}

fn beginning(statement: &str) -> String {
    let line = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn findings(findings: &[Finding]) -> String {
    let told = |finding: &Finding| {
        format!("{} in {} rows ({})", finding.meaning, finding.rows, finding.examples.join("; "))
    };
    findings.iter().map(told).collect::<Vec<_>>().join(", ")
}
