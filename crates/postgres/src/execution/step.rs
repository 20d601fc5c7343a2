//! One step done: a transaction with its locks, or a statement that can't be in one.
//!
//! Tested in `tests/postgres/execution.rs`.

use postgres::{Client, GenericClient, Transaction};
use tandem_schema::name::ident;
use tandem_schema::plan::Lock;

use super::Watch;
use super::attempt::Line;
use crate::failure::Failure;
use crate::statements::OWN;

/// A statement that stands alone.
#[derive(Clone, Copy)]
pub(super) struct Alone<'a> {
    /// Run before each try.
    pub(super) clear: Option<&'a str>,
    /// The statement.
    pub(super) statement: &'a str,
    /// Whether it has happened.
    pub(super) done: Option<&'a str>,
}

impl Line<'_> {
    /// All statements in one transaction, and what `record` writes with them.
    pub(super) fn transaction(
        &mut self,
        step: &str,
        locks: &[Lock],
        statements: &[String],
        watch: &mut (dyn Watch + Send),
        mut record: impl FnMut(&mut Transaction<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut order: Vec<&Lock> = locks.iter().collect();
        self.attempts(step, watch, |client, limits| {
            let mut transaction = client.transaction()?;
            transaction.batch_execute(limits)?;
            for at in 0..order.len() {
                if let Err(failure) = take(&mut transaction, order[at]) {
                    let failure = failure.at(step, &format!("LOCK TABLE {}", order[at].table));
                    // Its clients hold this one while they ask for one of those before it: the next try comes as they do.
                    order[..=at].rotate_right(1);
                    return Err(failure);
                }
            }
            for statement in statements {
                let done = transaction.batch_execute(&format!("{OWN}{statement}"));
                done.map_err(|error| Failure::Database(error).at(step, statement))?;
            }
            record(&mut transaction)?;
            Ok(transaction.commit()?)
        })
    }

    /// One statement outside of a transaction, if it has not happened yet.
    pub(super) fn alone(
        &mut self,
        step: &str,
        alone: Alone<'_>,
        watch: &mut (dyn Watch + Send),
    ) -> Result<(), Failure> {
        self.attempts(step, watch, |client, limits| {
            if let Some(query) = alone.done
                && holds(client, query).map_err(|failure| failure.at(step, query))?
            {
                return Ok(());
            }
            // Outside of a transaction a limit is the session's; the last one stays until the next step sets its own.
            let limits = limits.replace("SET LOCAL", "SET");
            for statement in [alone.clear, Some(alone.statement)].into_iter().flatten() {
                let concurrently = statement.to_ascii_uppercase().contains("CONCURRENTLY");
                // What waits for old transactions alone must wait as long as they take, and stands in nobody's way.
                client.batch_execute(if concurrently { "SET lock_timeout = 0" } else { &limits })?;
                let done = client.batch_execute(&format!("{OWN}{statement}"));
                done.map_err(|error| Failure::Database(error).at(step, statement))?;
            }
            Ok(())
        })
    }
}

fn take(transaction: &mut Transaction<'_>, lock: &Lock) -> Result<(), Failure> {
    let found = transaction.query_opt(
        "SELECT relkind::text, pg_get_userbyid(relowner)::text FROM pg_class WHERE oid = to_regclass($1)",
        &[&lock.table.to_string()],
    )?;
    let Some(row) = found else { return Ok(()) };
    let (kind, owner): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    match kind.as_str() {
        "r" | "p" => {
            transaction.batch_execute(&format!("LOCK TABLE {} IN {} MODE", lock.table, lock.mode))?;
        }
        // LOCK TABLE would lock the tables below too, in another order than the readers of several views do.
        "v" => {
            transaction.batch_execute(&format!("ALTER VIEW {} OWNER TO {}", lock.table, ident(&owner)))?;
        }
        _ => {}
    }
    Ok(())
}

/// A query of one boolean.
pub(super) fn holds(client: &mut impl GenericClient, query: &str) -> Result<bool, Failure> {
    Ok(client
        .query_opt(query, &[])?
        .map_or(Ok(None), |row| row.try_get::<_, Option<bool>>(0))?
        .unwrap_or(false))
}

/// What the role may set, tried out.
pub(super) fn may(client: &mut Client, setting: &str) -> Result<bool, Failure> {
    let mut transaction = client.transaction()?;
    let tried = transaction.batch_execute(setting);
    let allowed = match tried {
        Ok(()) => true,
        Err(error) if error.code() == Some(&postgres::error::SqlState::INSUFFICIENT_PRIVILEGE) => false,
        Err(error) => return Err(error.into()),
    };
    transaction.rollback()?;
    Ok(allowed)
}
