//! What is measured, as a report: who has a meter, for how long, and what all meters say.
//!
//! An instance that left keeps its sums for a while, so that whoever asks now and then sees its last requests; then they
//! are forgotten, or there would be more and more. Tested in place and through the whole proxy.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tandem_core::base::{ServiceName, VersionLabel};
use tandem_core::traffic::metrics::{
    ConnectionMetrics, InstanceMetrics, InstanceNow, LogMetrics, Metrics, ServiceMetrics,
};
use tandem_core::traffic::{Answers, Member};

use super::{InstanceKey, Known, Shared, Snapshot};
use crate::counts::Count;
use crate::instance::lock;
use crate::meter::Meter;

/// How long the sums of an instance are kept after it left, in milliseconds.
const KEPT: u64 = 5 * 60 * 1000;
/// So many instances that left have theirs kept, the last ones.
const MOST_LEFT: usize = 1000;

/// The meters of all instances. Of one series there is one meter, whatever becomes of the instance.
#[derive(Debug, Default)]
pub(super) struct Meters {
    entries: BTreeMap<(InstanceKey, VersionLabel), Entry>,
    /// What was measured of versions by meters that are forgotten, for as long as there are others of the same version.
    forgotten: BTreeMap<(ServiceName, VersionLabel), Answers>,
}

#[derive(Debug)]
struct Entry {
    meter: Arc<Meter>,
    /// When it left, by the proxy's clock.
    left: Option<u64>,
}

impl Meters {
    /// The meter of an instance in the table.
    pub(super) fn of(&mut self, service: &ServiceName, member: &Member, threads: usize) -> Arc<Meter> {
        let key = ((service.clone(), member.instance), member.version.clone());
        let make = || Entry { meter: Arc::new(Meter::new(threads)), left: None };
        Arc::clone(&self.entries.entry(key).or_insert_with(make).meter)
    }

    /// The answers of a service's versions; their sums never sink.
    fn answers(&self, service: &ServiceName) -> BTreeMap<VersionLabel, Answers> {
        let mut answers: BTreeMap<VersionLabel, Answers> = BTreeMap::new();
        let forgotten = self.forgotten.iter().map(|((name, version), sum)| (name, version, sum.clone()));
        let known =
            self.entries.iter().map(|((key, version), entry)| (&key.0, version, entry.meter.answers()));
        for (_, version, more) in forgotten.chain(known).filter(|(name, ..)| *name == service) {
            let sum = answers.entry(version.clone()).or_default();
            *sum = sum.plus(&more);
        }
        answers
    }

    /// Forgets what left long ago.
    fn forget(&mut self, now: u64, is_there: impl Fn(&InstanceKey, &VersionLabel) -> bool) {
        let mut times = Vec::new();
        for ((key, version), entry) in &mut self.entries {
            entry.left = if is_there(key, version) { None } else { Some(entry.left.unwrap_or(now)) };
            times.extend(entry.left);
        }
        times.sort_unstable_by(|a, b| b.cmp(a));
        let oldest = now.saturating_sub(KEPT).max(times.get(MOST_LEFT).map_or(0, |time| time + 1));
        let old = |_: &_, entry: &mut Entry| entry.left.is_some_and(|left| left < oldest);
        for ((key, version), entry) in self.entries.extract_if(.., old) {
            let sum = self.forgotten.entry((key.0, version)).or_default();
            *sum = sum.plus(&entry.meter.answers());
        }
        let entries = &self.entries;
        self.forgotten.retain(|(service, version), _| {
            entries.keys().any(|(key, known)| key.0 == *service && known == version)
        });
    }
}

impl Known {
    /// Forgets the sums of what left long ago.
    pub(super) fn forget_meters(&mut self, now: u64) {
        let Known { meters, instances, .. } = self;
        meters.forget(now, |key, version| instances.get(key).is_some_and(|i| i.version == *version));
    }

    /// The answers of a service's versions.
    pub(super) fn answers(&self, service: &ServiceName) -> BTreeMap<VersionLabel, Answers> {
        self.meters.answers(service)
    }

    fn services(&self, snapshot: &Snapshot, now: u64) -> BTreeMap<ServiceName, ServiceMetrics> {
        let mut services = BTreeMap::new();
        for (name, counts) in &self.counts {
            let metrics = ServiceMetrics {
                http1: counts.sum(Count::Http1),
                http2: counts.sum(Count::Http2),
                own: counts.own.read().0,
                counts: counts.read(),
                instances: BTreeMap::new(),
            };
            services.insert(name.clone(), metrics);
        }
        for ((key, version), entry) in &self.meters.entries {
            let (name, id) = key;
            let Some(service) = services.get_mut(name) else { continue };
            let (requests, heads) = entry.meter.read();
            let instance = self.instances.get(key).filter(|instance| instance.version == *version);
            let now = instance.map(|instance| {
                let report = instance.report();
                let route = snapshot.table.routes.iter().find(|route| route.service == *name);
                let members = route.map(|route| route.members.as_slice()).unwrap_or_default();
                let member = members.iter().find(|member| member.instance == *id);
                InstanceNow {
                    role: member.map(|member| member.role),
                    health: report.health,
                    in_flight: report.in_flight,
                    given: report.requests,
                    failed: report.failed,
                    left: instance.left(now),
                }
            });
            let metrics = InstanceMetrics { version: version.clone(), requests, heads, now };
            service.instances.insert(*id, metrics);
        }
        services
    }
}

impl Shared {
    /// What was measured so far of a service, and of the proxy as a whole.
    pub(crate) fn metrics(&self, service: &ServiceName) -> Metrics {
        let mut known = lock(&self.known);
        let (snapshot, now) = (self.snapshot.load(), self.now());
        known.forget_meters(now);
        Metrics {
            run: self.run,
            pid: std::process::id(),
            generation: snapshot.generation(service),
            connections: ConnectionMetrics {
                open: self.connections.load(Ordering::Relaxed) as u64,
                most: u64::from(snapshot.limits.connections),
                ..self.door.connections()
            },
            refused: self.door.refused(),
            log: LogMetrics {
                written: self.log.tally.written.load(Ordering::Relaxed),
                dropped: self.log.tally.dropped.load(Ordering::Relaxed),
            },
            services: known.services(&snapshot, now).remove_entry(service).into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tandem_core::base::InstanceId;
    use tandem_core::traffic::Role;
    use tandem_core::traffic::metrics::{Method, StatusClass};

    use super::*;

    fn member(id: u64) -> Member {
        let (version, address) = ("v1".parse().unwrap(), "127.0.0.1:1".parse().unwrap());
        Member { instance: InstanceId(id), version, address, role: Role::Serve }
    }

    #[test]
    fn sums_of_what_left_are_kept_for_a_while_and_never_begin_anew_meanwhile() {
        let (mut meters, service) = (Meters::default(), "shop".parse().unwrap());
        let of = |meters: &mut Meters, id| meters.of(&service, &member(id), 1);
        let first = of(&mut meters, 1);
        meters.forget(1_000, |_, _| true);
        meters.forget(2_000, |_, _| false);
        meters.forget(2_000 + KEPT, |_, _| false);
        assert!(
            Arc::ptr_eq(&first, &of(&mut meters, 1)),
            "it is kept, and goes on when the instance comes back"
        );
        meters.forget(3_000 + KEPT, |_, _| true);
        meters.forget(4_000 + KEPT, |_, _| false);
        meters.forget(4_001 + 2 * KEPT, |_, _| false);
        assert!(meters.entries.is_empty(), "nobody asks for it any more");
    }

    #[test]
    fn instances_that_come_and_go_quickly_take_bounded_room() {
        let (mut meters, service) = (Meters::default(), "shop".parse().unwrap());
        for id in 0..3 * MOST_LEFT as u64 {
            meters.of(&service, &member(id), 1);
            meters.forget(id, |known, _| known.1.0 == id);
        }
        assert!(meters.entries.len() <= MOST_LEFT + 1, "{}", meters.entries.len());
        let newest = meters.entries.keys().map(|((_, id), _)| id.0).max();
        assert_eq!(newest, Some(3 * MOST_LEFT as u64 - 1));
    }

    #[test]
    fn what_a_version_answered_never_sinks_while_anything_of_it_is_known() {
        let (mut meters, service) = (Meters::default(), "shop".parse().unwrap());
        let failed = |meters: &mut Meters, id| {
            let meter = meters.of(&service, &member(id), 1);
            meter.shard(0).unwrap().end(Method::Get, StatusClass::ServerError);
            meter.shard(0).unwrap().answered(3_000);
        };
        failed(&mut meters, 1);
        failed(&mut meters, 2);
        let sum = |meters: &Meters| meters.answers(&service).into_values().next();
        assert_eq!(sum(&meters).map(|sum| (sum.all, sum.failed, sum.latencies.count())), Some((2, 2, 2)));
        let only_two = |key: &InstanceKey, _: &VersionLabel| key.1 == InstanceId(2);
        meters.forget(1_000, only_two);
        meters.forget(1_001 + KEPT, only_two);
        assert_eq!(meters.entries.len(), 1);
        assert_eq!(sum(&meters).map(|sum| (sum.all, sum.failed, sum.latencies.count())), Some((2, 2, 2)));
        meters.forget(1_001 + KEPT, |_, _| false);
        meters.forget(1_002 + 2 * KEPT, |_, _| false);
        assert_eq!((sum(&meters), meters.forgotten.len()), (None, 0));
    }
}
