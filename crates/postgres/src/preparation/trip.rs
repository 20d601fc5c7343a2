//! The way there and back, tried on every real row (or on a sample of very many); nothing is written.
//!
//! Tested in `tests/change/splits.rs`.

use postgres::Client;
use postgres::error::SqlState;
use tandem_schema::name::ident;
use tandem_schema::plan::{Note, Trip, Weight};

use crate::error::Error;
use crate::statements::OWN;

/// Of more rows only so many are looked at, about.
const MOST: u64 = 1_000_000;

/// No look takes longer.
const AT_MOST: &str = "SET LOCAL statement_timeout = '60s'";

/// What a person should know of it.
pub(super) fn look(client: &mut Client, home: &str, trip: &Trip) -> Note {
    let columns = trip.columns.join(", ");
    let (weight, message, help) = match tried(client, home, trip) {
        Ok((rows, 0, _)) => {
            let all = if trip.rows > MOST { "of a sample, all" } else { "all" };
            let told = format!(
                "{}: {all} {rows} rows come back by `@down` as `@up` took them ({columns})",
                trip.table.name
            );
            (Weight::Hint, told, None)
        }
        Ok((rows, wrong, examples)) => {
            let table = &trip.table.name;
            let told = format!(
                "{table}: {wrong} of {rows} rows would not come back as they were ({columns}): {examples}"
            );
            let help = "it matters when the new version writes them and the old one reads that: write `@down` so that it gives back what `@up` took, if that can be";
            (Weight::Warning, told, Some(help.to_owned()))
        }
        Err(error) => {
            // What takes too long is let be; any other error would meet the fill too.
            let late = error.code() == Some(SqlState::QUERY_CANCELED.code());
            let told =
                format!("{}: whether rows come back by `@down` could not be tried: {error}", trip.table.name);
            (if late { Weight::Hint } else { Weight::Warning }, told, None)
        }
    };
    Note { weight, code: "round-trip".to_owned(), message, help, place: None }
}

/// How many rows there are, how many would not come back, and some of those.
fn tried(client: &mut Client, home: &str, trip: &Trip) -> Result<(i64, i64, String), Error> {
    let mut transaction = client.build_transaction().read_only(true).start()?;
    transaction.batch_execute(&format!("{AT_MOST}; SET LOCAL search_path = {}", ident(home)))?;
    let sample = match trip.rows {
        0..=MOST => String::new(),
        rows => format!(" TABLESAMPLE SYSTEM ({}) REPEATABLE (1)", 100.0 * MOST as f64 / rows as f64),
    };
    let made = trip.made.join(", ");
    let from = format!("FROM (SELECT new.*, {made} FROM {} AS new{sample}) AS new", trip.table);
    let counted = format!("{OWN}SELECT count(*), count(*) FILTER (WHERE {}) {from}", trip.wrong);
    let row = transaction.query_one(&counted, &[])?;
    let (rows, wrong): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    let mut examples = Vec::new();
    if wrong > 0 && !trip.key.is_empty() {
        let key: Vec<String> = trip
            .key
            .iter()
            .map(|column| format!("'{} = ' || new.{}::text", column.replace('\'', "''"), ident(column)))
            .collect();
        let shown =
            format!("{OWN}SELECT concat_ws(', ', {}) {from} WHERE {} LIMIT 3", key.join(", "), trip.wrong);
        for row in transaction.query(&shown, &[])? {
            examples.push(row.try_get::<_, String>(0)?);
        }
    }
    Ok((rows, wrong, examples.join("; ")))
}
