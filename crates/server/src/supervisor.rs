//! What `tandem up` does: it holds the listening sockets, and keeps the proxy, the controller of each service and the way in
//! from the network running.
//!
//! Small on purpose: it outlives the parts that can fail. It decides nothing about a service and must not know
//! requests or deployments. If it is killed, the proxy and the controllers go on; the next one takes them over.
//! Tested in `tests/server/supervisor.rs` with a stand-in program, and end to end in `crates/cli`.

mod dismissal;
mod end;
mod entrance;
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
use tandem_core::base::ServiceName;
use tandem_proxy::control::Client;
use tandem_proxy::handover::{self, Listeners};

pub use listener::ListenError;
pub use reload::{ReloadError, reload};
use restart::Restarts;
use signals::Signals;
use watched::Watched;

use crate::config::{self, ConfigError};
use crate::front::{Front, Service};
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
    /// The program that has the verbs `proxy`, `controller` and `admin`: this one.
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
    #[error("the state folder {} belongs to {found}, not to {wanted}: choose another one with --state", state.display())]
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
    let state = StateFolder::at(&options.state);
    let front = Front::load(&options.config, &state)?;
    front.resolve()?;
    state.prepare()?;
    let lock = state.lock(Part::Supervisor)?;
    check_owner(&state, &front)?;
    for service in &front.services {
        service.state.prepare()?;
    }
    let signals = Signals::catch()?;
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let mut supervisor = Supervisor {
        options,
        state,
        controllers: front.services.iter().cloned().map(Desk::vacant).collect(),
        front,
        workers,
        listeners: Vec::new(),
        signals,
        proxy: Post::vacant(),
        door: Vec::new(),
        entrance: Post::vacant(),
        dismissed: Vec::new(),
    };
    let is_outdated = supervisor.take_sockets(lock.after_crash)?;
    for Service { config, state, .. } in &supervisor.front.services {
        write_file(&state.config(), config.text.as_bytes())?;
        supervisor.end_orphan(state, Part::Controller);
    }
    supervisor.succeed(is_outdated);
    let result = supervisor.serve();
    if result.is_ok() {
        lock.release();
    }
    result
}

/// Whether the state folder is that of the same service, or of several as before: instances of another would be lost.
fn check_owner(state: &StateFolder, front: &Front) -> Result<(), SupervisorError> {
    let several = || "several services".to_owned();
    let before = match config::load(&state.config()) {
        Ok(before) => Some(before.spec.service.to_string()),
        Err(_) => state.services().is_dir().then(several),
    };
    let wanted = match front.services.as_slice() {
        [only] if !front.is_shared => only.name().to_string(),
        _ => several(),
    };
    match before {
        Some(found) if found != wanted => {
            Err(SupervisorError::OtherService { state: state.path().to_owned(), found, wanted })
        }
        _ => Ok(()),
    }
}

/// The place of one service's controller.
struct Desk {
    service: Service,
    post: Post,
    /// Our end of the controller's stdin: it says that it is ready, we say that it should stop everything.
    line: Option<UnixStream>,
}

impl Desk {
    fn vacant(service: Service) -> Desk {
        Desk { service, post: Post::vacant(), line: None }
    }

    /// Waits until the controller is there.
    fn ready(&mut self, signals: &Signals) -> Result<(), SupervisorError> {
        let (Some(line), Some(controller)) = (&self.line, &mut self.post.holder) else { return Ok(()) };
        ready(line, controller, signals).map_err(|how| SupervisorError::NotReady { part: "controller", how })
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
    front: Front,
    workers: usize,
    listeners: Listeners,
    signals: Signals,
    proxy: Post,
    /// The socket for people from the network, if there is one.
    door: Listeners,
    /// Who answers there.
    entrance: Post,
    /// One per service.
    controllers: Vec<Desk>,
    /// Of services that are being stopped, since they left the configuration.
    dismissed: Vec<Desk>,
}

impl Supervisor {
    fn serve(&mut self) -> Result<ExitCode, SupervisorError> {
        if self.proxy.holder.is_none() {
            self.proxy.holder = Some(self.start_proxy()?);
        }
        if let Err(error) = self.begin_entrance().and_then(|()| self.begin_controllers()) {
            // A proxy that served before us goes on serving.
            self.abandon();
            return Err(error);
        }
        self.dismiss();
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
            self.renew_controllers();
            self.renew_entrance();
            self.forget_dismissed();
        }
    }

    /// Starts each controller that has ended again, when it is time.
    fn renew_controllers(&mut self) {
        let mut desks = std::mem::take(&mut self.controllers);
        for desk in &mut desks {
            if let Some(how) = desk.post.vacated() {
                let service = desk.service.name();
                tracing::error!(
                    "the controller of {service} {how}; requests are served on while it is started again"
                );
            }
            if desk.post.is_due()
                && let Err(error) = self.start_controller(desk)
            {
                tracing::error!("{error}");
                desk.post.leave(Duration::ZERO);
            }
        }
        self.controllers = desks;
    }

    /// Waits until a part ends, a signal arrives or a vacant post is due.
    fn wait(&self) -> io::Result<()> {
        let mut handles = vec![self.signals.handle(), self.signals.reload_handle()];
        let mut due: Option<Instant> = None;
        let ending = self.dismissed.iter().filter_map(|desk| desk.post.holder.as_ref());
        handles.extend(ending.map(Watched::handle));
        let posts = self.controllers.iter().map(|desk| &desk.post);
        let entrance = self.front.admin.listen.map(|_| &self.entrance);
        for post in posts.chain([&self.proxy]).chain(entrance) {
            match &post.holder {
                Some(holder) => handles.push(holder.handle()),
                None => due = Some(due.map_or(post.due, |at| at.min(post.due))),
            }
        }
        wait_for(&handles, due).map(drop)
    }

    fn command(&self, verb: &str, state: &StateFolder) -> Command {
        let mut command = Command::new(&self.options.program);
        // A group of its own: Ctrl-C is for us, and the parts are ended in order.
        command.arg0("tandem").arg(verb).arg("--state").arg(state.path());
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
        let mut command = self.command("proxy", &self.state);
        command.args(self.front.names().iter().map(ServiceName::as_str));
        // Where the log of requests may go.
        command.stdout(Stdio::inherit());
        let (mut proxy, line) = self.start("proxy", command)?;
        let ready = handover::send(&line, &self.listeners)
            .map_err(|error| error.to_string())
            .and_then(|()| ready(&line, &mut proxy, &self.signals));
        match ready {
            Ok(()) => {
                tracing::info!(pid = proxy.pid(), "the proxy serves");
                self.tell_log();
                Ok(proxy)
            }
            Err(how) => {
                end::kill(&mut proxy);
                Err(SupervisorError::NotReady { part: "proxy", how })
            }
        }
    }

    /// Has the proxy write requests down as the configuration says; what it is told it keeps.
    pub(super) fn tell_log(&self) {
        let told =
            Client::connect(&self.state.proxy_socket()).and_then(|mut proxy| proxy.log(&self.front.log));
        if let Err(error) = told {
            tracing::warn!(%error, "requests are not logged as the configuration says");
        }
    }

    fn start_controller(&self, desk: &mut Desk) -> Result<(), SupervisorError> {
        let mut command = self.command("controller", &desk.service.state);
        command.arg("--config").arg(&desk.service.path).arg("--front").arg(self.state.path());
        let (controller, line) = self.start("controller", command)?;
        desk.line = Some(line);
        desk.post.holder = Some(controller);
        Ok(())
    }

    /// Starts the first controllers and waits until they are there: what keeps one from starting is told by `tandem up` as
    /// its own failure.
    fn begin_controllers(&mut self) -> Result<(), SupervisorError> {
        let mut desks = std::mem::take(&mut self.controllers);
        let mut begun = desks.iter_mut().try_for_each(|desk| self.start_controller(desk));
        for desk in &mut desks {
            begun = begun.and_then(|()| desk.ready(&self.signals));
        }
        self.controllers = desks;
        begun?;
        let listed = |all: Vec<String>| all.join(", ");
        tracing::info!(
            "{} {} up on {}; the state is in {}",
            listed(self.front.names().iter().map(ToString::to_string).collect()),
            if self.front.services.len() == 1 { "is" } else { "are" },
            listed(self.front.addresses().iter().map(ToString::to_string).collect()),
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
