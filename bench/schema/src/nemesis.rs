//! The nineteen operations of the Nemesis workload, on a large table with readers and writers: plainly, and by Tandem.
//!
//! Source of the operations: the Nemesis benchmark of the QuantumDB project. Measured are the longest statement of any client
//! and the number that failed. Plainly, the clients stay what they were. By Tandem, clients of the old revision are at
//! work until the contract, and clients of the new one from the mixed state to the end.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use tandem_database::{Database, Server};
use tandem_postgres::preparation::{Statements as Proof, Wanted, prepare};
use tandem_postgres::{Execution, Options, Watch};
use tandem_schema::name::ident;
use tandem_schema::source::{File, read};

use crate::load::{Figures, Load, Statements};

static GO: AtomicBool = AtomicBool::new(false);

struct Nobody;

impl Watch for Nobody {
    fn step(&mut self, _: &str, _: usize, _: usize) {}
    fn rows(&mut self, _: u64, _: u64, _: f64, _: Option<Duration>) {}
    fn waiting(&mut self, _: &str) {}
    fn note(&mut self, _: &str) {}
}

/// An operation: its name, its SQL, and how the new version writes and reads (`{name}` is the column, `{users}` the table).
struct Operation {
    name: &'static str,
    sql: &'static str,
    /// The name of the table and of the column in the new version.
    new: (&'static str, &'static str),
}

const fn operation(name: &'static str, sql: &'static str) -> Operation {
    Operation { name, sql, new: ("users", "name") }
}

const OPERATIONS: [Operation; 19] = [
    operation("create-index-on-column", "CREATE INDEX users_more ON users (nick)"),
    operation("rename-index", "ALTER INDEX users_name RENAME TO users_by_name"),
    operation("drop-index-on-column", "DROP INDEX users_name"),
    operation("add-nullable-column", "ALTER TABLE users ADD COLUMN story varchar(255)"),
    operation(
        "add-non-nullable-column",
        "ALTER TABLE users ADD COLUMN story varchar(255) NOT NULL DEFAULT 'Simple story'",
    ),
    operation("drop-nullable-column", "ALTER TABLE users DROP COLUMN nick"),
    operation("drop-non-nullable-column", "ALTER TABLE users DROP COLUMN kind"),
    operation("rename-nullable-column", "ALTER TABLE users RENAME COLUMN nick TO alias"),
    Operation {
        name: "rename-non-nullable-column",
        sql: "ALTER TABLE users RENAME COLUMN name TO title",
        new: ("users", "title"),
    },
    operation("modify-data-type-on-nullable", "ALTER TABLE users ALTER COLUMN nick TYPE text"),
    operation("modify-data-type-on-non-nullable", "ALTER TABLE users ALTER COLUMN name TYPE text"),
    operation(
        "modify-data-type-from-int-to-text",
        "ALTER TABLE users ALTER COLUMN size TYPE text;\n-- @down users.size: CASE WHEN size ~ '^[0-9]{1,9}$' THEN size::int END",
    ),
    operation("set-default-on-nullable", "ALTER TABLE users ALTER COLUMN nick SET DEFAULT 'none'"),
    operation("set-default-on-non-nullable", "ALTER TABLE users ALTER COLUMN name SET DEFAULT 'none'"),
    operation("make-column-nullable", "ALTER TABLE users ALTER COLUMN kind DROP NOT NULL"),
    operation(
        "make-column-non-nullable",
        "UPDATE users SET nick = 'none' WHERE nick IS NULL; ALTER TABLE users ALTER COLUMN nick SET NOT NULL",
    ),
    operation(
        "add-non-nullable-foreign-key",
        "ALTER TABLE users ADD COLUMN team int NOT NULL DEFAULT 1 CONSTRAINT users_team REFERENCES teams (id)",
    ),
    operation(
        "add-nullable-foreign-key",
        "ALTER TABLE users ADD CONSTRAINT users_group FOREIGN KEY (size) REFERENCES teams (id)",
    ),
    Operation { name: "rename-table", sql: "ALTER TABLE users RENAME TO people", new: ("people", "name") },
];

const SETUP: &str = "CREATE TABLE teams (id int PRIMARY KEY);
    INSERT INTO teams SELECT generate_series(1, 1000);
    CREATE TABLE users (id bigserial PRIMARY KEY, name varchar(255) NOT NULL, nick varchar(255), kind int NOT NULL DEFAULT 3, size int);";

fn statements((table, column): (&str, &str)) -> Statements {
    let (table, column) = (ident(table), ident(column));
    Statements(vec![
        format!("SELECT {column} FROM {table} WHERE id = $1"),
        format!("INSERT INTO {table} ({column}) VALUES ('n')"),
        format!("UPDATE {table} SET {column} = 'u' WHERE id = $1"),
        format!("DELETE FROM {table} WHERE id = $1"),
    ])
}

/// What one method showed.
struct Shown {
    longest: Duration,
    failed: u64,
    took: Duration,
}

/// Measures all of them, or those whose name holds a word.
pub(crate) fn run(rows: u64, only: Option<&str>) -> Result<(), String> {
    let server = Server::start(&[("max_wal_size", "4GB"), ("shared_buffers", "1GB")]);
    server.execute("CREATE DATABASE nemesis");
    let mut client =
        postgres::Client::connect(&server.url("nemesis"), postgres::NoTls).map_err(|why| why.to_string())?;
    let fill = format!(
        "INSERT INTO users (name, nick, size) SELECT 'name ' || i, 'nick', 1 + i % 1000 FROM generate_series(1, {rows}) i;
         CREATE INDEX users_name ON users (name); ANALYZE; CHECKPOINT"
    );
    for statement in SETUP.split(';').chain(fill.split(';')) {
        client.batch_execute(statement).map_err(|why| format!("{statement}: {why}"))?;
    }
    drop(client);
    println!("{:34} {:>30} {:>30}", "operation", "plain: stall ms, errors, s", "tandem: stall ms, errors, s");
    for operation in
        OPERATIONS.iter().filter(|operation| only.is_none_or(|word| operation.name.contains(word)))
    {
        let plain = plainly(&copy(&server)?, operation, rows)?;
        let ours = by_tandem(&copy(&server)?, operation, rows);
        let told = |shown: &Shown| {
            format!(
                "{:.0}, {}, {:.1}",
                shown.longest.as_secs_f64() * 1000.0,
                shown.failed,
                shown.took.as_secs_f64()
            )
        };
        let ours = ours.map_or_else(|why| why, |shown| told(&shown));
        println!("{:34} {:>30} {:>30}", operation.name, told(&plain), ours);
    }
    Ok(())
}

fn copy(server: &Server) -> Result<Database<'_>, String> {
    let database = server.database();
    let name = database.name().to_owned();
    // The fresh one makes room for a copy under its name.
    server.execute(&format!("DROP DATABASE {}", ident(&name)));
    server.execute(&format!("CREATE DATABASE {} TEMPLATE nemesis", ident(&name)));
    Ok(database)
}

fn plainly(database: &Database<'_>, operation: &Operation, rows: u64) -> Result<Shown, String> {
    let load = Load::begin(&database.url(), "public", &statements(("users", "name")), rows)?;
    let begun = Instant::now();
    let mut client = database.client();
    let done = client.batch_execute(operation.sql);
    let took = begun.elapsed();
    load.more(200)?;
    let figures = load.end();
    // Where the plain statement itself fails, because of what clients write meanwhile, that counts as an error.
    let failed = figures.failed() + u64::from(done.is_err());
    Ok(Shown { longest: figures.longest(), failed, took })
}

fn by_tandem(database: &Database<'_>, operation: &Operation, rows: u64) -> Result<Shown, String> {
    let files = [File { path: "2_new.sql".to_owned(), text: operation.sql.to_owned() }];
    let migrations = read(&files).map_err(|why| format!("{why:?}"))?;
    let wanted = Wanted {
        url: &database.url(),
        scratch_url: None,
        from: "1_old",
        migrations: &migrations,
        home: "public",
        statements: Proof::default(),
        books: None,
        options: tandem_schema::draft::Options::default(),
    };
    let plan = prepare(&wanted).map_err(|why| why.to_string())?.plan;
    let mut operator =
        Execution::open(&database.url(), Options::default(), &GO).map_err(|why| why.to_string())?;
    operator.adopt("1_old", &[]).map_err(|why| why.to_string())?;
    let path = |lens: &str| format!("{}, public", ident(lens));
    let old = Load::begin(&database.url(), &path(&plan.old_lens), &statements(("users", "name")), rows)?;
    let begun = Instant::now();
    operator.start(&plan, &mut Nobody).map_err(|why| why.to_string())?;
    let new = Load::begin(&database.url(), &path(&plan.new_lens), &statements(operation.new), rows)?;
    old.more(200)?;
    let old = old.end();
    let differences = operator.contract(true, &mut Nobody).map_err(|why| why.to_string())?;
    let took = begun.elapsed();
    new.more(200)?;
    let new = new.end();
    if !differences.is_empty() {
        return Err(differences.join("; "));
    }
    let both: [&Arc<Figures>; 2] = [&old, &new];
    Ok(Shown {
        longest: both.iter().map(|figures| figures.longest()).max().unwrap_or_default(),
        failed: both.iter().map(|figures| figures.failed()).sum(),
        took,
    })
}
