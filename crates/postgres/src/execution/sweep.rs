//! Dead rows: a fill writes every row anew, and where autovacuum does not keep up the table would grow to twice its size.
//! Then the fill itself lets the server sweep before it goes on.
//!
//! Tested in place and in `tests/postgres/execution.rs`.

use postgres::Client;

use crate::failure::Failure;

/// Fewer dead rows than this are nobody's trouble.
const FEW: u64 = 50_000;

/// Of a table's rows so many may be dead: twice what autovacuum allows by default.
const SHARE: f64 = 0.4;

/// Rows written since a table or partition was last swept.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    table: u32,
    /// How many rows it has.
    rows: u64,
    written: u64,
    /// How often it has been swept, when that was last looked at.
    swept: i64,
}

impl Sweep {
    /// Whether a table or partition is to be swept now, after so many more rows of it were written. Where the server has
    /// not counted its rows yet, it has at most `rows`.
    pub(super) fn is_due(
        &mut self,
        client: &mut Client,
        table: u32,
        written: u64,
        rows: u64,
    ) -> Result<bool, Failure> {
        if self.table != table {
            let rows = counted(client, table)?.unwrap_or(rows);
            *self = Sweep { table, rows, written: 0, swept: swept(client, table)? };
        }
        self.written = self.written.saturating_add(written);
        if !is_much(self.written, self.rows) {
            return Ok(false);
        }
        self.written = 0;
        let before = std::mem::replace(&mut self.swept, swept(client, table)?);
        Ok(before == self.swept)
    }

    /// It was swept on the fill's behalf.
    pub(super) fn done(&mut self, client: &mut Client) -> Result<(), Failure> {
        self.swept = swept(client, self.table)?;
        Ok(())
    }
}

/// How many rows a table has, by the server's statistics, if it was ever counted.
fn counted(client: &mut Client, table: u32) -> Result<Option<u64>, Failure> {
    let query = "SELECT nullif(reltuples::bigint, -1) FROM pg_class WHERE oid = $1";
    let rows: Option<i64> =
        client.query_opt(query, &[&table])?.map(|row| row.try_get(0)).transpose()?.flatten();
    Ok(rows.and_then(|rows| u64::try_from(rows).ok()))
}

/// How often a table was swept, by whomever.
fn swept(client: &mut Client, table: u32) -> Result<i64, Failure> {
    let query = "SELECT pg_stat_get_autovacuum_count($1) + pg_stat_get_vacuum_count($1)";
    Ok(client.query_one(query, &[&table])?.try_get(0)?)
}

fn is_much(dead: u64, rows: u64) -> bool {
    dead >= FEW && dead as f64 >= rows as f64 * SHARE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_table_is_not_worth_it_and_a_large_one_is_at_two_fifths() {
        assert!(!is_much(49_999, 50_000) && is_much(50_000, 50_000));
        assert!(!is_much(399_999, 1_000_000) && is_much(400_000, 1_000_000));
    }
}
