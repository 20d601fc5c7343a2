//! Services that left the configuration: their instances are stopped while everything else goes on. Tested end to end in
//! `crates/cli`.

use std::fs;

use super::{Desk, Supervisor};
use crate::config;
use crate::front::Service;
use crate::state::Part;

impl Supervisor {
    /// Begins to stop what runs of services that are not in the configuration any more: the new proxy has nothing for them, and
    /// what is in flight on the old one is finished by apps that end in an orderly way.
    pub(super) fn dismiss(&mut self) {
        for state in self.state.others(&self.front.names()) {
            let path = state.config();
            let Ok(config) = config::load(&path) else { continue };
            tracing::info!("{} is not in the configuration any more: it is stopped", config.spec.service);
            self.end_orphan(&state, Part::Controller);
            let mut desk = Desk::vacant(Service { path, config, state });
            match self.start_controller(&mut desk).and_then(|()| desk.ready(&self.signals)) {
                Ok(()) => {
                    desk.stop_instances();
                    self.dismissed.push(desk);
                }
                Err(why) => tracing::error!("{} can't be stopped: {why}", desk.service.name()),
            }
        }
    }

    /// Forgets the services that were dismissed and whose instances have ended.
    pub(super) fn forget_dismissed(&mut self) {
        self.dismissed.retain_mut(|desk| {
            let Some(how) = desk.post.vacated() else { return true };
            tracing::info!("{} is stopped: its controller {how}", desk.service.name());
            // Nothing runs that the next start would have to look for.
            let _it_is_looked_at_again = fs::remove_file(desk.service.state.config());
            false
        });
    }
}
