//! The proxy without the rest of Tandem, for measuring and for trying attacks on it.
//!
//! `alone LISTEN THREADS UPSTREAM…`: listens on the address `LISTEN` with so many threads and gives requests to the
//! upstream addresses, without checking their health first. Ends with its stdin. The control socket and the table
//! are in a fresh folder whose path is printed.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tandem_core::base::{Generation, InstanceId};
use tandem_core::spec::HttpProbe;
use tandem_core::traffic::{Member, Role, Route, Table};
use tandem_proxy::control::Client;
use tandem_proxy::handover;
use tandem_proxy::process::{ProcessOptions, run};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [verb, folder] if verb == "proxy" => {
            let folder = PathBuf::from(folder);
            Ok(run(ProcessOptions::in_folder(&folder, "alone".parse()?))?)
        }
        [listen, threads, upstreams @ ..] => supervise(listen.parse()?, threads.parse()?, upstreams),
        _ => Err("usage: alone LISTEN THREADS UPSTREAM…".into()),
    }
}

fn supervise(listen: SocketAddr, threads: usize, upstreams: &[String]) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let (ours, theirs) = UnixStream::pair()?;
    let mut child = Command::new(std::env::current_exe()?)
        .arg("proxy")
        .arg(folder.path())
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
        .spawn()?;
    let sockets = (0..threads).map(|_| open(listen)).collect::<Result<Vec<_>, _>>()?;
    handover::send(&ours, &vec![(listen, sockets)])?;
    let mut ready = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(&ours), &mut ready)?;
    let member = |(at, address): (usize, &String)| -> Result<Member, Box<dyn Error>> {
        let (instance, version) = (InstanceId(at as u64 + 1), "v1".parse()?);
        Ok(Member { instance, version, address: address.parse()?, role: Role::Serve })
    };
    let members = upstreams.iter().enumerate().map(member).collect::<Result<_, _>>()?;
    let probe = HttpProbe { path: "/".to_owned(), ..HttpProbe::default() };
    let route = Route { probe, ..Route::new("alone".parse()?, members) };
    let mut client = Client::connect(&folder.path().join("proxy.sock"))?;
    let service = "alone".parse()?;
    client
        .apply(&service, &Table { generation: Generation(1), listeners: Vec::new(), routes: vec![route] })?;
    println!("pid {} folder {}", child.id(), folder.path().display());
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    child.kill()?;
    child.wait()?;
    Ok(())
}

fn open(address: SocketAddr) -> std::io::Result<std::os::fd::OwnedFd> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}
