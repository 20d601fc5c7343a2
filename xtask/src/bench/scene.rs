//! What stands around the proxies: the backend, a folder, free ports, the programs in release builds.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;

use crate::machine;

/// The scene of all measurements.
pub(super) struct Scene {
    /// For configuration files and what the tools write.
    pub(super) folder: TempDir,
    /// Where the fixed answers are served.
    pub(super) backends: Vec<SocketAddr>,
    /// Release builds.
    pub(super) binaries: PathBuf,
    /// A certificate with its key.
    pub(super) certificate: PathBuf,
    backend: Child,
    port: AtomicU16,
}

impl Scene {
    /// Builds what is needed and starts the backend.
    pub(super) fn set(root: &Path, with_tandem: bool) -> Result<Scene, String> {
        eprintln!("── building in release");
        let mut cargo = Command::new("cargo");
        cargo.current_dir(root).args(["build", "--release", "--package", "tandem-load"]);
        if with_tandem {
            cargo.args(["--package", "tandem-bench-proxy"]);
        }
        machine::run(&mut cargo)?;
        let binaries = machine::target(root).join("release");
        let mut backend = on_cores(&other_cores(), &binaries.join("tandem-backend"));
        backend.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut backend = backend.spawn().map_err(|why| format!("can't start the backend: {why}"))?;
        let mut backends = Vec::new();
        if let Some(output) = backend.stdout.take() {
            for line in BufReader::new(output).lines().take(4) {
                let line = line.map_err(|why| format!("the backend says nothing: {why}"))?;
                backends.push(line.parse().map_err(|_| format!("{line:?} is not the backend's address"))?);
            }
        }
        let folder = tempfile::Builder::new().prefix("tandem-bench-").tempdir();
        let folder = folder.map_err(|why| format!("no folder: {why}"))?;
        let certificate = certificate(folder.path())?;
        let port = AtomicU16::new(17_000 + (std::process::id() % 500) as u16);
        Ok(Scene { folder, backends, binaries, certificate, backend, port })
    }

    /// An address that nobody listens on.
    pub(super) fn address(&self) -> Result<SocketAddr, String> {
        for _ in 0..1000 {
            let address = SocketAddr::from(([127, 0, 0, 1], self.port.fetch_add(1, Ordering::Relaxed)));
            if TcpListener::bind(address).is_ok() {
                return Ok(address);
            }
        }
        Err("no free port".to_owned())
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.backend.kill();
        let _ = self.backend.wait();
    }
}

/// Makes a certificate on the curve that is in use most.
fn certificate(folder: &Path) -> Result<PathBuf, String> {
    let (key, chain, both) = (folder.join("key.pem"), folder.join("chain.pem"), folder.join("both.pem"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
    openssl.args(["-days", "30", "-subj", "/CN=bench", "-addext", "subjectAltName=DNS:bench", "-keyout"]);
    openssl.arg(&key).arg("-out").arg(&chain).stderr(Stdio::null());
    machine::run(&mut openssl)?;
    let text = |path: &Path| std::fs::read_to_string(path).map_err(|why| format!("no certificate: {why}"));
    let all = text(&chain)? + &text(&key)?;
    std::fs::write(&both, all).map_err(|why| format!("no certificate: {why}"))?;
    Ok(both)
}

/// The cores that do not belong to a proxy of one thread: all but the first.
pub(super) fn other_cores() -> String {
    match std::thread::available_parallelism().map_or(1, usize::from) {
        1 => "0".to_owned(),
        2 => "1".to_owned(),
        count => format!("1-{}", count - 1),
    }
}

/// A command on these cores only (`0`, `1-3`).
pub(super) fn on_cores(cores: &str, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.arg("-c").arg(cores).arg(program);
    command
}
