//! Rates, shares and quantiles of what came between two looks. Pure; tested through the program.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tandem_core::base::{DeploymentId, InstanceId, ServiceName, VersionLabel};
use tandem_core::traffic::metrics::{DrainLeft, Histogram, Metrics, Requests, StatusClass};
use tandem_core::traffic::{Health, InFlight};
use tandem_server::api::Status;

/// What went on between two looks.
#[derive(Debug, Serialize)]
pub(super) struct Top {
    pub(super) service: ServiceName,
    pub(super) current: Option<VersionLabel>,
    /// The deployment under way.
    pub(super) deployment: Option<DeploymentId>,
    /// The length of the time between, in seconds.
    pub(super) seconds: f64,
    /// Connections of clients that are open.
    pub(super) connections: u64,
    /// Lines of the log that were dropped, in all.
    pub(super) log_dropped: u64,
    /// Everything, what the proxy answered itself included.
    pub(super) all: Figures,
    pub(super) versions: BTreeMap<VersionLabel, Figures>,
    pub(super) instances: Vec<InstanceFigures>,
}

/// Figures of requests that ended.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    /// So many in a second.
    pub(super) rate: f64,
    /// The share that was answered with 500 or more. None: there were none.
    pub(super) errors: Option<f64>,
    /// So long took one half at the most, in seconds.
    pub(super) p50: Option<f64>,
    /// So long took 99 of 100 at the most, in seconds.
    pub(super) p99: Option<f64>,
    pub(super) in_flight: u64,
}

/// Those of one instance that has not left.
#[derive(Debug, Serialize)]
pub(super) struct InstanceFigures {
    pub(super) instance: InstanceId,
    pub(super) version: VersionLabel,
    pub(super) stage: Option<String>,
    pub(super) health: Health,
    #[serde(flatten)]
    pub(super) figures: Figures,
    /// What is in flight, by drain class.
    pub(super) classes: InFlight,
    /// If it is leaving: how long that may still take.
    pub(super) left: Option<DrainLeft>,
}

/// What ended, added up.
#[derive(Debug, Clone, Default)]
struct Sum {
    count: u64,
    errors: u64,
    durations: Histogram,
    in_flight: u64,
}

impl Sum {
    fn between(before: &Requests, now: &Requests, in_flight: u64) -> Sum {
        let since = |pick: fn(&Requests) -> u64| pick(now).saturating_sub(pick(before));
        Sum {
            count: since(Requests::count),
            errors: since(|requests| requests.of_class(StatusClass::ServerError)),
            durations: now.durations.since(&before.durations),
            in_flight,
        }
    }

    fn add(&mut self, other: &Sum) {
        self.count += other.count;
        self.errors += other.errors;
        self.durations = self.durations.plus(&other.durations);
        self.in_flight += other.in_flight;
    }

    fn figures(&self, between: Duration) -> Figures {
        let seconds = |share| self.durations.quantile(share).map(|micros| micros as f64 / 1e6);
        Figures {
            rate: self.count as f64 / between.as_secs_f64().max(0.001),
            errors: (self.count > 0).then(|| self.errors as f64 / self.count as f64),
            p50: seconds(0.5),
            p99: seconds(0.99),
            in_flight: self.in_flight,
        }
    }
}

impl Top {
    /// None: the looks were at different runs of the proxy.
    pub(super) fn of(status: &Status, before: &Metrics, now: &Metrics, between: Duration) -> Option<Top> {
        if before.run != now.run {
            return None;
        }
        let nothing = Requests::default();
        let earlier = before.services.get(&status.service);
        let service = now.services.get(&status.service);
        let (mut all, mut versions, mut instances) = (Sum::default(), BTreeMap::new(), Vec::new());
        if let Some(service) = service {
            all.add(&Sum::between(earlier.map_or(&nothing, |earlier| &earlier.own), &service.own, 0));
        }
        for (id, instance) in service.iter().flat_map(|service| &service.instances) {
            let first = earlier.and_then(|earlier| earlier.instances.get(id));
            let in_flight = instance.now.as_ref().map_or(0, |now| now.in_flight.total());
            let first = first.map_or(&nothing, |first| &first.requests);
            let sum = Sum::between(first, &instance.requests, in_flight);
            all.add(&sum);
            let Some(now) = &instance.now else { continue };
            versions.entry(instance.version.clone()).or_insert_with(Sum::default).add(&sum);
            let known = status.instances.iter().find(|known| known.instance == *id);
            instances.push(InstanceFigures {
                instance: *id,
                version: instance.version.clone(),
                stage: known.map(|known| known.stage.to_string()),
                health: now.health.clone(),
                figures: sum.figures(between),
                classes: now.in_flight,
                left: now.left,
            });
        }
        Some(Top {
            service: status.service.clone(),
            current: status.current.clone(),
            deployment: status.deployment.as_ref().map(|deployment| deployment.id),
            seconds: between.as_secs_f64(),
            connections: now.connections.open,
            log_dropped: now.log.dropped,
            all: all.figures(between),
            versions: versions.into_iter().map(|(version, sum)| (version, sum.figures(between))).collect(),
            instances,
        })
    }
}
