//! Keys and what refers to them: types changed together, constraints added and dropped.

use crate::Case;
use crate::stage::CASE;

const SHOP: &str = "CREATE TABLE carts (uuid char(36) PRIMARY KEY, owner text);
    CREATE TABLE items (uuid char(36) PRIMARY KEY, cart char(36) NOT NULL REFERENCES carts (uuid) ON DELETE CASCADE);
    CREATE TABLE marks (cart char(36) REFERENCES carts (uuid), item char(36) REFERENCES items (uuid), PRIMARY KEY (cart, item));
    INSERT INTO carts SELECT 'c' || i, 'o' FROM generate_series(1, 200) i;
    INSERT INTO items SELECT 'i' || i, 'c' || i FROM generate_series(1, 200) i;
    INSERT INTO marks SELECT 'c' || i, 'i' || i FROM generate_series(1, 200) i";

const RETYPED: &str = "ALTER TABLE carts ALTER COLUMN uuid TYPE varchar(40);
    ALTER TABLE items ALTER COLUMN uuid TYPE varchar(40);
    ALTER TABLE items ALTER COLUMN cart TYPE varchar(40);
    ALTER TABLE marks ALTER COLUMN cart TYPE varchar(40);
    ALTER TABLE marks ALTER COLUMN item TYPE varchar(40);";

#[test]
fn keys_and_what_refers_to_them_change_their_type_together() {
    Case {
        before: SHOP,
        migration: RETYPED,
        old: &[
            "SELECT * FROM carts JOIN items ON items.cart = carts.uuid WHERE carts.uuid = 'c1'",
            "INSERT INTO carts VALUES ('o' || $1::text, 'x') ON CONFLICT (uuid) DO NOTHING",
            "INSERT INTO items VALUES ('o' || $1::text, 'c7')",
        ],
        new: &[
            "SELECT * FROM carts JOIN items ON items.cart = carts.uuid WHERE carts.uuid = 'c1'",
            "INSERT INTO carts VALUES ('n' || $1::text, 'x') ON CONFLICT (uuid) DO NOTHING",
            "DELETE FROM marks WHERE item = 'i' || (1 + $1::int % 200)",
        ],
        ..CASE
    }
    .run();
}

#[test]
fn keys_of_large_tables_change_their_type_together() {
    Case {
        before: "CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL);
            CREATE TABLE orders (id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users ON DELETE CASCADE, note text);
            CREATE INDEX orders_user ON orders (user_id);
            INSERT INTO users (name) SELECT 'n' || i FROM generate_series(1, 300) i;
            INSERT INTO orders (user_id, note) SELECT i, 'x' FROM generate_series(1, 300) i",
        migration: "ALTER TABLE users ALTER COLUMN id TYPE bigint;
            ALTER TABLE orders ALTER COLUMN id TYPE bigint;
            ALTER TABLE orders ALTER COLUMN user_id TYPE bigint",
        old: &[
            "SELECT u.id, u.name, o.note FROM users u JOIN orders o ON o.user_id = u.id WHERE u.id = $1",
            "INSERT INTO users (name) VALUES ($1::text)",
            "INSERT INTO orders (user_id, note) VALUES (1 + $1::int % 200, 'old')",
            "DELETE FROM users WHERE id = 201 + $1::int % 50",
        ],
        new: &[
            "SELECT u.id, u.name, o.note FROM users u JOIN orders o ON o.user_id = u.id WHERE u.id = $1",
            "INSERT INTO users (name) VALUES ($1::text) ON CONFLICT (id) DO NOTHING",
            "INSERT INTO orders (user_id, note) VALUES (1 + $1::bigint % 200, 'new')",
            "UPDATE orders SET note = $1::text WHERE id = 1 + $2::bigint % 100",
        ],
        large: true,
        ..CASE
    }
    .run();
}

#[test]
fn a_foreign_key_is_added_to_a_column_that_both_write() {
    for large in [false, true] {
        Case {
            before: "CREATE TABLE teams (id int PRIMARY KEY); CREATE TABLE users (id serial PRIMARY KEY, team int);
                INSERT INTO teams SELECT generate_series(1, 50); INSERT INTO users (team) SELECT 1 + i % 50 FROM generate_series(1, 200) i",
            migration: "ALTER TABLE users ADD CONSTRAINT users_team FOREIGN KEY (team) REFERENCES teams (id) ON DELETE SET NULL",
            old: &["INSERT INTO users (team) VALUES (1 + $1::int % 50)", "SELECT * FROM users WHERE id = 1"],
            new: &["INSERT INTO users (team) VALUES (1 + $1::int % 50)", "SELECT * FROM users WHERE id = 1"],
            large,
            ..CASE
        }
        .run();
    }
}

#[test]
fn a_foreign_key_is_dropped() {
    Case {
        before: "CREATE TABLE teams (id int PRIMARY KEY); CREATE TABLE users (id serial PRIMARY KEY, team int REFERENCES teams);
            INSERT INTO teams SELECT generate_series(1, 50)",
        migration: "ALTER TABLE users DROP CONSTRAINT users_team_fkey",
        old: &["INSERT INTO users (team) VALUES (1 + $1::int % 50)"],
        new: &["INSERT INTO users (team) VALUES (1 + $1::int % 50)"],
        ..CASE
    }
    .run();
}

#[test]
fn a_unique_rule_is_added_and_used_as_an_arbiter() {
    for large in [false, true] {
        Case {
            before: "CREATE TABLE users (id serial PRIMARY KEY, email text NOT NULL);
                INSERT INTO users (email) SELECT 'e' || i FROM generate_series(1, 200) i",
            migration: "ALTER TABLE users ADD CONSTRAINT users_email UNIQUE (email)",
            old: &["INSERT INTO users (email) VALUES ('o' || $1::text)"],
            new: &["INSERT INTO users (email) VALUES ('e' || ($1::int % 200)) ON CONFLICT (email) DO UPDATE SET email = excluded.email"],
            large,
            ..CASE
        }
        .run();
    }
}

#[test]
fn a_primary_key_is_exchanged() {
    for large in [false, true] {
        Case {
            before: "CREATE TABLE marks (id serial PRIMARY KEY, a int NOT NULL, b int);
                INSERT INTO marks (a, b) SELECT i, i FROM generate_series(1, 200) i",
            migration: "ALTER TABLE marks DROP CONSTRAINT marks_pkey; ALTER TABLE marks ADD PRIMARY KEY (a, id)",
            old: &["INSERT INTO marks (a, b) VALUES ($1, $2)", "SELECT * FROM marks WHERE id = $1"],
            new: &["INSERT INTO marks (a, b) VALUES ($1, $2)", "SELECT * FROM marks WHERE a = $1"],
            large,
            ..CASE
        }
        .run();
    }
}

#[test]
fn indexes_come_and_go() {
    for large in [false, true] {
        Case {
            before: "CREATE TABLE users (id serial PRIMARY KEY, email text, name text); CREATE INDEX by_name ON users (name);
                CREATE INDEX by_email ON users (email); INSERT INTO users (email) SELECT 'e' || i FROM generate_series(1, 200) i",
            migration: "DROP INDEX by_name; CREATE INDEX by_name ON users (lower(name)) WHERE name IS NOT NULL;
                ALTER INDEX by_email RENAME TO users_by_email; CREATE UNIQUE INDEX users_email ON users (email, id)",
            old: &["INSERT INTO users (email) VALUES ($1::text)"],
            new: &["SELECT * FROM users WHERE lower(name) = $1::text"],
            large,
            ..CASE
        }
        .run();
    }
}

#[test]
fn a_foreign_key_moves_to_a_key_that_comes_while_another_goes() {
    for large in [false, true] {
        Case {
            before: "CREATE TABLE sessions (id text PRIMARY KEY, project text NOT NULL); CREATE UNIQUE INDEX both_ways ON sessions (id, project);
                CREATE TABLE traces (id serial PRIMARY KEY, session text REFERENCES sessions (id), project text);
                INSERT INTO sessions SELECT 's' || i, 'p' FROM generate_series(1, 100) i;
                INSERT INTO traces (session, project) SELECT 's' || i, 'p' FROM generate_series(1, 100) i",
            migration: "ALTER TABLE traces DROP CONSTRAINT traces_session_fkey; DROP INDEX both_ways;
                ALTER TABLE sessions DROP CONSTRAINT sessions_pkey, ADD CONSTRAINT sessions_pkey PRIMARY KEY (id, project);
                ALTER TABLE traces ADD CONSTRAINT traces_session FOREIGN KEY (session, project) REFERENCES sessions (id, project)",
            old: &["INSERT INTO traces (session, project) VALUES ('s' || (1 + $1::int % 100), 'p')"],
            new: &["INSERT INTO traces (session, project) VALUES ('s' || (1 + $1::int % 100), 'p')"],
            large,
            ..CASE
        }
        .run();
    }
}
