//! A server with a large table, copied for each measurement, and Tandem at work on a copy.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tandem_database::{Database, Server};
use tandem_postgres::preparation::{Statements as Proof, Wanted, prepare};
use tandem_postgres::{Execution, Options, Watch};
use tandem_schema::name::ident;
use tandem_schema::plan::Plan;
use tandem_schema::source::{File, read};

static GO: AtomicBool = AtomicBool::new(false);

/// Sees nothing.
pub(crate) struct Nobody;

impl Watch for Nobody {
    fn step(&mut self, _: &str, _: usize, _: usize) {}
    fn rows(&mut self, _: u64, _: u64, _: f64, _: Option<Duration>) {}
    fn waiting(&mut self, _: &str) {}
    fn note(&mut self, _: &str) {}
}

const TABLES: &str = "CREATE TABLE teams (id int PRIMARY KEY);
    INSERT INTO teams SELECT generate_series(1, 1000);
    CREATE TABLE users (id bigserial PRIMARY KEY, name varchar(255) NOT NULL, nick varchar(255), kind int NOT NULL DEFAULT 3, size int);";

/// Clients are called so, and their waits are told in the log under this name.
pub(crate) const CLIENT: &str = "load";

/// A server whose database `template` has `rows` users. It writes its log to disk as a server in production does, and each
/// wait for a lock of ten milliseconds and more into its log.
pub(crate) fn server(rows: u64, more: &str) -> Result<Server, String> {
    let server = Server::start(&[
        ("max_wal_size", "4GB"),
        ("shared_buffers", "1GB"),
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("log_lock_waits", "on"),
        ("deadlock_timeout", "10ms"),
        ("log_line_prefix", "%a "),
    ]);
    server.execute("CREATE DATABASE template");
    let mut client =
        postgres::Client::connect(&server.url("template"), postgres::NoTls).map_err(|why| why.to_string())?;
    let fill = format!(
        "INSERT INTO users (name, nick, size) SELECT 'name ' || i, 'nick', 1 + i % 1000 FROM generate_series(1, {rows}) i;
         {more}; VACUUM ANALYZE; CHECKPOINT"
    );
    for statement in TABLES.split(';').chain(fill.split(';')) {
        client.batch_execute(statement).map_err(|why| format!("{statement}: {why}"))?;
    }
    Ok(server)
}

/// A copy of the template.
pub(crate) fn copy(server: &Server) -> Database<'_> {
    let database = server.database();
    let name = ident(database.name());
    // The fresh one makes room for a copy under its name.
    server.execute(&format!("DROP DATABASE {name}"));
    server.execute(&format!("CREATE DATABASE {name} TEMPLATE template STRATEGY file_copy"));
    server.execute("CHECKPOINT");
    database
}

/// Tandem's plan for a migration on a database.
pub(crate) fn planned(database: &Database<'_>, sql: &str) -> Result<Plan, String> {
    let files = [File { path: "2_new.sql".to_owned(), text: sql.to_owned() }];
    let migrations = read(&files).map_err(|why| format!("{why:?}"))?;
    let wanted = Wanted {
        url: &database.url(),
        scratch_url: None,
        from: "1_old",
        migrations: &migrations,
        home: "public",
        qualified: false,
        statements: Proof::default(),
        books: None,
        options: tandem_schema::draft::Options::default(),
    };
    Ok(prepare(&wanted).map_err(|why| why.to_string())?.plan)
}

/// An operator who has adopted what is there.
pub(crate) fn operator(database: &Database<'_>) -> Result<Execution<'static>, String> {
    let mut operator =
        Execution::open(&database.url(), Options::default(), &GO).map_err(|why| why.to_string())?;
    operator.adopt("1_old", &[]).map_err(|why| why.to_string())?;
    Ok(operator)
}

/// The path of a revision's clients.
pub(crate) fn path(lens: &str) -> String {
    format!("{}, public", ident(lens))
}

/// The median.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
