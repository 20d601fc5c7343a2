//! What can't be made safe is refused, at its statement, with the way out.

use crate::refused;

const SHOP: &str = "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN pos AS int CHECK (VALUE > 0);
    CREATE TABLE users (id serial PRIMARY KEY, name text, age int, mood mood); CREATE TABLE orders (id int);
    CREATE SCHEMA app; CREATE TABLE app.t (id int, b int); CREATE TABLE ev (a int) PARTITION BY LIST (a);
    CREATE TABLE part (a int)";

/// The refusals of statements taken together: code, the statement that is pointed at, and a part of the help.
fn check(cases: &[(&str, &str, &str)]) {
    let migration: String = cases.iter().map(|(_, statement, _)| format!("{statement};\n")).collect();
    let refusals = refused(SHOP, &migration);
    for (code, statement, help) in cases {
        let found = refusals.iter().find(|refusal| {
            let text = refusal.place.as_ref().and_then(|place| migration.get(place.start..place.end));
            refusal.code == *code && text == Some(*statement)
        });
        let found = found.unwrap_or_else(|| panic!("{code} at {statement}: {refusals:#?}"));
        assert!(found.help.contains(help), "{code}: {}", found.help);
    }
    assert_eq!(refusals.len(), cases.len(), "{refusals:#?}");
}

#[test]
fn shapes_that_both_would_get_at_once() {
    check(&[
        ("enum-value", "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'", "-- @contract"),
        ("changed-object", "ALTER DOMAIN pos ADD CONSTRAINT pc CHECK (VALUE > 5)", "-- @expand"),
        ("row-security", "ALTER TABLE users ENABLE ROW LEVEL SECURITY", "-- @expand"),
        ("outside-home", "ALTER TABLE app.t RENAME COLUMN b TO c", "-- @contract"),
        ("attached", "ALTER TABLE ev ATTACH PARTITION part FOR VALUES IN (1)", "-- @expand"),
        ("unknown-object", "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC", "-- @expand"),
    ]);
}

#[test]
fn rows_that_can_not_be_told() {
    let migration =
        "ALTER TABLE users ALTER COLUMN age TYPE bigint; UPDATE users SET age = age + 1 WHERE age > 5";
    assert_eq!(
        refused(SHOP, migration).iter().map(|refusal| &*refusal.code).collect::<Vec<_>>(),
        ["data-in-place"]
    );
    check(&[
        ("data-in-place", "TRUNCATE orders", "-- @contract"),
        ("opaque", "DO $$ BEGIN UPDATE users SET age = 3; END $$", "-- @expand"),
        ("opaque", "SELECT setval('users_id_seq', 5000)", "-- @expand"),
    ]);
    let migration = "BEGIN; CREATE TEMP TABLE passing ON COMMIT DROP AS SELECT id FROM users; CREATE INDEX ON passing (id);
        INSERT INTO orders SELECT id FROM passing; COMMIT";
    assert_eq!(
        refused(SHOP, migration).iter().map(|refusal| &*refusal.code).collect::<Vec<_>>(),
        ["passing-table"]
    );
    let migration = "CREATE TABLE profiles (user_id int);\nINSERT INTO profiles SELECT id FROM users";
    let refusals = refused(SHOP, migration);
    assert_eq!(refusals.len(), 1);
    let (code, help) = (refusals[0].code.as_str(), &refusals[0].help);
    let place = refusals[0].place.as_ref().unwrap();
    assert_eq!(code, "copied-rows");
    assert_eq!(migration.get(place.start..place.end), Some("INSERT INTO profiles SELECT id FROM users"));
    assert!(help.contains("-- @expand") && help.contains("-- @contract"));
}
