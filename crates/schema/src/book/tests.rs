//! What the books of each framework show and get.

use super::*;
use crate::model::{Column, RelationKind};
use crate::source::{File, read};

fn table(name: &str, columns: &[(&str, &str)]) -> Relation {
    let column = |(number, (name, type_name)): (i16, &(&str, &str))| Column {
        number,
        name: (*name).to_owned(),
        type_name: (*type_name).to_owned(),
        type_oid: (0, -1),
        collation: None,
        not_null: true,
        default: None,
        given: None,
        identity: None,
        generated: false,
        storage: String::new(),
        privileges: None,
        comment: None,
    };
    Relation {
        kind: RelationKind::Table,
        name: Name::new("public", name),
        columns: (1..).zip(columns).map(column).collect(),
        query: String::new(),
        persistence: "p".to_owned(),
        partition_key: None,
        partition_of: None,
        inherits: Vec::new(),
        options: Vec::new(),
        replica_identity: "d".to_owned(),
        row_security: (false, false),
        owner: String::new(),
        privileges: None,
        comment: None,
        needs: BTreeSet::new(),
        storage: 1,
        rows: 0,
        bytes: 0,
    }
}

fn catalog(tables: Vec<Relation>) -> Catalog {
    Catalog { version: 150_000, relations: (1..).zip(tables).collect(), ..Catalog::default() }
}

fn migrations(files: &[(&str, &str)]) -> Vec<Migration> {
    let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), text: (*text).to_owned() };
    read(&files.iter().map(file).collect::<Vec<_>>()).expect("migrations")
}

fn only(relation: Relation, files: &[(&str, &str)]) -> Book {
    let mut books = books(&catalog(vec![relation]), "public", &migrations(files));
    assert_eq!(books.len(), 1);
    let book = books.remove(0);
    for text in book.settle.iter().chain([&book.view]) {
        assert_eq!(crate::source::split("made", text, 0).expect("it is SQL").len(), 1, "{text}");
    }
    book
}

const SQLX: &[(&str, &str)] = &[
    ("version", "bigint"),
    ("description", "text"),
    ("installed_on", "timestamp with time zone"),
    ("success", "boolean"),
    ("checksum", "bytea"),
    ("execution_time", "bigint"),
];

#[test]
fn sqlx_sees_each_migration_as_done() {
    let files = [("0042_add_it's_x.sql", "abc"), ("43_b.sql", "")];
    let book = only(table("_sqlx_migrations", SQLX), &files.map(|(path, _)| (path, "SELECT 1")));
    let sum = checksum::sqlx("SELECT 1");
    let values = |version: &str, description: &str| {
        format!(
            "CAST({version} AS bigint), CAST('{description}' AS text), \
             CAST(CURRENT_TIMESTAMP AS timestamp with time zone), CAST(true AS boolean), \
             CAST(decode('{sum}', 'hex') AS bytea), CAST(0 AS bigint) \
             WHERE NOT EXISTS (SELECT FROM \"public\".\"_sqlx_migrations\" WHERE \"version\" = {version})"
        )
    };
    let names =
        "\"version\", \"description\", \"installed_on\", \"success\", \"checksum\", \"execution_time\"";
    assert_eq!(
        book.view,
        format!(
            "SELECT {names} FROM \"public\".\"_sqlx_migrations\"\nUNION ALL SELECT {}\nUNION ALL SELECT {}",
            values("42", "add it''s x"),
            values("43", "b")
        )
    );
    assert_eq!(
        book.settle[0],
        format!(
            "INSERT INTO \"public\".\"_sqlx_migrations\" ({names}) SELECT {}",
            values("42", "add it''s x")
        )
    );
    assert_eq!(book.settle.len(), 2);
}

#[test]
fn golang_migrate_has_one_row() {
    let book = only(
        table("schema_migrations", &[("version", "bigint"), ("dirty", "boolean")]),
        &[("1_a.up.sql", "SELECT 1"), ("0002_b.up.sql", "SELECT 1")],
    );
    assert_eq!(
        (book.framework, book.view.as_str()),
        (
            Framework::GolangMigrate,
            "SELECT * FROM (SELECT CAST(2 AS bigint), CAST(false AS boolean)) AS b (\"version\", \"dirty\")"
        )
    );
    assert_eq!(
        book.settle[0],
        "DELETE FROM \"public\".\"schema_migrations\" WHERE \"version\" <> 2 OR \"dirty\""
    );
}

#[test]
fn dbmate_and_diesel_keep_texts() {
    let varchar = "character varying(128)";
    let book = only(
        table("schema_migrations", &[("version", varchar)]),
        &[("007_a.sql", "-- migrate:up\nSELECT 1")],
    );
    assert!(book.view.contains("SELECT CAST('007' AS character varying(128)) WHERE NOT"), "{}", book.view);
    let columns = [("version", varchar), ("run_on", "timestamp without time zone"), ("more", "\"x\".\"y\"")];
    let book =
        only(table("__diesel_schema_migrations", &columns), &[("2026-01-02-030405_a/up.sql", "SELECT 1")]);
    assert!(book.view.contains("CAST('20260102030405' AS"), "{}", book.view);
    assert!(book.view.contains("CAST(NULL AS \"x\".\"y\")") && !book.settle[0].contains("more"));
}

#[test]
fn flyway_and_prisma_know_their_own() {
    let columns: Vec<(&str, &str)> = KNOWN[2].columns.iter().map(|name| (*name, "text")).collect();
    let book = only(table("flyway_schema_history", &columns), &[("V2_1__a_b.sql", "SELECT 1;\n")]);
    for part in [
        "CAST('2.1' AS",
        "CAST('a b' AS",
        "CAST('V2_1__a_b.sql' AS",
        &checksum::flyway("SELECT 1;").to_string(),
    ] {
        assert!(book.view.contains(part), "{}", book.view);
    }
    let columns: Vec<(&str, &str)> = KNOWN[3].columns.iter().map(|name| (*name, "text")).collect();
    let book = only(table("_prisma_migrations", &columns), &[("20260101_a/migration.sql", "SELECT 1")]);
    assert!(
        book.view.contains("CAST('20260101_a' AS") && book.view.contains(&crate::name::digest("SELECT 1"))
    );
    assert_eq!(
        book,
        only(table("_prisma_migrations", &columns), &[("20260101_a/migration.sql", "SELECT 1")])
    );
}

#[test]
fn a_table_that_only_looks_like_a_book_is_left_alone() {
    let plain = migrations(&[("1_a.sql", "SELECT 1")]);
    let other = catalog(vec![
        table("schema_migrations", &[("version", "bigint"), ("mine", "text")]),
        table("_sqlx_migrations", &SQLX[..3]),
    ]);
    assert_eq!((books(&other, "public", &plain), applied(&other, "public")), (Vec::new(), None));
    assert_eq!(books(&catalog(vec![table("_sqlx_migrations", SQLX)]), "app", &plain), []);
    let diesel = migrations(&[("1_a/up.sql", "SELECT 1")]);
    assert_eq!(books(&catalog(vec![table("_sqlx_migrations", SQLX)]), "public", &diesel), []);
}

#[test]
fn what_has_run_is_told_by_name() {
    let all =
        migrations(&[("0001_a.sql", "SELECT 1"), ("0002_b.sql", "SELECT 1"), ("0010_c.sql", "SELECT 1")]);
    let names = |framework, versions: &[&str]| {
        let versions: Vec<String> = versions.iter().map(|version| (*version).to_owned()).collect();
        names_applied(&all, framework, &versions).join(" ")
    };
    assert_eq!(names(Framework::Sqlx, &["2", "1"]), "0001_a 0002_b");
    assert_eq!(names(Framework::GolangMigrate, &["<=2"]), "0001_a 0002_b");
    assert_eq!(names(Framework::GolangMigrate, &["<10"]), "0001_a 0002_b");
    assert_eq!(names(Framework::Dbmate, &["0010"]), "0010_c");
    assert_eq!(names(Framework::Flyway, &["<=2.0", "10"]), "0001_a 0002_b 0010_c");
    let known = [("version", "bigint"), ("dirty", "boolean")];
    let (name, framework, query) =
        applied(&catalog(vec![table("schema_migrations", &known)]), "public").unwrap();
    assert_eq!((name.name.as_str(), framework), ("schema_migrations", Framework::GolangMigrate));
    assert!(crate::source::split("made", &query, 0).is_ok());
}
