//! Functions, procedures and aggregates.

use crate::Case;
use crate::stage::CASE;

const USERS: &str = "CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, age int);
    INSERT INTO users (name, age) SELECT 'n' || i, i FROM generate_series(1, 100) i;
    CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT $1';
    CREATE FUNCTION k(a int) RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT name FROM users WHERE id = a; END;
    CREATE PROCEDURE p(a int) LANGUAGE sql AS 'UPDATE users SET age = $1 WHERE id = 1'";

#[test]
fn routines_are_created() {
    Case {
        before: USERS,
        migration: "CREATE FUNCTION g(a int, b text DEFAULT 'x') RETURNS text LANGUAGE sql AS 'SELECT $2 || $1';
            CREATE PROCEDURE q(a int) LANGUAGE sql AS 'UPDATE users SET age = $1 WHERE id = 2';
            COMMENT ON FUNCTION g(int, text) IS 'q'; COMMENT ON PROCEDURE q(int) IS 'q';
            REVOKE ALL ON FUNCTION g(int, text) FROM PUBLIC;
            CREATE FUNCTION f(a text) RETURNS text LANGUAGE sql AS 'SELECT $1';
            CREATE FUNCTION acc(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + coalesce($2, 0)';
            CREATE AGGREGATE mysum(int) (SFUNC = acc, STYPE = int, INITCOND = '0'); COMMENT ON AGGREGATE mysum(int) IS 'z';
            ALTER TABLE users ADD COLUMN nick text;
            CREATE FUNCTION nick(a int) RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT nick FROM users WHERE id = a; END;
            CREATE FUNCTION whole() RETURNS SETOF users LANGUAGE sql STABLE AS 'SELECT * FROM users';
            CREATE FUNCTION safe() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
                AS 'SELECT count(*) FROM users';
            CREATE FUNCTION key() RETURNS text LANGUAGE sql AS $$SELECT 'k' || gen_random_uuid()$$;
            CREATE TABLE keyed (id text PRIMARY KEY DEFAULT key())",
        old: &["SELECT f(1)", "SELECT k(1 + $1::int % 100)"],
        new: &[
            "SELECT g(1), f('a'), f(1), nick(1), safe()",
            "SELECT mysum(age) FROM users",
            "INSERT INTO keyed DEFAULT VALUES",
            "CALL q(7)",
        ],
        ..CASE
    }
    .run();
}

#[test]
fn routines_are_changed() {
    Case {
        before: &format!("{USERS}; CREATE FUNCTION g(a int) RETURNS int LANGUAGE sql AS 'SELECT f($1) * 10';
            CREATE FUNCTION s() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
        migration: "CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT $1 + 1';
            CREATE OR REPLACE PROCEDURE p(a int) LANGUAGE sql AS 'UPDATE users SET age = -$1 WHERE id = 1';
            ALTER TABLE users RENAME COLUMN name TO full_name;
            ALTER FUNCTION s() SET search_path = pg_catalog, public; ALTER FUNCTION s() SECURITY DEFINER STABLE;
            CREATE OR REPLACE FUNCTION k(a int) RETURNS text LANGUAGE sql
                BEGIN ATOMIC SELECT upper(full_name) FROM users WHERE id = a; END",
        old: &["SELECT f(1)", "SELECT k(1)", "SELECT s()", "CALL p(5)"],
        new: &["SELECT f(1)", "SELECT k(1)", "SELECT s()", "CALL p(5)"],
        old_sees: &[("SELECT f(1), g(1), k(7)", "(1,10,n7)")],
        new_sees: &[("SELECT f(1), g(1), k(7)", "(2,20,N7)")],
        ..CASE
    }
    .run();
}

#[test]
fn signatures_and_names_change() {
    Case {
        before: &format!("{USERS}; CREATE FUNCTION g(a int) RETURNS int LANGUAGE sql AS 'SELECT 7';
            CREATE FUNCTION h(a int) RETURNS int LANGUAGE sql AS 'SELECT 8';
            CREATE FUNCTION t(a int) RETURNS TABLE (x int) LANGUAGE sql AS 'SELECT 1'"),
        migration: "DROP FUNCTION f(int); CREATE FUNCTION f(a int) RETURNS text LANGUAGE sql AS 'SELECT $1::text || $$!$$';
            DROP FUNCTION g(int); CREATE FUNCTION g(b int) RETURNS int LANGUAGE sql AS 'SELECT b';
            ALTER FUNCTION h(int) RENAME TO hh; DROP PROCEDURE p;
            DROP FUNCTION t(int); CREATE FUNCTION t(a int) RETURNS TABLE (x int, y int) LANGUAGE sql AS 'SELECT 1, 2'",
        old: &["SELECT f(1)", "SELECT g(1), h(1)", "CALL p(3)", "SELECT * FROM t(1)"],
        new: &["SELECT f(1)", "SELECT g(1), hh(1)", "SELECT y FROM t(1)"],
        old_sees: &[("SELECT f(1), g(1), h(1)", "(1,7,8)")],
        new_sees: &[("SELECT f(1), g(1), hh(1)", "(1!,1,8)")],
        ..CASE
    }
    .run();
}
