//! From events to the state, one at a time. This is the whole table of legal moves: whatever is not here is an error.

mod deployment;

use crate::base::{Generation, InstanceId, Timestamp, VersionLabel};
use crate::database::{ChangePhase, Job, Standing};
use crate::fleet::Exit;
use crate::traffic::{Role, Table};
use crate::workflow::{
    Action, CrashRecord, Event, Gated, Instance, Outcome, Phase, Recorded, Release, Schema, Stage, State,
};

/// An event that does not fit the state before it. The journal is damaged, or a decision was wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("illegal event: {what}")]
pub struct Illegal {
    /// What does not fit, for people.
    pub what: String,
}

fn illegal<T>(what: impl Into<String>) -> Result<T, Illegal> {
    Err(Illegal { what: what.into() })
}

impl State {
    /// The state that a whole journal amounts to.
    ///
    /// # Errors
    /// The first event that does not fit.
    pub fn fold<'a>(events: impl IntoIterator<Item = &'a Recorded>) -> Result<State, Illegal> {
        let mut state = State::default();
        for recorded in events {
            state.apply(recorded.at, &recorded.event)?;
        }
        Ok(state)
    }

    /// Takes one more event into account. The state is unchanged if the event is illegal.
    ///
    /// # Errors
    /// The event does not fit the state.
    pub fn apply(&mut self, at: Timestamp, event: &Event) -> Result<(), Illegal> {
        match event {
            Event::Scaled { instances: 0 } => illegal("scaled to no instance"),
            Event::Scaled { instances } => {
                self.scaled = Some(*instances);
                Ok(())
            }
            Event::Gated { gate } => {
                self.gate = Gated { kind: gate.clone(), since: at };
                Ok(())
            }
            Event::Requested(request) => self.requested(at, request),
            Event::Arrived(_)
            | Event::Declined { .. }
            | Event::Superseded { .. }
            | Event::Refused { .. }
            | Event::Checked { .. }
            | Event::Approved { .. }
            | Event::SourcePaused { .. }
            | Event::SourceResumed => self.queue.apply(at, event),
            Event::Prepared { version, digest, revision, key, contract } => {
                if let Some(active) = self.deployment.as_ref().filter(|d| d.phase == Phase::Preparing) {
                    self.pace.prepare.add(at.since(active.phase_since));
                }
                let source = self.deployment.as_ref().map(|d| d.request.source.clone()).unwrap_or_default();
                let new =
                    || Release { digest: digest.clone(), source, revision: None, key: None, contract: None };
                let release = self.releases.entry(version.clone()).or_insert_with(new);
                release.revision.clone_from(revision);
                release.key.clone_from(key);
                release.contract.clone_from(contract);
                Ok(())
            }
            Event::Promised { version, contract } => match self.releases.get_mut(version) {
                Some(release) => {
                    release.contract = Some(contract.clone());
                    Ok(())
                }
                None => illegal(format!("{version} promises something and is not known")),
            },
            Event::Stands(standing) => {
                self.schema.stands(standing);
                Ok(())
            }
            Event::Previewed { .. } => {
                self.schema.used = true;
                Ok(())
            }
            Event::Ready { instance } => self.ready(at, *instance),
            Event::Ended { instance, exit, crashes } => self.ended(at, *instance, exit, *crashes),
            Event::Begun { action } => self.begun(at, action),
            Event::Done { outcome } => self.done(at, outcome),
            Event::Failed { action, error } => self.failed(at, action, error),
            Event::Foreseen { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Entered { .. }
            | Event::TurnedBack { .. }
            | Event::Diagnosed(_)
            | Event::Counted { .. }
            | Event::CapacityFell { .. }
            | Event::Compared { .. }
            | Event::Expanded { .. }
            | Event::Strayed { .. }
            | Event::Promoted { .. }
            | Event::Agreed { .. }
            | Event::Watched { .. }
            | Event::Reached { .. }
            | Event::Stepped { .. }
            | Event::Finished { .. } => self.deployment_moved(at, event),
        }
    }

    fn alive(&mut self, id: InstanceId) -> Result<&mut Instance, Illegal> {
        match self.instances.get_mut(&id) {
            Some(instance) if instance.stage.is_alive() => Ok(instance),
            Some(_) => illegal(format!("{id} has ended")),
            None => illegal(format!("{id} is not known")),
        }
    }

    fn ready(&mut self, at: Timestamp, id: InstanceId) -> Result<(), Illegal> {
        let instance = self.alive(id)?;
        if instance.stage != Stage::Starting || instance.address.is_none() {
            return illegal(format!("{id} became ready while {}", instance.stage));
        }
        let took = at.since(instance.since);
        instance.ready_at = Some(at);
        instance.move_to(Stage::Standby, at);
        self.pace.ready.add(took);
        Ok(())
    }

    fn ended(&mut self, at: Timestamp, id: InstanceId, exit: &Exit, crashes: u32) -> Result<(), Illegal> {
        let instance = self.alive(id)?;
        let stopped = instance.signalled.then_some(at.since(instance.since));
        instance.exit.get_or_insert_with(|| exit.clone());
        instance.move_to(Stage::Ended, at);
        let (version, was_ready) = (instance.version.clone(), instance.ready_at.is_some());
        stopped.into_iter().for_each(|took| self.pace.stop.add(took));
        if crashes > 0 {
            let record = CrashRecord { count: crashes, last: at, instance: id, exit: exit.clone() };
            self.crashes.insert(version.clone(), record);
        }
        if let Some(deployment) = &mut self.deployment {
            let forward = deployment.turned_back().is_none();
            if forward && crashes > 0 && was_ready && version == deployment.request.version {
                deployment.crashes += 1;
            }
            if deployment.goal() != Some(&version) {
                deployment.last_left_at = Some(at);
            }
        }
        Ok(())
    }

    fn begun(&mut self, at: Timestamp, action: &Action) -> Result<(), Illegal> {
        match action {
            Action::Prepare { version, .. } => match &self.deployment {
                Some(active) if active.request.version == *version => Ok(()),
                _ => illegal(format!("nobody asked to prepare {version}")),
            },
            Action::Start { instance, version } => self.starting(at, *instance, version),
            Action::Route { table } => self.routing(table),
            Action::Schema { job } => {
                self.schema.begun(job);
                Ok(())
            }
            Action::Stop { instance } => {
                let instance = self.alive(*instance)?;
                let drained = (instance.stage == Stage::Draining).then_some(at.since(instance.since));
                if instance.stage != Stage::Stopping {
                    instance.move_to(Stage::Stopping, at);
                }
                drained.into_iter().for_each(|took| self.pace.drain.add(took));
                Ok(())
            }
            Action::Remove { instance } => match self.instances.get(instance) {
                Some(i) if i.stage.is_alive() => illegal(format!("{instance} is removed while {}", i.stage)),
                Some(_) => Ok(()),
                None => illegal(format!("{instance} is not known")),
            },
        }
    }

    fn starting(&mut self, at: Timestamp, id: InstanceId, version: &VersionLabel) -> Result<(), Illegal> {
        if let Some(known) = self.instances.get(&id) {
            let again = known.stage == Stage::Starting && known.version == *version;
            return if again { Ok(()) } else { illegal(format!("{id} is started twice")) };
        }
        if id != self.last_instance.next() {
            return illegal(format!("{id} follows {}", self.last_instance));
        }
        self.last_instance = id;
        self.instances.insert(
            id,
            Instance {
                version: version.clone(),
                address: None,
                stage: Stage::Starting,
                since: at,
                ready_at: None,
                exit: None,
                signalled: false,
            },
        );
        if let Some(deployment) = &mut self.deployment
            && deployment.request.version == *version
            && deployment.mixed_since.is_none()
        {
            deployment.mixed_since = Some(at);
        }
        Ok(())
    }

    /// A table is about to be put in force. Nothing has moved yet: whether it is in force, only the proxy can tell.
    fn routing(&mut self, table: &Table) -> Result<(), Illegal> {
        let again = *table == self.table || Some(table) == self.pending.as_ref();
        if table.generation <= self.last_generation && !again {
            return illegal(format!("{} after {}", table.generation, self.last_generation));
        }
        for (id, instance) in &self.instances {
            let role = role(table, *id);
            if instance.stage.under(role).is_none() {
                return illegal(format!("{id} is {} and can't be routed as {role:?}", instance.stage));
            }
        }
        let mut members = table.routes.iter().flat_map(|route| &route.members);
        if let Some(stranger) = members.find(|m| !self.instances.contains_key(&m.instance)) {
            return illegal(format!("{} is routed and not known", stranger.instance));
        }
        self.last_generation = self.last_generation.max(table.generation);
        self.pending = Some(table.clone());
        Ok(())
    }

    /// The pending table is in force: instances move as it says. Those that ended meanwhile have ended.
    fn routed(&mut self, at: Timestamp, generation: Generation) -> Result<(), Illegal> {
        let Some(table) = self.pending.take_if(|pending| pending.generation == generation) else {
            return illegal(format!("{generation} was not about to be put in force"));
        };
        for (id, instance) in &mut self.instances {
            match instance.stage.under(role(&table, *id)) {
                Some(stage) if stage != instance.stage => instance.move_to(stage, at),
                _ => {}
            }
        }
        self.table = table;
        if let Some(change) = &self.schema.standing.change {
            let serves = |i: &Instance| i.stage == Stage::Serving;
            let new = |i: &Instance| self.revision_of(&i.version) == Some(&change.to);
            self.schema.used |= self.instances.values().any(|i| serves(i) && new(i));
        }
        Ok(())
    }

    fn done(&mut self, at: Timestamp, outcome: &Outcome) -> Result<(), Illegal> {
        match outcome {
            Outcome::Preparing { .. } | Outcome::Working { .. } => Ok(()),
            Outcome::Started { instance, address } => {
                self.alive(*instance)?.address = Some(*address);
                Ok(())
            }
            Outcome::Routed { generation } => self.routed(at, *generation),
            Outcome::Stopping { instance } => {
                self.alive(*instance)?.signalled = true;
                Ok(())
            }
            Outcome::Removed { instance } => {
                self.instances.remove(instance);
                Ok(())
            }
        }
    }

    /// A start that failed may have had its effect all the same: the instance is asked to stop, and has ended when
    /// that is observed.
    fn failed(&mut self, at: Timestamp, action: &Action, error: &str) -> Result<(), Illegal> {
        let Action::Start { instance, version } = action else { return Ok(()) };
        let (id, exit) = (*instance, Exit::NotExecuted(error.to_owned()));
        let instance = self.alive(id)?;
        instance.exit = Some(exit.clone());
        instance.move_to(Stage::Stopping, at);
        let count = self.crashes.get(version).map_or(0, |record| record.count).saturating_add(1);
        self.crashes.insert(version.clone(), CrashRecord { count, last: at, instance: id, exit });
        Ok(())
    }
}

impl Schema {
    fn stands(&mut self, standing: &Standing) {
        // A change that is another one than before has had no requests yet.
        let to = |standing: &Standing| standing.change.as_ref().map(|change| change.to.clone());
        if to(standing) != to(&self.standing) {
            self.used = false;
        }
        self.standing.clone_from(standing);
    }

    /// From now on the old revision may be gone: nobody may count on it any more.
    fn begun(&mut self, job: &Job) {
        match (job, &mut self.standing.change) {
            (Job::Expand { to, .. }, _) => self.begun = Some(to.clone()),
            (Job::Contract { .. }, Some(change)) => change.phase = ChangePhase::Contracting,
            (Job::Undo { .. }, Some(change)) => change.phase = ChangePhase::Undoing,
            (Job::Contract { .. } | Job::Undo { .. }, None) => {}
        }
    }
}

fn role(table: &Table, id: InstanceId) -> Option<Role> {
    table.routes.iter().flat_map(|route| &route.members).find(|m| m.instance == id).map(|m| m.role)
}

impl Instance {
    fn move_to(&mut self, stage: Stage, at: Timestamp) {
        (self.stage, self.since) = (stage, at);
    }
}

impl Stage {
    /// The stage that follows when a table gives the instance this role (None: it is not in the table). None: it may
    /// not have that role.
    pub fn under(self, role: Option<Role>) -> Option<Stage> {
        match (self, role) {
            (Stage::Starting, None | Some(Role::Standby)) => Some(Stage::Starting),
            (Stage::Standby | Stage::Serving, Some(Role::Standby)) => Some(Stage::Standby),
            (Stage::Standby | Stage::Serving | Stage::Draining, Some(Role::Serve)) => Some(Stage::Serving),
            (Stage::Starting | Stage::Standby | Stage::Serving | Stage::Draining, Some(Role::Drain)) => {
                Some(Stage::Draining)
            }
            (Stage::Stopping, None | Some(Role::Drain)) => Some(Stage::Stopping),
            (Stage::Ended, None) => Some(Stage::Ended),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
