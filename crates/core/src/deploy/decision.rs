//! What a decision is made from, and what it consists of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::{Digest, InstanceId, Millis, Timestamp, VersionLabel};
use crate::fleet::{Exit, ObservedInstances};
use crate::spec::ServiceSpec;
use crate::traffic::{Health, InFlight, InstanceReport, TrafficReport};
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
}

/// How far a version is from being ready to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preparation {
    /// It is being worked on.
    Running,
    /// It can be run.
    Ready(Digest),
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
            self.wake_at = Some(self.wake_at.map_or(until, |at| at.min(until)));
        }
        self.waits.push(wait);
    }
}

/// Something that is waited for. Each says what, and until when where there is an end to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "wait")]
pub enum Wait {
    /// The deliverable is being made ready.
    Preparing {
        /// Of this version.
        version: VersionLabel,
    },
    /// An instance does not answer its health checks yet.
    NotReady {
        /// The instance.
        instance: InstanceId,
        /// What its last check met.
        health: Health,
        /// When it must be ready.
        until: Timestamp,
    },
    /// Requests are still in flight on an instance that gets no more.
    Draining {
        /// The instance.
        instance: InstanceId,
        /// What is in flight. None: not known, the proxy did not answer.
        in_flight: Option<InFlight>,
        /// When the last of it is cut.
        until: Timestamp,
    },
    /// An instance was asked to stop and has not ended yet.
    Stopping {
        /// The instance.
        instance: InstanceId,
        /// When it is killed.
        until: Timestamp,
    },
    /// The new version is being watched.
    Baking {
        /// Until then.
        until: Timestamp,
    },
    /// The old pool is kept running, to go back at once if need be.
    Warm {
        /// Until then.
        until: Timestamp,
    },
    /// A version keeps dying; it is started again later.
    Backoff {
        /// The version.
        version: VersionLabel,
        /// How often it died in a row.
        crashes: u32,
        /// The last that died.
        instance: InstanceId,
        /// How it died.
        exit: Exit,
        /// When it is started again.
        until: Timestamp,
    },
    /// The whole new pool must be ready before the flip.
    PoolNotReady {
        /// So many are ready.
        ready: u32,
        /// Out of so many.
        wanted: u32,
    },
    /// The next instance may leave only when more others are healthy.
    Floor {
        /// So many are healthy and serve.
        healthy: u32,
        /// So many must.
        floor: u32,
    },
    /// The proxy does not answer; without its counts nothing may be stopped.
    ProxyAway,
    /// Somebody paused the deployment.
    Paused,
}

impl Wait {
    /// When the wait ends by itself.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Wait::NotReady { until, .. }
            | Wait::Draining { until, .. }
            | Wait::Stopping { until, .. }
            | Wait::Baking { until }
            | Wait::Warm { until }
            | Wait::Backoff { until, .. } => Some(*until),
            Wait::Preparing { .. }
            | Wait::PoolNotReady { .. }
            | Wait::Floor { .. }
            | Wait::ProxyAway
            | Wait::Paused => None,
        }
    }

    /// One sentence for people, without a full stop.
    pub fn sentence(&self, now: Timestamp) -> String {
        let left = self.until().map(|until| round_up(until.since(now)));
        let left = left.unwrap_or_default();
        match self {
            Wait::Preparing { version } => format!("the deliverable of {version} is being made ready"),
            Wait::NotReady { instance, health, .. } => format!(
                "{instance} is not ready yet ({}); it has {left} left",
                crate::workflow::last_answer(health)
            ),
            Wait::Draining { instance, in_flight: Some(f), .. } => format!(
                "{instance} is draining: {} requests, {} uploads, {} streams, {} WebSockets in flight; \
                 cut in {left} at the latest",
                f.requests, f.uploads, f.streams, f.websockets
            ),
            Wait::Draining { instance, in_flight: None, .. } => {
                format!("{instance} is draining, and the proxy has not said yet what is in flight on it")
            }
            Wait::Stopping { instance, .. } => {
                format!("{instance} was asked to stop; it is killed in {left} if it has not ended by then")
            }
            Wait::Baking { .. } => format!("the new version is watched for another {left}"),
            Wait::Warm { .. } => format!("the old pool is kept warm for another {left}"),
            Wait::Backoff { version, crashes, instance, exit, .. } => format!(
                "{version} died {crashes} times in a row (the last: {instance} {exit}); it is started again in {left}"
            ),
            Wait::PoolNotReady { ready, wanted } => {
                format!("the flip waits until the whole pool is ready: {ready}/{wanted}")
            }
            Wait::Floor { healthy, floor } => {
                format!("nothing may leave: {healthy} healthy instances serve, the floor is {floor}")
            }
            Wait::ProxyAway => "the proxy does not answer; nothing is stopped without its counts".to_owned(),
            Wait::Paused => "the deployment is paused; `tandem resume` lets it go on".to_owned(),
        }
    }
}

/// Whole seconds read better than milliseconds.
fn round_up(left: Millis) -> Millis {
    Millis::from_secs(left.0.div_ceil(1000))
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
