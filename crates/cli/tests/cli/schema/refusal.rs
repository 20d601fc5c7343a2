//! What is refused, with the place in the file, and how it ends.

use std::fs;

use serde_json::json;

use super::{FULL_NAME, Stage, USERS};
use crate::tandem;

/// A stage that is at its first revision.
fn settled() -> Stage {
    let stage = Stage::new(&[("0001_users.sql", USERS)]);
    stage.done(&["start"]);
    stage.done(&["contract"]);
    stage
}

#[test]
fn what_can_not_be_made_safe_is_refused_with_its_place() {
    let stage = settled();
    stage.write("0002_drop.sql", "-- a comment\nALTER TABLE users\n  DROP COLUMN name;\n");
    let (out, told) = stage.ends(5, &["plan"]);
    assert_eq!(out, "");
    assert!(told.starts_with("db/migrations/0002_drop.sql:2:1: "), "{told}");
    assert!(told.contains("help: "), "{told}");
    let refusals = stage.json(5, &["plan"])["refusals"].clone();
    assert_eq!(
        (&refusals[0]["file"], &refusals[0]["line"], &refusals[0]["column"]),
        (&json!("db/migrations/0002_drop.sql"), &json!(2), &json!(1)),
        "{refusals}"
    );
    stage.ends(5, &["start"]);
    assert!(stage.done(&["status"]).contains("1 pending"));
}

#[test]
fn an_error_of_the_server_points_at_the_word() {
    let stage = settled();
    stage
        .write("0002_x.sql", "CREATE TABLE a (id int PRIMARY KEY);\nALTER TABLE nothing ADD COLUMN x int;\n");
    let (_, told) = stage.ends(5, &["plan"]);
    assert!(told.starts_with("db/migrations/0002_x.sql:2:"), "{told}");
    assert!(told.contains("relation \"nothing\" does not exist"), "{told}");
    stage.write("0002_x.sql", "ALTER TABEL users;\n");
    let (_, told) = stage.ends(2, &["plan"]);
    assert!(told.starts_with("db/migrations/0002_x.sql:1:"), "{told}");
    fs::write(stage.path().join("db/migrations/0002_x.sql"), b"SELECT 1;\n\xff").unwrap();
    assert!(stage.ends(2, &["plan"]).1.contains("is not UTF-8: line 2"));
}

#[test]
fn statements_that_would_break_are_named() {
    let stage = settled();
    stage.write("0002_full_name.sql", FULL_NAME);
    let (old, new) = (stage.path().join("old.sql"), stage.path().join("new.sql"));
    fs::write(&old, "SELECT id, name FROM users GROUP BY id;\nSELECT name FROM users WHERE id = $1;\n")
        .unwrap();
    fs::write(&new, "SELECT full_name FROM users\n").unwrap();
    let given = ["--statements", "old.sql", "--new-statements", "new.sql"];
    let plan = stage.json(5, &[&["plan"], &given[..]].concat());
    assert_eq!(plan["broken"].as_array().map(Vec::len), Some(1), "{}", plan["broken"]);
    assert_eq!((&plan["broken"][0]["side"], &plan["broken"][0]["state"]), (&json!("old"), &json!("mixed")));
    let (_, told) = stage.ends(5, &[&["start"], &given[..]].concat());
    assert!(told.contains("nothing was begun"), "{told}");
    fs::write(&old, "SELECT name FROM users WHERE id = $1").unwrap();
    stage.done(&[&["plan"], &given[..]].concat());
}

#[test]
fn a_migration_that_has_run_may_not_be_edited() {
    let stage = settled();
    stage.write("0001_users.sql", &format!("{USERS}-- edited\n"));
    stage.write("0002_full_name.sql", FULL_NAME);
    let (_, told) = stage.ends(5, &["start"]);
    assert!(told.contains("0001_users.sql was changed after `0001_users` had run"), "{told}");
    assert_eq!(stage.json(0, &["status"])["odd"][0]["odd"], "edited");
    // The way out: the database is as the folder says.
    stage.done(&["adopt", "--at", "0001_users"]);
    stage.done(&["plan"]);
    stage.write("0000_early.sql", "SELECT 1;");
    assert!(stage.ends(5, &["plan"]).1.contains("never ran"));
}

#[test]
fn where_nothing_is_known_it_is_said_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let told = |words: &[&str]| {
        let output = tandem(folder.path(), words).env_remove("DATABASE_URL").output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    insta::assert_snapshot!(told(&["schema", "status"]).1, @r###"
error: which database is not known: DATABASE_URL is not set
  help: set it, name the database with --url postgres://owner@host/database, or in [database] of tandem.toml
"###);
    let (code, text) = told(&["schema", "plan", "--url", "postgres://a@127.0.0.1:1/x"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("db/migrations can't be read") && text.contains("--migrations DIR"), "{text}");
    let (code, text) = told(&["schema", "status", "--url", "mysql://a:secret@b/x"]);
    assert!(code == Some(2) && !text.contains("secret"), "{text}");
    let (code, text) = told(&["schema", "status", "--url", "postgres://a:secret@127.0.0.1:1/x"]);
    assert!(code == Some(1) && !text.contains("secret"), "{text}");
    let stage = Stage::new(&[]);
    for verb in ["resume", "pause", "verify", "contract", "undo"] {
        assert!(stage.ends(5, &[verb]).1.contains("no change is active"), "{verb}");
    }
}

#[test]
fn what_a_role_may_not_do_is_said_before_anything_is_begun() {
    let stage = settled();
    stage.write("0002_full_name.sql", FULL_NAME);
    let role = format!("weak_{}", stage.database.name());
    stage
        .database
        .execute(&format!("CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"));
    let url = stage.database.url().replace("postgres@", &format!("{role}@"));
    for verb in ["plan", "start"] {
        let (_, told) = stage.ends(5, &[verb, "--url", &url]);
        assert!(told.contains("CREATEDB") && told.contains("--scratch-url"), "{told}");
    }
    stage.database.execute(&format!("ALTER ROLE {role} CREATEDB"));
    for verb in ["plan", "start"] {
        let (_, told) = stage.ends(5, &[verb, "--url", &url]);
        assert!(
            told.contains("change public.users, which it does not own") && told.contains("GRANT"),
            "{told}"
        );
    }
    assert!(stage.done(&["status"]).contains("1 pending"));
    stage.database.execute(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}"));
}

#[test]
fn what_a_person_changes_by_hand_is_seen_before_and_after() {
    let stage = settled();
    stage.write("0002_full_name.sql", FULL_NAME);
    stage.database.execute("ALTER TABLE users ADD COLUMN code text");
    let (_, told) = stage.ends(5, &["plan"]);
    assert!(
        told.starts_with("db/migrations/0002_full_name.sql:2:") && told.contains("already exists"),
        "{told}"
    );
    stage.database.execute("ALTER TABLE users DROP COLUMN code");
    stage.done(&["start"]);
    stage.database.execute("ALTER TABLE users ADD COLUMN odd int");
    let (_, told) = stage.ends(0, &["contract", "--force"]);
    assert!(told.contains("left it: column public.users.odd is there, and should not be"), "{told}");
    stage.write("0003_more.sql", "ALTER TABLE users ADD COLUMN more int;");
    stage.done(&["start"]);
    stage.done(&["contract", "--force"]);
}
