//! Views and materialised views of the team's.

use crate::Case;
use crate::stage::CASE;

const USERS: &str = "CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, email text, age int);
    INSERT INTO users (name, email, age) SELECT 'n' || i, 'e' || i, i FROM generate_series(1, 100) i;
    CREATE VIEW v AS SELECT id, name FROM users WHERE id > 0;
    CREATE VIEW vv AS SELECT v.name, v.id FROM v;
    GRANT SELECT ON v TO PUBLIC";

const OLD: &[&str] = &[
    "SELECT * FROM v WHERE id = $1",
    "SELECT * FROM vv WHERE id = $1",
    "UPDATE v SET name = $1::text WHERE id = 1",
    "INSERT INTO users (name, email, age) VALUES ($1::text, 'x', 3)",
];

#[test]
fn a_view_is_replaced_and_others_read_it() {
    Case {
        before: USERS,
        migration:
            "CREATE OR REPLACE VIEW v AS SELECT id, upper(name) AS name, email FROM users WHERE id > 0;
            CREATE VIEW n AS SELECT count(*) AS all, max(name) AS top FROM vv; COMMENT ON VIEW n IS 'x';
            GRANT SELECT ON n TO PUBLIC;
            CREATE VIEW w WITH (security_barrier, security_invoker) AS
                SELECT * FROM users WHERE id < 10 WITH CASCADED CHECK OPTION",
        old: OLD,
        new: &[
            "SELECT email FROM v WHERE id = $1",
            "SELECT * FROM vv, n WHERE id = $1",
            "UPDATE w SET age = 3 WHERE id = 2",
        ],
        old_sees: &[("SELECT * FROM v WHERE id = 7", "(7,n7)"), ("SELECT * FROM vv WHERE id = 7", "(n7,7)")],
        new_sees: &[
            ("SELECT * FROM v WHERE id = 7", "(7,N7,e7)"),
            ("SELECT * FROM vv WHERE id = 7", "(N7,7)"),
        ],
        ..CASE
    }
    .run();
}

#[test]
fn a_view_is_made_anew_with_other_columns() {
    Case {
        before: USERS,
        migration: "DROP VIEW vv; DROP VIEW v; CREATE VIEW v AS SELECT email, id FROM users; GRANT SELECT ON v TO PUBLIC",
        old: OLD,
        new: &["SELECT email FROM v WHERE id = $1", "UPDATE v SET email = $1::text WHERE id = 2"],
        old_sees: &[("SELECT * FROM v WHERE id = 7", "(7,n7)")],
        new_sees: &[("SELECT * FROM v WHERE id = 7", "(e7,7)")],
        ..CASE
    }
    .run();
}

#[test]
fn columns_under_views_are_renamed_and_dropped() {
    Case {
        before: &format!(
            "{USERS}; CREATE VIEW ages AS SELECT id, age, email FROM users; CREATE VIEW agees AS SELECT age FROM ages"
        ),
        migration: "ALTER TABLE users RENAME COLUMN name TO full_name;
            DROP VIEW agees; DROP VIEW ages;
            ALTER TABLE users DROP COLUMN age;
            CREATE VIEW ages AS SELECT id, email, full_name FROM users;
            ALTER TABLE users RENAME TO people;
            CREATE VIEW fresh AS SELECT full_name FROM people WHERE id > 90",
        old: &[OLD[0], OLD[1], OLD[2], OLD[3], "SELECT ages.age FROM ages, agees WHERE id = $1"],
        new: &[
            "SELECT * FROM v WHERE id = $1",
            "SELECT full_name FROM ages WHERE id = $1",
            "UPDATE v SET name = $1::text WHERE id = 2",
            "SELECT * FROM vv, fresh WHERE id = $1",
        ],
        old_sees: &[("SELECT * FROM vv WHERE id = 7", "(n7,7)"), ("SELECT * FROM ages WHERE id = 7", "(7,7,e7)")],
        new_sees: &[("SELECT * FROM vv WHERE id = 7", "(n7,7)"), ("SELECT * FROM ages WHERE id = 7", "(7,e7,n7)")],
        ..CASE
    }
    .run();
}

#[test]
fn columns_under_views_change_their_type() {
    Case {
        before: USERS,
        migration: "DROP VIEW vv; DROP VIEW v;
            ALTER TABLE users ALTER COLUMN age TYPE bigint;
            CREATE VIEW v AS SELECT id, name, age FROM users; CREATE VIEW vv AS SELECT v.age, id FROM v",
        old: OLD,
        new: &["SELECT age + 5000000000 FROM v WHERE id = $1", "UPDATE v SET age = 5000000 WHERE id = 2"],
        old_sees: &[("SELECT * FROM vv WHERE id = 7", "(n7,7)")],
        new_sees: &[("SELECT * FROM vv WHERE id = 7", "(7,7)")],
        large: true,
        ..CASE
    }
    .run();
}

#[test]
fn a_view_and_its_column_are_renamed() {
    Case {
        before: USERS,
        migration: "ALTER VIEW v RENAME TO w; ALTER VIEW w RENAME COLUMN name TO label;
            ALTER VIEW w ALTER COLUMN label SET DEFAULT 'z';
            ALTER VIEW w SET (security_invoker = true, check_option = local)",
        old: OLD,
        new: &[
            "SELECT label FROM w WHERE id = $1",
            "INSERT INTO w DEFAULT VALUES",
            "SELECT name FROM vv WHERE id = $1",
        ],
        new_sees: &[("SELECT count(*) > 0 FROM w WHERE label = 'z'", "(t)")],
        ..CASE
    }
    .run();
}

#[test]
fn materialised_views() {
    Case {
        before: &format!(
            "{USERS}; CREATE MATERIALIZED VIEW m AS SELECT id, name FROM users; CREATE UNIQUE INDEX m_id ON m (id);
            CREATE MATERIALIZED VIEW k AS SELECT id, age FROM users; CREATE INDEX k_id ON k (id)"
        ),
        migration: "DROP MATERIALIZED VIEW m;
            CREATE MATERIALIZED VIEW m AS SELECT id, email, name FROM users; CREATE UNIQUE INDEX m_id ON m (id);
            CREATE MATERIALIZED VIEW o AS SELECT count(*) AS n FROM users; COMMENT ON MATERIALIZED VIEW o IS 'q';
            CREATE INDEX k_age ON k (age); DROP INDEX k_id",
        old: &["SELECT name FROM m WHERE id = $1", "SELECT * FROM k WHERE id = $1", OLD[3]],
        new: &["SELECT email FROM m WHERE id = $1", "SELECT n FROM o", "SELECT * FROM k WHERE age = $1"],
        old_sees: &[("SELECT * FROM m WHERE id = 7", "(7,n7)")],
        new_sees: &[("SELECT * FROM m WHERE id = 7", "(7,e7,n7)")],
        ..CASE
    }
    .run();
}

const WRITABLE: &str = "CREATE FUNCTION put() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO users (name, email) VALUES (NEW.name, 'by old'); RETURN NEW; END $$;
    CREATE VIEW d AS SELECT DISTINCT name FROM users;
    CREATE TRIGGER dt INSTEAD OF INSERT ON d FOR EACH ROW EXECUTE FUNCTION put()";

#[test]
fn a_view_is_written_through_triggers() {
    Case {
        before: &format!("{USERS}; {WRITABLE}"),
        migration: "CREATE OR REPLACE FUNCTION put() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN INSERT INTO users (name, email) VALUES (NEW.name, 'by new'); RETURN NEW; END $$;
            CREATE OR REPLACE VIEW d AS SELECT DISTINCT name, 1 AS one FROM users;
            CREATE VIEW e AS SELECT DISTINCT name FROM users;
            CREATE TRIGGER et INSTEAD OF INSERT ON e FOR EACH ROW EXECUTE FUNCTION put()",
        old: &["INSERT INTO d (name) VALUES ('old')"],
        new: &["INSERT INTO d (name) VALUES ('new')"],
        old_sees: &[("SELECT DISTINCT email FROM users WHERE name = 'old'", "(\"by old\")")],
        new_sees: &[("SELECT DISTINCT email FROM users WHERE name = 'new'", "(\"by new\")")],
        ..CASE
    }
    .run();
}
