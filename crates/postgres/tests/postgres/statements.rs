//! What a database was asked, as far as its server has collected it.

use tandem_database::Server;
use tandem_postgres::{connect, statements};

use crate::house::{House, quiet};

#[test]
fn what_apps_have_asked_is_told_once_the_most_used_first() {
    let database = Server::shared().database();
    let mut tandem = connect(&database.url()).unwrap();
    assert!(statements(&mut tandem).unwrap().is_empty());
    database.execute("CREATE EXTENSION pg_stat_statements; CREATE TABLE t (a int); CREATE SCHEMA tandem");
    let mut app = database.client();
    for number in 1..=3 {
        app.execute("INSERT INTO t VALUES ($1)", &[&number]).unwrap();
    }
    app.batch_execute("SELECT a FROM t WHERE a = 7; SELECT relname FROM pg_catalog.pg_class; ANALYZE t")
        .unwrap();
    let mut asked = statements(&mut tandem).unwrap();
    // Tandem itself has asked for a setting or two.
    asked.retain(|text| !text.contains("current_setting"));
    assert_eq!(asked, ["INSERT INTO t VALUES ($1)", "SELECT a FROM t WHERE a = $1"]);
}

#[test]
fn what_tandem_itself_asks_is_no_statement_of_an_app() {
    let database = Server::shared().database();
    database.execute("CREATE EXTENSION pg_stat_statements");
    let url = database.url();
    let house = House::within(database, &url, 300, &["id"]);
    let mut operator = house.open();
    operator.start(&house.plan, &mut quiet()).unwrap();
    assert!(operator.verify(&house.plan).unwrap().is_empty());
    operator.contract(true, &mut quiet()).unwrap();
    let mut asked = statements(&mut connect(&url).unwrap()).unwrap();
    asked.retain(|text| text.contains("users"));
    // What the test itself has asked.
    assert_eq!(asked, ["INSERT INTO app.users SELECT i, $1 || i FROM generate_series($2, $3) i"]);
}
