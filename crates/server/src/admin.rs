//! What `tandem admin` does: the way in from the network, for people with a token and for the dashboard.
//!
//! A process of its own, so that the controllers, which may do everything, have no door to the network at all. It knows
//! tokens, roles and files, no state of any service: what somebody may ask is passed on to the socket of the service. It can
//! be killed at any time. Tested in `tests/server/admin` and end to end in `crates/cli`.

mod answer;
mod attempts;
mod callers;
mod connection;
mod dashboard;
mod digest;
#[cfg(test)]
mod document;
mod door;
mod keyring;
mod passage;
mod permission;
mod places;
mod reception;
mod session;
mod tickets;
mod token;

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

use tandem_core::base::ServiceName;
use tandem_proxy::handover::{self, HandoverError};
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;

pub use token::{NotATokenName, Token, TokenBook, TokenError, TokenName};

use crate::api;
use crate::audit::Audit;
use crate::state::{Part, StateError, StateFolder};

/// What `tandem admin` was asked for.
#[derive(Debug, Clone)]
pub struct AdminOptions {
    /// The state folder of the front.
    pub state: PathBuf,
    /// The services that can be asked about.
    pub services: Vec<ServiceName>,
    /// Whether there may be several: each then has a state folder below that of the front.
    pub is_shared: bool,
    /// The names under which it is asked for, beside its address.
    pub hosts: Vec<String>,
    /// The files with the certificate and its key. None: connections are not encrypted.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// Why the way in can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The state folder can't be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The listening socket did not come.
    #[error(transparent)]
    Handover(#[from] HandoverError),
    /// The certificate can't be used.
    #[error("{0}")]
    Certificate(String),
    /// The system refused something.
    #[error("can't {doing}: {source}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// Answers people until it is told to end (SIGTERM, SIGINT).
///
/// # Errors
/// It could not begin.
pub fn run(options: AdminOptions) -> Result<(), AdminError> {
    let _unnamed = rustix::thread::set_name(c"tandem admin");
    let state = StateFolder::at(&options.state);
    let _lock = state.lock(Part::Admin)?;
    let failed = |doing| move |source| AdminError::System { doing, source };
    let line = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from);
    let line = line.map_err(failed("speak with `tandem up`"))?;
    let (address, listener) = listener(&line)?;
    let tls = match &options.certificate {
        None => None,
        Some((chain, key)) => Some(connection::encryption(chain, key).map_err(AdminError::Certificate)?),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed("begin to answer"))?;
    let served = runtime.block_on(serve(options, &state, address, listener, tls, line));
    runtime.shutdown_background();
    served.map_err(failed("answer people from the network"))
}

/// The listening socket that `tandem up` holds.
fn listener(line: &UnixStream) -> Result<(SocketAddr, TcpListener), AdminError> {
    let mut all = handover::receive(line)?.into_iter();
    let first = all.next().and_then(|(address, sockets)| Some((address, sockets.into_iter().next()?)));
    let (address, socket): (SocketAddr, OwnedFd) =
        first.ok_or(HandoverError::Form("there was no socket among them"))?;
    Ok((address, TcpListener::from(socket)))
}

async fn serve(
    options: AdminOptions,
    state: &StateFolder,
    address: SocketAddr,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    line: UnixStream,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let place = |name: &ServiceName| if options.is_shared { state.service(name) } else { state.clone() };
    let socket = |name: ServiceName| (name.clone(), place(&name).admin_socket());
    let services: BTreeMap<_, _> = options.services.iter().cloned().map(socket).collect();
    let callers = Arc::new(callers::Callers::of(state));
    let audit = Arc::new(Audit::of(state));
    let desk = tickets::TicketDesk {
        callers: callers.clone(),
        audit: audit.clone(),
        url: tickets::url(address, &options.hosts, tls.is_some()),
    };
    tokio::spawn(tickets::serve(api::listen(&state.ticket_socket())?, desk));
    let reception = reception::Reception::new(services, options.hosts, tls.is_some(), callers, audit);
    tokio::spawn(connection::serve(listener, tls, Arc::new(reception)));
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // A supervisor that is gone already does not matter.
    let _ = io::Write::write_all(&mut &line, b"ready\n");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
