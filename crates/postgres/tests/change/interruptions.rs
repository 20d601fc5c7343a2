//! A rich change whose operator is cut off at each step of each phase, and then finished, or taken back.

use std::time::Duration;

use tandem_database::{Database, Server};
use tandem_postgres::execution::shape;
use tandem_postgres::{Phase, Watch};
use tandem_schema::plan::Plan;

use crate::stage::{operator, planned, quiet};

/// Two tables with rows.
pub(super) const BEFORE: &str = "CREATE TABLE teams (id int PRIMARY KEY, title text);
    CREATE TABLE users (id serial PRIMARY KEY, name text, email text NOT NULL, size int NOT NULL, team int);
    INSERT INTO teams SELECT i, 't' FROM generate_series(1, 20) i;
    INSERT INTO users (name, email, size, team) SELECT 'n ' || i, 'e' || i, i, 1 + i % 20 FROM generate_series(1, 2500) i";

/// A change of many kinds.
pub(super) const MIGRATION: &str = "UPDATE users SET name = 'none' WHERE name IS NULL;
    ALTER TABLE users ALTER COLUMN name SET NOT NULL;
    ALTER TABLE users RENAME COLUMN email TO mail;
    ALTER TABLE users ALTER COLUMN size TYPE bigint;
    ALTER TABLE users ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid();
    ALTER TABLE users ADD CONSTRAINT users_team FOREIGN KEY (team) REFERENCES teams (id);
    ALTER TABLE users ADD CONSTRAINT small CHECK (size < 1000000);
    CREATE UNIQUE INDEX users_mail ON users (mail);
    CREATE TABLE notes (id serial PRIMARY KEY, of_user int REFERENCES users (id));
    ALTER TABLE teams DROP COLUMN title;";

/// Cuts all of the operator's connections when a step begins.
struct Cut<'a> {
    database: &'a Database<'a>,
    at: usize,
}

impl Watch for Cut<'_> {
    fn step(&mut self, _: &str, index: usize, _: usize) {
        if index == self.at {
            self.database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name = 'tandem' AND pid <> pg_backend_pid()",
            );
        }
    }
    fn rows(&mut self, _: u64, _: u64, _: f64, _: Option<Duration>) {}
    fn waiting(&mut self, _: &str) {}
    fn note(&mut self, _: &str) {}
}

/// The schema is that of the plan's end, or that of its undo.
pub(super) fn same(database: &Database<'_>, plan: &Plan, after: bool, when: &str) {
    let found = shape(&mut database.client()).unwrap();
    let differences = if after { plan.after.differences(&found) } else { plan.undone.differences(&found) };
    assert!(differences.is_empty(), "{when}: {}", differences.join("\n"));
}

/// What all rows of the users are, in short.
pub(super) fn rows(database: &Database<'_>) -> String {
    let query = "SELECT md5(string_agg(u::text, ',' ORDER BY id)) || count(*) FROM users u";
    database.client().query_one(query, &[]).unwrap().get(0)
}

#[test]
fn every_step_may_be_the_last_one_for_a_while() {
    let database = Server::shared().database();
    database.execute(BEFORE);
    let plan = planned(&database, MIGRATION, true).unwrap_or_else(|why| panic!("{why}")).plan;
    operator(&database).adopt("1_old", &[]).unwrap();
    let before = rows(&database);

    for at in 0..plan.start.len() {
        let cut = operator(&database).start(&plan, &mut Cut { database: &database, at });
        assert!(cut.is_err(), "step {at} of the start was not cut");
        operator(&database).undo(&mut quiet()).unwrap_or_else(|why| panic!("undo after step {at}: {why}"));
        same(&database, &plan, false, &format!("undone after step {at}"));
        assert_eq!(rows(&database), before, "rows after an undo from step {at}");
    }
    for at in 0..plan.start.len() {
        let _ = operator(&database).start(&plan, &mut Cut { database: &database, at });
    }
    let end = operator(&database).resume(&mut quiet()).unwrap_or_else(|why| panic!("resume: {why}"));
    assert_eq!(end.phase, Phase::Mixed);
    for at in 0..plan.undo.len() {
        let _ = operator(&database).undo(&mut Cut { database: &database, at });
    }
    if operator(&database).active().unwrap().is_some() {
        operator(&database).undo(&mut quiet()).unwrap_or_else(|why| panic!("undo: {why}"));
    }
    same(&database, &plan, false, "undone in pieces");

    operator(&database).start(&plan, &mut quiet()).unwrap_or_else(|why| panic!("{why}"));
    for at in 0..plan.contract.len() {
        let cut = operator(&database).contract(true, &mut Cut { database: &database, at });
        assert!(cut.is_err(), "step {at} of the contract was not cut");
    }
    let left =
        operator(&database).contract(true, &mut quiet()).unwrap_or_else(|why| panic!("contract: {why}"));
    assert!(left.is_empty(), "{left:?}");
    same(&database, &plan, true, "contracted in pieces");
}
