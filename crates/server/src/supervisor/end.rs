//! The end of `tandem up`: first no new requests, then those in flight, then the instances. A second signal cuts it
//! short.

use std::io::Write;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::watched::Watched;
use super::{Supervisor, wait_for};
use crate::controller::STOP_ALL;

/// What is granted beyond the deadlines of the configuration.
const MARGIN: Duration = Duration::from_secs(5);

/// What stopping the instances may take when somebody is in a hurry; their keepers see to the rest.
const HURRIED: Duration = Duration::from_secs(2);

impl Supervisor {
    /// Ends everything, in order.
    pub(super) fn end(&mut self) {
        let drain = self.spec.run.stop.drain.longest().to_std();
        tracing::info!(
            "ending: requests in flight may finish for up to {} s; once more Ctrl-C or SIGTERM ends it at once",
            drain.as_secs()
        );
        // Without our copies the port is closed when the proxy closes its own.
        self.listeners.clear();
        let mut hurried = false;
        if let Some(mut proxy) = self.proxy.holder.take() {
            proxy.signal(Signal::TERM);
            hurried = !self.await_end(&proxy, drain + MARGIN, hurried);
            kill(&mut proxy);
        }
        for mut proxy in self.leaving() {
            proxy.signal(Signal::TERM);
            hurried = !self.await_end(&proxy, drain + MARGIN, hurried) || hurried;
            kill(&mut proxy);
        }
        if self.controller.holder.is_none() {
            self.controller.holder = self.start_controller().ok();
        }
        if let Some(mut controller) = self.controller.holder.take() {
            tracing::info!("stopping the instances");
            if let Some(line) = &mut self.line {
                let _ = line.write_all(STOP_ALL);
            }
            let grace = self.spec.run.stop.grace.to_std() + MARGIN;
            self.await_end(&controller, if hurried { HURRIED } else { grace }, hurried);
            kill(&mut controller);
        }
        tracing::info!("all is stopped");
    }

    /// Waits until a process ends, at the longest for `longest`. False: a signal cut the wait short.
    fn await_end(&mut self, process: &Watched, longest: Duration, hurried: bool) -> bool {
        let until = Instant::now() + longest;
        loop {
            match wait_for(&[process.handle(), self.signals.handle()], Some(until)).as_deref() {
                Ok([false, true]) => {
                    if self.signals.take() && !hurried {
                        return false;
                    }
                }
                Ok([false, false]) if Instant::now() < until => {}
                _ => return true,
            }
        }
    }

    /// Gives up what was started here, and leaves what served before.
    pub(super) fn abandon(&mut self) {
        if let Some(mut controller) = self.controller.holder.take() {
            kill(&mut controller);
        }
        if let Some(mut proxy) = self.proxy.holder.take()
            && proxy.is_child()
        {
            kill(&mut proxy);
        }
    }
}

/// Makes sure that a process has ended.
pub(super) fn kill(process: &mut Watched) {
    if process.ended().is_none() {
        process.signal(Signal::KILL);
        let _ = wait_for(&[process.handle()], Some(Instant::now() + MARGIN));
        process.ended();
    }
}
