//! The way in from the network: its listening socket, and the process that answers there, if the configuration wants one.
//!
//! The socket is held here, so whoever asks while the process is started again waits in its queue. A new supervisor binds it
//! anew: nothing of the service depends on it. Tested in `tests/server/supervisor.rs` and end to end in `crates/cli`.

use rustix::process::Signal;
use tandem_core::base::ServiceName;
use tandem_core::spec::AdminSpec;
use tandem_proxy::handover;

use super::listener::listen;
use super::{Supervisor, SupervisorError, end, ready, reload};
use crate::state::Part;

impl Supervisor {
    /// Starts it for the first time. What keeps it from starting is told by `tandem up` as its own failure, but not while a
    /// service is being served that would be given up for it.
    pub(super) fn begin_entrance(&mut self) -> Result<(), SupervisorError> {
        self.end_orphan(&self.state, Part::Admin);
        if self.front.admin.listen.is_none() {
            return Ok(());
        }
        match self.start_entrance() {
            Err(error) if reload::is_successor() => {
                tracing::error!("{error}");
                self.entrance.leave(std::time::Duration::ZERO);
                Ok(())
            }
            result => result,
        }
    }

    /// Starts it again if it has ended and it is time.
    pub(super) fn renew_entrance(&mut self) {
        if self.front.admin.listen.is_none() {
            return;
        }
        if let Some(how) = self.entrance.vacated() {
            tracing::error!("the way in from the network {how}; it is started again");
        }
        if self.entrance.is_due()
            && let Err(error) = self.start_entrance()
        {
            tracing::error!("{error}");
            self.entrance.leave(std::time::Duration::ZERO);
        }
    }

    /// Ends it: nobody from the network begins anything any more.
    pub(super) fn end_entrance(&mut self) {
        self.door.clear();
        if let Some(mut process) = self.entrance.holder.take() {
            process.signal(Signal::TERM);
            end::await_or_kill(&mut process);
        }
    }

    fn start_entrance(&mut self) -> Result<(), SupervisorError> {
        let AdminSpec { listen: Some(address), hosts, certificate, key } = &self.front.admin else {
            return Ok(());
        };
        if self.door.is_empty() {
            self.door = listen(&[*address], 1)?;
        }
        let mut command = self.command("admin", &self.state);
        command.args(self.front.names().iter().map(ServiceName::as_str));
        if self.front.is_shared {
            command.arg("--shared");
        }
        for host in hosts {
            command.args(["--host", host]);
        }
        if let (Some(certificate), Some(key)) = (certificate, key) {
            command.args(["--certificate", certificate, "--key", key]);
        }
        let (mut process, line) = self.start("admin", command)?;
        let begun = handover::send(&line, &self.door)
            .map_err(|error| error.to_string())
            .and_then(|()| ready(&line, &mut process, &self.signals));
        match begun {
            Ok(()) => {
                tracing::info!(pid = process.pid(), "people are answered on {address}");
                self.entrance.holder = Some(process);
                Ok(())
            }
            Err(how) => {
                end::kill(&mut process);
                Err(SupervisorError::NotReady { part: "admin", how })
            }
        }
    }
}
