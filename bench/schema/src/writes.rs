//! What writers pay while both revisions live: updates of a column that is changed and of one that is not, beside the same
//! on the database as it was. In bulk (where nothing else costs) and one by one, in interleaved rounds.

use std::time::Instant;

use postgres::{Client, NoTls};
use tandem_database::Database;

use crate::reshape::{self, Reshape};
use crate::stage::{self, Nobody, copy, median, operator, path, planned};

const SQL: &str = "ALTER TABLE users ALTER COLUMN size TYPE bigint";
const ACTIONS: &str = "[[actions]]\ntype = 'alter_column'\ntable = 'users'\ncolumn = 'size'\nup = 'size::bigint'\ndown = 'size::int'\n[actions.changes]\ntype = 'bigint'";

/// Rows of one update in bulk, and statements one by one.
const ROWS: i64 = 20_000;

/// Rounds.
const ROUNDS: usize = 7;

/// The writers of one kind.
struct Writer {
    name: &'static str,
    client: Client,
}

/// Measures, and prints the ratios.
pub(crate) fn run(rows: u64) -> Result<(), String> {
    let server = stage::server(rows, "")?;
    let mut writers = Vec::new();
    let (plain, mixed) = (copy(&server), copy(&server));
    writers.push(writer("plain", &plain, "public")?);
    let plan = planned(&mixed, SQL)?;
    let mut operator = operator(&mixed)?;
    operator.start(&plan, &mut Nobody).map_err(|why| why.to_string())?;
    writers.push(writer("tandem, old side", &mixed, &path(&plan.old_lens))?);
    writers.push(writer("tandem, new side", &mixed, &path(&plan.new_lens))?);
    let theirs = copy(&server);
    match reshape::program() {
        Some(program) => {
            Reshape::new(program, theirs.url(), ACTIONS)?.migration("start")?;
            writers.push(writer("reshape, old side", &theirs, "public")?);
            writers.push(writer("reshape, new side", &theirs, reshape::NEW_PATH)?);
        }
        None => println!("reshape is absent: cargo install reshape, or name its program by RESHAPE"),
    }
    for database in [&plain, &mixed, &theirs] {
        database.client().batch_execute("VACUUM ANALYZE users").map_err(|why| why.to_string())?;
    }
    println!(
        "updates while both revisions live, median of {ROUNDS} rounds: microseconds a row, times the plain ones"
    );
    for (column, set) in [("touched", "size = size + 1"), ("untouched", "nick = 'other'")] {
        for one_by_one in [false, true] {
            measure(&mut writers, column, set, one_by_one).map_err(|why| why.to_string())?;
        }
    }
    Ok(())
}

fn writer(name: &'static str, database: &Database<'_>, path: &str) -> Result<Writer, String> {
    let mut client = Client::connect(&database.url(), NoTls).map_err(|why| why.to_string())?;
    client.batch_execute(&format!("SET search_path = {path}")).map_err(|why| why.to_string())?;
    Ok(Writer { name, client })
}

fn measure(writers: &mut [Writer], column: &str, set: &str, one_by_one: bool) -> Result<(), postgres::Error> {
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); writers.len()];
    for _ in 0..ROUNDS {
        for (writer, times) in writers.iter_mut().zip(&mut times) {
            times.push(round(&mut writer.client, set, one_by_one)?);
        }
    }
    let way = if one_by_one { "one by one" } else { "in bulk" };
    let plain = times.first().cloned().unwrap_or_default();
    for (writer, times) in writers.iter().zip(times) {
        let ratios = times.iter().zip(&plain).map(|(time, plain)| time / plain).collect();
        println!("  {column:10} {way:10} {:18} {:7.1} {:5.2}x", writer.name, median(times), median(ratios));
    }
    Ok(())
}

/// Microseconds a row. Rolled back, so that each round finds the same rows; what that leaves behind is the same for all.
fn round(client: &mut Client, set: &str, one_by_one: bool) -> Result<f64, postgres::Error> {
    let statement = client.prepare(&format!("UPDATE users SET {set} WHERE id = $1"))?;
    let begun = Instant::now();
    client.batch_execute("BEGIN")?;
    if one_by_one {
        for id in 1..=ROWS {
            client.execute(&statement, &[&id])?;
        }
    } else {
        client.execute(&format!("UPDATE users SET {set} WHERE id <= {ROWS}"), &[])?;
    }
    let took = begun.elapsed();
    client.batch_execute("ROLLBACK")?;
    Ok(took.as_secs_f64() * 1e6 / ROWS as f64)
}
