use super::*;

fn exchange(connection: u32, texts: &[(&str, &[&str])], open: bool) -> Exchange {
    let executed = texts.iter().map(|(text, tags)| Executed {
        text: (*text).to_owned(),
        parameters: Vec::new(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
    });
    Exchange { connection, executed: executed.collect(), open, ..Exchange::default() }
}

fn recorded(exchanges: &[Exchange]) -> Vec<String> {
    recording(exchanges, &BTreeSet::from(["book".to_owned()])).unwrap().statements
}

#[test]
fn what_was_rolled_back_never_happened() {
    let all = [
        exchange(1, &[("BEGIN; CREATE TABLE a (x int)", &["BEGIN", "CREATE TABLE"])], true),
        exchange(2, &[("CREATE TABLE lost (x int)", &["CREATE TABLE"])], false),
        exchange(1, &[("SAVEPOINT s1", &["SAVEPOINT"])], true),
        exchange(1, &[("DROP TABLE a", &["DROP TABLE"])], true),
        exchange(1, &[("ROLLBACK TO SAVEPOINT s1", &["ROLLBACK"])], true),
        exchange(1, &[("ALTER TABLE a ADD y int", &["ALTER TABLE"]), ("COMMIT", &["COMMIT"])], false),
        exchange(1, &[("BEGIN", &["BEGIN"]), ("DROP TABLE a", &["DROP TABLE"])], true),
        exchange(1, &[("ROLLBACK", &["ROLLBACK"])], false),
    ];
    assert_eq!(
        recorded(&all),
        ["CREATE TABLE lost (x int)", "CREATE TABLE a (x int)", "ALTER TABLE a ADD y int"]
    );
}

#[test]
fn an_exchange_that_failed_leaves_nothing_outside_of_a_block() {
    let mut failed = exchange(1, &[("CREATE TABLE a (x int); SELECT 1/0", &["CREATE TABLE"])], false);
    failed.failed = true;
    assert!(recorded(&[failed.clone()]).is_empty());
    // Within a block the server lets nothing through but its end.
    failed.open = true;
    failed.executed[0].text = "ALTER TABLE b ADD c int; SELECT 1/0".to_owned();
    let all = [
        exchange(1, &[("BEGIN", &["BEGIN"])], true),
        failed,
        exchange(1, &[("COMMIT", &["ROLLBACK"])], false),
    ];
    assert!(recorded(&all).is_empty());
}

#[test]
fn reading_leaves_nothing_but_is_told() {
    let texts: &[(&str, &[&str])] = &[
        ("SET client_encoding = 'UTF8'", &["SET"]),
        ("SELECT c.relname FROM pg_class c", &["SELECT 1"]),
        ("SELECT * FROM information_schema.tables", &["SELECT 1"]),
        ("SELECT version FROM book", &["SELECT 1"]),
        ("SELECT id FROM users WHERE name IS NULL", &["SELECT 0"]),
        ("UPDATE orders SET total = (SELECT sum(p) FROM items) WHERE id = 1", &["UPDATE 0"]),
        ("INSERT INTO book VALUES ('2') RETURNING version", &["INSERT 0 1"]),
        ("SELECT setval('users_id_seq', 5)", &["SELECT 1"]),
        ("SELECT pg_advisory_lock(1)", &["SELECT 1"]),
    ];
    let found = recording(&[exchange(1, texts, false)], &BTreeSet::from(["book".to_owned()])).unwrap();
    assert_eq!(
        found.statements,
        [
            "UPDATE orders SET total = (SELECT sum(p) FROM items) WHERE id = 1",
            "SELECT setval('users_id_seq', 5)"
        ]
    );
    assert_eq!(found.reads.keys().collect::<Vec<_>>(), ["users"]);
    assert_eq!(found.changed, BTreeSet::from(["orders".to_owned()]));
    assert_eq!(found.returned, BTreeSet::from(["book".to_owned()]));
    assert_eq!(
        text("-- @up a.b: c\n\n", &found.statements[1..]),
        "-- @up a.b: c\n\nSELECT setval('users_id_seq', 5);\n"
    );
}

#[test]
fn rows_by_copy_are_refused() {
    let copied = Exchange { copied: true, ..Exchange::default() };
    assert_eq!(recording(&[copied], &BTreeSet::new()), Err(Unrecorded::Copied));
}
