//! The database of the world: revisions that come and go by jobs that take time, fail, and die with the controller.
//!
//! What each version needs is checked here on what really is, after every step.

use std::collections::BTreeMap;

use tandem_core::base::{InstanceId, Millis, Revision, Timestamp, VersionLabel};
use tandem_core::database::{Change, ChangePhase, Job, ObservedDatabase, Session, Standing, Work};
use tandem_core::deploy::Preparation;
use tandem_core::workflow::{Phase, State};

use crate::scenario::Behaviour;
use crate::world::World;

impl World {
    /// The revision that a version is written for. Without a database: none.
    pub(crate) fn revision_of(&self, version: &VersionLabel) -> Option<Revision> {
        self.scenario.spec.database.url.as_ref()?;
        self.scenario.revisions.get(version).cloned()
    }

    /// What looking at a deliverable comes to, by the schema at this moment.
    pub(crate) fn examine(&self, version: &VersionLabel) -> Preparation {
        let ready = |revision| {
            let key =
                format!("key0of0{}", version.as_str().replace(|c: char| !c.is_ascii_alphanumeric(), "0"));
            Preparation::Ready {
                digest: "ab".parse().expect("a digest"),
                revision,
                key: key.parse().ok(),
                contract: None,
            }
        };
        let Some(wanted) = self.revision_of(version) else { return ready(None) };
        let standing = &self.database.standing;
        let behind = standing.revision.as_ref().is_some_and(|at| wanted < *at);
        match &standing.change {
            None if behind => Preparation::Failed(format!("the database is past {wanted}")),
            None => ready(Some(wanted)),
            Some(change) => {
                let known = change.to == wanted
                    && matches!(change.phase, ChangePhase::Expanding | ChangePhase::Mixed)
                    || change.from.as_ref() == Some(&wanted) && change.phase != ChangePhase::Contracting;
                if known { ready(Some(wanted)) } else { Preparation::Unsettled }
            }
        }
    }

    pub(crate) fn see_database(&self) -> Option<ObservedDatabase> {
        let (standing, work) = (self.database.standing.clone(), self.work());
        let change = standing.change.as_ref();
        let sessions = change.map(|_| self.sessions()).unwrap_or_default();
        let clients = |revision: &Revision| {
            let all = sessions.values().flatten();
            all.filter(|session| session.revision.as_ref() == Some(revision)).count() as u32
        };
        Some(ObservedDatabase {
            old_clients: change.and_then(|c| c.from.as_ref()).map_or(0, clients),
            new_clients: change.map_or(0, |c| clients(&c.to)),
            sessions,
            standing,
            work,
            at: self.time(),
            ..ObservedDatabase::default()
        })
    }

    /// The sessions of each instance: one of its revision, if it does as it should. Behind a pooler nobody sees whose they are.
    fn sessions(&self) -> BTreeMap<InstanceId, Vec<Session>> {
        let living = self.processes.iter().filter(|(_, process)| process.lives() && !self.scenario.pooled);
        let sessions = living.filter_map(|(id, process)| {
            let (since, strays) = match self.scenario.behaviours.get(&process.version) {
                Some(Behaviour::StraysLate) => (process.asked?, true),
                Some(Behaviour::Strays) => (process.started, true),
                _ => (process.started, false),
            };
            let revision = self.revision_of(&process.version).filter(|_| !strays);
            let (user, application) = ("app".to_owned(), String::new());
            let age = Millis(self.now - since);
            Some((*id, vec![Session { pid: id.0 as i32, user, application, age, revision }]))
        });
        sessions.collect()
    }

    fn work(&self) -> Work {
        match (&self.database.work, &self.database.failed) {
            (Some((job, ..)), _) => Work::Running { job: job.clone(), progress: String::new() },
            (None, Some(failed)) => failed.clone(),
            (None, None) => Work::Idle,
        }
    }

    pub(crate) fn begin_job(&mut self, job: &Job) -> Result<(), String> {
        if let Some((running, ..)) = &self.database.work {
            if running != job {
                self.note(format!("{running} is cut off"));
                self.database.work = None;
            }
            return Ok(());
        }
        let standing = &self.database.standing;
        let phase = match (job, &standing.change) {
            (Job::Expand { to, .. }, None) => {
                if standing.revision.as_ref() == Some(to) {
                    return Ok(());
                }
                let from = standing.revision.clone();
                let change = Change { from, to: to.clone(), phase: ChangePhase::Expanding };
                self.database.standing.change = Some(change);
                self.database.used = false;
                ChangePhase::Expanding
            }
            (Job::Expand { to, .. }, Some(change)) if change.to == *to => change.phase,
            (Job::Contract { to }, Some(change)) if change.to == *to => ChangePhase::Contracting,
            (Job::Undo { to }, Some(change)) if change.to == *to => {
                // One that was begun is carried on with, whatever has become of the deployment that it was in the way of.
                let begun = change.phase == ChangePhase::Undoing;
                if self.database.used && !begun && !self.is_preparing() {
                    self.broke("undo until contract", format!("{job} though requests were answered with it"));
                }
                ChangePhase::Undoing
            }
            (Job::Contract { .. } | Job::Undo { .. }, None) => return Ok(()),
            (_, Some(change)) => return Err(format!("{job}, but the change goes to {}", change.to)),
        };
        self.note(format!("{job} begins"));
        if let Some(change) = &mut self.database.standing.change {
            change.phase = phase;
        }
        let ends = self.now + self.random.between(10, 2500);
        let fails = self.faulty() && self.random.chance(self.scenario.faults.error);
        self.database.work = Some((job.clone(), ends, fails));
        Ok(())
    }

    /// A deployment has begun that may not be able to go on before the schema is settled.
    fn is_preparing(&self) -> bool {
        let state = State::fold(&self.journal).unwrap_or_default();
        state.deployment.is_some_and(|deployment| deployment.phase == Phase::Preparing)
    }

    /// The controller was killed: its work stands still where it was.
    pub(crate) fn drop_job(&mut self) {
        (self.database.work, self.database.failed) = (None, None);
    }

    pub(crate) fn end_job(&mut self) {
        let Some((job, _, fails)) = self.database.work.take_if(|(_, ends, _)| *ends <= self.now) else {
            return;
        };
        if fails {
            self.note(format!("{job} fails"));
            let attempts = match &self.database.failed {
                Some(Work::Failed { job: before, attempts, .. }) if *before == job => attempts + 1,
                _ => 1,
            };
            let (at, error): (Timestamp, _) = (self.time(), "it failed".to_owned());
            self.database.failed = Some(Work::Failed { job, error, at, attempts, again: true });
            return;
        }
        self.note(format!("{job} ends"));
        self.database.failed = None;
        let standing = &mut self.database.standing;
        match &job {
            Job::Expand { .. } => {
                if let Some(change) = &mut standing.change {
                    change.phase = ChangePhase::Mixed;
                }
            }
            Job::Contract { to } => *standing = Standing { revision: Some(to.clone()), change: None },
            Job::Undo { .. } => standing.change = None,
        }
    }

    /// An instance is given requests: nobody can tell any more that none of them wrote.
    pub(crate) fn uses_schema(&mut self, version: &VersionLabel) {
        let revision = self.revision_of(version);
        let change = self.database.standing.change.as_ref();
        self.database.used |= change.is_some_and(|change| Some(&change.to) == revision.as_ref());
    }

    /// Promise 6: whatever lives finds its own schema.
    pub(crate) fn check_schema(&mut self) {
        let living = self.processes.iter().filter(|(_, process)| process.lives());
        let lost = living.filter(|(_, process)| {
            let revision = self.revision_of(&process.version);
            !self.database.standing.serves(revision.as_ref())
        });
        let lost: Vec<_> = lost.map(|(id, process)| format!("{id} of {}", process.version)).collect();
        if !lost.is_empty() {
            let how = format!("{} with {:?}", lost.join(", "), self.database.standing);
            self.broke("each version sees exactly its own schema", how);
        }
    }

    /// Whether the schema is where it is to be when all has come to its end: one revision, or, after a rollback, both.
    pub(crate) fn schema_is_settled(&self, state: &State) -> bool {
        let current = state.current.as_ref().and_then(|version| self.revision_of(version));
        if self.scenario.spec.database.url.is_none() || current.is_none() {
            return self.database.work.is_none();
        }
        match self.database.standing.mixed() {
            Some(change) => self.database.used && change.from == current,
            None => self.database.standing == Standing { revision: current, change: None },
        }
    }
}
