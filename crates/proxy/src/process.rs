//! The proxy as a process: takes its listening sockets, starts its threads, says that it is ready, serves.
//!
//! Goes on serving when its parent is gone: a new supervisor finds it by its control socket and takes the listening
//! sockets from there. Ends on SIGTERM once what is in flight is done; on SIGUSR2, when another proxy accepts on the same sockets,
//! once its clients have gone over. Tested through the whole proxy.

use std::fs::DirBuilder;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, SystemTime};

use tandem_core::base::ServiceName;
use tandem_core::spec::LogSpec;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

use crate::control::Places;
use crate::handover::{self, HandoverError, Listeners};
use crate::snapshot::Shared;
use crate::worker::Worker;
use crate::{control, listener, outliers, prober, saved};

/// How often an ending proxy looks whether anybody is left.
const LOOK: Duration = Duration::from_millis(50);
/// How long the last lines of the log may take.
const LAST_LINES: Duration = Duration::from_secs(5);

/// What a proxy needs to know.
#[derive(Debug, Clone)]
pub struct ProcessOptions {
    /// The control socket; it is created for this user only. One that is left over is replaced.
    pub control: PathBuf,
    /// The services whose requests arrive: tables of others are refused, and what was kept of them is left alone.
    pub services: Vec<ServiceName>,
    /// The folder where the last tables, certificates and rules of the log are kept; it is created if need be.
    pub kept: PathBuf,
    /// Where the files are that instances may lack.
    pub shelf: PathBuf,
}

impl ProcessOptions {
    /// Everything in one folder, for one service.
    pub fn in_folder(folder: &Path, service: ServiceName) -> ProcessOptions {
        ProcessOptions {
            control: folder.join("proxy.sock"),
            services: vec![service],
            kept: folder.join("proxy"),
            shelf: folder.join("shelf"),
        }
    }
}

/// Why a proxy could not start.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The listening sockets did not arrive on stdin.
    #[error("the proxy did not get its listening sockets: {0}; it is started by `tandem up`, not by hand")]
    Sockets(#[from] HandoverError),
    /// The control socket could not be made.
    #[error("the control socket {path} could not be made: {why}")]
    Control {
        /// Where it was to be.
        path: PathBuf,
        /// Why not.
        why: io::Error,
    },
    /// Something that every process needs could not be had.
    #[error("the proxy could not start: {0}")]
    System(#[from] io::Error),
}

/// Runs the proxy until it is told to end. Takes the listening sockets from stdin, a Unix stream socket, and writes
/// `ready` and the end of the line there once it serves.
pub fn run(options: ProcessOptions) -> Result<(), ProcessError> {
    let parent = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let listeners = handover::receive(&parent)?;
    let threads = listeners.iter().map(|(_, sockets)| sockets.len()).max().unwrap_or_default().max(1);
    let shared = Arc::new(Shared::new(threads, run_number(), options.shelf));
    let places = Places { services: options.services, folder: options.kept };
    DirBuilder::new().recursive(true).mode(0o700).create(&places.folder)?;
    for service in &places.services {
        load_table(&shared, service, &places.table(service));
        load_encryption(&shared, service, &places.encryption(service));
    }
    load_log(&shared, &places.log());
    let socket = open_control(&options.control)
        .map_err(|why| ProcessError::Control { path: options.control.clone(), why })?;
    let mut workers = Vec::new();
    for thread in 0..threads {
        let mine = sockets_of(&listeners, thread)?;
        let shared = Arc::clone(&shared);
        let runtime = runtime()?;
        workers.push(spawn(format!("proxy-{thread}"), move || serve(&runtime, shared, thread, mine))?);
    }
    let (checked, runtime) = (Arc::clone(&shared), runtime()?);
    let watches = async move {
        tokio::join!(prober::run(Arc::clone(&checked)), outliers::run(checked));
    };
    spawn("prober".to_owned(), move || LocalSet::new().block_on(&runtime, watches))?;
    let asked = Arc::clone(&shared);
    spawn("control".to_owned(), move || control::serve(asked, &socket, listeners, places))?;
    // Nobody may be listening any more; that is no reason not to serve.
    let _orphaned = (&parent).write_all(b"ready\n");
    wait_for_end(&shared)?;
    for worker in workers {
        let _panicked = worker.join();
    }
    shared.log.flush(LAST_LINES);
    Ok(())
}

/// Differs from run to run; only equality means anything.
fn run_number() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // Kept below 2^53, so that every reader of JSON gets it whole.
    (since.as_micros() as u64) & ((1 << 53) - 1)
}

fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name(name).spawn(body)
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_io().enable_time().build()
}

/// Puts the table of the last run in force; a damaged one is told and left alone.
fn load_table(shared: &Shared, service: &ServiceName, path: &Path) {
    let applied = match saved::read(path) {
        Ok(None) => return,
        Ok(Some(table)) => shared.apply(service, table, true).map(drop).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = applied {
        tracing::warn!(path = %path.display(), %error, "the saved table is not used");
    }
}

/// Uses the certificates of the last run; damaged ones are told and left alone.
fn load_encryption(shared: &Shared, service: &ServiceName, path: &Path) {
    let used = match saved::read(path) {
        Ok(None) => return,
        Ok(Some(encryption)) => shared.encrypt(service, &encryption).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = used {
        tracing::warn!(path = %path.display(), %error, "the saved certificates are not used");
    }
}

/// Writes requests down as in the last run.
fn load_log(shared: &Shared, path: &Path) {
    let used = match saved::read::<LogSpec>(path) {
        Ok(None) => return,
        Ok(Some(spec)) => shared.log.set(&spec).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = used {
        tracing::warn!(path = %path.display(), %error, "the saved rules of the log are not used");
    }
}

fn open_control(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Made under another name, closed to others, then moved: at no moment can anybody else open it.
    let hidden = path.with_extension("new");
    let _left_over = std::fs::remove_file(&hidden);
    let listener = UnixListener::bind(&hidden)?;
    std::fs::set_permissions(&hidden, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&hidden, path)?;
    Ok(listener)
}

/// The sockets that the given thread serves: one of each address.
fn sockets_of(listeners: &Listeners, thread: usize) -> io::Result<Vec<(SocketAddr, OwnedFd)>> {
    let socket = |(address, list): &(SocketAddr, Vec<OwnedFd>)| {
        list.get(thread).map(|socket| Ok((*address, socket.try_clone()?)))
    };
    listeners.iter().filter_map(socket).collect()
}

/// One data thread.
fn serve(runtime: &Runtime, shared: Arc<Shared>, thread: usize, sockets: Vec<(SocketAddr, OwnedFd)>) {
    let seed = (run_number() ^ (thread as u64) << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let local = LocalSet::new();
    local.block_on(runtime, async move {
        let worker = Worker::new(Arc::clone(&shared), thread, seed);
        for (address, socket) in sockets {
            match listen(socket) {
                Ok(listener) => {
                    tokio::task::spawn_local(listener::accept(
                        std::rc::Rc::clone(&worker),
                        listener,
                        address,
                    ));
                }
                Err(error) => tracing::error!(%address, %error, "a listening socket cannot be used"),
            }
        }
        worker.housekeep().await;
    });
}

fn listen(socket: OwnedFd) -> io::Result<tokio::net::TcpListener> {
    let listener = std::net::TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    // Accepted connections inherit this.
    socket2::SockRef::from(&listener).set_tcp_nodelay(true)?;
    tokio::net::TcpListener::from_std(listener)
}

/// Waits for SIGTERM, then until nothing is in flight; or for SIGUSR2, then until every client has gone by itself.
fn wait_for_end(shared: &Arc<Shared>) -> io::Result<()> {
    let runtime = runtime()?;
    let mut end = runtime.block_on(async { signal(SignalKind::terminate()) })?;
    let leaves = runtime.block_on(async {
        let mut leave = signal(SignalKind::user_defined2())?;
        // What a terminal sends to everything that was started from it is meant for `tandem up`, not for the proxy.
        let (mut interrupt, mut hang_up) = (signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?);
        let mut turn_over = signal(SignalKind::user_defined1())?;
        loop {
            tokio::select! {
                _ = end.recv() => return io::Result::Ok(false),
                _ = leave.recv() => return Ok(true),
                _ = interrupt.recv() => {}
                _ = hang_up.recv() => {}
                _ = turn_over.recv() => shared.log.reopen(),
            }
        }
    })?;
    if leaves {
        let longest = shared.leave();
        let done = runtime.block_on(async {
            tokio::select! {
                _ = end.recv() => false,
                done = drained(shared, longest) => done,
            }
        });
        if done {
            return end_threads(shared);
        }
    }
    shared.closing.store(true, Ordering::Relaxed);
    shared.wakers.iter().for_each(tokio::sync::Notify::notify_one);
    let drain = shared.snapshot.load().table.routes.iter().map(|route| route.drain.longest()).max();
    runtime.block_on(drained(shared, drain.unwrap_or_default().to_std()));
    end_threads(shared)
}

/// Waits until nothing is in flight and nobody is connected, so long at most; whether it came to that.
async fn drained(shared: &Arc<Shared>, at_most: Duration) -> bool {
    let done = || shared.is_idle() && shared.connections.load(Ordering::Relaxed) == 0;
    let mut tick = tokio::time::interval(LOOK);
    let seen = async {
        while !done() {
            tick.tick().await;
        }
    };
    tokio::time::timeout(at_most, seen).await.is_ok()
}

fn end_threads(shared: &Arc<Shared>) -> io::Result<()> {
    shared.ended.store(true, Ordering::Relaxed);
    shared.wakers.iter().for_each(tokio::sync::Notify::notify_one);
    Ok(())
}
