//! A real replica that stands still: fills wait for it, and go on when it follows again.

use std::time::Duration;

use postgres::{Client, NoTls};
use tandem_database::Server;
use tandem_postgres::{Execution, Options};

use crate::house::{Event, GO, House, On};

#[test]
fn a_fill_waits_for_a_replica_that_stands_still() {
    let server: &'static Server = Box::leak(Box::new(Server::start(&[])));
    let database = server.database();
    let url = database.url();
    let house = House::within(database, &url, 50_000, &["id"]);
    let replica = server.replica();
    let mut client = Client::connect(&replica.url("postgres"), NoTls).unwrap();
    client.batch_execute("SELECT pg_wal_replay_pause()").unwrap();
    let options = Options { lag: Duration::ZERO, ..Options::default() };
    let mut execution = Execution::open(&url, options, &GO).unwrap();
    let mut waits = Vec::new();
    let mut watch = On(|event: Event<'_>| {
        if let Event::Waiting(why) = event
            && why.starts_with("the replica walreceiver at 127.0.0.1 is")
        {
            waits.push(why.to_owned());
            if waits.len() == 2 {
                client.batch_execute("SELECT pg_wal_replay_resume()").unwrap();
            }
        }
    });
    execution.start(&house.plan, &mut watch).unwrap();
    assert!(waits.len() >= 2, "{waits:?}");
    assert_eq!(house.missing(), 0);
}
