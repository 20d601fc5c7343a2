//! Who is connected, as the server tells it.

use std::net::IpAddr;

use tandem_database::Server;
use tandem_postgres::clients::{Client, connected};
use tandem_postgres::connect;

fn seen(url: &str) -> Vec<Client> {
    let mut client = connect(url).unwrap();
    let clients = connected(&mut client, &["tandem_one", "tandem_two"]).unwrap();
    assert_eq!(clients.port, Server::shared().port());
    clients.sessions
}

#[test]
fn each_session_is_told_with_its_other_end_and_its_lens() {
    let database = Server::shared().database();
    let _own = connect(&database.url()).unwrap();
    let mut plain = database.client();
    let mut named = database.client();
    named.batch_execute("SET application_name = 'web/tandem_two'").unwrap();
    let mut using = database.client();
    using.batch_execute("CREATE SCHEMA tandem_one; CREATE VIEW tandem_one.v AS SELECT 1").unwrap();
    using.batch_execute("BEGIN; SELECT FROM tandem_one.v").unwrap();

    let pid = |client: &mut postgres::Client| -> i32 {
        client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0)
    };
    let port: i32 = plain.query_one("SELECT inet_client_port()", &[]).unwrap().get(0);
    let seen = seen(&database.url());
    let lens = |pid: i32| seen.iter().find(|client| client.pid == pid).and_then(|one| one.lens.as_deref());
    assert_eq!(seen.len(), 3, "Tandem's own are left out: {seen:?}");
    assert_eq!(lens(pid(&mut named)), Some("tandem_two"));
    assert_eq!(lens(pid(&mut using)), Some("tandem_one"));
    let plain = seen.iter().find(|client| client.pid == pid(&mut plain)).unwrap();
    assert_eq!((plain.lens.as_deref(), plain.user.as_str()), (None, "postgres"));
    let from = plain.from.unwrap();
    assert_eq!((from.ip(), i32::from(from.port())), (IpAddr::from([127, 0, 0, 1]), port));
}

#[test]
fn a_role_that_finds_its_names_in_a_lens_is_of_it() {
    let database = Server::shared().database();
    let (one, other) = (format!("one_{}", database.name()), format!("other_{}", database.name()));
    for (role, place) in
        [(&one, format!("IN DATABASE {} ", database.name())), (&other, "IN DATABASE postgres ".to_owned())]
    {
        database.execute(&format!(
            "CREATE ROLE {role} LOGIN; ALTER ROLE {role} {place}SET search_path = \"tandem_one\", \"public\""
        ));
    }
    let client = |role: &str| {
        let url = database.url().replace("postgres@", &format!("{role}@"));
        postgres::Client::connect(&url, postgres::NoTls).unwrap()
    };
    let sessions = (client(&one), client(&other));
    let seen = seen(&database.url());
    let told: Vec<_> = seen.iter().map(|client| (client.user.as_str(), client.lens.as_deref())).collect();
    // What a role has set for another database says nothing of this one.
    assert_eq!(told, [(one.as_str(), Some("tandem_one")), (other.as_str(), None)]);
    drop(sessions);
    database.execute(&format!("DROP ROLE {one}, {other}"));
}

#[test]
fn a_role_that_may_not_look_at_others_still_sees_that_they_are_there() {
    let database = Server::shared().database();
    let role = format!("blind_{}", database.name());
    database.execute(&format!("CREATE ROLE {role} LOGIN"));
    let mut named = database.client();
    named.batch_execute("SET application_name = 'tandem_two'").unwrap();
    let seen = seen(&database.url().replace("postgres@", &format!("{role}@")));
    let told: Vec<_> = seen.iter().map(|client| (client.from, client.lens.as_deref())).collect();
    assert_eq!(told, [(None, Some("tandem_two"))]);
    database.execute(&format!("DROP ROLE {role}"));
}
