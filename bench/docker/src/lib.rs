//! A real Docker engine for tests: a `dockerd` with folder, socket and bridge of its own, beside any other on the machine,
//! and gone with all its containers when the value is dropped. Images are made from nothing; a registry on a free port is
//! there for those that are to be pulled. Needs root.
//!
//! Fails by panicking with what is missing: only tests stand behind it. Knows nothing of Tandem. Tested through the tests of
//! the driver.

mod bridge;
mod http;
mod process;
mod registry;
mod tree;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bridge::Bridge;
use process::Process;
pub use registry::Registry;
pub use tree::Tree;

/// How long an engine may take to begin.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    process: Process,
    /// Where it listens beside its socket.
    tcp: Option<u16>,
    /// With the folder of its data.
    folder: tempfile::TempDir,
    bridge: Bridge,
    options: Vec<String>,
}

impl Engine {
    /// Starts one that listens on its socket.
    pub fn start() -> Engine {
        Engine::with(None, &[])
    }

    /// Starts one that listens on a port of 127.0.0.1, too; with options as `--tlsverify`.
    pub fn listening(port: u16, options: &[&str]) -> Engine {
        Engine::with(Some(port), options)
    }

    fn with(tcp: Option<u16>, options: &[&str]) -> Engine {
        let folder =
            tempfile::Builder::new().prefix("tandem-docker-").tempdir().expect("a folder for dockerd");
        let bridge = Bridge::make().unwrap_or_else(|why| panic!("no bridge for dockerd: {why}"));
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let process = Process::none();
        let mut engine = Engine { process, tcp, folder, bridge, options };
        engine.again();
        engine
    }

    /// Starts it again after [`Engine::stop`].
    pub fn again(&mut self) {
        let path = |name: &str| self.folder.path().join(name);
        // The file of one that was killed would be taken for that of a living one.
        let _ = std::fs::remove_file(path("pid"));
        let mut command = Command::new(process::program("dockerd"));
        command.arg("--data-root").arg(path("data")).arg("--exec-root").arg(path("exec"));
        command.arg("--pidfile").arg(path("pid")).arg("--bridge").arg(self.bridge.name());
        // Engines that share the tables of one machine's firewall would destroy each other's rules.
        command.args([
            "--iptables=false",
            "--ip6tables=false",
            "--shutdown-timeout",
            "2",
            "--log-level",
            "warn",
        ]);
        command.args(["-H", &format!("unix://{}", self.socket().display())]);
        if let Some(port) = self.tcp {
            command.args(["-H", &format!("tcp://127.0.0.1:{port}")]);
        }
        command.args(&self.options);
        self.process = Process::start(&mut command, &path("log"));
        let socket = self.socket();
        self.process.until("dockerd answers", PATIENCE, || http::ask(&socket, "GET", "/_ping", &[]).is_ok());
    }

    /// Ends it as an administrator would: its containers are stopped.
    pub fn stop(&mut self) {
        self.process.end();
    }

    /// Freezes it: connections are taken, and nobody answers.
    pub fn freeze(&self) {
        self.process.signal(rustix::process::Signal::STOP);
    }

    /// Wakes it up.
    pub fn wake(&self) {
        self.process.signal(rustix::process::Signal::CONT);
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    /// As Tandem's configuration has it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Makes an image from files.
    pub fn import(&self, tree: &Tree, name: &str, changes: &[&str]) {
        let (repository, tag) = name.rsplit_once(':').unwrap_or((name, "latest"));
        let changes: String = changes.iter().map(|change| format!("&changes={}", escaped(change))).collect();
        let path = format!("/images/create?fromSrc=-&repo={}&tag={tag}{changes}", escaped(repository));
        let said = self.ask("POST", &path, &tree.archive());
        assert!(!said.contains("\"error\""), "no image {name}: {said}");
    }

    /// Saves an image into a file, as `docker save` does.
    pub fn save(&self, name: &str, to: &Path) {
        let archive = http::ask(&self.socket(), "GET", &format!("/images/{name}/get"), &[]);
        std::fs::write(to, archive.unwrap_or_else(|why| panic!("{name} can't be saved: {why}")))
            .expect("an archive");
    }

    /// Pushes an image to the registry that its name says.
    pub fn push(&self, name: &str) {
        let (repository, tag) = name.rsplit_once(':').unwrap_or((name, "latest"));
        let said = self.ask("POST", &format!("/images/{repository}/push?tag={tag}"), &[]);
        assert!(!said.contains("\"error\""), "{name} can't be pushed: {said}");
    }

    /// Gives an image another name.
    pub fn tag(&self, name: &str, other: &str) {
        let (repository, tag) = other.rsplit_once(':').unwrap_or((other, "latest"));
        self.ask("POST", &format!("/images/{name}/tag?repo={}&tag={tag}", escaped(repository)), &[]);
    }

    /// Takes a name from an image; the image goes with its last name.
    pub fn untag(&self, name: &str) {
        self.ask("DELETE", &format!("/images/{name}"), &[]);
    }

    /// The names of all images, as the engine tells them (JSON).
    pub fn images(&self) -> String {
        self.ask("GET", "/images/json", &[])
    }

    /// All containers, also those that do not run (JSON).
    pub fn containers(&self) -> String {
        self.ask("GET", "/containers/json?all=1", &[])
    }

    /// One call of the API; panics if it is refused.
    pub fn ask(&self, method: &str, path: &str, body: &[u8]) -> String {
        let answer = http::ask(&self.socket(), method, path, body);
        let answer = answer.unwrap_or_else(|why| panic!("{method} {path}: {why}"));
        String::from_utf8_lossy(&answer).into_owned()
    }
}

fn escaped(text: &str) -> String {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    text.bytes()
        .map(|byte| if safe(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
