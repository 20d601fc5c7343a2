//! The proxy alone, without supervisor and controller, for `cargo xtask bench proxy`.
//!
//! `open ADDRESS THREADS WORDS…` makes the listening sockets and becomes the program WORDS, which finds them on its
//! standard input: a tool such as valgrind, or this program's own `serve FOLDER ADDRESS CERTIFICATE BACKEND…`, which runs the
//! proxy with one service of those instances; encrypted, unless the certificate is `-`.
#![allow(clippy::print_stderr, reason = "a command line program speaks on it")]

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tandem_core::base::{Generation, InstanceId};
use tandem_core::spec::Speaks;
use tandem_core::traffic::{Certificate, Encryption, Listener, Member, Role, Route, Secret, Table};
use tandem_proxy::control::Client;
use tandem_proxy::handover::{self, Listeners};
use tandem_proxy::process::{self, ProcessOptions};

const SERVICE: &str = "bench";

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["open", address, threads, program, words @ ..] => open(address, threads, program, words),
        ["serve", folder, address, certificate, backends @ ..] => {
            serve(Path::new(folder), address, certificate, backends)
        }
        _ => Err("open ADDRESS THREADS WORDS…, or serve FOLDER ADDRESS CERTIFICATE BACKEND…".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("tandem-bench-proxy: {why}");
            ExitCode::FAILURE
        }
    }
}

fn open(address: &str, threads: &str, program: &str, words: &[&str]) -> Result<(), Failure> {
    let address: SocketAddr = address.parse()?;
    let sockets = (0..threads.parse::<usize>()?).map(|_| listen(address)).collect::<Result<Vec<_>, _>>()?;
    let listeners: Listeners = vec![(address, sockets)];
    // What is sent waits in the other end until the program reads it.
    let (near, far) = UnixStream::pair()?;
    handover::send(&near, &listeners)?;
    Err(Command::new(program).args(words).stdin(Stdio::from(OwnedFd::from(far))).exec().into())
}

fn listen(address: SocketAddr) -> Result<OwnedFd, Failure> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}

fn serve(folder: &Path, address: &str, certificate: &str, backends: &[&str]) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    let mut table = table(backends)?;
    let mut encryption = Encryption::default();
    if certificate != "-" {
        table.listeners = vec![Listener { speaks: Speaks::Https, ..Listener::new(address.parse()?) }];
        let both = std::fs::read_to_string(certificate)?;
        let names = vec!["bench".to_owned()];
        encryption.certificates = vec![Certificate { names, chain: both.clone(), key: Secret(both) }];
    }
    let control = folder.join("proxy.sock");
    std::thread::spawn(move || {
        if let Err(why) = tell(&control, &table, &encryption) {
            eprintln!("tandem-bench-proxy: {why}");
        }
    });
    Ok(process::run(ProcessOptions::in_folder(folder, SERVICE.parse()?))?)
}

/// Gives the proxy its table as soon as it listens for it.
fn tell(control: &Path, table: &Table, encryption: &Encryption) -> Result<(), Failure> {
    let service = SERVICE.parse()?;
    for _ in 0..3000 {
        if let Ok(mut client) = Client::connect(control) {
            client.encrypt(&service, encryption)?;
            client.apply(&service, table)?;
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err("the proxy does not listen for its table".into())
}

fn table(backends: &[&str]) -> Result<Table, Failure> {
    let mut members = Vec::new();
    for (number, backend) in (1..).zip(backends) {
        let (version, address) = ("v1".parse()?, backend.parse()?);
        members.push(Member { instance: InstanceId(number), version, address, role: Role::Serve });
    }
    let routes = vec![Route::new(SERVICE.parse()?, members)];
    Ok(Table { generation: Generation(1), listeners: Vec::new(), routes })
}
