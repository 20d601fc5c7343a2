//! Columns that change their type.

use crate::stage::CASE;
use crate::{Case, refused};

const THINGS: &str = "CREATE TABLE things (id serial PRIMARY KEY, code varchar(10) NOT NULL, note text, size int, at timestamp, data json, price numeric(8, 2));
    CREATE UNIQUE INDEX things_code ON things (code);
    INSERT INTO things (code, note, size, at, data, price) SELECT 'c' || i, i::text, i, '2026-01-01', '{}', i FROM generate_series(1, 300) i";

fn case(
    migration: &'static str,
    old: &'static [&'static str],
    new: &'static [&'static str],
) -> Case<'static> {
    Case { before: THINGS, migration, old, new, ..CASE }
}

fn both(case: Case<'_>) {
    case.run();
    Case { large: true, ..case }.run();
}

#[test]
fn a_text_gets_longer() {
    both(case(
        "ALTER TABLE things ALTER COLUMN code TYPE text",
        &[
            "SELECT * FROM things WHERE code = $1",
            "INSERT INTO things (code) VALUES ($1::text) ON CONFLICT (code) DO NOTHING",
        ],
        &[
            "SELECT * FROM things WHERE code = $1",
            "INSERT INTO things (code) VALUES ($1::text) ON CONFLICT (code) DO NOTHING",
        ],
    ));
}

#[test]
fn a_number_becomes_a_text_and_back() {
    both(case(
        "ALTER TABLE things ALTER COLUMN size TYPE text;
         -- @down things.size: CASE WHEN size ~ '^[0-9]{1,9}$' THEN size::int ELSE -1 END",
        &["UPDATE things SET size = $1 WHERE id = 1", "SELECT size FROM things WHERE id = 1"],
        &["UPDATE things SET size = 'big' WHERE id = 2", "SELECT size FROM things WHERE id = 1"],
    ));
    both(case(
        "ALTER TABLE things ALTER COLUMN note TYPE int USING note::int",
        &["UPDATE things SET note = '5' WHERE id = 1", "SELECT note FROM things WHERE id = 1"],
        &["UPDATE things SET note = $1 WHERE id = 2", "SELECT note FROM things WHERE id = 1"],
    ));
}

#[test]
fn numbers_and_times_get_wider() {
    both(case(
        "ALTER TABLE things ALTER COLUMN size TYPE bigint, ALTER COLUMN price TYPE numeric(12, 2), ALTER COLUMN at TYPE timestamptz",
        &[
            "UPDATE things SET size = $1, price = 1, at = '2026-02-02' WHERE id = 1",
            "SELECT size, price, at FROM things WHERE id = 1",
        ],
        &[
            "UPDATE things SET size = $1, price = 2, at = '2026-03-03' WHERE id = 2",
            "SELECT size, price, at FROM things WHERE id = 1",
        ],
    ));
}

#[test]
fn json_becomes_binary() {
    both(case(
        "ALTER TABLE things ALTER COLUMN data TYPE jsonb",
        &["UPDATE things SET data = '{\"a\": 1}' WHERE id = 1", "SELECT data->>'a' FROM things WHERE id = 1"],
        &[
            "UPDATE things SET data = '{\"b\": 1}' WHERE id = 2",
            "SELECT data @> '{}' FROM things WHERE id = 1",
        ],
    ));
}

#[test]
fn what_does_not_fit_needs_a_word() {
    for (migration, code, missing) in [
        ("ALTER TABLE things ALTER COLUMN note TYPE varchar(10)", "needs-up", "-- @up things.note:"),
        ("ALTER TABLE things ALTER COLUMN size TYPE smallint", "needs-up", "-- @up things.size:"),
        (
            "ALTER TABLE things ALTER COLUMN size TYPE boolean USING size > 0",
            "needs-down",
            "-- @down things.size:",
        ),
        ("ALTER TABLE things ADD COLUMN owner int NOT NULL", "needs-up", "-- @up things.owner:"),
        ("ALTER TABLE things DROP COLUMN code", "needs-down", "-- @down things.code:"),
    ] {
        let refusals = refused(THINGS.split("INSERT").next().unwrap_or(""), migration);
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        assert_eq!(refusals[0].code, code);
        assert!(refusals[0].help.contains(missing), "{}", refusals[0].help);
        assert!(refusals[0].place.is_some());
    }
}

/// A plain migration keeps the day of each, and no value is refused: nothing is missing.
#[test]
fn a_time_becomes_a_day() {
    for large in [false, true] {
        Case {
            before: "CREATE TABLE downloads (id serial PRIMARY KEY, day timestamp NOT NULL DEFAULT now());
                INSERT INTO downloads (day) SELECT timestamp '2020-01-01 10:30' + i * interval '1 hour' FROM generate_series(1, 300) i",
            migration: "ALTER TABLE downloads ALTER COLUMN day TYPE date",
            old: &[
                "SELECT * FROM downloads WHERE id = $1",
                "INSERT INTO downloads (day) VALUES ('2021-03-04 05:06')",
                "UPDATE downloads SET day = '2022-03-04 05:06' WHERE id = 1 + $1::int % 20",
            ],
            new: &[
                "SELECT * FROM downloads WHERE id = $1",
                "INSERT INTO downloads (day) VALUES ('2023-03-04')",
                "UPDATE downloads SET day = '2024-03-04' WHERE id = 101 + $1::int % 20",
            ],
            old_sees: &[
                ("SELECT day FROM downloads WHERE id = 50", "(\"2020-01-03 12:30:00\")"),
                ("SELECT DISTINCT day FROM downloads WHERE day >= '2021-01-01'", "(\"2021-03-04 05:06:00\") (\"2022-03-04 05:06:00\") (\"2023-03-04 00:00:00\") (\"2024-03-04 00:00:00\")"),
            ],
            new_sees: &[
                ("SELECT day FROM downloads WHERE id = 50", "(2020-01-03)"),
                ("SELECT DISTINCT day FROM downloads WHERE day >= '2021-01-01'", "(2021-03-04) (2022-03-04) (2023-03-04) (2024-03-04)"),
            ],
            large,
            ..CASE
        }
        .run();
    }
}
