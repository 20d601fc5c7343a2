//! A whole history on an empty database: nobody lives there, so it is run as it is written.

use std::sync::atomic::AtomicBool;

use tandem_database::Server;
use tandem_postgres::execution::shape;
use tandem_postgres::preparation::{Statements, Wanted, prepare};
use tandem_postgres::{Execution, Options};

use crate::stage::{migrations, quiet};

/// What no plan would do under the feet of an old version, and things that can't be in one transaction.
const HISTORY: &str = "
    CREATE TYPE mood AS ENUM ('sad');
    CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL, mood mood);
    INSERT INTO people (name, mood) VALUES ('Ada Lovelace', 'sad');
    CREATE FUNCTION first(text) RETURNS text LANGUAGE sql AS $$ SELECT split_part($1, ' ', 1) $$;
    ALTER TYPE mood ADD VALUE 'glad';
    UPDATE people SET mood = 'glad' WHERE name LIKE 'Ada%';
    BEGIN;
    CREATE TABLE names (id int PRIMARY KEY REFERENCES people, first text NOT NULL);
    INSERT INTO names SELECT id, first(name) FROM people, (SELECT 1) AS odd;
    COMMIT;
    ALTER TABLE people DROP COLUMN name;
    CREATE INDEX CONCURRENTLY people_mood ON people (mood);
    CREATE SCHEMA other;
    CREATE VIEW other.glad AS SELECT * FROM people WHERE mood = 'glad';
    GRANT USAGE ON SCHEMA other TO PUBLIC";

#[test]
fn a_history_is_run_as_it_is_where_nobody_lives() {
    static GO: AtomicBool = AtomicBool::new(false);
    let (plain, database) = (Server::shared().database(), Server::shared().database());
    for statement in HISTORY.split(';').filter(|text| !text.trim().is_empty()) {
        plain.execute(statement);
    }
    let wanted = Wanted {
        url: &database.url(),
        scratch_url: None,
        from: "",
        migrations: &migrations("1_all.sql", HISTORY),
        home: "public",
        qualified: false,
        books: None,
        statements: Statements::default(),
        options: tandem_schema::draft::Options::default(),
    };
    let empty = shape(&mut database.client()).unwrap();
    let plan = prepare(&wanted).unwrap().plan;
    assert_eq!(plan.changes[0].kind, "first migrations");
    let mut execution = Execution::open(&database.url(), Options::default(), &GO).unwrap();
    execution.start(&plan, &mut quiet()).unwrap();
    execution.undo(&mut quiet()).unwrap();
    assert_eq!(empty.differences(&shape(&mut database.client()).unwrap()), Vec::<String>::new());
    let plan = prepare(&wanted).unwrap().plan;
    execution.start(&plan, &mut quiet()).unwrap();
    assert_eq!(execution.contract(false, &mut quiet()).unwrap(), Vec::<String>::new());
    let (wanted, found) = (shape(&mut plain.client()).unwrap(), shape(&mut database.client()).unwrap());
    assert_eq!(wanted.differences(&found), Vec::<String>::new());
    let row =
        database.client().query_one("SELECT first || ' ' || mood FROM names JOIN other.glad USING (id)", &[]);
    assert_eq!(row.unwrap().get::<_, String>(0), "Ada glad");
}
