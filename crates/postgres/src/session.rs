//! Other sessions on the server, as they are named to people: who is in the way, who holds the operator's lock.
//!
//! Tested in `tests/postgres/execution.rs`, where messages must name them.

use std::fmt;

use postgres::Row;
use serde::{Deserialize, Serialize};

/// What is selected from `pg_stat_activity a` to make a [`Session`].
pub(crate) const COLUMNS: &str = "a.pid, coalesce(a.usename::text, a.backend_type, '?') AS who, \
     coalesce(a.application_name, '') AS application, coalesce(host(a.client_addr), 'local') AS address, \
     coalesce(a.state, '?') AS state, coalesce(left(a.query, 80), '') AS query, \
     to_char(coalesce(a.xact_start, a.backend_start) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS since, \
     coalesce(a.backend_type, '') = 'autovacuum worker' AS autovacuum";

/// A session on the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The process on the server.
    pub pid: i32,
    /// Its role, or what it is.
    pub who: String,
    /// What it calls itself.
    pub application: String,
    /// From where it came.
    pub address: String,
    /// What it does (`idle in transaction`).
    pub state: String,
    /// The beginning of its last statement.
    pub query: String,
    /// Since when its transaction (or, without one, itself) lives.
    pub since: Option<String>,
    /// An autovacuum worker: gives way when it is asked to.
    pub autovacuum: bool,
}

impl Session {
    pub(crate) fn of(row: &Row) -> Result<Session, postgres::Error> {
        Ok(Session {
            pid: row.try_get("pid")?,
            who: row.try_get("who")?,
            application: row.try_get("application")?,
            address: row.try_get("address")?,
            state: row.try_get("state")?,
            query: row.try_get("query")?,
            since: row.try_get("since")?,
            autovacuum: row.try_get("autovacuum")?,
        })
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {} ({}", self.pid, self.who)?;
        if !self.application.is_empty() {
            write!(f, ", application {}", self.application)?;
        }
        write!(f, ", from {}, {}", self.address, self.state)?;
        if let Some(since) = &self.since {
            write!(f, " since {since}")?;
        }
        write!(f, ")")?;
        let query = self.query.split_whitespace().collect::<Vec<_>>().join(" ");
        if query.is_empty() { Ok(()) } else { write!(f, " running: {query}") }
    }
}

/// Several, for one message.
pub(crate) fn named(sessions: &[Session]) -> String {
    match sessions {
        [] => "nobody that could be seen".to_owned(),
        some => some.iter().map(Session::to_string).collect::<Vec<_>>().join("; "),
    }
}
