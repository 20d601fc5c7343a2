//! Whether rows and clients are ready for the contract.
//!
//! Tested in `tests/postgres/execution.rs`.

use postgres::{Client, GenericClient};
use tandem_schema::name::ident;
use tandem_schema::plan::{Plan, RowCheck};

use crate::clients::{OF_LENS, SESSIONS};
use crate::failure::Failure;
use crate::finding::Finding;
use crate::session::{COLUMNS, Session};
use crate::statements::OWN;

/// How many rows are shown of each kind.
const EXAMPLES: usize = 5;

/// The checks of a plan that don't hold for every row.
pub fn verify(client: &mut impl GenericClient, plan: &Plan) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    for check in &plan.checks {
        findings.extend(checked(client, check)?);
    }
    Ok(findings)
}

fn checked(client: &mut impl GenericClient, check: &RowCheck) -> Result<Option<Finding>, Failure> {
    let (table, alias) = (&check.table, ident(&check.table.name));
    let query = format!("{OWN}SELECT count(*) FROM {table} AS {alias} WHERE ({})", check.wrong);
    let counted = client.query_one(&query, &[]);
    let row = counted.map_err(|error| Failure::Database(error).at(&check.meaning, &query))?;
    let rows = u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0);
    if rows == 0 {
        return Ok(None);
    }
    let key = client.query(
        "SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
         WHERE i.indrelid = to_regclass($1) AND i.indisprimary ORDER BY array_position(i.indkey::int2[], a.attnum)",
        &[&table.to_string()],
    )?;
    let mut parts = Vec::new();
    for row in &key {
        let column: String = row.try_get(0)?;
        parts.push(format!(
            "format('%s = %s', {}, {})",
            tandem_schema::name::literal(&column),
            ident(&column)
        ));
    }
    let shown = if parts.is_empty() {
        "'ctid = ' || ctid".to_owned()
    } else {
        format!("concat_ws(', ', {})", parts.join(", "))
    };
    let query =
        format!("{OWN}SELECT {shown} FROM {table} AS {alias} WHERE ({}) LIMIT {EXAMPLES}", check.wrong);
    let examples = client.query(&query, &[])?.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    Ok(Some(Finding { meaning: check.meaning.clone(), rows, examples }))
}

/// Clients of a revision, by its lens.
pub fn clients(client: &mut Client, lens: &str) -> Result<Vec<Session>, Failure> {
    let query = format!(
        "SELECT {COLUMNS} FROM (SELECT $1::text AS lens) named, {SESSIONS} AND {OF_LENS} ORDER BY a.pid"
    );
    Ok(client.query(&query, &[&lens])?.iter().map(Session::of).collect::<Result<_, _>>()?)
}
