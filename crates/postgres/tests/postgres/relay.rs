//! What clients of either protocol send through a relay, and what becomes of a command's work.

use std::process::Command;

use postgres::{Client, NoTls};
use tandem_database::{Server, program};
use tandem_postgres::preparation::{NotRecorded, Recorded, record};
use tandem_postgres::relay::Relay;
use tandem_postgres::{Failure, Phase};
use tandem_schema::name::Name;
use tandem_schema::recording::recording;

use crate::house::{House, quiet};

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
    let recorded = record(&database.url(), None, &[], |url| psql(url, script)).unwrap();
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

    let failing = record(&database.url(), None, &[], |url| psql(url, "ALTER TABLE nothing ADD x int"));
    assert!(matches!(&failing, Err(NotRecorded::Command(why)) if why.contains("nothing")), "{failing:?}");
    let reading =
        record(&database.url(), None, &[], |url| psql(url, "SELECT id FROM users WHERE name IS NULL"));
    assert!(matches!(&reading, Err(NotRecorded::Reads { table, .. }) if table == "users"), "{reading:?}");
}

/// A role that may not look away from foreign keys finds the order itself.
#[test]
fn a_command_finds_the_rows_of_tables_that_are_named() {
    let database = Server::shared().database();
    database.execute(
        "CREATE ROLE small LOGIN CREATEDB; CREATE TABLE owners (id int PRIMARY KEY);
         CREATE TABLE settings (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, key text, owner int REFERENCES owners,
            twice int GENERATED ALWAYS AS (owner * 2) STORED);
         INSERT INTO owners VALUES (7); INSERT INTO settings (key, owner) VALUES ('names', 7), ('none', NULL);
         ALTER TABLE owners OWNER TO small; ALTER TABLE settings OWNER TO small;
         CREATE VIEW keys AS SELECT key FROM settings",
    );
    // It adds a column for each setting that has an owner, and a setting of its own.
    let script =
        "SELECT set_config('x.count', count(*)::text, false) FROM settings s JOIN owners o ON o.id = s.owner;
        DO $$ BEGIN EXECUTE 'ALTER TABLE owners ADD COLUMN c' || current_setting('x.count') || ' int'; END $$;
        INSERT INTO settings (key) VALUES ('third'); SELECT 1 / (max(id) = 3)::int FROM settings";
    let named = |names: &[&str]| names.iter().map(|name| Name::new("public", *name)).collect::<Vec<_>>();
    let weak = database.url().replace("postgres@", "small@");
    let tried = |url: &str, names: &[&str]| record(url, None, &named(names), |url| psql(url, script));
    for url in [database.url(), weak.clone()] {
        let recorded = tried(&url, &["settings", "owners", "not_there_yet"]).unwrap();
        assert!(
            recorded.statements.iter().any(|text| text.starts_with("INSERT INTO settings")),
            "{recorded:?}"
        );
        let told: Vec<(&str, u64)> =
            recorded.premises.iter().map(|one| (one.table.name.as_str(), one.rows)).collect();
        assert_eq!(told, [("settings", 2), ("owners", 1)]);
        let again = tried(&url, &["owners", "settings"]).unwrap();
        assert!(recorded.premises.iter().all(|premise| again.premises.contains(premise)), "{again:?}");
    }
    // One that is not looked at is no premise; one that another refers to must be there.
    let one = record(&weak, None, &named(&["owners"]), |url| psql(url, "CREATE TABLE x (a int)")).unwrap();
    assert_eq!(one.premises, []);
    let refused = |result: Result<_, NotRecorded>| result.map(|_: Recorded| ()).unwrap_err().to_string();
    let without = refused(tried(&weak, &["settings"]));
    assert!(without.contains("public.settings") && without.contains("\"owners\""), "{without}");
    let unnamed = refused(tried(&database.url(), &["settings"]));
    assert!(
        unnamed.contains("reads rows of owners") && unnamed.contains("`rows` of [database]"),
        "{unnamed}"
    );
    assert!(refused(tried(&weak, &["keys"])).contains("it is no table"));
    database.execute("INSERT INTO owners SELECT n FROM generate_series(10, 100010) n");
    let large = refused(tried(&weak, &["owners"]));
    assert!(large.contains("public.owners") && large.contains("100000 rows, or 64 MiB"), "{large}");
}

#[test]
fn a_plan_begins_only_on_the_rows_that_it_was_made_for() {
    let house = House::new(10, &["id"]);
    let (url, users) = (house.database.url(), [Name::new("app", "users")]);
    let looked = record(&url, None, &users, |url| psql(url, "SELECT count(*) FROM app.users")).unwrap();
    let mut plan = house.plan.clone();
    plan.premises = looked.premises;
    let mut execution = house.open();
    house.database.execute("INSERT INTO app.users VALUES (11, 'new')");
    let failed = execution.start(&plan, &mut quiet()).unwrap_err();
    assert!(matches!(&failed, Failure::Moved(tables) if *tables == users) && failed.may_pass(), "{failed}");
    assert!(execution.active().unwrap().is_none(), "nothing was begun");
    house.database.execute("DELETE FROM app.users WHERE id = 11");
    execution.start(&plan, &mut quiet()).unwrap();
    // Begun, it goes on whatever they are: here they are filled.
    assert_eq!(execution.resume(&mut quiet()).unwrap().phase, Phase::Mixed);
}
