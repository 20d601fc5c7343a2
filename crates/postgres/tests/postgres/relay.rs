//! What clients of either protocol send through a relay, and what becomes of a command's work.

use std::process::Command;

use postgres::{Client, NoTls};
use tandem_database::{Server, program};
use tandem_postgres::preparation::{NotRecorded, record};
use tandem_postgres::relay::Relay;
use tandem_schema::recording::recording;

fn psql(url: &str, script: &str) -> Result<(), String> {
    let psql = program("psql").expect("psql is installed");
    let mut command = Command::new(psql);
    command.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--command", script, url]);
    let output = command.output().map_err(|why| why.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[test]
fn what_clients_of_both_protocols_execute_is_written_down() {
    let database = Server::shared().database();
    let relay = Relay::begin(&database.url()).unwrap();
    psql(relay.url(), "CREATE TABLE t (a int, b text, c timestamptz, d uuid, e bytea); SELECT 1").unwrap();
    psql(relay.url(), "INSERT INTO t VALUES (1); SELECT 1 / 0").unwrap_err();
    let mut client = Client::connect(relay.url(), NoTls).unwrap();
    let insert = client.prepare("INSERT INTO t (a, b, e) VALUES ($1, $2, $3)").unwrap();
    client.execute(&insert, &[&2, &"it's", &&b"\x00\xff"[..]]).unwrap();
    client.execute(&insert, &[&3, &None::<&str>, &None::<&[u8]>]).unwrap();
    assert!(client.execute("INSERT INTO t (a) VALUES (1 / $1::int)", &[&0]).is_err());
    let mut transaction = client.transaction().unwrap();
    transaction.execute("DELETE FROM t WHERE a = $1", &[&2]).unwrap();
    transaction.rollback().unwrap();
    let recorded = recording(&relay.exchanges(), &Default::default()).unwrap();
    assert_eq!(
        recorded.statements,
        [
            "CREATE TABLE t (a int, b text, c timestamptz, d uuid, e bytea)",
            "INSERT INTO t (a, b, e) VALUES ('2'::integer, 'it''s'::text, E'\\\\x00ff'::bytea)",
            "INSERT INTO t (a, b, e) VALUES ('3'::integer, NULL, NULL)",
        ]
    );
    // What was written down does the same elsewhere.
    let other = Server::shared().database();
    recorded.statements.iter().for_each(|statement| other.execute(statement));
    let all = "SELECT string_agg(t::text, ';' ORDER BY a) FROM t";
    let seen = |mut client: Client| -> String { client.query_one(all, &[]).unwrap().get(0) };
    assert_eq!(seen(other.client()), seen(database.client()));
}

#[test]
fn a_command_is_tried_in_a_copy_and_its_books_are_kept() {
    let database = Server::shared().database();
    database.execute(
        "CREATE TABLE users (id serial PRIMARY KEY, name text);
         INSERT INTO users (name) VALUES ('ada');
         CREATE TABLE django_migrations (id serial PRIMARY KEY, app text, name text, applied timestamptz);
         INSERT INTO django_migrations (app, name, applied) VALUES ('shop', '0001_initial', now())",
    );
    let script = "BEGIN; SELECT name FROM django_migrations; ALTER TABLE users ADD COLUMN age int;
        INSERT INTO django_migrations (app, name, applied) VALUES ('shop', '0002_age', now()); COMMIT";
    let recorded = record(&database.url(), None, |url| psql(url, script)).unwrap();
    assert_eq!(recorded.statements, ["ALTER TABLE users ADD COLUMN age int"]);
    assert_eq!(recorded.head.as_deref(), Some("shop.0002_age"));
    // Nothing has happened to the database; settled, its book says what the command's copy said.
    let mut client = database.client();
    let count = "SELECT count(*) FROM django_migrations";
    assert_eq!(client.query_one(count, &[]).unwrap().get::<_, i64>(0), 1);
    for _ in 0..2 {
        recorded.books[0].settle.iter().for_each(|statement| client.batch_execute(statement).unwrap());
        assert_eq!(client.query_one(count, &[]).unwrap().get::<_, i64>(0), 2);
    }
    assert_eq!(client.query(&recorded.books[0].view, &[]).unwrap().len(), 2);
    client.execute("INSERT INTO django_migrations (app) VALUES ('shop')", &[]).unwrap();

    let failing = record(&database.url(), None, |url| psql(url, "ALTER TABLE nothing ADD x int"));
    assert!(matches!(&failing, Err(NotRecorded::Command(why)) if why.contains("nothing")), "{failing:?}");
    let reading = record(&database.url(), None, |url| psql(url, "SELECT id FROM users WHERE name IS NULL"));
    assert!(matches!(&reading, Err(NotRecorded::Reads { table, .. }) if table == "users"), "{reading:?}");
}
