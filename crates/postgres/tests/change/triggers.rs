//! Triggers of the team's: each fires for the version that it was written for.

use crate::Case;
use crate::stage::CASE;

const USERS: &str = "CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, email text, age int DEFAULT 7);
    INSERT INTO users (name, email) SELECT 'n' || i, 'e' || i FROM generate_series(1, 20) i;
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.email := NEW.email || '-old'; RETURN NEW; END$$;
    CREATE TRIGGER t BEFORE UPDATE OF name ON users FOR EACH ROW WHEN (OLD.name <> NEW.name) EXECUTE FUNCTION touch()";

const OLD: &[&str] = &[
    "UPDATE users SET name = $1::text, email = 'x' WHERE id = 1",
    "INSERT INTO users (name, email) VALUES ('by old', 'y')",
];

const NEW: &[&str] = &[
    "UPDATE users SET name = $1::text, email = 'x' WHERE id = 2",
    "INSERT INTO users (name, email) VALUES ('by new', 'y')",
];

#[test]
fn a_function_changes_under_its_trigger() {
    Case {
        before: &format!("{USERS}; COMMENT ON TRIGGER t ON users IS 'x'"),
        migration: "CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN NEW.email := NEW.email || '-new'; RETURN NEW; END$$",
        old: OLD,
        new: NEW,
        old_sees: &[("SELECT email FROM users WHERE id = 1", "(x-old)")],
        new_sees: &[("SELECT email FROM users WHERE id = 2", "(x-new)")],
        ..CASE
    }
    .run();
}

#[test]
fn triggers_are_created_of_every_sort() {
    Case {
        before: USERS,
        migration: "CREATE TABLE log (what text);
            CREATE FUNCTION many() RETURNS trigger LANGUAGE plpgsql AS
                $$BEGIN INSERT INTO log SELECT 'many ' || count(*) FROM fresh; RETURN NULL; END$$;
            CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS
                $$BEGIN INSERT INTO log VALUES ('late ' || NEW.name); RETURN NULL; END$$;
            CREATE FUNCTION early() RETURNS trigger LANGUAGE plpgsql AS
                $$BEGIN NEW.email := NEW.email || '-' || TG_ARGV[0]; RETURN NEW; END$$;
            CREATE TRIGGER b_first BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION early('b');
            CREATE TRIGGER a_first BEFORE INSERT OR UPDATE OF age ON users FOR EACH ROW
                WHEN (NEW.age > 3) EXECUTE FUNCTION early('a');
            CREATE TRIGGER st AFTER INSERT ON users REFERENCING NEW TABLE AS fresh
                FOR EACH STATEMENT EXECUTE FUNCTION many();
            CREATE CONSTRAINT TRIGGER ct AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION late();
            CREATE TRIGGER on_log BEFORE INSERT ON log FOR EACH ROW WHEN (NEW.what IS NULL) EXECUTE FUNCTION early()",
        old: OLD,
        new: NEW,
        old_sees: &[("SELECT DISTINCT email FROM users WHERE name = 'by old'", "(y)")],
        new_sees: &[
            ("SELECT DISTINCT email FROM users WHERE name = 'by new'", "(y-a-b)"),
            ("SELECT DISTINCT what FROM log", "(\"late by new\") (\"many 1\")"),
        ],
        ..CASE
    }
    .run();
}

#[test]
fn a_trigger_is_dropped_with_its_function() {
    Case {
        before: USERS,
        migration: "DROP TRIGGER t ON users; DROP FUNCTION touch()",
        old: OLD,
        new: NEW,
        old_sees: &[("SELECT email FROM users WHERE id = 1", "(x-old)")],
        new_sees: &[("SELECT email FROM users WHERE id = 2", "(x)")],
        ..CASE
    }
    .run();
}

#[test]
fn triggers_are_changed_renamed_and_disabled() {
    Case {
        before: &format!(
            "{USERS}; CREATE TRIGGER r BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch();
            CREATE TABLE other (id serial PRIMARY KEY, email text); INSERT INTO other (email) VALUES ('o');
            CREATE TRIGGER o BEFORE UPDATE ON other FOR EACH ROW EXECUTE FUNCTION touch()"
        ),
        migration: "CREATE OR REPLACE TRIGGER t BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION touch();
            ALTER TRIGGER r ON users RENAME TO rr;
            ALTER TABLE other DISABLE TRIGGER o",
        old: OLD,
        new: NEW,
        old_sees: &[("SELECT email FROM users WHERE id = 1", "(x-old-old)")],
        new_sees: &[
            ("SELECT email FROM users WHERE id = 2", "(x-old)"),
            ("SELECT DISTINCT email FROM users WHERE name = 'by new'", "(y-old)"),
        ],
        ..CASE
    }
    .run();
}

#[test]
fn a_column_is_renamed_under_a_trigger() {
    Case {
        before: USERS,
        migration: "ALTER TABLE users RENAME COLUMN name TO full_name",
        old: OLD,
        new: &["UPDATE users SET full_name = $1::text, email = 'x' WHERE id = 2"],
        old_sees: &[("SELECT email FROM users WHERE id = 1", "(x-old)")],
        new_sees: &[("SELECT email FROM users WHERE id = 2", "(x-old)")],
        ..CASE
    }
    .run();
}
