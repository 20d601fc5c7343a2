//! What the proxy reports of its traffic. Absence of a report means "unknown", never "none".

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answers::Answers;
use crate::base::{Generation, InstanceId, Millis, ServiceName, VersionLabel};

/// What one run of the proxy has seen so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TrafficReport {
    /// Tells one run of the proxy from the next; counts begin at zero with each run.
    pub run: u64,
    /// The table that is in force.
    pub generation: Generation,
    /// Every instance in the table, and those that left it with requests still in flight.
    pub instances: BTreeMap<InstanceId, InstanceReport>,
    /// The counts of each service.
    pub counts: BTreeMap<ServiceName, Counts>,
    /// The sessions of each service's versions, as far as clients are held to them.
    #[serde(default)]
    pub sessions: BTreeMap<ServiceName, BTreeMap<VersionLabel, SessionReport>>,
    /// The answers of each service's versions, as long as anything of a version is in the table or was of late. What a proxy
    /// that was taken over from still sees is not in it.
    #[serde(default)]
    pub answers: BTreeMap<ServiceName, BTreeMap<VersionLabel, Answers>>,
}

impl TrafficReport {
    /// Takes in what is still seen by a proxy that another one took over from: what is in flight there is in flight, and a
    /// table is in force once it is in force there, too.
    pub fn add_leaving(&mut self, leaving: TrafficReport) {
        self.generation = self.generation.min(leaving.generation);
        for (id, seen) in leaving.instances {
            match self.instances.entry(id) {
                Entry::Occupied(mut known) => {
                    let known = known.get_mut();
                    known.in_flight = known.in_flight.plus(seen.in_flight);
                    known.requests += seen.requests;
                    known.failed += seen.failed;
                }
                Entry::Vacant(place) => drop(place.insert(seen)),
            }
        }
    }
}

/// What is known of the clients that are held to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct SessionReport {
    /// About how many there were of late: within one to two times the time after which a session is over.
    pub clients: u64,
    /// How long ago the last request of one came.
    pub quiet: Millis,
}

/// What is known of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InstanceReport {
    /// Whether it answers its checks.
    pub health: Health,
    /// What is in flight on it. Exact once the table in force gives it no new requests.
    pub in_flight: InFlight,
    /// How many requests it was given.
    pub requests: u64,
    /// How many of them failed by its fault.
    pub failed: u64,
}

/// Whether an instance answers its checks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum Health {
    /// Not enough answers yet. `last` says what the last check met, if there was one.
    #[default]
    Unknown,
    /// Not healthy yet: never was; the last check failed as said.
    Failing {
        /// What the last check met, for people (`connection refused`, `301 Moved Permanently, Location: …`).
        last: String,
    },
    /// Healthy.
    Up,
    /// Was healthy and is not any more.
    Down {
        /// What the last check or request met, for people.
        last: String,
    },
}

impl Health {
    /// Whether requests may be given to it.
    pub fn is_up(&self) -> bool {
        matches!(self, Health::Up)
    }
}

/// What is in flight, by drain class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct InFlight {
    /// Ordinary requests.
    pub requests: u64,
    /// Requests whose body is still arriving.
    pub uploads: u64,
    /// Answers that are being sent.
    pub streams: u64,
    /// Upgraded connections.
    pub websockets: u64,
}

impl InFlight {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: InFlight) -> InFlight {
        InFlight {
            requests: self.requests + other.requests,
            uploads: self.uploads + other.uploads,
            streams: self.streams + other.streams,
            websockets: self.websockets + other.websockets,
        }
    }

    /// All classes together.
    pub fn total(&self) -> u64 {
        self.requests + self.uploads + self.streams + self.websockets
    }
}

/// Counts of one service, growing during one run of the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Requests that were well formed and matched the service.
    pub requests: u64,
    /// Of these, those that failed by the fault of Tandem or an instance: answered 502, 503 or 504 by the proxy, or
    /// cut in the middle of the answer.
    pub failed: u64,
    /// Requests that were tried on a second instance.
    pub retried: u64,
    /// Upgraded connections that were closed by draining.
    pub websockets_moved: u64,
    /// Of the failed ones, those that a drain deadline ended.
    pub cut: u64,
}

impl Counts {
    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Counts) -> Counts {
        Counts {
            requests: self.requests.saturating_add(other.requests),
            failed: self.failed.saturating_add(other.failed),
            retried: self.retried.saturating_add(other.retried),
            websockets_moved: self.websockets_moved.saturating_add(other.websockets_moved),
            cut: self.cut.saturating_add(other.cut),
        }
    }

    /// What was counted since `before`. Saturates at zero.
    #[must_use]
    pub fn since(&self, before: &Counts) -> Counts {
        Counts {
            requests: self.requests.saturating_sub(before.requests),
            failed: self.failed.saturating_sub(before.failed),
            retried: self.retried.saturating_sub(before.retried),
            websockets_moved: self.websockets_moved.saturating_sub(before.websockets_moved),
            cut: self.cut.saturating_sub(before.cut),
        }
    }
}
