//! A role per revision behind a pooler that hands out connections transaction by transaction.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use postgres::{Client, NoTls};
use tandem_database::{Database, Pooler, Server};
use tandem_schema::name::lens;

use crate::stage::{operator, planned, quiet};

const BEFORE: &str = "CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, age int);
    INSERT INTO users (name) SELECT 'n' || i FROM generate_series(1, 200) i";

const MIGRATION: &str =
    "ALTER TABLE users RENAME COLUMN name TO full_name; ALTER TABLE users ALTER COLUMN age TYPE bigint";

fn through(pooler: &Pooler, database: &Database<'_>, role: &str) -> Client {
    let url = format!("host=127.0.0.1 port={} user={role} dbname={}", pooler.port(), database.name());
    Client::connect(&url, NoTls).unwrap()
}

/// Runs statements in turn until told to stop; each must succeed.
fn work(mut client: Client, texts: &[&str], stop: &AtomicBool, rounds: &AtomicU64) {
    while !stop.load(Ordering::Relaxed) {
        for text in texts {
            client.simple_query(text).unwrap_or_else(|why| panic!("{text}: {why:?}"));
        }
        rounds.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits for some more rounds.
fn more(rounds: &AtomicU64, threads: &[&std::thread::ScopedJoinHandle<'_, ()>]) {
    let goal = rounds.load(Ordering::Relaxed) + 10;
    while rounds.load(Ordering::Relaxed) < goal {
        assert!(threads.iter().all(|thread| !thread.is_finished()), "a client has failed");
        std::thread::yield_now();
    }
}

#[test]
fn a_role_sees_its_revision_through_a_transaction_pooler() {
    let server = Server::shared();
    let database = server.database();
    database.execute(BEFORE);
    let lenses = (lens("1_old"), lens("2_new"));
    let (old, new) = (format!("{}_pooled", lenses.0), format!("{}_pooled", lenses.1));
    for (role, lens) in [(&old, &lenses.0), (&new, &lenses.1)] {
        database.execute(&format!(
            "CREATE ROLE {role} LOGIN; ALTER ROLE {role} IN DATABASE {} SET search_path = {lens}, public;
             GRANT SELECT, INSERT ON users TO {role}; GRANT USAGE ON SEQUENCE users_id_seq TO {role}",
            database.name()
        ));
    }
    let plan = planned(&database, MIGRATION, false).unwrap_or_else(|why| panic!("{why}")).plan;
    let settings = [("auth_type", "trust"), ("default_pool_size", "3")];
    let pooler = Pooler::start(server, &[(&old, ""), (&new, "")], "", &settings);
    let mut operator = operator(&database);
    operator.adopt("1_old", &[]).unwrap();

    let (stop_old, stop_new) = (AtomicBool::new(false), AtomicBool::new(false));
    let (old_rounds, new_rounds) = (AtomicU64::new(0), AtomicU64::new(0));
    let old_texts =
        ["INSERT INTO users (name, age) VALUES ('old', 3)", "SELECT name, age FROM users WHERE id = 7"];
    let new_texts = [
        "INSERT INTO users (full_name, age) VALUES ('new', 3)",
        "SELECT full_name, age FROM users WHERE id = 7",
    ];
    std::thread::scope(|scope| {
        let (stop_old, stop_new, old_rounds, new_rounds) = (&stop_old, &stop_new, &old_rounds, &new_rounds);
        let client = through(&pooler, &database, &old);
        let first = scope.spawn(move || work(client, &old_texts, stop_old, old_rounds));
        more(old_rounds, &[&first]);
        operator.start(&plan, &mut quiet()).unwrap_or_else(|why| panic!("{why}"));
        let client = through(&pooler, &database, &new);
        let second = scope.spawn(move || work(client, &new_texts, stop_new, new_rounds));
        more(new_rounds, &[&first, &second]);
        more(old_rounds, &[&first, &second]);
        stop_old.store(true, Ordering::Relaxed);
        first.join().unwrap();
        operator.contract(true, &mut quiet()).unwrap_or_else(|why| panic!("{why}"));
        more(new_rounds, &[&second]);
        stop_new.store(true, Ordering::Relaxed);
        second.join().unwrap();
    });
    drop(pooler);
    database.execute(&format!("DROP OWNED BY {old}; DROP ROLE {old}; DROP OWNED BY {new}; DROP ROLE {new}"));
}
