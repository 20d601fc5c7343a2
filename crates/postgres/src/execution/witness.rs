//! Which locks a transaction took, seen from beside it: what a plan can't tell of its statements before they are run.
//!
//! Tested in `tests/change/tables.rs`.

use postgres::Client;
use tandem_schema::name::Name;
use tandem_schema::plan::{Lock, Mode};

use crate::failure::Failure;

/// What a working connection has locked so that writers wait, by the names that are committed: tables and views of its own
/// making have none yet, those that it dropped or moved still have theirs. What is locked with its parent is left out.
const TAKEN: &str = "
    WITH taken AS (
        SELECT relation AS oid, array_agg(mode) AS modes FROM pg_locks
        WHERE pid = $1 AND granted AND locktype = 'relation'
            AND mode = ANY ($2)
        GROUP BY relation
    )
    SELECT n.nspname::text, c.relname::text, t.modes
    FROM taken t JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'tandem')
        AND NOT EXISTS (
            SELECT FROM pg_inherits i JOIN taken parent ON parent.oid = i.inhparent
            WHERE i.inhrelid = c.oid AND parent.modes @> t.modes
        )
    ORDER BY 1, 2";

/// Looks on from a connection of its own.
pub(super) struct Witness {
    client: Client,
    seen: Vec<Vec<Lock>>,
}

impl Witness {
    /// One that has seen nothing yet.
    pub(super) fn new(client: Client) -> Witness {
        Witness { client, seen: Vec::new() }
    }

    /// What a session holds now, in the modes of LOCK TABLE: the strongest of each relation.
    pub(super) fn look(&mut self, pid: i32) -> Result<Vec<Lock>, Failure> {
        let mut locks = Vec::new();
        let names = Mode::ALL.map(Mode::in_pg_locks);
        for row in self.client.query(TAKEN, &[&pid, &names.as_slice()])? {
            let modes: Vec<String> = row.try_get(2)?;
            let held = |mode: &Mode| modes.iter().any(|held| held == mode.in_pg_locks());
            let Some(mode) = Mode::ALL.into_iter().filter(held).max() else { continue };
            let table = Name::new(row.try_get::<_, String>(0)?, row.try_get::<_, String>(1)?);
            locks.push(Lock { table, mode });
        }
        Ok(locks)
    }

    /// Keeps what was seen of a transaction that is done.
    pub(super) fn keep(&mut self, locks: Vec<Lock>) {
        self.seen.push(locks);
    }

    /// What was kept, one entry for each transaction; from here on anew.
    pub(super) fn told(&mut self) -> Vec<Vec<Lock>> {
        std::mem::take(&mut self.seen)
    }
}
