//! A registry of its own, on a free port of 127.0.0.1, which engines trust without encryption.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use crate::process::{Process, program};

/// How long it may take to begin.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running registry.
#[derive(Debug)]
pub struct Registry {
    process: Process,
    port: u16,
    folder: tempfile::TempDir,
}

impl Registry {
    /// Starts one with nothing in it.
    pub fn start() -> Registry {
        let folder = tempfile::Builder::new().prefix("tandem-registry-").tempdir().expect("a folder");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("a port").port();
        drop(listener);
        let mut registry = Registry { process: Process::none(), port, folder };
        registry.again();
        registry
    }

    /// Starts it again after [`Registry::stop`].
    pub fn again(&mut self) {
        let (config, data) = (self.folder.path().join("config.yml"), self.folder.path().join("data"));
        let text = format!(
            "version: 0.1\nlog: {{ level: warn }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\nhttp: {{ addr: \"127.0.0.1:{}\" }}\n",
            data.display(),
            self.port
        );
        std::fs::write(&config, text).expect("a configuration");
        let mut command = Command::new(program("docker-registry"));
        self.process = Process::start(command.arg("serve").arg(&config), &self.folder.path().join("log"));
        let port = self.port;
        self.process.until("the registry answers", PATIENCE, || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
        });
    }

    /// Ends it.
    pub fn stop(&mut self) {
        self.process.end();
    }

    /// The name of an image in it: `127.0.0.1:PORT/shop:v1`.
    pub fn name(&self, image: &str) -> String {
        format!("127.0.0.1:{}/{image}", self.port)
    }
}
