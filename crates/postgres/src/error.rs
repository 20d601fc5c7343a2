//! What can go wrong with a database, typed: the server's own words are kept apart, by its code.
//!
//! No message holds a password. Tested in place and in `tests/postgres/connection.rs`.

use postgres::error::{DbError, ErrorPosition};
use thiserror::Error;

/// A failure.
#[derive(Debug, Error)]
pub enum Error {
    /// A URL that is none, or says what can't be done.
    #[error("{url} is no usable PostgreSQL URL: {why}")]
    Address {
        /// Without its password.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// No connection came about.
    #[error("can't connect to {url}: {why}")]
    Connect {
        /// Without its password.
        url: String,
        /// What happened.
        why: String,
        /// The server's code, if it was the server that refused.
        code: Option<String>,
    },
    /// The server is older than what is supported.
    #[error("the server is PostgreSQL {found}, Tandem needs {needed} or newer")]
    TooOld {
        /// What it is.
        found: String,
        /// What it had to be.
        needed: u32,
    },
    /// The server refused a statement.
    #[error(transparent)]
    Server(Box<Refusal>),
    /// The connection ended: what was under way may or may not have happened.
    #[error("the connection to PostgreSQL was lost: {why}")]
    Lost {
        /// What happened.
        why: String,
    },
    /// The client library and the server did not understand each other.
    #[error("PostgreSQL's answer was not understood: {why}")]
    Answer {
        /// What happened.
        why: String,
    },
    /// Something that is needed is not there.
    #[error("{what} is not there: {help}")]
    NotThere {
        /// What.
        what: String,
        /// What to do.
        help: String,
    },
    /// A right is missing.
    #[error("{who} may not {what}: {help}")]
    MayNot {
        /// The role.
        who: String,
        /// What it may not do.
        what: String,
        /// What to do.
        help: String,
    },
    /// More than a bound allows.
    #[error("{what} has more than {bound}")]
    TooMany {
        /// What.
        what: String,
        /// The bound, with what it counts.
        bound: String,
    },
    /// A program of PostgreSQL's failed.
    #[error("{program} failed: {why}")]
    Program {
        /// Which.
        program: String,
        /// What it said.
        why: String,
    },
}

/// What a server said when it refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message} ({code}){}{}{}", detailed("detail", .detail), detailed("hint", .hint), detailed("in", .statement))]
pub struct Refusal {
    /// SQLSTATE.
    pub code: String,
    /// Its message.
    pub message: String,
    /// More about it.
    pub detail: Option<String>,
    /// What it advises.
    pub hint: Option<String>,
    /// Where: its `CONTEXT`.
    pub context: Option<String>,
    /// The table, column or constraint that it names, as `schema.table`, column, constraint.
    pub about: (Option<String>, Option<String>, Option<String>),
    /// The character of the statement that it points at, from 1.
    pub position: Option<u32>,
    /// The statement, where the caller told it ([`Error::in_statement`]).
    pub statement: Option<String>,
}

fn detailed(word: &str, text: &Option<String>) -> String {
    text.as_ref().map(|text| format!("; {word}: {text}")).unwrap_or_default()
}

/// Classes of SQLSTATE that say nothing about the statement: connection, transaction, resources, object in use, operator.
pub(crate) fn passes(code: &str) -> bool {
    ["08", "40", "53", "55", "57"].iter().any(|class| code.starts_with(class))
}

impl Error {
    /// Whether the same may succeed later.
    pub fn may_pass(&self) -> bool {
        match self {
            Error::Connect { code, .. } => code.as_deref().is_none_or(passes),
            Error::Lost { .. } => true,
            Error::Server(refusal) => passes(&refusal.code),
            _ => false,
        }
    }

    /// The server's SQLSTATE, if it was the server that spoke.
    pub fn code(&self) -> Option<&str> {
        match self {
            Error::Server(refusal) => Some(&refusal.code),
            Error::Connect { code, .. } => code.as_deref(),
            _ => None,
        }
    }

    /// Whether the same may go well later without anybody changing anything: locks, deadlocks, lost connections, full servers.
    pub fn is_transient(&self) -> bool {
        match self {
            Error::Lost { .. } | Error::Connect { code: None, .. } => true,
            Error::Connect { code: Some(code), .. } => is_passing(code),
            Error::Server(refusal) => is_passing(&refusal.code),
            _ => false,
        }
    }

    /// Whether a lock was not to be had in time.
    pub fn is_lock_timeout(&self) -> bool {
        self.code() == Some("55P03")
    }

    /// The same with the statement that it is about.
    #[must_use]
    pub fn in_statement(mut self, statement: &str) -> Error {
        if let Error::Server(refusal) = &mut self {
            refusal.statement = Some(statement.to_owned());
        }
        self
    }

    /// An error that is not the server's word.
    pub(crate) fn without_words(why: &postgres::Error) -> Error {
        let is_io = std::error::Error::source(why).is_some_and(|cause| cause.is::<std::io::Error>());
        if why.is_closed() || is_io {
            return Error::Lost { why: caused(why) };
        }
        Error::Answer { why: caused(why) }
    }

    /// A failed try to connect.
    pub(crate) fn connecting(url: String, why: &postgres::Error) -> Error {
        let code = why.as_db_error().map(|told| told.code().code().to_owned());
        let why = why.as_db_error().map_or_else(|| caused(why), |told| told.message().to_owned());
        Error::Connect { url, why, code }
    }
}

/// Lost connections, deadlocks and serialisation, lock timeouts, shutdowns and starts, lack of resources.
fn is_passing(code: &str) -> bool {
    ["08", "40", "53"].iter().any(|class| code.starts_with(class))
        || matches!(code, "55P03" | "55006" | "57P01" | "57P02" | "57P03" | "57P05")
}

/// An error with its causes: the library keeps them apart.
fn caused(why: &postgres::Error) -> String {
    let mut text = why.to_string();
    let mut cause = std::error::Error::source(why);
    while let Some(inner) = cause {
        let told = inner.to_string();
        if !text.contains(&told) {
            text = format!("{text}: {told}");
        }
        cause = inner.source();
    }
    text
}

impl From<postgres::Error> for Error {
    fn from(why: postgres::Error) -> Error {
        match why.as_db_error() {
            Some(told) => Error::Server(Box::new(Refusal::from(told))),
            None => Error::without_words(&why),
        }
    }
}

impl From<&DbError> for Refusal {
    fn from(told: &DbError) -> Refusal {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let table = told.table().map(|table| format!("{}.{table}", told.schema().unwrap_or("?")));
        Refusal {
            code: told.code().code().to_owned(),
            message: told.message().to_owned(),
            detail: owned(told.detail()),
            hint: owned(told.hint()),
            context: owned(told.where_()),
            about: (table, owned(told.column()), owned(told.constraint())),
            position: match told.position() {
                Some(ErrorPosition::Original(place)) => Some(*place),
                _ => None,
            },
            statement: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str) -> Error {
        Error::Server(Box::new(Refusal {
            code: code.to_owned(),
            message: "no".to_owned(),
            detail: None,
            hint: Some("ask".to_owned()),
            context: None,
            about: (None, None, None),
            position: None,
            statement: None,
        }))
    }

    #[test]
    fn what_passes_by_itself_is_told_from_what_does_not() {
        assert!(refused("40P01").is_transient() && refused("55P03").is_transient());
        assert!(!refused("42P01").is_transient() && !refused("23505").is_transient());
        assert!(Error::Lost { why: String::new() }.is_transient());
    }

    #[test]
    fn the_servers_words_and_the_statement_are_shown() {
        let shown = refused("42P01").in_statement("SELECT 1").to_string();
        assert_eq!(shown, "no (42P01); hint: ask; in: SELECT 1");
    }
}
