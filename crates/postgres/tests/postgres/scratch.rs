//! A scratch copy is the same schema but for lenses, leaves nothing, and fails with words.

use tandem_database::{Database, Server};
use tandem_postgres::reading::schema;
use tandem_postgres::{Error, Scratch, connect};
use tandem_schema::fingerprint::Fingerprint;
use tandem_schema::name::Name;

use crate::reading::RICH;

/// Without lenses, which are not copied.
fn fingerprint(client: &mut postgres::Client) -> Fingerprint {
    Fingerprint::of(&schema(client).unwrap())
}

fn there_is(database: &Database<'_>, name: &str) -> bool {
    let mut client = database.client();
    client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]).unwrap().is_some()
}

#[test]
fn a_copy_has_the_same_fingerprint_and_so_has_its_copy() {
    let database = Server::shared().database();
    database.execute(RICH);
    let original = fingerprint(&mut connect(&database.url()).unwrap());
    let scratch = Scratch::copy(&database.url(), None).unwrap();
    let copied = fingerprint(&mut scratch.connect().unwrap());
    assert_eq!(original.differences(&copied), Vec::<String>::new());
    assert_eq!(scratch.left_out(), Vec::<String>::new());
    let again = scratch.again().unwrap();
    assert_ne!(scratch.name(), again.name());
    assert_eq!(copied.differences(&fingerprint(&mut again.connect().unwrap())), Vec::<String>::new());
}

#[test]
fn a_copy_is_gone_at_its_end_with_everybody_in_it() {
    let database = Server::shared().database();
    let scratch = Scratch::copy(&database.url(), None).unwrap();
    let name = scratch.name().to_owned();
    let _client = scratch.connect().unwrap();
    assert!(there_is(&database, &name));
    drop(scratch);
    assert!(!there_is(&database, &name));
}

#[test]
fn what_a_dead_run_left_is_removed_and_what_lives_is_not() {
    let server = Server::start(&[]);
    let database = server.database();
    server.execute("CREATE DATABASE tandem_scratch_1_dead_0");
    server.execute("COMMENT ON DATABASE tandem_scratch_1_dead_0 IS 'tandem scratch'");
    server.execute("CREATE DATABASE tandem_scratch_mine");
    let first = Scratch::copy(&database.url(), None).unwrap();
    assert!(!there_is(&database, "tandem_scratch_1_dead_0"));
    assert!(there_is(&database, "tandem_scratch_mine"));
    let _second = Scratch::copy(&database.url(), None).unwrap();
    assert!(there_is(&database, first.name()));
}

#[test]
fn settings_of_the_database_and_a_dropped_public_are_copied() {
    let database = Server::shared().database();
    database.execute("DROP SCHEMA public");
    let name = database.name();
    database.execute(&format!("ALTER DATABASE {name} SET search_path = \"$user\", \"My App\", x"));
    database.execute(&format!("ALTER DATABASE {name} SET my.word = 'it''s'"));
    database.execute(&format!("ALTER DATABASE {name} SET \"DateStyle\" = 'SQL, DMY'"));
    let scratch = Scratch::copy(&database.url(), None).unwrap();
    assert_eq!(scratch.left_out(), Vec::<String>::new());
    let mut client = postgres::Client::connect(&scratch.url(), postgres::NoTls).unwrap();
    let mut shown = |name: &str| -> String { client.query_one(&format!("SHOW {name}"), &[]).unwrap().get(0) };
    assert_eq!(shown("search_path"), "\"$user\", \"My App\", x");
    assert_eq!((shown("my.word"), shown("DateStyle")), ("it's".to_owned(), "SQL, DMY".to_owned()));
    let schemas = client.query("SELECT 1 FROM pg_namespace WHERE nspname = 'public'", &[]).unwrap();
    assert!(schemas.is_empty());
}

#[test]
fn another_server_gets_the_roles_that_it_lacks() {
    let other = Server::start(&[]);
    let database = Server::shared().database();
    Server::shared().execute("CREATE ROLE \"the owner\"");
    database.execute("CREATE TABLE t (a int); ALTER TABLE t OWNER TO \"the owner\"");
    let scratch = Scratch::copy(&database.url(), Some(&other.url("postgres"))).unwrap();
    assert_eq!(scratch.left_out(), Vec::<String>::new());
    let here = fingerprint(&mut connect(&database.url()).unwrap());
    assert_eq!(here.differences(&fingerprint(&mut scratch.connect().unwrap())), Vec::<String>::new());
}

#[test]
fn without_the_right_to_create_databases_the_way_out_is_said() {
    let database = Server::shared().database();
    database.execute("CREATE ROLE weak LOGIN");
    let failed = Scratch::copy(&database.url().replace("postgres@", "weak@"), None).unwrap_err();
    assert!(matches!(&failed, Error::MayNot { who, .. } if who == "weak"), "{failed}");
    assert!(failed.to_string().contains("ALTER ROLE \"weak\" CREATEDB"));
}

#[test]
fn a_role_that_owns_its_tables_can_copy_them() {
    let database = Server::shared().database();
    database.execute("CREATE ROLE maker LOGIN CREATEDB; CREATE SCHEMA app AUTHORIZATION maker");
    database.execute("CREATE EXTENSION citext; CREATE PUBLICATION everything FOR ALL TABLES");
    let url = database.url().replace("postgres@", "maker@");
    connect(&url).unwrap().batch_execute("CREATE TABLE app.t (a int PRIMARY KEY)").unwrap();
    let scratch = Scratch::copy(&url, None).unwrap();
    let read = schema(&mut scratch.connect().unwrap()).unwrap();
    assert!(read.relation(&Name::new("app", "t")).is_some());
    assert!(
        scratch.left_out().iter().any(|text| text.starts_with("CREATE PUBLICATION")),
        "{:?}",
        scratch.left_out()
    );
}

#[test]
fn rows_of_small_tables_are_copied_and_of_large_ones_refused() {
    let database = Server::shared().database();
    database.execute(
        "CREATE TABLE book (version int PRIMARY KEY, \"what's\" text, twice int GENERATED ALWAYS AS (version * 2) STORED);
         INSERT INTO book VALUES (1, E'a\\nb\\tc\\\\'), (2, NULL); CREATE TABLE large AS SELECT n FROM generate_series(1, 100001) n",
    );
    let mut scratch = Scratch::copy(&database.url(), None).unwrap();
    let mut source = connect(&database.url()).unwrap();
    for _ in 0..2 {
        assert_eq!(scratch.copy_rows(&mut source, &Name::new("public", "book")).unwrap(), 2);
    }
    let query = "SELECT md5(string_agg(b::text, ',' ORDER BY version)) FROM public.book b";
    let sum = |client: &mut postgres::Client| -> String { client.query_one(query, &[]).unwrap().get(0) };
    assert_eq!(sum(&mut source), sum(&mut scratch.connect().unwrap()));
    let failed = scratch.copy_rows(&mut source, &Name::new("public", "large")).unwrap_err();
    assert!(matches!(failed, Error::TooMany { .. }), "{failed}");
    source.batch_execute("SELECT 1").unwrap();
}
