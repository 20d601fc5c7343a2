//! Rows of small tables: read, known again by a digest, and put into a scratch copy.
//!
//! For the books of frameworks, and for tables that a migration command looks at. Tested in `tests/postgres/scratch.rs` and
//! `tests/postgres/relay.rs`.

use std::io::{Read, Write};

use postgres::error::SqlState;
use postgres::{Client, GenericClient, IsolationLevel, Transaction};
use sha2::{Digest, Sha256};
use tandem_schema::name::{Name, bare, idents};
use tandem_schema::plan::Premise;

use crate::error::Error;

/// The most rows that are read of a table.
const ROWS: u64 = 100_000;

/// The most bytes.
const BYTES: u64 = 64 * 1024 * 1024;

/// All rows of a table, and how far it has counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rows {
    table: Name,
    /// Those that are written and not generated.
    columns: String,
    /// As COPY writes them, a line each.
    data: Vec<u8>,
    count: u64,
    counters: Vec<Counter>,
}

/// Where a sequence of a table's column stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Counter {
    sequence: String,
    last: i64,
    called: bool,
}

/// A transaction in which nothing moves: all rows that are read in it are of one moment.
pub(crate) fn moment(client: &mut Client) -> Result<Transaction<'_>, Error> {
    let begun = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let mut transaction = begun.start()?;
    // Better an error than rows that are not seen.
    transaction.batch_execute("SET LOCAL row_security = off")?;
    Ok(transaction)
}

/// Those of the premises that do not hold any more.
pub(crate) fn moved(client: &mut Client, premises: &[Premise]) -> Result<Vec<Name>, Error> {
    if premises.is_empty() {
        return Ok(Vec::new());
    }
    let mut moment = moment(client)?;
    let mut moved = Vec::new();
    for premise in premises {
        let holds = match Rows::read(&mut moment, &premise.table) {
            Ok(rows) => rows.premise() == *premise,
            Err(Error::TooMany { .. }) => false,
            Err(why) => return Err(why),
        };
        moved.extend((!holds).then(|| premise.table.clone()));
    }
    Ok(moved)
}

impl Rows {
    /// Reads a small table, within [`moment`].
    pub(crate) fn read(from: &mut impl GenericClient, table: &Name) -> Result<Rows, Error> {
        let rows = from.query(
            "SELECT a.attname::text FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
                JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
             ORDER BY a.attnum",
            &[&table.schema, &table.name],
        )?;
        let names = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
        if names.is_empty() {
            return Err(Error::NotThere {
                what: format!("table {table}"),
                help: "it has no columns here".to_owned(),
            });
        }
        let columns = idents(names.iter().map(String::as_str));
        let query = format!("COPY (SELECT {columns} FROM {table} LIMIT {}) TO STDOUT", ROWS + 1);
        let mut data = Vec::new();
        from.copy_out(&query)?.take(BYTES + 1).read_to_end(&mut data).map_err(lost)?;
        // Line ends within values are written as \n: a line is a row.
        let count = data.iter().filter(|byte| **byte == b'\n').count() as u64;
        if count > ROWS || data.len() as u64 > BYTES {
            let bound = format!("{ROWS} rows, or {} MiB", BYTES >> 20);
            return Err(Error::TooMany { what: format!("table {}", bare(&table.to_string())), bound });
        }
        let counters = counters(from, table)?;
        Ok(Rows { table: table.clone(), columns, data, count, counters })
    }

    /// By which it is known whether the rows are still the same, whatever their order.
    pub(crate) fn premise(&self) -> Premise {
        let mut lines: Vec<&[u8]> = self.data.split(|byte| *byte == b'\n').collect();
        lines.sort_unstable();
        let mut digest = Sha256::new();
        digest.update(&self.columns);
        for line in lines {
            digest.update(b"\n");
            digest.update(line);
        }
        for Counter { sequence, last, called } in &self.counters {
            digest.update(format!("\n{sequence} {last} {called}"));
        }
        let digest = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Premise { table: self.table.clone(), rows: self.count, digest }
    }

    /// Writes them; those that are there already give way.
    pub(crate) fn write(&self, to: &mut Client) -> Result<u64, Error> {
        let Rows { table, columns, data, counters, .. } = self;
        let mut transaction = to.transaction()?;
        unbound(&mut transaction)?;
        transaction.batch_execute(&format!("DELETE FROM {table}"))?;
        let mut writer = transaction.copy_in(&format!("COPY {table} ({columns}) FROM STDIN"))?;
        writer.write_all(data).map_err(lost)?;
        let written = writer.finish()?;
        for Counter { sequence, last, called } in counters {
            let set = "SELECT pg_catalog.setval($1::text::regclass, $2, $3)";
            transaction.execute(set, &[sequence, last, called])?;
        }
        transaction.commit()?;
        Ok(written)
    }
}

/// Writes several: those that refer to others come after them.
pub(crate) fn write_all(all: &[Rows], to: &mut Client) -> Result<(), Error> {
    let mut left: Vec<&Rows> = all.iter().collect();
    while !left.is_empty() {
        let (mut waiting, mut refused) = (Vec::new(), None);
        for rows in &left {
            match rows.write(to) {
                Ok(_) => {}
                Err(why) if why.code() == Some(SqlState::FOREIGN_KEY_VIOLATION.code()) => {
                    waiting.push(*rows);
                    refused = Some(why);
                }
                Err(why) => return Err(why),
            }
        }
        match refused {
            Some(why) if waiting.len() == left.len() => return Err(why),
            _ => left = waiting,
        }
    }
    Ok(())
}

/// Foreign keys and triggers of the copy are no concern of rows that are only to be looked at, where the role may say so.
fn unbound(transaction: &mut Transaction<'_>) -> Result<(), Error> {
    let mut trial = transaction.transaction()?;
    match trial.batch_execute("SET LOCAL session_replication_role = 'replica'") {
        Ok(()) => Ok(trial.commit()?),
        Err(why) if why.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Ok(trial.rollback()?),
        Err(why) => Err(why.into()),
    }
}

/// The sequences of a table's columns.
fn counters(from: &mut impl GenericClient, table: &Name) -> Result<Vec<Counter>, Error> {
    let rows = from.query(
        "SELECT pg_catalog.pg_get_serial_sequence($1, a.attname::text) FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        &[&table.to_string()],
    )?;
    let mut counters = Vec::new();
    for row in &rows {
        let Some(sequence) = row.try_get::<_, Option<String>>(0)? else { continue };
        let place = from.query_one(&format!("SELECT last_value, is_called FROM {sequence}"), &[])?;
        let (last, called) = (place.try_get(0)?, place.try_get(1)?);
        counters.push(Counter { sequence, last, called });
    }
    Ok(counters)
}

fn lost(why: std::io::Error) -> Error {
    Error::Lost { why: why.to_string() }
}
