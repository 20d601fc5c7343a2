//! A relay in front of a server: clients connect here, everything goes through unchanged, and what they have executed is
//! written down.
//!
//! For commands of frameworks that run their migrations themselves. Speaks PostgreSQL's protocol, version 3 ("Frontend/Backend
//! Protocol" in its manual), and changes nothing in it but this: encryption is declined, as the relay listens on the loopback
//! only. What a statement means is `tandem_schema::recording`'s to say. Tested in `tests/postgres/relay.rs`.

mod line;
mod message;
mod script;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use postgres::config::{Host, SslMode};
use tandem_schema::recording::Exchange;

use crate::address::Address;
use crate::error::Error;

/// So many clients at a time; more are not answered.
const CLIENTS: u32 = 64;

/// A running relay. Dropped, it takes no more clients.
pub struct Relay {
    address: SocketAddr,
    url: String,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

/// Where the server is.
#[derive(Debug, Clone)]
enum Server {
    Tcp(String, u16),
    Unix(PathBuf),
}

struct Shared {
    server: Server,
    over: AtomicBool,
    clients: AtomicU32,
    log: Mutex<Vec<Exchange>>,
}

impl Relay {
    /// Begins to relay to the server of `url`.
    pub fn begin(url: &str) -> Result<Relay, Error> {
        let server = server(url)?;
        let began = || -> io::Result<(TcpListener, SocketAddr)> {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) = began().map_err(|why| Error::Lost { why: format!("no relay: {why}") })?;
        let shared = Arc::new(Shared {
            server,
            over: AtomicBool::new(false),
            clients: AtomicU32::new(0),
            log: Mutex::default(),
        });
        let mine = Arc::clone(&shared);
        let accepting =
            thread::Builder::new().name("relay".to_owned()).spawn(move || accept(&listener, &mine));
        let accepting = accepting.map_err(|why| Error::Lost { why: format!("no relay: {why}") })?;
        let url = crate::address::with_place(url, &address.to_string());
        Ok(Relay { address, url, shared, accepting: Some(accepting) })
    }

    /// Where clients connect instead.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What was executed so far, in the order in which it ended.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Release);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            drop(accepting.join());
        }
    }
}

/// The first host of a URL, if it can be spoken to without encryption.
fn server(url: &str) -> Result<Server, Error> {
    let address = Address::parse(url)?;
    if !matches!(address.config.get_ssl_mode(), SslMode::Disable | SslMode::Prefer) {
        return Err(Error::Address {
            url: crate::address::shown(url),
            why: "a migration command is recorded through a relay that speaks no TLS: name a server of the same version on this machine with scratch_url".to_owned(),
        });
    }
    let port = address.config.get_ports().first().copied().unwrap_or(5432);
    match address.config.get_hosts().first() {
        Some(Host::Tcp(host)) => Ok(Server::Tcp(host.clone(), port)),
        Some(Host::Unix(folder)) => Ok(Server::Unix(folder.join(format!(".s.PGSQL.{port}")))),
        None => Ok(Server::Tcp("localhost".to_owned(), port)),
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for (number, client) in (1..).zip(listener.incoming()) {
        if shared.over.load(Ordering::Acquire) {
            return;
        }
        let Ok(client) = client else { continue };
        if shared.clients.fetch_add(1, Ordering::AcqRel) >= CLIENTS {
            shared.clients.fetch_sub(1, Ordering::AcqRel);
            continue;
        }
        let mine = Arc::clone(shared);
        let served = thread::Builder::new().name("relay client".to_owned()).spawn(move || {
            if let Err(why) = line::serve(number, client, &mine) {
                tracing::debug!(%why, "a relayed connection ended");
            }
            mine.clients.fetch_sub(1, Ordering::AcqRel);
        });
        if served.is_err() {
            shared.clients.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Server {
    fn connect(&self) -> io::Result<Socket> {
        match self {
            Server::Tcp(host, port) => TcpStream::connect((host.as_str(), *port)).map(Socket::Tcp),
            Server::Unix(path) => UnixStream::connect(path).map(Socket::Unix),
        }
    }
}

/// A connection of either kind.
#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    fn try_clone(&self) -> io::Result<Socket> {
        match self {
            Socket::Tcp(stream) => stream.try_clone().map(Socket::Tcp),
            Socket::Unix(stream) => stream.try_clone().map(Socket::Unix),
        }
    }

    fn close(&self) {
        let _ = match self {
            Socket::Tcp(stream) => stream.shutdown(std::net::Shutdown::Both),
            Socket::Unix(stream) => stream.shutdown(std::net::Shutdown::Both),
        };
    }
}

impl io::Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.read(buffer),
            Socket::Unix(stream) => stream.read(buffer),
        }
    }
}

impl io::Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.write(bytes),
            Socket::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Socket::Tcp(stream) => stream.flush(),
            Socket::Unix(stream) => stream.flush(),
        }
    }
}
