//! Columns split and merged, moved and computed anew, with `@up` and `@down`.

use tandem_database::Server;
use tandem_schema::plan::Weight;

use crate::Case;
use crate::stage::{CASE, planned};

const PEOPLE: &str =
    "CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL, state int NOT NULL DEFAULT 1);
    INSERT INTO people (name) SELECT 'Ann Lee' || i FROM generate_series(1, 300) i";

const OLD: &[&str] = &[
    "SELECT * FROM people WHERE id = $1",
    "INSERT INTO people (name) VALUES ('Old ' || $1::text)",
    "UPDATE people SET name = 'Moved ' || $1::text WHERE id = 1 + $2::int % 100",
    "INSERT INTO people VALUES ($1, 'Posi tional', 2)",
];

#[test]
fn a_column_is_split_in_two() {
    for large in [false, true] {
        Case {
            before: PEOPLE,
            migration: "ALTER TABLE people ADD COLUMN first text; ALTER TABLE people ADD COLUMN last text;
                UPDATE people SET first = split_part(name, ' ', 1), last = split_part(name, ' ', 2);
                ALTER TABLE people ALTER COLUMN first SET NOT NULL;
                -- @down people.name: first || ' ' || last
                ALTER TABLE people DROP COLUMN name;",
            old: OLD,
            new: &[
                "SELECT * FROM people WHERE id = $1",
                "INSERT INTO people (first, last) VALUES ('New', $1::text)",
                "UPDATE people SET last = 'Upd' WHERE id = 101 + $1::int % 100",
            ],
            old_sees: &[
                ("SELECT count(*) > 0 FROM people WHERE name LIKE 'New %'", "(t)"),
                ("SELECT count(*) FROM people WHERE id BETWEEN 101 AND 103 AND name NOT LIKE 'Ann%'", "(0)"),
            ],
            new_sees: &[
                ("SELECT count(*) > 0 FROM people WHERE first = 'Moved'", "(t)"),
                ("SELECT count(*) FROM people WHERE last IS NULL", "(0)"),
            ],
            large,
            ..CASE
        }
        .run();
    }
}

#[test]
fn rows_that_would_not_come_back_are_told_before() {
    let database = Server::shared().database();
    database.execute(PEOPLE);
    let migration = "ALTER TABLE people ADD COLUMN first text; ALTER TABLE people ADD COLUMN last text;
        UPDATE people SET first = split_part(name, ' ', 1), last = split_part(name, ' ', 2);
        -- @down people.name: first || ' ' || last
        ALTER TABLE people DROP COLUMN name;
        ALTER TABLE people ALTER COLUMN state TYPE bigint";
    let told = || {
        let notes = planned(&database, migration, false).unwrap().plan.notes;
        let trip = notes.into_iter().find(|note| note.code == "round-trip").unwrap();
        (trip.weight, trip.message)
    };
    let (weight, message) = told();
    assert!(weight == Weight::Hint && message.contains("all 300 rows come back"), "{message}");
    database.execute("UPDATE people SET name = 'Ada Augusta King' WHERE id = 7; UPDATE people SET name = 'Plato' WHERE id = 9");
    let (weight, message) = told();
    assert_eq!(weight, Weight::Warning, "{message}");
    assert!(
        message.contains("2 of 300 rows would not come back") && message.contains("id = 7; id = 9"),
        "{message}"
    );
}

#[test]
fn values_mean_something_else() {
    for large in [false, true] {
        Case {
            before: PEOPLE,
            migration: "-- @up people.state: state + 100
                -- @down people.state: state - 100
                COMMENT ON COLUMN people.state IS 'counted from 100'",
            old: OLD,
            new: &[
                "INSERT INTO people (name, state) VALUES ($1::text, 105)",
                "UPDATE people SET state = 107 WHERE id = 5",
            ],
            old_sees: &[
                ("SELECT count(*) FROM people WHERE state > 50", "(0)"),
                ("SELECT state FROM people WHERE id = 5", "(7)"),
            ],
            new_sees: &[
                ("SELECT count(*) FROM people WHERE state < 100", "(0)"),
                ("SELECT state FROM people WHERE id = 5", "(107)"),
            ],
            large,
            ..CASE
        }
        .run();
    }
}

#[test]
fn a_column_is_copied_and_dropped() {
    Case {
        before: PEOPLE,
        migration: "ALTER TABLE people ADD COLUMN title text; UPDATE people SET title = name; ALTER TABLE people DROP COLUMN name",
        old: OLD,
        new: &["INSERT INTO people (title) VALUES ('t' || $1::text)"],
        old_sees: &[("SELECT count(*) > 0 FROM people WHERE name LIKE 't%'", "(t)")],
        ..CASE
    }
    .run();
}

#[test]
fn names_are_exchanged() {
    Case {
        before: "CREATE TABLE t (id serial PRIMARY KEY, a text, b text); INSERT INTO t (a, b) SELECT 'a', 'b' FROM generate_series(1, 100)",
        migration: "ALTER TABLE t RENAME COLUMN a TO c; ALTER TABLE t RENAME COLUMN b TO a; ALTER TABLE t RENAME COLUMN c TO b",
        old: &["INSERT INTO t (a, b) VALUES ('a', 'b')", "SELECT * FROM t WHERE id = $1"],
        new: &["INSERT INTO t (a, b) VALUES ('b', 'a')", "SELECT * FROM t WHERE id = $1"],
        old_sees: &[("SELECT DISTINCT a, b FROM t", "(a,b)")],
        new_sees: &[("SELECT DISTINCT a, b FROM t", "(b,a)")],
        ..CASE
    }
    .run();
}

#[test]
fn a_column_is_dropped_and_another_takes_its_name() {
    Case {
        before: PEOPLE,
        migration: "ALTER TABLE people DROP COLUMN state; ALTER TABLE people ADD COLUMN state text NOT NULL DEFAULT 'fresh'",
        old: OLD,
        new: &["INSERT INTO people (name, state) VALUES ($1::text, 'done')", "SELECT * FROM people WHERE id = $1"],
        old_sees: &[("SELECT count(*) FROM people WHERE state NOT IN (1, 2)", "(0)")],
        ..CASE
    }
    .run();
}
