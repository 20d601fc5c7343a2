//! Comments, privileges, owners, storage, row-level security, rules.

use crate::Case;
use crate::stage::CASE;

const USERS: &str = "CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, email text, age int);
    CREATE INDEX users_email ON users (email);
    INSERT INTO users (name, age) SELECT 'n' || i, i FROM generate_series(1, 50) i;
    DO $$ BEGIN CREATE ROLE tandem_case_app; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
    GRANT tandem_case_app TO CURRENT_USER";

#[test]
fn privileges_hold_for_each_side_as_a_role_finds_them() {
    Case {
        before: &format!(
            "{USERS}; GRANT SELECT, INSERT, UPDATE ON users TO tandem_case_app; GRANT SELECT (age) ON users TO PUBLIC;
            GRANT USAGE ON SEQUENCE users_id_seq TO tandem_case_app; CREATE TABLE plain (a int, b int)"
        ),
        migration: "ALTER TABLE users RENAME COLUMN name TO full_name; GRANT DELETE ON users TO tandem_case_app;
            GRANT SELECT (a) ON plain TO tandem_case_app; GRANT UPDATE (b) ON plain TO PUBLIC;
            REVOKE SELECT (age) ON users FROM PUBLIC; CREATE TABLE logs (id serial PRIMARY KEY, what text);
            GRANT INSERT, SELECT (id) ON logs TO tandem_case_app;
            GRANT USAGE ON SEQUENCE logs_id_seq TO tandem_case_app",
        old: &[
            "SET ROLE tandem_case_app",
            "INSERT INTO users (name, age) VALUES ($1::text, 3) RETURNING id",
            "UPDATE users SET age = 4 WHERE id = 1 + $1::int % 20",
        ],
        new: &[
            "SET ROLE tandem_case_app",
            "INSERT INTO users (full_name, age) VALUES ($1::text, 3) RETURNING id",
            "DELETE FROM users WHERE id = 40 + $1::int % 10",
            "INSERT INTO logs (what) VALUES ($1::text) RETURNING id",
            "SELECT a FROM plain",
        ],
        ..CASE
    }
    .run();
}

#[test]
fn what_is_said_about_things() {
    Case {
        before: &format!(
            "{USERS}; CREATE VIEW v AS SELECT 1 AS a; CREATE TYPE mood AS ENUM ('sad');
            CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE calm (a int PRIMARY KEY)"
        ),
        migration: "COMMENT ON TABLE users IS 't'; COMMENT ON COLUMN users.name IS 'c'; COMMENT ON VIEW v IS 'v';
            COMMENT ON COLUMN v.a IS 'va'; COMMENT ON TYPE mood IS 'm'; COMMENT ON FUNCTION f() IS 'f';
            COMMENT ON INDEX users_email IS 'i'; COMMENT ON CONSTRAINT users_pkey ON users IS 'k';
            COMMENT ON SEQUENCE users_id_seq IS 's'; COMMENT ON SCHEMA public IS 'p';
            ALTER TABLE users SET (fillfactor = 80, toast.autovacuum_enabled = false);
            ALTER INDEX users_email SET (fillfactor = 70); ALTER TABLE users REPLICA IDENTITY FULL;
            ALTER TABLE users ALTER name SET STORAGE EXTERNAL; ALTER TABLE users ALTER name SET STATISTICS 500;
            ALTER TABLE users CLUSTER ON users_pkey; ALTER TABLE calm REPLICA IDENTITY USING INDEX calm_pkey;
            ALTER TABLE calm SET UNLOGGED; ALTER FUNCTION f() OWNER TO pg_monitor;
            ALTER TABLE calm OWNER TO pg_monitor",
        old: &["INSERT INTO users (name) VALUES ($1::text)", "SELECT * FROM calm, v"],
        new: &["INSERT INTO users (name) VALUES ($1::text)", "SELECT f()"],
        ..CASE
    }
    .run();
}

#[test]
fn row_security_and_rules() {
    Case {
        before: &format!(
            "{USERS}; CREATE TABLE notes (id serial PRIMARY KEY, owner name DEFAULT current_user, x int);
            ALTER TABLE notes ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON notes USING (owner = current_user);
            GRANT ALL ON notes, notes_id_seq TO tandem_case_app; INSERT INTO notes (x) VALUES (0);
            CREATE TABLE kept (a int); CREATE RULE stay AS ON DELETE TO kept DO INSTEAD NOTHING"
        ),
        migration: "ALTER TABLE notes RENAME COLUMN x TO y; ALTER TABLE notes ADD COLUMN z int;
            ALTER POLICY own ON notes RENAME TO mine; DROP RULE stay ON kept;
            CREATE TABLE fresh (a int, owner name DEFAULT current_user);
            ALTER TABLE fresh ENABLE ROW LEVEL SECURITY; GRANT ALL ON fresh TO tandem_case_app;
            CREATE POLICY p ON fresh TO PUBLIC USING (owner = current_user) WITH CHECK (a > 1);
            -- @expand
            ALTER TABLE users ENABLE ROW LEVEL SECURITY;
            -- @expand
            CREATE POLICY seen ON users USING (true)",
        old: &[
            "SET ROLE tandem_case_app",
            "INSERT INTO notes (x) VALUES (1)",
            "SELECT 1 / x FROM notes",
        ],
        new: &[
            "SET ROLE tandem_case_app",
            "INSERT INTO notes (y, z) VALUES (1, 2)",
            "SELECT 1 / y FROM notes",
            "INSERT INTO fresh (a) VALUES (3)",
        ],
        ..CASE
    }
    .run();
}
