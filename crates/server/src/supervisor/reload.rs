//! Another program, another configuration: `tandem up` becomes what lies at its place now, and hands everything over.
//!
//! What can't be used is found before anything is touched. Then this process becomes the new program, under the same number
//! and with the same children; a new proxy accepts on the same sockets before the old one leaves, and a new controller takes
//! up the journal. Tested end to end in `crates/cli`.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tandem_proxy::control::Client;

use super::listener::listen;
use super::watched::Watched;
use super::{Supervisor, check_owner, wait_for};
use crate::front::Front;
use crate::state::{Part, StateFolder, write_file};

/// Set for the program that takes over.
const SUCCEEDS: &str = "TANDEM_SUCCEEDS";
/// How long the new program may take to check the configuration.
const CHECKED_WITHIN: Duration = Duration::from_secs(20);
/// How long all of it may take, for one who waits.
const RELOADED_WITHIN: Duration = Duration::from_secs(60);
/// How often one who waits looks.
const LOOK: Duration = Duration::from_millis(20);

/// Why nothing was reloaded.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// There is nobody to do it.
    #[error("no `tandem up` runs with the state folder {0}")]
    NotRunning(String),
    /// Something can't be used; all is as before.
    #[error("nothing was reloaded: {0}")]
    Refused(String),
    /// It did not come to an end.
    #[error("the reload did not come to an end within {} s; the log of `tandem up` says more", RELOADED_WITHIN.as_secs())]
    Silent,
}

/// Asks the `tandem up` of a state folder to reload, and waits until its new controllers are there. `front`: what it finds
/// when it does.
///
/// # Errors
/// It did not reload.
pub fn reload(state: &StateFolder, front: &Front) -> Result<(), ReloadError> {
    let not_running = || ReloadError::NotRunning(state.path().display().to_string());
    let pid = state.holder(Part::Supervisor).ok_or_else(not_running)?;
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(not_running)?;
    let states = || front.services.iter().map(|service| &service.state);
    let before: Vec<Option<u32>> = states().map(|state| state.holder(Part::Controller)).collect();
    let _none_yet = fs::remove_file(state.refusal());
    kill_process(pid, Signal::HUP).map_err(|_| not_running())?;
    let until = Instant::now() + RELOADED_WITHIN;
    while Instant::now() < until {
        if let Ok(why) = fs::read_to_string(state.refusal()) {
            return Err(ReloadError::Refused(why));
        }
        let is_new = |(state, before): (&StateFolder, &Option<u32>)| {
            let now = state.holder(Part::Controller);
            now.is_some() && now != *before && UnixStream::connect(state.admin_socket()).is_ok()
        };
        if states().zip(&before).all(is_new) {
            return Ok(());
        }
        let _ = wait_for(&[], Some(Instant::now() + LOOK));
    }
    Err(ReloadError::Silent)
}

impl Supervisor {
    /// Becomes the program at its place with the configuration at its place. Comes back only if nothing was changed.
    pub(super) fn reload(&self) {
        let why = match self.check() {
            Err(why) => why,
            Ok(()) => {
                tracing::info!("reloading: {} takes over", self.options.place.display());
                let mut command = Command::new(&self.options.place);
                command.args(std::env::args_os().skip(1)).env(SUCCEEDS, "1");
                format!("{} can't be run: {}", self.options.place.display(), command.exec())
            }
        };
        tracing::error!("nothing was reloaded: {why}");
        let _nobody_waits = write_file(&self.state.refusal(), why.as_bytes());
    }

    /// Whether the new program would come up with the new configuration.
    fn check(&self) -> Result<(), String> {
        let told = |error: &dyn std::error::Error| error.to_string();
        let front = Front::load(&self.options.config, &self.state).map_err(|error| told(&error))?;
        front.resolve().map_err(|error| told(&error))?;
        check_owner(&self.state, &front).map_err(|error| told(&error))?;
        let held = |address: &SocketAddr| self.listeners.iter().any(|(held, _)| held == address);
        // Its own port will be free by then.
        let freed = |address: &SocketAddr| self.door.iter().any(|(door, _)| door.port() == address.port());
        let admin = front.admin.listen.filter(|address| !freed(address));
        let new: Vec<_> =
            front.addresses().into_iter().filter(|address| !held(address)).chain(admin).collect();
        listen(&new, 1).map_err(|error| told(&error))?;
        checked_by(&self.options.place, &self.options.config)
    }

    /// If this program took over from another, or the proxy that is there was started for something else: gives it a
    /// successor. One that can't be had is told, and the proxy that is there serves on.
    pub(super) fn succeed(&mut self, is_outdated: bool) {
        if !is_successor() && !is_outdated {
            return;
        }
        let Some(old) = self.proxy.holder.take() else { return };
        let (socket, aside) = (self.state.proxy_socket(), self.state.leaving_proxy(old.pid()));
        let moved = fs::rename(&socket, &aside);
        match self.start_proxy() {
            Ok(new) => {
                tracing::info!(
                    pid = old.pid(),
                    "the proxy from before leaves when its clients have gone over"
                );
                old.signal(Signal::USR2);
                self.proxy.holder = Some(new);
            }
            Err(error) => {
                tracing::error!("{error}; the proxy from before serves on");
                if moved.is_ok() {
                    let _lost = fs::rename(&aside, &socket);
                }
                self.proxy.holder = Some(old);
            }
        }
    }

    /// The proxies that are leaving.
    pub(super) fn leaving(&self) -> Vec<Watched> {
        let watched = |socket: &Path| Watched::adopt(Client::connect(socket).ok()?.process().ok()?.0).ok();
        self.state.leaving_proxies().iter().filter_map(|socket| watched(socket)).collect()
    }
}

/// Whether this program took over from another one.
pub(super) fn is_successor() -> bool {
    std::env::var_os(SUCCEEDS).is_some()
}

/// Takes the mark off what is started from here: it is for one program only.
pub(super) fn unmark(command: &mut Command) {
    command.env_remove(SUCCEEDS);
}

/// Has a program check the configuration, which also tells whether it is a program at all.
fn checked_by(program: &Path, config: &Path) -> Result<(), String> {
    let mut command = Command::new(program);
    command.arg("check").arg("--config").arg(config).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    unmark(&mut command);
    let failed = |error: std::io::Error| format!("{} can't be run: {error}", program.display());
    let mut checking = Watched::spawn(&mut command).map_err(failed)?;
    let _ = wait_for(&[checking.handle()], Some(Instant::now() + CHECKED_WITHIN));
    match checking.ended() {
        Some(how) if how == "exited with code 0" => Ok(()),
        Some(how) => Err(format!("`{} check` {how}", program.display())),
        None => {
            super::end::kill(&mut checking);
            Err(format!("`{} check` took longer than {} s", program.display(), CHECKED_WITHIN.as_secs()))
        }
    }
}
