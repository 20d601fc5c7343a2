//! The store: the journal of events on disk, one SQLite file.
//!
//! Must not know what events mean; a body is text. An append is on the disk when it returns, wholly or not at all.
//! Tested in `tests/server/store.rs`: killed in the middle of an append, a newer file, a full disk.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::ffi::ErrorCode;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, TransactionBehavior, params};
use tandem_core::base::{DeploymentId, ServiceName, Timestamp};

/// The form of the database that this version reads and writes, as SQLite's `user_version`.
pub const FORMAT: u32 = 1;

/// How long a locked database is waited for.
const BUSY: Duration = Duration::from_secs(5);

const TABLES: &str = "
    CREATE TABLE event (
        seq        INTEGER PRIMARY KEY AUTOINCREMENT,
        service    TEXT    NOT NULL,
        deployment INTEGER,
        at         INTEGER NOT NULL,
        body       TEXT    NOT NULL
    ) STRICT;
    CREATE INDEX event_of_deployment ON event (service, deployment, seq);
";

/// The open store. One process at a time writes (the controller, under its lock).
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
}

/// What is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Whose event.
    pub service: ServiceName,
    /// Of which deployment, if of one.
    pub deployment: Option<DeploymentId>,
    /// When.
    pub at: Timestamp,
    /// The event, as JSON.
    pub body: String,
}

/// What was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// The place in the journal: grows with each event, 1 and up.
    pub seq: u64,
    /// The event.
    pub event: NewEvent,
}

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A later version of Tandem wrote the file.
    #[error(
        "{} was written by a newer version of Tandem (format {found}, this one knows up to {FORMAT}): run that version",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// There is no room, or the disk fails. Nothing was written; the same may succeed later.
    #[error("can't write {}: {} (nothing is lost; free some space and it goes on)", path.display(), reason)]
    NoRoom {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// The file is damaged, or not a database.
    #[error("{} is damaged ({reason}): keep a copy of the folder and restore it from a backup", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Anything else.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

impl StoreError {
    /// Whether the same call may succeed later without anyone repairing the file.
    pub fn is_passing(&self) -> bool {
        match self {
            StoreError::NoRoom { .. } => true,
            StoreError::Newer { .. } | StoreError::Damaged { .. } => false,
            StoreError::Sqlite { source, .. } => {
                matches!(
                    source.sqlite_error_code(),
                    Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
                )
            }
        }
    }
}

impl Store {
    /// Opens the database, or creates it.
    pub fn open(path: &Path) -> Result<Store, StoreError> {
        let failed = |error| told(path, error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
        if found > FORMAT {
            return Err(StoreError::Newer { path: path.to_owned(), found });
        }
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
        if found == 0 {
            create(&mut connection).map_err(failed)?;
        }
        Ok(Store { connection, path: path.to_owned() })
    }

    /// Keeps all of `events`, in this order, or none of them. They are on the disk when this returns. The answer is
    /// the number of the last event in the journal.
    pub fn append(&mut self, events: &[NewEvent]) -> Result<u64, StoreError> {
        let path = self.path.clone();
        self.try_append(events).map_err(|error| told(&path, error))
    }

    fn try_append(&mut self, events: &[NewEvent]) -> rusqlite::Result<u64> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO event (service, deployment, at, body) VALUES (?1, ?2, ?3, ?4)",
            )?;
            for event in events {
                let deployment = event.deployment.map(|id| id.0 as i64);
                insert.execute(params![event.service.as_str(), deployment, event.at.0 as i64, event.body])?;
            }
        }
        let last = last(&transaction)?;
        transaction.commit()?;
        Ok(last)
    }

    /// The number of the last event; 0 if there is none.
    pub fn last(&self) -> Result<u64, StoreError> {
        last(&self.connection).map_err(|error| told(&self.path, error))
    }

    /// The latest time of any event; 0 if there is none.
    pub fn last_time(&self) -> Result<Timestamp, StoreError> {
        let query = "SELECT coalesce(max(at), 0) FROM event";
        let last: rusqlite::Result<i64> = self.connection.query_row(query, [], |row| row.get(0));
        last.map(|at| Timestamp(at as u64)).map_err(|error| told(&self.path, error))
    }

    /// Up to `limit` events after number `after`, in order.
    pub fn after(&self, after: u64, limit: usize) -> Result<Vec<StoredEvent>, StoreError> {
        let query =
            "SELECT seq, service, deployment, at, body FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        self.query(query, params![after as i64, limit as i64])
    }

    /// Up to `limit` events of one deployment after number `after`, in order.
    pub fn of_deployment(
        &self,
        service: &ServiceName,
        deployment: DeploymentId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let query = "SELECT seq, service, deployment, at, body FROM event \
                     WHERE service = ?1 AND deployment = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4";
        self.query(query, params![service.as_str(), deployment.0 as i64, after as i64, limit as i64])
    }

    fn query(&self, query: &str, params: impl rusqlite::Params) -> Result<Vec<StoredEvent>, StoreError> {
        let run = || -> rusqlite::Result<Vec<StoredEvent>> {
            let mut statement = self.connection.prepare_cached(query)?;
            statement.query_map(params, stored)?.collect()
        };
        run().map_err(|error| told(&self.path, error))
    }
}

fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

fn last(connection: &Connection) -> rusqlite::Result<u64> {
    let last: Option<i64> =
        connection.query_row("SELECT max(seq) FROM event", [], |row| row.get(0)).optional()?.flatten();
    Ok(last.unwrap_or(0) as u64)
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredEvent> {
    let name: String = row.get(1)?;
    let service = name.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, Box::new(error))
    })?;
    Ok(StoredEvent {
        seq: row.get::<_, i64>(0)? as u64,
        event: NewEvent {
            service,
            deployment: row.get::<_, Option<i64>>(2)?.map(|id| DeploymentId(id as u64)),
            at: Timestamp(row.get::<_, i64>(3)? as u64),
            body: row.get(4)?,
        },
    })
}

fn told(path: &Path, error: rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => {
            StoreError::NoRoom { path, reason: error.to_string() }
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Damaged { path, reason: error.to_string() }
        }
        _ => StoreError::Sqlite { path, source: error },
    }
}
