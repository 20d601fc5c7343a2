//! What a decision is made from, and what it consists of.

use std::collections::BTreeMap;

use crate::base::{DeploymentId, Digest, InstanceId, Revision, Timestamp, VersionKey, VersionLabel};
use crate::contract::{Comparison, Contract};
use crate::database::ObservedDatabase;
use crate::deploy::{Asked, ObservedSource, Promise, Rounds, Wait};
use crate::fleet::ObservedInstances;
use crate::spec::{Moment, ServiceSpec};
use crate::traffic::{InstanceReport, TrafficReport};
use crate::workflow::{Action, Event, State};

/// All that a decision may depend on.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The time.
    pub now: Timestamp,
    /// What the team wants.
    pub spec: &'a ServiceSpec,
    /// What was decided and done so far.
    pub state: &'a State,
    /// What the world looks like.
    pub observed: &'a Observed,
}

/// What the world looks like.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    /// The instances, by their driver.
    pub instances: ObservedInstances,
    /// The versions that are being made ready, or are.
    pub prepared: BTreeMap<VersionLabel, Preparation>,
    /// The traffic, by the proxy. None: the proxy did not answer, nothing is known.
    pub traffic: Option<TrafficReport>,
    /// The database. None: there is none, or it does not answer and nothing is known.
    pub database: Option<ObservedDatabase>,
    /// The instance that was asked what its version promises, and what came of it. None: nobody is asked, or there is no answer yet.
    pub promise: Option<(InstanceId, Promise)>,
    /// The hook that is asked, and how far it is. None: nobody is asked.
    pub hook: Option<(DeploymentId, Moment, Asked)>,
    /// Of which deployment something is run again and again, and what came of it. None: nothing is.
    pub rounds: Option<(DeploymentId, Rounds)>,
    /// Where deliverables come from. None: nothing is known.
    pub source: Option<ObservedSource>,
}

/// How far a version is from being ready to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preparation {
    /// It is being worked on.
    Running,
    /// It can be run.
    Ready {
        /// Of what its deliverable is made.
        digest: Digest,
        /// The revision of the schema that it was written for. None: it needs none.
        revision: Option<Revision>,
        /// By which clients can ask for it. None: they can't.
        key: Option<VersionKey>,
        /// What it promises to its clients, and how that differs from what the version that serves does. None: nothing that
        /// is written down.
        contract: Option<(Contract, Comparison)>,
    },
    /// Its migrations follow on a revision that is not the only one yet: that must be settled first.
    Unsettled,
    /// It can't be used; why, for people.
    Failed(String),
}

/// What follows from an input.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    /// What has become a fact. If there is any, it is recorded and the decision is made anew before anything is done.
    pub facts: Vec<Event>,
    /// What is to be done now. Independent of each other.
    pub actions: Vec<Action>,
    /// What is waited for.
    pub waits: Vec<Wait>,
    /// When to look again even if nothing happens. None: only when something happens.
    pub wake_at: Option<Timestamp>,
}

impl Decision {
    pub(crate) fn wait(&mut self, wait: Wait) {
        if let Some(until) = wait.until() {
            self.look_again(until);
        }
        self.waits.push(wait);
    }

    pub(crate) fn look_again(&mut self, at: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(at, |known| known.min(at)));
    }
}

impl Observed {
    /// What the proxy says of an instance. None: it says nothing of it, or does not answer.
    pub fn report(&self, instance: InstanceId) -> Option<&InstanceReport> {
        self.traffic.as_ref()?.instances.get(&instance)
    }

    /// Whether the proxy says that an instance is healthy.
    pub fn is_up(&self, instance: InstanceId) -> bool {
        self.report(instance).is_some_and(|report| report.health.is_up())
    }
}

impl Input<'_> {
    /// The number of instances that are wanted.
    pub fn wanted(&self) -> u32 {
        self.state.wanted(self.spec.run.instances)
    }
}
