//! PgBouncer, which hands out the sessions of a server transaction by transaction.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::getuid;
use tempfile::TempDir;

use crate::Server;
use crate::port::Port;
use crate::programs::program;

/// PgBouncer in front of a server, for all of its databases; ended with the value.
#[derive(Debug)]
pub struct Pooler {
    process: Mutex<Child>,
    port: Port,
    // Last, so that it goes only when nobody reads in it any more.
    folder: TempDir,
}

impl Pooler {
    /// With these users, each with a password, with more for the line of the databases (`user=app`), and with settings as in
    /// `pgbouncer.ini`: `("auth_type", "trust")`. Returns when it listens.
    pub fn start(server: &Server, users: &[(&str, &str)], line: &str, settings: &[(&str, &str)]) -> Pooler {
        let bouncer =
            program("pgbouncer").unwrap_or_else(|| panic!("no pgbouncer: apt-get install pgbouncer"));
        let pooler = Pooler::begin(&bouncer, server, users, line, settings);
        let pooler = pooler.unwrap_or_else(|why| panic!("can't run pgbouncer: {why}"));
        pooler.ready();
        pooler
    }

    fn begin(
        bouncer: &Path,
        server: &Server,
        users: &[(&str, &str)],
        line: &str,
        settings: &[(&str, &str)],
    ) -> io::Result<Pooler> {
        let folder = tempfile::Builder::new().prefix("tandem-pooler-").tempdir()?;
        let (port, at) = (crate::free_port(), folder.path());
        let (list, config) = (at.join("users.txt"), at.join("pgbouncer.ini"));
        let users: String = users.iter().map(|(user, word)| format!("\"{user}\" \"{word}\"\n")).collect();
        let settings: String = settings.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={} {line}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {}\n\
             auth_file = {}\nlogfile = {}\npool_mode = transaction\nunix_socket_dir =\n{settings}",
            server.port(),
            port.number(),
            list.display(),
            at.join("log").display()
        );
        fs::write(&list, users)?;
        fs::write(&config, text)?;
        let mut command = Command::new("setpriv");
        if getuid().is_root() {
            // It refuses to be root.
            fs::set_permissions(at, Permissions::from_mode(0o777))?;
            command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]);
        }
        command.args(["--pdeathsig", "KILL"]).arg(bouncer).arg(&config);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Pooler { process: Mutex::new(process), port, folder })
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Ends it, with all connections through it. The port is kept.
    pub fn end(&self) {
        let mut process = self.process();
        let _ = process.kill();
        let _ = process.wait();
    }

    fn process(&self) -> MutexGuard<'_, Child> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn ready(&self) {
        loop {
            match TcpStream::connect(("127.0.0.1", self.port())) {
                Ok(_) => return,
                Err(why) => assert_eq!(why.kind(), ErrorKind::ConnectionRefused),
            }
            let ended = self.process().try_wait().unwrap_or_else(|why| panic!("pgbouncer is lost: {why}"));
            assert!(ended.is_none(), "pgbouncer has ended: {}", self.log());
            std::thread::yield_now();
        }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.end();
    }
}
