//! What a session of Tandem's is like, and how it fails.

use tandem_database::Server;
use tandem_postgres::{Error, connect};

fn setting(client: &mut postgres::Client, name: &str) -> String {
    client.query_one("SELECT pg_catalog.current_setting($1)", &[&name]).unwrap().get(0)
}

#[test]
fn a_session_has_its_settings() {
    let database = Server::shared().database();
    database.execute("ALTER DATABASE postgres SET search_path = public");
    let mut client = connect(&database.url()).unwrap();
    for (name, expected) in [
        ("application_name", "tandem"),
        ("search_path", ""),
        ("lock_timeout", "3s"),
        ("statement_timeout", "0"),
        ("TimeZone", "UTC"),
    ] {
        assert_eq!(setting(&mut client, name).trim_matches('"'), expected, "{name}");
    }
}

#[test]
fn what_is_not_there_is_said_without_the_password() {
    let url = Server::shared().url("nowhere").replace("postgres@", "postgres:secret@");
    let failed = connect(&url).err().unwrap();
    assert_eq!(failed.code(), Some("3D000"));
    assert!(!failed.is_transient());
    assert!(!format!("{failed} {failed:?}").contains("secret"));
    let failed = connect("postgres://me:secret@127.0.0.1:1/x").err().unwrap();
    assert!(failed.is_transient() && !format!("{failed} {failed:?}").contains("secret"), "{failed}");
}

#[test]
fn a_killed_session_is_a_lost_connection_or_says_so() {
    let database = Server::shared().database();
    let mut client = connect(&database.url()).unwrap();
    let id: i32 = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    database.execute(&format!("SELECT pg_terminate_backend({id}, 10000)"));
    let failed = Error::from(client.batch_execute("SELECT 1").unwrap_err());
    assert!(failed.is_transient(), "{failed:?}");
}

#[test]
fn a_lock_that_is_held_is_told_apart() {
    let database = Server::shared().database();
    database.execute("CREATE TABLE t (a int)");
    let mut holder = database.client();
    holder.batch_execute("BEGIN; LOCK TABLE t").unwrap();
    let mut client = connect(&database.url()).unwrap();
    client.batch_execute("SET lock_timeout = '10ms'").unwrap();
    let failed = Error::from(client.batch_execute("SELECT FROM public.t").unwrap_err());
    assert!(failed.is_lock_timeout() && failed.is_transient());
}
