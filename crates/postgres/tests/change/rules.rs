//! NOT NULL, CHECK and defaults.

use crate::stage::CASE;
use crate::{Case, refused};

const ITEMS: &str = "CREATE TABLE items (id serial PRIMARY KEY, name text, state text NOT NULL DEFAULT 'new', price int NOT NULL,
        CONSTRAINT known CHECK (state IN ('new', 'sold')));
    INSERT INTO items (name, price) SELECT 'n' || i, i FROM generate_series(1, 300) i";

const OLD: &[&str] = &[
    "SELECT * FROM items WHERE id = $1",
    "INSERT INTO items (name, price) VALUES ($1::text, 5)",
    "UPDATE items SET name = $1::text, state = 'sold' WHERE id = 1 + $2::int % 200",
];

#[test]
fn not_null_is_set() {
    for large in [false, true] {
        Case {
            before: ITEMS,
            migration: "ALTER TABLE items ALTER COLUMN name SET NOT NULL",
            old: OLD,
            new: &[
                "INSERT INTO items (name, price) VALUES ($1::text, 6)",
                "SELECT * FROM items WHERE id = $1",
            ],
            large,
            ..CASE
        }
        .run();
    }
}

#[test]
fn not_null_is_set_after_the_nulls_were_filled() {
    for large in [false, true] {
        Case {
            before: ITEMS,
            migration: "UPDATE items SET name = 'none' WHERE name IS NULL; ALTER TABLE items ALTER COLUMN name SET NOT NULL",
            old: &["INSERT INTO items (price) VALUES ($1)", "SELECT * FROM items WHERE id = $1"],
            new: &["INSERT INTO items (name, price) VALUES ($1::text, 6)", "SELECT * FROM items WHERE id = $1"],
            new_sees: &[("SELECT count(*) FROM items WHERE name IS NULL", "(0)")],
            large,
            ..CASE
        }
        .run();
    }
}

#[test]
fn not_null_is_dropped_where_the_old_side_has_a_value() {
    for large in [false, true] {
        Case {
            before: ITEMS,
            migration: "ALTER TABLE items ALTER COLUMN price DROP NOT NULL;
                -- @down items.price: coalesce(price, 0)",
            old: OLD,
            new: &["INSERT INTO items (name) VALUES ($1::text)", "SELECT * FROM items WHERE id = $1"],
            old_sees: &[
                ("SELECT count(*) FROM items WHERE price IS NULL", "(0)"),
                ("SELECT count(*) > 0 FROM items WHERE price = 0", "(t)"),
            ],
            new_sees: &[("SELECT count(*) > 0 FROM items WHERE price IS NULL", "(t)")],
            large,
            ..CASE
        }
        .run();
    }
}

#[test]
fn not_null_is_dropped_where_a_constant_default_stands_in() {
    Case {
        before: ITEMS,
        migration: "ALTER TABLE items ALTER COLUMN state DROP NOT NULL",
        old: OLD,
        new: &["INSERT INTO items (name, state, price) VALUES ($1::text, NULL, 1)"],
        old_sees: &[("SELECT count(*) FROM items WHERE state IS NULL", "(0)")],
        new_sees: &[("SELECT count(*) > 0 FROM items WHERE state IS NULL", "(t)")],
        ..CASE
    }
    .run();
}

#[test]
fn not_null_is_not_dropped_without_a_word() {
    let refusals = refused(ITEMS, "-- some words\nALTER TABLE items ALTER COLUMN price DROP NOT NULL");
    assert_eq!(refusals.len(), 1);
    assert_eq!(refusals[0].code, "needs-down");
    assert!(
        refusals[0].help.contains("-- @down items.price: coalesce(price, <value>)"),
        "{}",
        refusals[0].help
    );
    assert_eq!(refusals[0].place.as_ref().map(|place| place.start), Some(14));
}

#[test]
fn a_check_is_added() {
    for large in [false, true] {
        Case {
            before: ITEMS,
            migration: "ALTER TABLE items ADD CONSTRAINT cheap CHECK (price < 1000 AND name <> 'forbidden')",
            old: OLD,
            new: &["INSERT INTO items (name, price) VALUES ($1::text, 6)"],
            large,
            ..CASE
        }
        .run();
    }
}

#[test]
fn a_check_is_exchanged_for_a_wider_one() {
    for large in [false, true] {
        Case {
            before: ITEMS,
            migration: "ALTER TABLE items DROP CONSTRAINT known; ALTER TABLE items ADD CONSTRAINT known CHECK (state IN ('new', 'sold', 'gone'))",
            old: OLD,
            new: &["INSERT INTO items (name, state, price) VALUES ($1::text, 'gone', 6)"],
            left_by_undo: "check constraint known",
            large,
            ..CASE
        }
        .run();
    }
}

#[test]
fn defaults_change() {
    Case {
        before: ITEMS,
        migration: "ALTER TABLE items ALTER COLUMN state SET DEFAULT 'sold'; ALTER TABLE items ALTER COLUMN price SET DEFAULT 9",
        old: OLD,
        new: &["INSERT INTO items (name) VALUES ('new ' || $1::text)"],
        new_sees: &[("SELECT DISTINCT state, price FROM items WHERE name LIKE 'new %'", "(sold,9)")],
        ..CASE
    }
    .run();
    Case {
        before: ITEMS,
        migration: "ALTER TABLE items ALTER COLUMN state DROP DEFAULT",
        old: OLD,
        new: &["INSERT INTO items (name, state, price) VALUES ($1::text, 'new', 1)"],
        ..CASE
    }
    .run();
}

#[test]
fn columns_come_with_values_of_their_own() {
    for large in [false, true] {
        Case {
            before: ITEMS,
            migration: "ALTER TABLE items ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid();
                ALTER TABLE items ADD COLUMN number bigserial; ALTER TABLE items ADD COLUMN seen timestamptz NOT NULL DEFAULT now();
                ALTER TABLE items ADD COLUMN flag boolean NOT NULL DEFAULT false",
            old: OLD,
            new: &["INSERT INTO items (name, price) VALUES ($1::text, 6) RETURNING token, number", "SELECT * FROM items WHERE id = $1"],
            new_sees: &[("SELECT count(*) FROM items WHERE token IS NULL OR number IS NULL", "(0)"), ("SELECT count(DISTINCT number) = count(*) FROM items", "(t)")],
            large,
            ..CASE
        }
        .run();
    }
}

#[test]
fn an_identity_comes() {
    for large in [false, true] {
        Case {
            before: "CREATE TABLE items (name text); INSERT INTO items SELECT 'n' || i FROM generate_series(1, 300) i",
            migration: "ALTER TABLE items ADD COLUMN id bigint GENERATED BY DEFAULT AS IDENTITY; ALTER TABLE items ADD PRIMARY KEY (id)",
            old: &["INSERT INTO items (name) VALUES ($1::text)", "SELECT * FROM items LIMIT 1"],
            new: &["INSERT INTO items (name) VALUES ($1::text) RETURNING id", "SELECT * FROM items WHERE id = $1"],
            new_sees: &[("SELECT count(DISTINCT id) = count(*) FROM items", "(t)")],
            large,
            ..CASE
        }
        .run();
    }
}

#[test]
fn a_generated_column_comes_on_a_small_table() {
    Case {
        before: ITEMS,
        migration: "ALTER TABLE items ADD COLUMN double int GENERATED ALWAYS AS (price * 2) STORED",
        old: OLD,
        new: &["INSERT INTO items (name, price) VALUES ($1::text, 6) RETURNING double"],
        new_sees: &[("SELECT count(*) FROM items WHERE double <> price * 2", "(0)")],
        ..CASE
    }
    .run();
}
