//! What a killed `tandem up` left behind: a proxy that serves on and holds the sockets, and a controller.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tandem_core::base::ServiceName;
use tandem_proxy::control::Client;
use tandem_proxy::handover::Listeners;

use super::listener::{ListenError, listen};
use super::watched::Watched;
use super::{Supervisor, end, wait_for};
use crate::state::{Part, StateFolder};

/// How long a proxy that a killed predecessor had just started may take to answer or to end.
const HALF_STARTED: Duration = Duration::from_secs(5);

/// How often it is looked for meanwhile.
const LOOK: Duration = Duration::from_millis(20);

impl Supervisor {
    /// Gets the listening sockets: from a proxy that serves on without a supervisor, or new ones. Whether that proxy was
    /// started for other addresses or services.
    pub(super) fn take_sockets(&mut self, after_crash: bool) -> Result<bool, ListenError> {
        let until = Instant::now() + HALF_STARTED;
        loop {
            if let Some((proxy, services, listeners)) = self.orphaned_proxy() {
                tracing::info!(pid = proxy.pid(), "took over the proxy that serves already");
                let held: BTreeSet<SocketAddr> = listeners.iter().map(|(address, _)| *address).collect();
                let is_outdated =
                    services != self.front.names() || held != self.front.addresses().into_iter().collect();
                self.listeners = listeners;
                self.proxy.holder = Some(proxy);
                self.tell_log();
                return Ok(is_outdated);
            }
            match self.renew_listeners() {
                Err(error) if error.in_use() && after_crash && Instant::now() < until => {
                    let _ = wait_for(&[self.signals.handle()], Some(Instant::now() + LOOK));
                }
                result => return result.map(|()| false),
            }
        }
    }

    fn orphaned_proxy(&self) -> Option<(Watched, Vec<ServiceName>, Listeners)> {
        let mut client = Client::connect(&self.state.proxy_socket()).ok()?;
        let (pid, services) = client.process().ok()?;
        let proxy = Watched::adopt(pid).ok()?;
        // It answers on the same connection after its pidfd was opened, so the pidfd is its own.
        let listeners = client.listeners().ok()?;
        Some((proxy, services, listeners))
    }

    /// Listens on what the configuration names, keeping the sockets that are there.
    pub(super) fn renew_listeners(&mut self) -> Result<(), ListenError> {
        let wanted = self.front.addresses();
        self.listeners.retain(|(address, _)| wanted.contains(address));
        let missing: Vec<SocketAddr> = wanted
            .into_iter()
            .filter(|address| self.listeners.iter().all(|(held, _)| held != address))
            .collect();
        self.listeners.extend(listen(&missing, self.workers)?);
        Ok(())
    }

    /// Ends a part of a killed predecessor, or of the program from before a reload: there may be one only, and ours knows
    /// the present configuration. It can be killed at any time.
    pub(super) fn end_orphan(&self, state: &StateFolder, part: Part) {
        let Some(pid) = state.holder(part) else { return };
        let Ok(mut orphan) = Watched::adopt(pid) else { return };
        // It holds the lock after its pidfd was opened, so the pidfd is its own.
        if state.holder(part) != Some(pid) {
            return;
        }
        tracing::info!(pid, "ending {} that was left behind", part.name());
        orphan.signal(Signal::TERM);
        end::await_or_kill(&mut orphan);
    }
}
