//! Rows per second of a backfill: by one plain UPDATE, by Reshape, and by Tandem, on fresh copies, in rounds.

use std::time::Instant;

use crate::reshape::{self, Reshape};
use crate::stage::{self, Nobody, copy, median, operator, planned};

const SQL: &str = "ALTER TABLE users ADD COLUMN code text; UPDATE users SET code = upper(name);";
const ACTIONS: &str = "[[actions]]\ntype = 'add_column'\ntable = 'users'\nup = 'upper(name)'\n[actions.column]\nname = 'code'\ntype = 'text'";

/// Measures, and prints medians and their ratios to the plain statement.
pub(crate) fn run(rows: u64, rounds: usize) -> Result<(), String> {
    let server = stage::server(rows, "")?;
    let peer = reshape::program();
    let (mut plain, mut theirs, mut ours) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds.max(1) {
        let database = copy(&server);
        let begun = Instant::now();
        database.execute(SQL);
        plain.push(begun.elapsed().as_secs_f64());
        if let Some(program) = &peer {
            let database = copy(&server);
            let reshape = Reshape::new(program.clone(), database.url(), ACTIONS)?;
            let begun = Instant::now();
            reshape.migration("start")?;
            theirs.push(begun.elapsed().as_secs_f64());
        }
        let database = copy(&server);
        let plan = planned(&database, SQL)?;
        let mut operator = operator(&database)?;
        let begun = Instant::now();
        operator.start(&plan, &mut Nobody).map_err(|why| why.to_string())?;
        ours.push(begun.elapsed().as_secs_f64());
    }
    println!("backfill of {rows} rows, whole start, median of {}", rounds.max(1));
    let whole = median(plain.clone());
    for (name, times) in [("one plain UPDATE", plain), ("reshape", theirs), ("tandem", ours)] {
        if times.is_empty() {
            println!("  {name:18} absent");
            continue;
        }
        let time = median(times);
        println!(
            "  {name:18} {:8.0} rows/s  {time:6.2} s  {:5.2}x the time",
            rows as f64 / time,
            time / whole
        );
    }
    Ok(())
}
