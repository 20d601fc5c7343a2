//! A small database with a plan written by hand, and a watcher that does what a test wants at each moment.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use postgres::Client;
use tandem_database::{Database, Server};
use tandem_postgres::execution::shape;
use tandem_postgres::{Execution, Failure, Options, Watch};
use tandem_schema::fingerprint::Fingerprint;
use tandem_schema::name::Name;
use tandem_schema::plan::{Fill, Lock, MigrationRef, Mode, Plan, RowCheck, Step, Work};

/// Never stops.
pub static GO: AtomicBool = AtomicBool::new(false);

/// What happens.
pub enum Event<'a> {
    Step(&'a str),
    Rows(u64),
    Waiting(&'a str),
    Note(&'a str),
}

/// Hands each event to a closure.
pub struct On<F>(pub F);

impl<F: FnMut(Event<'_>)> Watch for On<F> {
    fn step(&mut self, title: &str, _: usize, _: usize) {
        (self.0)(Event::Step(title));
    }
    fn rows(&mut self, done: u64, _: u64, _: f64, _: Option<Duration>) {
        (self.0)(Event::Rows(done));
    }
    fn waiting(&mut self, why: &str) {
        (self.0)(Event::Waiting(why));
    }
    fn note(&mut self, text: &str) {
        (self.0)(Event::Note(text));
    }
}

/// Sees nothing.
pub fn quiet() -> On<fn(Event<'_>)> {
    On(|_| ())
}

/// A database with `app.users`, at revision `one`.
pub struct House {
    pub database: Database<'static>,
    pub plan: Plan,
}

pub fn open(database: &Database<'_>) -> Result<Execution<'static>, Failure> {
    Execution::open(&database.url(), Options::default(), &GO)
}

impl House {
    /// With so many rows, walked by key or by place.
    pub fn new(rows: u32, key: &[&str]) -> House {
        let database = Server::shared().database();
        let url = database.url();
        House::within(database, &url, rows, key)
    }

    /// In a database that is there, made by whom the URL names.
    pub fn within(database: Database<'static>, url: &str, rows: u32, key: &[&str]) -> House {
        let mut client = tandem_postgres::connect(url).unwrap();
        client.batch_execute(&format!(
            "CREATE SCHEMA app; CREATE TABLE app.users (id bigint PRIMARY KEY, name text NOT NULL, touched int NOT NULL DEFAULT 0, UNIQUE (name, id));
             INSERT INTO app.users SELECT i, 'name ' || i FROM generate_series(1, {rows}) i; ANALYZE app.users;
             CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS
                 'BEGIN NEW.touched := NEW.touched + 1; RETURN NEW; END';
             CREATE TRIGGER touch BEFORE UPDATE ON app.users FOR EACH ROW EXECUTE FUNCTION app.touch()"
        )).unwrap();
        let mut journal = tandem_postgres::journal::Journal::open(&mut client).unwrap();
        journal.adopt("one", &[]).unwrap();
        let plan = plan(shape(&mut client).unwrap(), rows, key);
        House { database, plan }
    }

    pub fn open(&self) -> Execution<'static> {
        open(&self.database).unwrap()
    }

    pub fn number(&self, query: &str) -> i64 {
        self.database.client().query_one(query, &[]).unwrap().get(0)
    }

    /// Rows whose new column is not what it should be.
    pub fn missing(&self) -> i64 {
        self.number("SELECT count(*) FROM app.users WHERE shout IS DISTINCT FROM upper(name)")
    }

    pub fn revision(&self) -> String {
        let state = tandem_postgres::journal::state(&mut self.database.client()).unwrap();
        assert_eq!(state.change, None);
        state.revision.map(|revision| revision.name).unwrap_or_default()
    }

    /// The old revision, and nothing left of the new one.
    pub fn is_as_before(&self) {
        assert_eq!(self.revision(), "one");
        let found = shape(&mut self.database.client()).unwrap();
        assert_eq!(self.plan.before.differences(&found), Vec::<String>::new());
    }

    /// The new revision, with every row right and nobody's own triggers run.
    pub fn is_settled(&self) {
        assert_eq!(self.revision(), "two");
        assert_eq!(self.missing(), 0);
        assert_eq!(self.number("SELECT count(*) FROM app.users WHERE touched > 0"), 0);
        assert_eq!(self.number("SELECT count(*) FROM pg_trigger WHERE tgname = 'zz_sync'"), 0);
    }

    /// Ends every session of Tandem's in this database, and waits until they are gone.
    pub fn kill(&self) {
        kill(&mut self.database.client());
    }
}

pub fn kill(client: &mut Client) {
    let query = "SELECT coalesce(bool_and(pg_terminate_backend(pid, 10000)), true) FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name = 'tandem'";
    assert!(client.query_one(query, &[]).unwrap().get::<_, bool>(0));
}

fn transaction(title: &str, statements: &[&str]) -> Step {
    let users = Name::new("app", "users");
    Step {
        title: title.to_owned(),
        work: Work::Transaction {
            locks: vec![
                Lock { table: Name::new("app", "not there"), mode: Mode::AccessExclusive },
                Lock { table: users, mode: Mode::AccessExclusive },
            ],
            statements: statements.iter().map(|&text| text.to_owned()).collect(),
        },
    }
}

fn alone(title: &str, clear: Option<&str>, statement: &str, done: Option<&str>) -> Step {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let work = Work::Alone { clear: owned(clear), statement: statement.to_owned(), done: owned(done) };
    Step { title: title.to_owned(), work }
}

fn start(rows: u32, key: &[&str]) -> Vec<Step> {
    let expand = transaction(
        "expand",
        &[
            "ALTER TABLE app.users ADD COLUMN shout text",
            "CREATE FUNCTION tandem.sync_users() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
                 IF current_setting(''tandem.quiet'', true) = ''on'' THEN RETURN NEW; END IF;
                 NEW.shout := upper(NEW.name); RETURN NEW; END'",
            "CREATE TRIGGER zz_sync BEFORE INSERT OR UPDATE ON app.users FOR EACH ROW EXECUTE FUNCTION tandem.sync_users()",
            "ALTER TABLE app.users ENABLE ALWAYS TRIGGER zz_sync",
        ],
    );
    let fill = Fill {
        table: Name::new("app", "users"),
        key: key.iter().map(|&column| column.to_owned()).collect(),
        into: None,
        set: vec![("shout".to_owned(), "upper(name)".to_owned())],
        needed: "shout IS DISTINCT FROM upper(name)".to_owned(),
        rows: u64::from(rows),
    };
    vec![
        expand,
        Step { title: "fill users.shout".to_owned(), work: Work::Fill(fill) },
        alone(
            "index users.shout",
            Some("DROP INDEX CONCURRENTLY IF EXISTS app.shouts"),
            "CREATE INDEX CONCURRENTLY shouts ON app.users (shout)",
            Some("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('app.shouts')"),
        ),
    ]
}

fn plan(before: Fingerprint, rows: u32, key: &[&str]) -> Plan {
    Plan {
        from: "one".to_owned(),
        to: "two".to_owned(),
        migrations: vec![MigrationRef { name: "two".to_owned(), checksum: "abc".to_owned() }],
        home: "app".to_owned(),
        old_lens: "tandem_one".to_owned(),
        new_lens: "tandem_two".to_owned(),
        qualified: false,
        trips: Vec::new(),
        start: start(rows, key),
        contract: vec![
            transaction(
                "check",
                &["ALTER TABLE app.users ADD CONSTRAINT heard CHECK (shout IS NOT NULL) NOT VALID"],
            ),
            alone("validate", None, "ALTER TABLE app.users VALIDATE CONSTRAINT heard", None),
            transaction(
                "contract",
                &["DROP TRIGGER zz_sync ON app.users", "DROP FUNCTION tandem.sync_users()"],
            ),
            alone("analyze", None, "ANALYZE app.users", None),
        ],
        undo: vec![
            alone("drop index", None, "DROP INDEX CONCURRENTLY IF EXISTS app.shouts", None),
            transaction(
                "undo",
                &[
                    "DROP TRIGGER IF EXISTS zz_sync ON app.users",
                    "DROP FUNCTION IF EXISTS tandem.sync_users()",
                    "ALTER TABLE app.users DROP CONSTRAINT IF EXISTS heard, DROP COLUMN IF EXISTS shout",
                ],
            ),
        ],
        changes: vec![],
        notes: vec![],
        after: before.clone(),
        undone: before.clone(),
        no_return: 3,
        before,
        checks: vec![RowCheck {
            table: Name::new("app", "users"),
            wrong: "shout IS NULL".to_owned(),
            meaning: "users.shout holds NULL".to_owned(),
        }],
        views: vec![],
        premises: vec![],
    }
}
