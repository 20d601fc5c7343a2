//! A real PostgreSQL for tests: a cluster in a folder of its own, on a free port, gone when the test's process is.
//!
//! ```no_run
//! let database = tandem_database::Server::shared().database();
//! println!("{}", database.url()); // superuser `postgres`, no password
//! ```
//!
//! Fails by panicking with what is missing: only tests stand behind it. Knows nothing of Tandem. Tested in
//! `tests/database`.

mod cluster;
mod pooler;
mod port;
mod processes;
mod programs;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use postgres::{Client, NoTls};

use crate::cluster::Cluster;
pub use crate::pooler::Pooler;
pub use crate::port::Port;
pub use crate::programs::program;

/// A running server.
#[derive(Debug)]
pub struct Server {
    cluster: Cluster,
    made: AtomicU32,
}

/// A database of its own, dropped at its end with everybody in it thrown out.
#[derive(Debug)]
pub struct Database<'a> {
    server: &'a Server,
    name: String,
}

/// A port that nobody listens on, for a server that is started beside the database.
pub fn free_port() -> Port {
    Port::claim().unwrap_or_else(|why| panic!("{why}"))
}

impl Server {
    /// The one server of this process, for everything that does not harm it; started at the first call.
    pub fn shared() -> &'static Server {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| Server::start(&[]))
    }

    /// A server of one's own, for what would harm others. Settings as in `postgresql.conf`: `("wal_level", "logical")`.
    pub fn start(settings: &[(&str, &str)]) -> Server {
        let cluster = Cluster::make(settings).unwrap_or_else(|why| panic!("no PostgreSQL for tests: {why}"));
        Server { cluster, made: AtomicU32::new(0) }
    }

    /// A streaming replica of this server, with everything that is in it now.
    pub fn replica(&self) -> Server {
        let cluster = Cluster::following(self.port()).unwrap_or_else(|why| panic!("no replica: {why}"));
        Server { cluster, made: AtomicU32::new(0) }
    }

    /// A fresh database.
    pub fn database(&self) -> Database<'_> {
        let name = format!("test_{}", self.made.fetch_add(1, Ordering::Relaxed));
        self.execute(&format!("CREATE DATABASE {name}"));
        Database { server: self, name }
    }

    /// The URL of a database of this server by a name.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.cluster.port())
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.cluster.port()
    }

    /// The folder of the cluster's own files (`data/`, `log`, and the socket).
    pub fn folder(&self) -> &std::path::Path {
        self.cluster.folder()
    }

    /// Runs statements as superuser in the database `postgres`; panics if they fail.
    pub fn execute(&self, statements: &str) {
        self.client("postgres")
            .batch_execute(statements)
            .unwrap_or_else(|why| panic!("{:.300}: {}", statements, detailed(&why)));
    }

    /// As after a power failure: every connection dies, nothing is flushed. The port is kept for [`Server::again`].
    pub fn stop_at_once(&self) {
        self.cluster.stop().unwrap_or_else(|why| panic!("can't stop PostgreSQL: {why}"));
    }

    /// `kill -9` of the postmaster and of all its children. The port is kept for [`Server::again`].
    pub fn kill(&self) {
        self.cluster.kill().unwrap_or_else(|why| panic!("can't kill PostgreSQL: {why}"));
    }

    /// As on a disk that is full: from now on no process of the server makes a file longer than so many bytes (the server's
    /// own records need 16 MiB). What does not divide by a block ends in the error of a full disk: one that was written
    /// in part. `None`: there is room again.
    pub fn fill_disk(&self, limit: Option<u64>) {
        self.cluster.limit_files(limit).unwrap_or_else(|why| panic!("can't limit PostgreSQL: {why}"));
    }

    /// Starts again what was stopped or killed, and returns when it answers.
    pub fn again(&self) {
        self.cluster.run().unwrap_or_else(|why| panic!("PostgreSQL does not start again: {why}"));
    }

    fn client(&self, database: &str) -> Client {
        Client::connect(&self.url(database), NoTls)
            .unwrap_or_else(|why| panic!("can't connect to {}: {}", self.url(database), detailed(&why)))
    }
}

impl Database<'_> {
    /// Where it is.
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A plain connection, without Tandem's settings.
    pub fn client(&self) -> Client {
        self.server.client(&self.name)
    }

    /// Runs statements as superuser; panics if they fail.
    pub fn execute(&self, statements: &str) {
        self.client()
            .batch_execute(statements)
            .unwrap_or_else(|why| panic!("{:.300}: {}", statements, detailed(&why)));
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        // Its server may have been stopped by the test: then it ends with it.
        if let Ok(mut client) = Client::connect(&self.server.url("postgres"), NoTls) {
            let _ = client.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        }
    }
}

fn detailed(why: &postgres::Error) -> String {
    why.as_db_error().map_or_else(
        || why.to_string(),
        |told| format!("{told} ({:?}, at {:?})", told.code(), told.position()),
    )
}
