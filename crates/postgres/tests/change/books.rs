//! The tables in which frameworks keep what has run: each revision sees its own state, and the rows are there in the end.

use crate::Case;
use crate::stage::CASE;

fn book(file: &str, book: &str, query: &str, old: &str, new: &str) {
    Case {
        before: &format!("CREATE TABLE users (id serial PRIMARY KEY, name text); {book}"),
        migration: "ALTER TABLE users RENAME COLUMN name TO full_name",
        file,
        old: &[query, "INSERT INTO users (name) VALUES ($1::text)"],
        new: &[query, "INSERT INTO users (full_name) VALUES ($1::text)"],
        old_sees: &[(query, old)],
        new_sees: &[(query, new)],
        undone_sees: &[(query, old)],
        ..CASE
    }
    .run();
}

#[test]
fn sqlx() {
    book(
        "2_new.sql",
        "CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, description text NOT NULL,
            installed_on timestamptz NOT NULL DEFAULT now(), success boolean NOT NULL, checksum bytea NOT NULL,
            execution_time bigint NOT NULL);
        INSERT INTO _sqlx_migrations VALUES (1, 'old', now(), true, 'x', 5)",
        "SELECT version, description, success FROM _sqlx_migrations",
        "(1,old,t)",
        "(1,old,t) (2,new,t)",
    );
}

#[test]
fn golang_migrate() {
    book(
        "2_new.up.sql",
        "CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL);
        INSERT INTO schema_migrations VALUES (1, false)",
        "SELECT * FROM schema_migrations",
        "(1,f)",
        "(2,f)",
    );
}

#[test]
fn dbmate() {
    book(
        "20260102030405_new.sql",
        "CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY);
        INSERT INTO schema_migrations VALUES ('1')",
        "SELECT * FROM schema_migrations",
        "(1)",
        "(1) (20260102030405)",
    );
}

#[test]
fn diesel() {
    book(
        "2026-01-02-030405_new/up.sql",
        "CREATE TABLE __diesel_schema_migrations (version varchar(50) PRIMARY KEY, run_on timestamp NOT NULL DEFAULT now());
        INSERT INTO __diesel_schema_migrations VALUES ('1')",
        "SELECT version FROM __diesel_schema_migrations",
        "(1)",
        "(1) (20260102030405)",
    );
}

#[test]
fn prisma() {
    book(
        "20260102030405_new/migration.sql",
        "CREATE TABLE _prisma_migrations (id varchar(36) PRIMARY KEY, checksum varchar(64) NOT NULL,
            finished_at timestamptz, migration_name varchar(255) NOT NULL, logs text, rolled_back_at timestamptz,
            started_at timestamptz NOT NULL DEFAULT now(), applied_steps_count int NOT NULL DEFAULT 0);
        INSERT INTO _prisma_migrations VALUES ('a', 'c', now(), '1_old', NULL, NULL, now(), 1)",
        "SELECT migration_name, finished_at IS NOT NULL FROM _prisma_migrations",
        "(1_old,t)",
        "(1_old,t) (20260102030405_new,t)",
    );
}
