//! The way in from the network: a real `tandem admin` before a real controller, asked as strangers would.

mod bounds;
mod browsers;
mod rights;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::Value;
use tandem_core::base::Millis;
use tandem_proxy::handover;
use tandem_server::admin::{AdminOptions, TokenBook, run};
use tandem_server::api::Role;
use tandem_server::state::StateFolder;

use crate::api::Daemon;
use crate::waiting::LONG;

/// Where the process of a test works: its state folder, and the files of a certificate if there is one.
const FOLDER: &str = "TANDEM_TEST_ADMIN";
const CERTIFICATE: &str = "TANDEM_TEST_CERTIFICATE";

/// Not a test of its own: the process of the tests below.
#[test]
fn an_admin() {
    let Some(state) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let certificate = std::env::var_os(CERTIFICATE).map(PathBuf::from);
    run(AdminOptions {
        state,
        services: vec!["shop".parse().unwrap()],
        is_shared: false,
        hosts: vec!["deploy.example.com".to_owned()],
        certificate: certificate.map(|file| (file.with_extension("pem"), file.with_extension("key"))),
    })
    .unwrap();
}

/// A controller, and the process through which it is asked.
struct Entrance {
    daemon: Daemon,
    child: Child,
    address: SocketAddr,
    state: StateFolder,
}

impl Entrance {
    fn open() -> Entrance {
        Entrance::with(None)
    }

    fn with(certificate: Option<&Path>) -> Entrance {
        let daemon = Daemon::start();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (mut line, theirs) = UnixStream::pair().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "admin::an_admin", "--nocapture"])
            .env(FOLDER, daemon.state())
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null());
        if let Some(file) = certificate {
            command.env(CERTIFICATE, file);
        }
        let child = command.spawn().unwrap();
        drop(command);
        handover::send(&line, &vec![(address, vec![OwnedFd::from(listener)])]).unwrap();
        line.set_read_timeout(Some(LONG)).unwrap();
        let mut said = [0; 6];
        line.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"ready\n");
        let state = StateFolder::at(&daemon.state());
        Entrance { daemon, child, address, state }
    }

    fn book(&self) -> TokenBook {
        TokenBook::of(&self.state)
    }

    /// A token, as a header line.
    fn token(&self, role: Role) -> String {
        self.token_for(role.name(), role, &[], None).1
    }

    /// A token and the header line with it.
    fn token_for(
        &self,
        name: &str,
        role: Role,
        services: &[&str],
        lasts: Option<Millis>,
    ) -> (String, String) {
        let services = services.iter().map(|name| name.parse().unwrap()).collect();
        let (_, secret) = self.book().create(name.parse().unwrap(), role, services, lasts).unwrap();
        let line = format!("Authorization: Bearer {secret}\r\n");
        (secret, line)
    }

    /// Sends a request; what there is of the answer is read when it is wanted. Without a `Host` in `fields` it asks for the
    /// address.
    fn open_call(&self, what: &str, fields: &str, body: &str) -> Answer<TcpStream> {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        talk(stream, &request(self.address, what, fields, body))
    }

    fn ask(&self, what: &str, fields: &str, body: &str) -> (u16, Value) {
        let mut answer = self.open_call(what, fields, body);
        (answer.status, answer.body())
    }

    fn ask_status(&self, what: &str, fields: &str) -> u16 {
        self.open_call(what, fields, "").status
    }

    fn audit(&self, admin: &str) -> Vec<Value> {
        let (status, audit) = self.ask("GET /v1/audit?limit=1000", admin, "");
        assert_eq!(status, 200, "{audit}");
        audit.as_array().unwrap().clone()
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn request(address: SocketAddr, what: &str, fields: &str, body: &str) -> String {
    let host = if fields.contains("Host: ") { String::new() } else { format!("Host: {address}\r\n") };
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    format!("{what} HTTP/1.1\r\n{host}{fields}{length}Connection: close\r\n\r\n{body}")
}

/// An answer whose head has come.
struct Answer<S> {
    status: u16,
    head: String,
    rest: BufReader<S>,
}

fn talk<S: Read + Write>(mut stream: S, request: &str) -> Answer<S> {
    // One who refuses need not read to the end.
    let _ = stream.write_all(request.as_bytes());
    let mut rest = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(rest.read_line(&mut head).unwrap() > 0, "{head}");
    }
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, rest }
}

impl<S: Read> Answer<S> {
    /// The value of a field; empty: it is not there.
    fn field(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_default()
    }

    /// The rest, up to its end or where it is cut off.
    fn text(&mut self) -> String {
        let (until, mut text, mut part) = (Instant::now() + LONG, Vec::new(), [0; 4096]);
        loop {
            let read = self.rest.read(&mut part);
            assert!(Instant::now() < until, "it goes on");
            match read {
                Ok(count @ 1..) => text.extend_from_slice(&part[..count]),
                _ => return String::from_utf8_lossy(&text).into_owned(),
            }
        }
    }

    fn body(&mut self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    }
}
