//! The server for tests does what it says: databases apart, nothing left, back after a stop.

use tandem_database::Server;

#[test]
fn databases_are_apart_and_gone_at_their_end() {
    let server = Server::shared();
    let (one, other) = (server.database(), server.database());
    one.execute("CREATE TABLE t (id int)");
    other.execute("CREATE TABLE t (id text)");
    let name = one.name().to_owned();
    drop(one);
    let mut client = other.client();
    let left = client.query("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]).unwrap();
    assert!(left.is_empty());
}

#[test]
fn a_stopped_server_comes_back_with_its_committed_rows() {
    let server = Server::start(&[("synchronous_commit", "on")]);
    let database = server.database();
    database.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1)");
    let mut client = database.client();
    server.stop_at_once();
    assert!(client.batch_execute("SELECT 1").is_err());
    server.again();
    assert_eq!(database.client().query("SELECT id FROM t", &[]).unwrap().len(), 1);
}

#[test]
fn its_folder_goes_with_it() {
    let server = Server::start(&[]);
    let folder = server.folder().to_owned();
    assert!(folder.join("data").is_dir());
    drop(server);
    assert!(!folder.exists());
}
