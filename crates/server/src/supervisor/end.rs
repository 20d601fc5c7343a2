//! The end of `tandem up`: first no new requests, then those in flight, then the instances. A second signal cuts it
//! short.

use std::io::Write;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::watched::Watched;
use super::{Desk, Supervisor, wait_for};
use crate::controller::STOP_ALL;

/// What is granted beyond the deadlines of the configuration.
const MARGIN: Duration = Duration::from_secs(5);

/// What stopping the instances may take when somebody is in a hurry; their keepers see to the rest.
const HURRIED: Duration = Duration::from_secs(2);

impl Supervisor {
    /// Ends everything, in order.
    pub(super) fn end(&mut self) {
        let drain = self.front.longest_drain().to_std();
        tracing::info!(
            "ending: requests in flight may finish for up to {} s; once more Ctrl-C or SIGTERM ends it at once",
            drain.as_secs()
        );
        self.end_entrance();
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
        tracing::info!("stopping the instances");
        let mut desks = std::mem::take(&mut self.controllers);
        desks.append(&mut self.dismissed);
        for desk in desks.iter_mut().filter(|desk| desk.post.holder.is_none()) {
            let _they_run_on = self.start_controller(desk);
        }
        self.stop_instances(&mut desks, hurried);
        tracing::info!("all is stopped");
    }

    /// Has controllers stop their instances, all at once, and waits until they have ended.
    fn stop_instances(&mut self, desks: &mut [Desk], mut hurried: bool) {
        desks.iter_mut().for_each(Desk::stop_instances);
        let graces = desks.iter().map(|desk| desk.service.config.spec.run.stop.grace.to_std());
        let until = Instant::now() + graces.max().unwrap_or_default() + MARGIN;
        for desk in desks {
            let Some(mut controller) = desk.post.holder.take() else { continue };
            let left = if hurried { HURRIED } else { until.saturating_duration_since(Instant::now()) };
            hurried = !self.await_end(&controller, left, hurried) || hurried;
            kill(&mut controller);
        }
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
        let controllers = self.controllers.iter_mut().map(|desk| &mut desk.post);
        for mut begun in controllers.chain([&mut self.entrance]).filter_map(|post| post.holder.take()) {
            kill(&mut begun);
        }
        if let Some(mut proxy) = self.proxy.holder.take()
            && proxy.is_child()
        {
            kill(&mut proxy);
        }
    }
}

impl Desk {
    /// Has the controller stop its instances, and then end.
    pub(super) fn stop_instances(&mut self) {
        if let Some(line) = &mut self.line {
            let _ = line.write_all(STOP_ALL);
        }
    }
}

/// Waits a moment for the end of a process that was told to end, and makes sure of it.
pub(super) fn await_or_kill(process: &mut Watched) {
    let _ = wait_for(&[process.handle()], Some(Instant::now() + MARGIN));
    kill(process);
}

/// Makes sure that a process has ended.
pub(super) fn kill(process: &mut Watched) {
    if process.ended().is_none() {
        process.signal(Signal::KILL);
        let _ = wait_for(&[process.handle()], Some(Instant::now() + MARGIN));
        process.ended();
    }
}
