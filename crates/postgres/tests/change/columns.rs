//! Columns added, dropped, renamed.

use crate::Case;
use crate::stage::CASE;

const USERS: &str =
    "CREATE TABLE users (id serial PRIMARY KEY, name varchar(100) NOT NULL, email text, age int DEFAULT 7);
    INSERT INTO users (name, email) SELECT 'n' || i, 'e' || i FROM generate_series(1, 500) i";

const OLD: &[&str] = &[
    "SELECT * FROM users WHERE id = $1",
    "INSERT INTO users (name, email) VALUES ('o' || $1::text, 'x')",
    "INSERT INTO users VALUES ($1, 'positional', 'x', 3)",
    "UPDATE users SET email = $1::text WHERE id = 1 + $2::int % 400",
    "DELETE FROM users WHERE id = 401 + $1::int % 50",
];

#[test]
fn a_nullable_column_is_added() {
    Case {
        before: USERS,
        migration: "ALTER TABLE users ADD COLUMN phone text",
        old: OLD,
        new: &["SELECT * FROM users WHERE id = $1", "UPDATE users SET phone = $1::text WHERE id = 1"],
        ..CASE
    }
    .run();
}

/// As Django adds every column that has a default of its own.
#[test]
fn a_default_that_goes_again_stands_for_the_old_rows() {
    Case {
        before: USERS,
        migration: "ALTER TABLE users ADD COLUMN city varchar(40) DEFAULT 'O''Fallon, \"x\"' NOT NULL;
            ALTER TABLE users ALTER COLUMN city DROP DEFAULT",
        old: OLD,
        new: &[
            "SELECT * FROM users WHERE id = $1",
            "INSERT INTO users (name, city) VALUES ('n' || $1::text, 'Ulm')",
            "UPDATE users SET city = $1::text WHERE id = 1",
        ],
        ..CASE
    }
    .run();
}

#[test]
fn a_column_is_renamed() {
    Case {
        before: USERS,
        migration: "ALTER TABLE users RENAME COLUMN name TO full_name",
        old: OLD,
        new: &["SELECT * FROM users WHERE id = $1", "UPDATE users SET full_name = $1::text WHERE id = 1"],
        ..CASE
    }
    .run();
}

#[test]
fn a_column_is_dropped() {
    Case {
        before: USERS,
        migration: "ALTER TABLE users DROP COLUMN age",
        old: OLD,
        new: &["SELECT * FROM users WHERE id = $1", "INSERT INTO users (name) VALUES ($1::text)"],
        ..CASE
    }
    .run();
}

#[test]
fn a_type_is_changed_in_place() {
    Case {
        before: USERS,
        migration: "ALTER TABLE users ALTER COLUMN age TYPE bigint",
        old: OLD,
        new: &["SELECT * FROM users WHERE id = $1", "UPDATE users SET age = $1::bigint WHERE id = 1"],
        ..CASE
    }
    .run();
}

#[test]
fn values_are_computed_from_others() {
    Case {
        before: USERS,
        migration: "ALTER TABLE users ADD COLUMN handle text;
            UPDATE users SET handle = lower(name);
            ALTER TABLE users ALTER COLUMN handle SET NOT NULL",
        old: OLD,
        new: &[
            "SELECT * FROM users WHERE id = $1",
            "INSERT INTO users (name, handle) VALUES ($1::text, 'h')",
        ],
        new_sees: &[("SELECT count(*) FROM users WHERE handle IS NULL", "(0)")],
        ..CASE
    }
    .run();
}
