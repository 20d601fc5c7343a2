//! Statements that write rows.

use crate::Case;
use crate::stage::CASE;

const USERS: &str = "CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, age int);
    INSERT INTO users (name, age) SELECT 'N' || i, i FROM generate_series(1, 100) i;
    CREATE TABLE settings (key text PRIMARY KEY, value text);
    INSERT INTO settings VALUES ('a', '1'), ('c', '9'), ('d', '4')";

#[test]
fn rows_are_seeded_changed_and_given_back_by_an_undo() {
    Case {
        before: USERS,
        migration: "CREATE TABLE roles (id serial PRIMARY KEY, name text);
            INSERT INTO roles (name) VALUES ('admin'), ('guest');
            ALTER TABLE users ADD COLUMN role_id int REFERENCES roles DEFAULT 1;
            INSERT INTO settings VALUES ('a', '2'), ('b', '3') ON CONFLICT (key) DO UPDATE SET value = excluded.value;
            DELETE FROM settings WHERE key = 'c'",
        old: &["SELECT value FROM settings WHERE key = $1", "UPDATE settings SET value = '5' WHERE key = 'd'"],
        new: &["INSERT INTO users (name) VALUES ($1::text) RETURNING role_id", "SELECT * FROM roles WHERE id = $1"],
        undone_sees: &[("SELECT * FROM settings", "(a,1) (c,9) (d,5)")],
        new_sees: &[
            ("SELECT * FROM settings", "(a,2) (b,3) (d,5)"),
            ("SELECT * FROM roles", "(1,admin) (2,guest)"),
        ],
        ..CASE
    }
    .run();
}

/// Drizzle's blocks among them.
#[test]
fn rows_are_copied_when_the_team_says_when() {
    Case {
        before: USERS,
        migration: "CREATE TABLE profiles (user_id int PRIMARY KEY REFERENCES users, label text);
            -- @contract
            INSERT INTO profiles SELECT id, lower(name) FROM users;
            CREATE TABLE ages (user_id int PRIMARY KEY, age int);
            -- @expand
            INSERT INTO ages SELECT id, age FROM users WHERE id <= 10;
            -- @expand
            UPDATE settings SET value = value || '!' WHERE key = 'a';
            ANALYZE users; SELECT 1;
            DO $$ BEGIN
             ALTER TABLE \"ages\" ADD CONSTRAINT \"ages_fk\" FOREIGN KEY (\"user_id\")
                REFERENCES \"public\".\"users\"(\"id\") ON DELETE no action ON UPDATE no action;
            EXCEPTION WHEN duplicate_object THEN null; END $$",
        old: &["INSERT INTO users (name) VALUES ($1::text)", "SELECT * FROM settings WHERE key = $1"],
        new: &["SELECT label FROM profiles WHERE user_id = $1", "UPDATE ages SET age = 3 WHERE user_id = 2"],
        undone_sees: &[("SELECT value FROM settings WHERE key = 'a'", "(1)")],
        new_sees: &[
            ("SELECT value FROM settings WHERE key = 'a'", "(1!)"),
            ("SELECT count(*) FROM ages", "(10)"),
        ],
        ..CASE
    }
    .run();
}
