//! The nineteen operations of the Nemesis workload, on a large table with readers and writers: by plain statements, by
//! Reshape, and by Tandem.
//!
//! Measured are the longest statement of any client, the longest wait of any client for a lock (told by the server), the
//! statements that failed, and how long it took. Plainly, the clients stay what they were; else clients of the old version
//! are at work until the contract, and clients of the new one from the mixed state to the end. The first line is the load
//! alone: what the machine itself does to the longest statement.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use tandem_database::{Database, Server};
use tandem_schema::name::ident;

use crate::load::{Figures, Load, Statements};
use crate::operation::{OPERATIONS, Operation};
use crate::reshape::{self, Reshape};
use crate::stage::{self, CLIENT, Nobody, copy, operator, path, planned};

/// So many statements are done by the clients of each version around an operation.
const AROUND: u64 = 200;

/// What clients do to a table and its column; their rows give a further column, where they have to.
fn statements((table, column): (&str, &str), gives: Option<&str>) -> Statements {
    let (table, column) = (ident(table), ident(column));
    let insert = match gives {
        Some(more) => format!("INSERT INTO {table} ({column}, {}) VALUES ('n', 'n')", ident(more)),
        None => format!("INSERT INTO {table} ({column}) VALUES ('n')"),
    };
    Statements(vec![
        format!("SELECT {column} FROM {table} WHERE id = $1"),
        insert,
        format!("UPDATE {table} SET {column} = 'u' WHERE id = $1"),
        format!("DELETE FROM {table} WHERE id = $1"),
    ])
}

/// What one method showed.
struct Shown {
    longest: Duration,
    /// The longest wait for a lock, where there was one worth telling.
    lock: Duration,
    failed: u64,
    took: Duration,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        let (longest, lock) = (ms(self.longest), ms(self.lock));
        write!(f, "{longest:6.0} {lock:6.0} {:6} {:6.1}", self.failed, self.took.as_secs_f64())
    }
}

/// Measures all of them, or those whose name holds a word.
pub(crate) fn run(rows: u64, only: Option<&str>) -> Result<(), String> {
    let server = stage::server(rows, "CREATE INDEX users_name ON users (name)")?;
    let peer = reshape::program();
    if peer.is_none() {
        println!("reshape is absent: cargo install reshape, or name its program by RESHAPE");
    }
    println!(
        "{rows} rows; of each method: longest statement (ms), longest wait for a lock (ms), errors, seconds"
    );
    println!("{:34} {:>28} {:>28} {:>28}", "operation", "plain", "reshape", "tandem");
    println!("{:34} {:>28}", "(the load alone)", alone(&server, rows)?.to_string());
    for operation in
        OPERATIONS.iter().filter(|operation| only.is_none_or(|word| operation.name.contains(word)))
    {
        let measured = |method: &dyn Fn(&Database<'_>) -> Result<Shown, String>| {
            let before = log(&server).len();
            let shown = method(&copy(&server));
            shown.map(|shown| Shown { lock: longest_wait(log(&server).get(before..)), ..shown })
        };
        let plain = measured(&|database| plainly(database, operation, rows));
        let theirs = match &peer {
            None => Err("absent".to_owned()),
            Some(_) if operation.reshape.is_empty() => Err("no such action".to_owned()),
            Some(program) => measured(&|database| by_reshape(program, database, operation, rows)),
        };
        let ours = measured(&|database| by_tandem(database, operation, rows));
        let told = |shown: Result<Shown, String>| match shown {
            Ok(shown) => shown.to_string(),
            Err(why) if why.len() <= 28 => why,
            Err(why) => {
                eprintln!("{}: {why}", operation.name);
                "failed, see above".to_owned()
            }
        };
        println!("{:34} {:>28} {:>28} {:>28}", operation.name, told(plain), told(theirs), told(ours));
    }
    Ok(())
}

/// What the server has said.
fn log(server: &Server) -> Vec<u8> {
    std::fs::read(server.folder().join("log")).unwrap_or_default()
}

/// The longest wait of a client that ended with the lock: `load LOG:  process 1 acquired … after 12.345 ms`.
fn longest_wait(log: Option<&[u8]>) -> Duration {
    let text = String::from_utf8_lossy(log.unwrap_or_default());
    let waits = text.lines().filter(|line| line.starts_with(CLIENT) && line.contains(" acquired "));
    let times =
        waits.filter_map(|line| line.rsplit_once(" after ")?.1.strip_suffix(" ms")?.parse::<f64>().ok());
    Duration::from_secs_f64(times.fold(0.0, f64::max) / 1000.0)
}

fn shown(both: &[&Figures], took: Duration) -> Shown {
    if let Some(why) = both.iter().find_map(|figures| figures.why()) {
        eprintln!("an error: {why}");
    }
    Shown {
        longest: both.iter().map(|figures| figures.longest()).max().unwrap_or_default(),
        lock: Duration::ZERO,
        failed: both.iter().map(|figures| figures.failed()).sum(),
        took,
    }
}

/// The load, without anything happening, for as long as fifty times what is done around an operation.
fn alone(server: &Server, rows: u64) -> Result<Shown, String> {
    let database = copy(server);
    let before = log(server).len();
    let load = Load::begin(&database.url(), "public", &statements(("users", "name"), None), rows)?;
    let begun = Instant::now();
    load.more(50 * AROUND)?;
    let took = begun.elapsed();
    let shown = shown(&[&load.end()], took);
    Ok(Shown { lock: longest_wait(log(server).get(before..)), ..shown })
}

fn plainly(database: &Database<'_>, operation: &Operation, rows: u64) -> Result<Shown, String> {
    let load = Load::begin(&database.url(), "public", &statements(("users", "name"), None), rows)?;
    let begun = Instant::now();
    let done = database.client().batch_execute(operation.sql);
    let took = begun.elapsed();
    load.more(AROUND)?;
    let mut shown = shown(&[&load.end()], took);
    // Where the plain statement itself fails, because of what clients write meanwhile, that counts as an error.
    shown.failed += u64::from(done.is_err());
    Ok(shown)
}

fn by_reshape(
    program: &Path,
    database: &Database<'_>,
    operation: &Operation,
    rows: u64,
) -> Result<Shown, String> {
    let reshape = Reshape::new(program.to_owned(), database.url(), operation.reshape)?;
    let old = Load::begin(&database.url(), "public", &statements(("users", "name"), None), rows)?;
    let begun = Instant::now();
    reshape.migration("start")?;
    let new =
        Load::begin(&database.url(), reshape::NEW_PATH, &statements(operation.new, operation.gives), rows)?;
    old.more(AROUND)?;
    let old = old.end();
    reshape.migration("complete")?;
    let took = begun.elapsed();
    new.more(AROUND)?;
    Ok(shown(&[&old, &new.end()], took))
}

fn by_tandem(database: &Database<'_>, operation: &Operation, rows: u64) -> Result<Shown, String> {
    let plan = planned(database, operation.sql)?;
    let mut operator = operator(database)?;
    let old =
        Load::begin(&database.url(), &path(&plan.old_lens), &statements(("users", "name"), None), rows)?;
    let begun = Instant::now();
    operator.start(&plan, &mut Nobody).map_err(|why| why.to_string())?;
    let new = Load::begin(
        &database.url(),
        &path(&plan.new_lens),
        &statements(operation.new, operation.gives),
        rows,
    )?;
    old.more(AROUND)?;
    let old = old.end();
    let differences = operator.contract(true, &mut Nobody).map_err(|why| why.to_string())?;
    let took = begun.elapsed();
    new.more(AROUND)?;
    if !differences.is_empty() {
        return Err(differences.join("; "));
    }
    Ok(shown(&[&old, &new.end()], took))
}
