//! Rows of small tables, such as those in which frameworks keep what they have done.

use std::io::{Read, Write};

use postgres::Client;
use tandem_schema::name::{Name, idents};

use crate::error::Error;

/// The most rows that are copied.
const ROWS: u64 = 100_000;

/// The most bytes.
const BYTES: u64 = 64 * 1024 * 1024;

/// Copies all rows; those that are there already give way.
pub(super) fn copy(from: &mut Client, to: &mut Client, table: &Name) -> Result<u64, Error> {
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
    let told = |why: std::io::Error| Error::Lost { why: why.to_string() };
    from.copy_out(&query)?.take(BYTES + 1).read_to_end(&mut data).map_err(told)?;
    // Line ends within values are written as \n: a line is a row.
    let count = data.iter().filter(|byte| **byte == b'\n').count() as u64;
    if count > ROWS || data.len() as u64 > BYTES {
        return Err(Error::TooMany { what: format!("table {table}"), bound: ROWS });
    }
    let mut transaction = to.transaction()?;
    transaction.batch_execute(&format!("DELETE FROM {table}"))?;
    let mut writer = transaction.copy_in(&format!("COPY {table} ({columns}) FROM STDIN"))?;
    writer.write_all(&data).map_err(told)?;
    let written = writer.finish()?;
    transaction.commit()?;
    count_on(from, to, table)?;
    Ok(written)
}

/// The numbers that the table counts stand where they do in the database.
fn count_on(from: &mut Client, to: &mut Client, table: &Name) -> Result<(), Error> {
    let rows = from.query(
        "SELECT pg_catalog.pg_get_serial_sequence($1, a.attname::text) FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped",
        &[&table.to_string()],
    )?;
    for row in &rows {
        let Some(sequence) = row.try_get::<_, Option<String>>(0)? else { continue };
        let place = from.query_one(&format!("SELECT last_value, is_called FROM {sequence}"), &[])?;
        let (last, called): (i64, bool) = (place.try_get(0)?, place.try_get(1)?);
        to.execute("SELECT pg_catalog.setval($1::text::regclass, $2, $3)", &[&sequence, &last, &called])?;
    }
    Ok(())
}
