//! What was seen of a service, for its controller: health, what is in flight, sessions, answers by version, calls.
//!
//! Tested in `snapshot` and through the whole proxy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tandem_core::base::{ServiceName, VersionLabel};
use tandem_core::contract::{CallReport, Operation};
use tandem_core::traffic::{SessionReport, TrafficReport};

use super::{InstanceKey, Known, Shared, Snapshot};
use crate::calls;
use crate::instance::{Instance, lock};

/// The sessions of one service, by version.
type Sessions = BTreeMap<VersionLabel, SessionReport>;

impl Shared {
    /// The report of a service as soon as its number exceeds `seen`, or after `at_most`.
    pub(crate) fn watch(&self, service: &ServiceName, seen: u64, at_most: Duration) -> (u64, TrafficReport) {
        let changes = lock(&self.changes);
        let waited = self.changed.wait_timeout_while(changes, at_most, |number| *number <= seen);
        let number = match waited {
            Ok((number, _)) => *number,
            Err(poisoned) => *poisoned.into_inner().0,
        };
        (number, self.report(service))
    }

    /// What was seen of a service so far.
    pub(crate) fn report(&self, service: &ServiceName) -> TrafficReport {
        let mut known = lock(&self.known);
        let snapshot = self.snapshot.load();
        let in_table: BTreeSet<InstanceKey> = snapshot.keys().collect();
        known.instances.retain(|key, instance| instance.flights.total() > 0 || in_table.contains(key));
        let of_service = |(key, instance): (&InstanceKey, &Arc<Instance>)| {
            (key.0 == *service).then(|| (key.1, instance.report()))
        };
        let counts = known.counts.get(service).map(|counts| (service.clone(), counts.read()));
        TrafficReport {
            run: self.run,
            generation: snapshot.generation(service),
            instances: known.instances.iter().filter_map(of_service).collect(),
            counts: counts.into_iter().collect(),
            answers: BTreeMap::from([(service.clone(), known.answers(service))]),
            sessions: known.sessions(&snapshot, self.now()).remove_entry(service).into_iter().collect(),
        }
    }

    /// The calls of all operations that are in the table; what is not in it any more is forgotten.
    pub(crate) fn calls(&self) -> CallReport {
        let mut known = lock(&self.known);
        let snapshot = self.snapshot.load();
        let mut report = CallReport { run: self.run, ..CallReport::default() };
        for (route, state) in snapshot.table.routes.iter().zip(&snapshot.routes) {
            if let (Some(contract), Some(counts)) = (&route.contract, &state.calls) {
                report.services.insert(route.service.clone(), calls::read(&contract.operations, counts));
            }
        }
        let in_table = |service: &ServiceName, operation: &Operation| {
            report.services.get(service).is_some_and(|operations| operations.contains_key(operation))
        };
        known.calls.retain(|(service, operation), _| in_table(service, operation));
        report
    }
}

impl Known {
    /// The sessions of versions that live; what is not in the table any more is forgotten.
    fn sessions(&mut self, snapshot: &Snapshot, now: u64) -> BTreeMap<ServiceName, Sessions> {
        let mut sessions: BTreeMap<ServiceName, Sessions> = BTreeMap::new();
        self.audiences.retain(|(service, version), audience| {
            let route = snapshot.table.routes.iter().find(|route| route.service == *service);
            let held = route.map(|route| &route.sessions);
            let Some(held) = held.filter(|held| held.versions.iter().any(|v| v.version == *version)) else {
                return false;
            };
            let of_service = sessions.entry(service.clone()).or_default();
            of_service.insert(version.clone(), audience.report(held.idle, now));
            true
        });
        sessions
    }
}
