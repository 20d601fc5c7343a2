//! The journal: created once, read by everybody, one change at a time; rows held and given back.

use tandem_database::{Database, Server};
use tandem_postgres::Failure;
use tandem_postgres::journal::{Journal, state};
use tandem_schema::plan::MigrationRef;

use crate::house::House;

#[test]
fn a_journal_is_created_once_by_whoever_comes_first() {
    let database = Server::shared().database();
    assert_eq!(state(&mut database.client()).unwrap().revision, None, "reading creates nothing");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| Journal::open(&mut database.client()).map(|_| ()).unwrap());
        }
    });
    let migrations = [MigrationRef { name: "0001_a".to_owned(), checksum: "c".to_owned() }];
    let mut client = database.client();
    Journal::open(&mut client).unwrap().adopt("0001_a", &migrations).unwrap();
    database.execute("DROP ROLE IF EXISTS reader; CREATE ROLE reader; GRANT reader TO postgres");
    client.batch_execute("SET ROLE reader").unwrap();
    let revision = state(&mut client).unwrap().revision.unwrap();
    assert!(revision.adopted && revision.name == "0001_a" && revision.migrations == migrations);
    assert!(client.execute("SELECT FROM tandem.held", &[]).is_err(), "rows are not for everybody");
    database.execute("UPDATE tandem.format SET number = 99");
    let refused = Journal::open(&mut database.client()).err().unwrap();
    assert!(matches!(refused, Failure::Format { found: 99, .. }), "{refused}");
}

#[test]
fn one_change_is_active() {
    let house = House::new(1, &["id"]);
    let mut client = house.database.client();
    let mut journal = Journal::open(&mut client).unwrap();
    journal.begin(&house.plan, "me").unwrap();
    assert_eq!(journal.active().unwrap().unwrap().plan, house.plan, "a plan is read as it was written");
    assert!(matches!(journal.begin(&house.plan, "me"), Err(Failure::Active { .. })));
    assert!(matches!(journal.adopt("x", &[]), Err(Failure::Active { .. })));
    let again = "INSERT INTO tandem.change (plan, phase, by) VALUES ('{}', 'mixed', 'x')";
    assert!(client.execute(again, &[]).is_err());
}

/// A database where a data statement's changes of `"odd ""table"` are held.
fn held(statement: &str, since: &str) -> (Database<'static>, i64) {
    let database = Server::shared().database();
    let mut client = database.client();
    Journal::open(&mut client).unwrap();
    client
        .batch_execute(&format!(
            r#"CREATE SCHEMA "My app"; SET search_path = "My app";
            CREATE TABLE "odd ""table" ("Key" int PRIMARY KEY, "a b" text, at timestamptz DEFAULT '2024-01-01', bytes bytea,
                list int[], twice int GENERATED ALWAYS AS ("Key" * 2) STORED, number int GENERATED ALWAYS AS IDENTITY);
            INSERT INTO "odd ""table" ("Key", "a b", bytes, list)
                SELECT i, 'v' || i, '\xff00', ARRAY[i, NULL] FROM generate_series(1, 5) i;
            CREATE TABLE before AS TABLE "odd ""table";
            INSERT INTO tandem.change (plan, phase, by) VALUES ('{{}}', 'starting', 'x');
            SET timezone = 'Asia/Tokyo';
            BEGIN;
            CREATE TRIGGER hold AFTER INSERT OR UPDATE OR DELETE ON "odd ""table" FOR EACH ROW EXECUTE FUNCTION tandem.hold();
            {statement};
            DROP TRIGGER hold ON "odd ""table";
            COMMIT;
            SET timezone = 'UTC';
            ALTER TABLE "odd ""table" ADD COLUMN later int DEFAULT 7;
            {since}"#
        ))
        .unwrap();
    let row = client.query_one(r#"SELECT tandem.give_back('"odd ""table"')"#, &[]).unwrap();
    client.batch_execute(r#"ALTER TABLE "odd ""table" DROP COLUMN later"#).unwrap();
    (database, row.get(0))
}

fn different(database: &Database<'_>) -> i64 {
    let query = r#"SELECT count(*) FROM ((TABLE "My app".before EXCEPT TABLE "My app"."odd ""table")
        UNION ALL (TABLE "My app"."odd ""table" EXCEPT TABLE "My app".before)) d"#;
    database.client().query_one(query, &[]).unwrap().get(0)
}

#[test]
fn held_rows_are_given_back() {
    let statement = r#"UPDATE "odd ""table" SET "a b" = 'new' WHERE "Key" < 3;
        UPDATE "odd ""table" SET "Key" = "Key" + 10, list = NULL WHERE "Key" = 2; DELETE FROM "odd ""table" WHERE "Key" > 3;
        INSERT INTO "odd ""table" ("Key") VALUES (4)"#;
    let (database, lost) = held(statement, "");
    assert_eq!((lost, different(&database)), (0, 0));
    let left: i64 = database.client().query_one("SELECT count(*) FROM tandem.held", &[]).unwrap().get(0);
    assert_eq!(left, 0);
}

#[test]
fn rows_that_somebody_changed_since_stay_as_they_are_and_are_counted() {
    let statement = r#"UPDATE "odd ""table" SET "a b" = 'new' WHERE "Key" <= 2;
        DELETE FROM "odd ""table" WHERE "Key" = 5; INSERT INTO "odd ""table" ("Key") VALUES (6), (7)"#;
    let since = r#"UPDATE "odd ""table" SET list = '{9}' WHERE "Key" IN (1, 6); DELETE FROM "odd ""table" WHERE "Key" = 7;
        INSERT INTO "odd ""table" ("Key") VALUES (5)"#;
    let (database, lost) = held(statement, since);
    assert_eq!(lost, 3);
    // 1, 5 and 6 are as somebody made them; 2 is as it was before.
    assert_eq!(different(&database), 5);
}
