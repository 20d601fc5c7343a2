//! Enums, domains, composite and range types, sequences, extensions.

use crate::Case;
use crate::stage::CASE;

const USERS: &str = "CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE TABLE users (id serial PRIMARY KEY, name text, mood mood NOT NULL DEFAULT 'ok');
    INSERT INTO users (name) SELECT 'n' || i FROM generate_series(1, 50) i";

const OLD: &[&str] = &[
    "SELECT * FROM users WHERE id = $1 AND mood = 'ok'",
    "INSERT INTO users (name) VALUES ($1::text) RETURNING mood",
    "UPDATE users SET mood = 'sad' WHERE id = 1 + $1::int % 50",
];

/// PostgreSQL can't take a value away: an undo leaves it.
#[test]
fn values_are_added_to_an_enum() {
    Case {
        before: USERS,
        migration: "ALTER TYPE mood ADD VALUE 'happy'; ALTER TYPE mood ADD VALUE 'awful' BEFORE 'sad';
            ALTER TYPE mood ADD VALUE IF NOT EXISTS 'it''s' AFTER 'sad'",
        old: OLD,
        new: &[
            "UPDATE users SET mood = 'happy' WHERE id = 51",
            "SELECT * FROM users WHERE mood < 'it''s' AND id = $1",
        ],
        ..CASE
    }
    .run();
}

/// As Prisma takes a value away.
const REBUILT: &str = "BEGIN;
    CREATE TYPE \"mood_new\" AS ENUM ('ok', 'sad', 'happy');
    ALTER TABLE \"users\" ALTER COLUMN \"mood\" DROP DEFAULT;
    ALTER TABLE \"users\" ALTER COLUMN \"mood\" TYPE \"mood_new\" USING (\"mood\"::text::\"mood_new\");
    ALTER TYPE \"mood\" RENAME TO \"mood_old\";
    ALTER TYPE \"mood_new\" RENAME TO \"mood\";
    DROP TYPE \"mood_old\";
    ALTER TABLE \"users\" ALTER COLUMN \"mood\" SET DEFAULT 'happy';
    COMMIT;
    -- @down users.mood: CASE WHEN mood::text = 'happy' THEN 'ok' ELSE mood::text END::mood";

fn rebuilt(large: bool) {
    Case {
        before: USERS,
        migration: REBUILT,
        old: OLD,
        new: &[
            "SELECT * FROM users WHERE id = $1 AND mood = 'happy'",
            "INSERT INTO users (name) VALUES ('by new') RETURNING mood",
        ],
        old_sees: &[("SELECT DISTINCT mood FROM users WHERE name = 'by new'", "(ok)")],
        new_sees: &[
            ("SELECT DISTINCT mood FROM users WHERE name = 'by new' AND mood <> 'ok'", "(happy)"),
            ("SELECT count(*) FROM users WHERE mood IS NULL", "(0)"),
        ],
        large,
        ..CASE
    }
    .run();
}

#[test]
fn an_enum_is_rebuilt() {
    rebuilt(false);
}

#[test]
fn an_enum_of_a_large_table_is_rebuilt() {
    rebuilt(true);
}

#[test]
fn types_are_created() {
    Case {
        before: USERS,
        migration: "CREATE DOMAIN pos AS int DEFAULT 3 CHECK (VALUE > 0); CREATE TYPE pair AS (a int, b text);
            CREATE TYPE fr AS RANGE (SUBTYPE = float8); CREATE TYPE size AS ENUM ('s', 'm');
            CREATE DOMAIN more AS pos CHECK (VALUE > 3); COMMENT ON TYPE size IS 'x'; COMMENT ON DOMAIN pos IS 'x';
            CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
            ALTER TABLE users ADD s size, ADD p pos, ADD q pair, ADD r fr, ADD ss size[] NOT NULL DEFAULT '{s}';
            ALTER TABLE users ADD COLUMN nick text COLLATE ci;
            CREATE TABLE t (a pos, b more[], c pair)",
        old: OLD,
        new: &[
            "UPDATE users SET s = 'm', q = (1, 'x'), r = '[1,2)', ss = '{m}' WHERE id = 3",
            "INSERT INTO t (b) VALUES ('{5}') RETURNING a",
            "SELECT * FROM users WHERE nick = 'A' AND id = $1",
        ],
        ..CASE
    }
    .run();
}

#[test]
fn types_are_dropped_and_made_anew() {
    Case {
        before: &format!("{USERS}; CREATE TYPE size AS ENUM ('s'); ALTER TABLE users ADD COLUMN s size;
            CREATE DOMAIN pos AS int CHECK (VALUE > 0); CREATE TYPE feel AS ENUM ('a'); ALTER TABLE users ADD COLUMN f feel DEFAULT 'a'"),
        migration: "ALTER TABLE users DROP COLUMN s; DROP TYPE size; CREATE TYPE size AS ENUM ('x', 'y');
            ALTER TABLE users ADD COLUMN width size DEFAULT 'y'; DROP DOMAIN pos; ALTER TYPE feel RENAME TO feeling",
        old: &[OLD[1], "INSERT INTO users (s) VALUES ('s') RETURNING s", "SELECT 3::pos", "SELECT 'a'::feel"],
        new: &["INSERT INTO users (name) VALUES ('by new') RETURNING f", "UPDATE users SET width = 'x' WHERE id = $1"],
        new_sees: &[("SELECT DISTINCT width, f FROM users WHERE name = 'by new'", "(y,a)")],
        ..CASE
    }
    .run();
}

#[test]
fn sequences() {
    Case {
        before: &format!(
            "{USERS}; CREATE SEQUENCE sq; CREATE SEQUENCE sr; CREATE SEQUENCE gone; CREATE SEQUENCE named;
            ALTER TABLE users ADD COLUMN n int DEFAULT nextval('named')"
        ),
        migration: "ALTER SEQUENCE sq INCREMENT BY 10 CACHE 5; CREATE SEQUENCE sn START 5; DROP SEQUENCE gone;
            ALTER SEQUENCE sr OWNED BY users.id; COMMENT ON SEQUENCE sq IS 'x'; ALTER SEQUENCE named RENAME TO called;
            ALTER TABLE users ADD COLUMN code bigint DEFAULT nextval('sn'); ALTER SEQUENCE sn OWNED BY users.code",
        old: &["SELECT nextval('sq'), nextval('gone'), nextval('named')", OLD[1]],
        new: &["SELECT nextval('sn'), nextval('sr')", "INSERT INTO users (name) VALUES ('by new') RETURNING code, n"],
        new_sees: &[("SELECT count(*) FROM users WHERE name = 'by new' AND (code IS NULL OR n IS NULL)", "(0)")],
        ..CASE
    }
    .run();
}

#[test]
fn extensions_and_statistics() {
    Case {
        before: &format!("{USERS}; CREATE EXTENSION citext; CREATE STATISTICS so ON name, mood FROM users"),
        migration: "CREATE EXTENSION pg_trgm; CREATE EXTENSION IF NOT EXISTS citext;
            CREATE INDEX un ON users USING gin (name gin_trgm_ops); ALTER TABLE users ADD COLUMN h citext;
            CREATE STATISTICS st ON name, id FROM users; DROP STATISTICS so; COMMENT ON STATISTICS st IS 'x'",
        old: OLD,
        new: &[
            "SELECT * FROM users WHERE name ILIKE '%n1%' AND h = 'X'",
            "UPDATE users SET h = 'x' WHERE id = $1",
        ],
        ..CASE
    }
    .run();
}

/// As langfuse did it: the new label is written in the migration that brings it.
#[test]
fn an_enum_is_rebuilt_and_its_new_label_written() {
    for large in [false, true] {
        Case {
            before: "CREATE TYPE level AS ENUM ('ok', 'alert'); CREATE TABLE monitors (id serial PRIMARY KEY, on_duty boolean NOT NULL, level level NOT NULL DEFAULT 'ok');
                INSERT INTO monitors (on_duty) SELECT i % 2 = 0 FROM generate_series(1, 200) i",
            migration: "ALTER TYPE level RENAME TO level_old; CREATE TYPE level AS ENUM ('paused', 'ok', 'alert');
                ALTER TABLE monitors ALTER COLUMN level DROP DEFAULT, ALTER COLUMN level TYPE level USING level::text::level, ALTER COLUMN level SET DEFAULT 'ok';
                DROP TYPE level_old;
                UPDATE monitors SET level = 'paused' WHERE NOT on_duty",
            old: &[
                "SELECT * FROM monitors WHERE id = $1",
                "INSERT INTO monitors (on_duty) VALUES (false)",
                "UPDATE monitors SET level = 'alert' WHERE id = 2 * (1 + $1::int % 20)",
            ],
            new: &[
                "SELECT * FROM monitors WHERE id = $1",
                "INSERT INTO monitors (on_duty, level) VALUES (true, 'alert')",
            ],
            old_sees: &[("SELECT DISTINCT level FROM monitors WHERE NOT on_duty", "(ok)")],
            new_sees: &[
                ("SELECT DISTINCT level FROM monitors WHERE NOT on_duty", "(paused)"),
                ("SELECT count(*) > 0 FROM monitors WHERE level = 'alert' AND id <= 200", "(t)"),
            ],
            large,
            ..CASE
        }
        .run();
    }
}
