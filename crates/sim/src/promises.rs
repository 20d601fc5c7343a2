//! The promises of the design, checked on what really happens in the world and not on what was decided.

use std::collections::BTreeSet;

use tandem_core::base::{InstanceId, VersionLabel};
use tandem_core::spec::Strategy;
use tandem_core::traffic::Table;
use tandem_core::workflow::{Event, Kind, State};

use crate::scenario::Behaviour;
use crate::world::World;

impl World {
    /// Promises 2 and 3, at the moment of a swap: a flip is one instant and goes back only when it was turned back;
    /// capacity does not sink below the floor by a swap.
    pub(crate) fn check_swap(&mut self, table: &Table) {
        let Ok(state) = State::fold(&self.journal) else {
            self.broke("a crash anywhere is survived", "the journal can't be folded".to_owned());
            return;
        };
        let before = self.truly_up(&self.serving(&self.proxy.table));
        let after = self.truly_up(&self.serving(table));
        let wanted = state.wanted(self.scenario.spec.run.instances);
        let floor = match &state.deployment {
            None => wanted,
            Some(d) if d.goal().is_none() => 0,
            Some(d) => floor(&d.request.strategy, wanted),
        };
        if after < before && after < floor {
            self.broke("capacity never sinks below the floor", format!("{before} → {after}, floor {floor}"));
        }
        let flip = state.deployment.as_ref().filter(|d| matches!(d.request.strategy, Strategy::Flip(_)));
        if let Some(deployment) = flip {
            let (old, new) = (self.versions(&self.proxy.table), self.versions(table));
            if new.contains(&deployment.request.version) && new.len() > 1 {
                self.broke("the flip is one instant", format!("{new:?} are routed at once"));
            }
            let returns =
                old.contains(&deployment.request.version) && !new.is_empty() && old.is_disjoint(&new);
            if returns && deployment.turned_back().is_none() {
                self.broke("the flip is one instant", "the old version got traffic again".to_owned());
            }
        }
    }

    /// Promise 6: whoever can be seen to use the database as another revision gets no requests from a deployment that goes on.
    pub(crate) fn check_strays(&mut self, table: &Table) {
        let state = State::fold(&self.journal).unwrap_or_default();
        let forward = state.deployment.filter(|d| {
            d.turned_back().is_none()
                && d.request.kind == Kind::Deploy
                && d.from.as_ref() != Some(&d.request.version)
        });
        let Some(deployment) = forward.filter(|_| !self.scenario.pooled) else { return };
        let version = &deployment.request.version;
        let strays = self.scenario.behaviours.get(version) == Some(&Behaviour::Strays);
        let (mixed, before) = (self.database.standing.mixed().is_some(), self.serving(&self.proxy.table));
        let new = |id: &&InstanceId| {
            !before.contains(id) && self.processes.get(id).is_some_and(|process| process.version == *version)
        };
        let served: Vec<InstanceId> = self.serving(table).iter().filter(new).copied().collect();
        if strays && mixed && !served.is_empty() {
            let how = format!("{served:?} got requests, and their sessions are of no revision");
            self.broke("each version sees exactly its own schema", how);
        }
    }

    fn versions(&self, table: &Table) -> BTreeSet<VersionLabel> {
        let serving = self.serving(table);
        let members = table.routes.iter().flat_map(|r| &r.members);
        members.filter(|m| serving.contains(&m.instance)).map(|m| m.version.clone()).collect()
    }

    /// Promise 5, at the end: every deployment has ended, as many instances as wanted serve the current version, and
    /// nothing else is left.
    pub(crate) fn check_end(&mut self, state: &State) {
        if let Some(deployment) = &state.deployment {
            self.broke(
                "a crash anywhere is survived",
                format!("{} never ends", deployment.request.deployment),
            );
            return;
        }
        let requested = self.journal.iter().filter(|r| matches!(r.event, Event::Requested(_))).count();
        let finished = self.journal.iter().filter(|r| matches!(r.event, Event::Finished { .. })).count();
        if requested != finished {
            self.broke("no step takes effect twice", format!("{requested} deployments, {finished} ends"));
        }
        let wanted = match state.current {
            Some(_) => state.wanted(self.scenario.spec.run.instances),
            None => 0,
        };
        let living: Vec<_> =
            self.processes.values().filter(|p| p.lives()).map(|p| p.version.clone()).collect();
        let right = living.iter().filter(|version| Some(*version) == state.current.as_ref()).count();
        if living.len() != right || right as u32 != wanted {
            let what =
                format!("{right} of {wanted} instances of {:?}, {} in all", state.current, living.len());
            self.broke("a crash anywhere is survived", what);
        }
        let serving = self.truly_up(&self.serving(&self.proxy.table));
        if serving != wanted {
            self.broke("a crash anywhere is survived", format!("{serving} of {wanted} serve at the end"));
        }
        self.check_canaries();
        if !self.schema_is_settled(state) {
            let what = format!("the schema is left as {:?}", self.database.standing);
            self.broke("nothing stays behind", what);
        }
        if self.processes.len() != living.len() {
            self.broke("nothing stays behind", "dead instances were not removed".to_owned());
        }
    }
}

/// The floor of a strategy, in the words of the design and not by the code under test.
fn floor(strategy: &Strategy, wanted: u32) -> u32 {
    let Strategy::Rolling(spec) = strategy else { return wanted };
    let batch = spec.batch.of_rounded_up(wanted).clamp(1, wanted.max(1));
    let surge = spec.surge.map_or(batch, |surge| surge.of_rounded_up(wanted));
    match spec.floor {
        Some(floor) => floor.of_rounded_up(wanted).min(wanted),
        None if surge == 0 => wanted.saturating_sub(batch),
        None => wanted,
    }
}
