//! What `tandem up` does: it holds the listening sockets, and keeps the proxy and the controller running.
//!
//! Small on purpose: it outlives the parts that can fail. It decides nothing about the service and must not know
//! requests or deployments. If it is killed, the proxy and the controller go on; the next one takes them over.
//! Tested in `tests/server/supervisor.rs` with a stand-in program, and end to end in `crates/cli`.

mod end;
mod listener;
mod reload;
mod restart;
mod signals;
mod takeover;
mod watched;

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tandem_core::spec::ServiceSpec;
use tandem_proxy::handover::{self, Listeners};

pub use listener::ListenError;
pub use reload::{ReloadError, reload};
use restart::Restarts;
use signals::Signals;
use watched::Watched;

use crate::config::{self, Config, ConfigError};
use crate::state::{Part, StateError, StateFolder, write_file};

/// How long a new proxy may take until it serves.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// What `tandem up` was asked for.
#[derive(Debug, Clone)]
pub struct SupervisorOptions {
    /// The configuration.
    pub config: PathBuf,
    /// The state folder, created if need be.
    pub state: PathBuf,
    /// The program that has the verbs `proxy` and `controller`: this one.
    pub program: PathBuf,
    /// Where the program lies, and another version of it may lie later.
    pub place: PathBuf,
}

/// Why `tandem up` can't go on.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The state folder can't be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The state folder is another service's.
    #[error("the state folder {} belongs to the service {found}, not to {wanted}: choose another one with --state", state.display())]
    OtherService {
        /// The folder.
        state: PathBuf,
        /// Whose it is.
        found: String,
        /// Who wanted it.
        wanted: String,
    },
    /// An address can't be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A part can't be started.
    #[error("can't start `tandem {part}` ({}): {source}", program.display())]
    Start {
        /// Its verb.
        part: &'static str,
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A part ended, or said nothing, before it was ready.
    #[error("`tandem {part}` {how} before it was ready; its messages above say why")]
    NotReady {
        /// Its verb.
        part: &'static str,
        /// How it ended.
        how: String,
    },
    /// The system refused something that it always grants.
    #[error("can't wait for processes: {0}")]
    System(#[from] io::Error),
}

/// Runs the service in the foreground until somebody ends it (SIGTERM, SIGINT): then requests in flight finish, and
/// everything is stopped; a second signal ends it at once.
///
/// # Errors
/// It could not begin; nothing was changed. Once it runs, whatever dies is started again.
pub fn run(options: SupervisorOptions) -> Result<ExitCode, SupervisorError> {
    let config = config::load(&options.config)?;
    config::environment(&config.spec)?;
    config::database(&config.spec)?;
    config::certificates(&config.spec, &options.config)?;
    let state = StateFolder::at(&options.state);
    state.prepare()?;
    let lock = state.lock(Part::Supervisor)?;
    check_service(&state, &config)?;
    let signals = Signals::catch()?;
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let mut supervisor = Supervisor {
        options,
        state,
        spec: config.spec,
        workers,
        listeners: Vec::new(),
        signals,
        proxy: Post::vacant(),
        controller: Post::vacant(),
        line: None,
    };
    supervisor.take_sockets(lock.after_crash)?;
    write_file(&supervisor.state.config(), config.text.as_bytes())?;
    supervisor.end_orphaned_controller();
    supervisor.succeed();
    let result = supervisor.serve();
    if result.is_ok() {
        lock.release();
    }
    result
}

fn check_service(state: &StateFolder, config: &Config) -> Result<(), SupervisorError> {
    match config::load(&state.config()) {
        Ok(before) if before.spec.service != config.spec.service => Err(SupervisorError::OtherService {
            state: state.path().to_owned(),
            found: before.spec.service.to_string(),
            wanted: config.spec.service.to_string(),
        }),
        _ => Ok(()),
    }
}

/// The place of one part, taken or to be taken again.
struct Post {
    holder: Option<Watched>,
    restarts: Restarts,
    /// When a vacant post is to be taken.
    due: Instant,
}

impl Post {
    fn vacant() -> Post {
        Post { holder: None, restarts: Restarts::default(), due: Instant::now() }
    }

    /// If the holder has ended: how. The post is then vacant, and due after a while.
    fn vacated(&mut self) -> Option<String> {
        let holder = self.holder.as_mut()?;
        let how = format!("(pid {}) {}", holder.pid(), holder.ended()?);
        let lived = holder.age();
        self.leave(lived);
        Some(how)
    }

    fn leave(&mut self, lived: Duration) {
        self.holder = None;
        self.due = Instant::now() + self.restarts.after(lived);
    }

    fn is_due(&self) -> bool {
        self.holder.is_none() && self.due <= Instant::now()
    }
}

struct Supervisor {
    options: SupervisorOptions,
    state: StateFolder,
    spec: ServiceSpec,
    workers: usize,
    listeners: Listeners,
    signals: Signals,
    proxy: Post,
    controller: Post,
    /// Our end of the controller's stdin: it says that it is ready, we say that it should stop everything.
    line: Option<UnixStream>,
}

impl Supervisor {
    fn serve(&mut self) -> Result<ExitCode, SupervisorError> {
        if self.proxy.holder.is_none() {
            self.proxy.holder = Some(self.start_proxy()?);
        }
        self.controller.holder = Some(self.start_controller()?);
        if let Err(error) = self.await_controller() {
            // A proxy that served before us goes on serving.
            self.abandon();
            return Err(error);
        }
        loop {
            self.wait()?;
            if self.signals.reload() {
                self.reload();
            }
            if self.signals.take() {
                self.end();
                return Ok(ExitCode::SUCCESS);
            }
            if let Some(how) = self.proxy.vacated() {
                tracing::error!("the proxy {how}; new connections wait while it is started again");
            }
            if self.proxy.is_due() {
                match self.start_proxy() {
                    Ok(proxy) => self.proxy.holder = Some(proxy),
                    Err(error) => {
                        tracing::error!("{error}");
                        self.proxy.leave(Duration::ZERO);
                    }
                }
            }
            if let Some(how) = self.controller.vacated() {
                tracing::error!("the controller {how}; requests are served on while it is started again");
            }
            if self.controller.is_due() {
                match self.start_controller() {
                    Ok(controller) => self.controller.holder = Some(controller),
                    Err(error) => {
                        tracing::error!("{error}");
                        self.controller.leave(Duration::ZERO);
                    }
                }
            }
        }
    }

    /// Waits until a part ends, a signal arrives or a vacant post is due.
    fn wait(&self) -> io::Result<()> {
        let mut handles = vec![self.signals.handle(), self.signals.reload_handle()];
        let mut due: Option<Instant> = None;
        for post in [&self.proxy, &self.controller] {
            match &post.holder {
                Some(holder) => handles.push(holder.handle()),
                None => due = Some(due.map_or(post.due, |at| at.min(post.due))),
            }
        }
        wait_for(&handles, due).map(drop)
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.options.program);
        // A group of its own: Ctrl-C is for us, and the parts are ended in order.
        command.arg0("tandem").arg(verb).arg("--state").arg(self.state.path());
        command.stdout(Stdio::null()).process_group(0);
        reload::unmark(&mut command);
        command
    }

    fn start(
        &self,
        part: &'static str,
        mut command: Command,
    ) -> Result<(Watched, UnixStream), SupervisorError> {
        let failed = |source| SupervisorError::Start { part, program: self.options.program.clone(), source };
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        ours.set_write_timeout(Some(READY_WITHIN)).map_err(failed)?;
        command.stdin(OwnedFd::from(theirs));
        let watched = Watched::spawn(&mut command).map_err(failed)?;
        Ok((watched, ours))
    }

    fn start_proxy(&mut self) -> Result<Watched, SupervisorError> {
        self.renew_listeners()?;
        let mut command = self.command("proxy");
        // Where the log of requests may go.
        command.stdout(Stdio::inherit());
        let (mut proxy, line) = self.start("proxy", command)?;
        let ready = handover::send(&line, &self.listeners)
            .map_err(|error| error.to_string())
            .and_then(|()| ready(&line, &mut proxy, &self.signals));
        match ready {
            Ok(()) => {
                tracing::info!(pid = proxy.pid(), "the proxy serves");
                Ok(proxy)
            }
            Err(how) => {
                end::kill(&mut proxy);
                Err(SupervisorError::NotReady { part: "proxy", how })
            }
        }
    }

    fn start_controller(&mut self) -> Result<Watched, SupervisorError> {
        let mut command = self.command("controller");
        command.arg("--config").arg(&self.options.config);
        let (controller, line) = self.start("controller", command)?;
        self.line = Some(line);
        Ok(controller)
    }

    /// Waits until the first controller is there: what keeps it from starting is told by `tandem up` as its own
    /// failure.
    fn await_controller(&mut self) -> Result<(), SupervisorError> {
        let (Some(line), Some(controller)) = (&self.line, &mut self.controller.holder) else { return Ok(()) };
        ready(line, controller, &self.signals)
            .map_err(|how| SupervisorError::NotReady { part: "controller", how })?;
        let listen: Vec<String> = self.spec.listen.iter().map(|l| l.address.to_string()).collect();
        tracing::info!(
            "{} is up on {}; the state is in {}",
            self.spec.service,
            listen.join(", "),
            self.state.path().display()
        );
        Ok(())
    }
}

/// Waits until the process at the other end of `line` says that it is ready. A signal ends the wait without an error:
/// whoever waits next sees it.
fn ready(mut line: &UnixStream, process: &mut Watched, signals: &Signals) -> Result<(), String> {
    let until = Instant::now() + READY_WITHIN;
    loop {
        let seen = wait_for(&[signals.handle(), process.handle(), line.as_fd()], Some(until));
        match seen.map_err(|error| error.to_string())?.as_slice() {
            [true, ..] => return Ok(()),
            [_, ended, said] if *ended || *said => {
                // It may say that it is ready, and end.
                if *said && matches!(line.read(&mut [0; 16]), Ok(1..)) {
                    return Ok(());
                }
                if let Some(how) = process.ended() {
                    return Err(how);
                }
                // It closes its end while it ends, before it has ended.
                if *said {
                    let _ = wait_for(&[process.handle()], Some(until));
                    return Err(process.ended().unwrap_or_else(|| "closed its standard input".to_owned()));
                }
            }
            _ if Instant::now() >= until => {
                return Err(format!("was silent for {} s", READY_WITHIN.as_secs()));
            }
            _ => {}
        }
    }
}

/// Waits until one of `handles` is readable, or until `until`; tells which are.
fn wait_for(handles: &[BorrowedFd<'_>], until: Option<Instant>) -> io::Result<Vec<bool>> {
    let mut ready: Vec<PollFd<'_>> =
        handles.iter().map(|handle| PollFd::from_borrowed_fd(*handle, PollFlags::IN)).collect();
    let left = until.map(|until| until.saturating_duration_since(Instant::now()));
    let timeout =
        left.map(|left| Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) });
    match poll(&mut ready, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {
            Ok(ready.iter().map(|handle| !handle.revents().is_empty()).collect())
        }
        Err(error) => Err(error.into()),
    }
}
