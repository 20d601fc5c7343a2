//! From the engine's view to the status that people see. Pure; tested through the API.

use tandem_core::base::Timestamp;
use tandem_core::deploy::{Input, findings, strays};
use tandem_core::spec::{ServiceSpec, Strategy};
use tandem_core::traffic::Gate;
use tandem_core::workflow::{Deployment, Queue, Stage};
use tandem_engine::View;

use super::{
    CanaryStatus, DeploymentRecord, DeploymentStatus, FindingStatus, InstanceStatus, MaintenanceStatus,
    Status, WaitStatus, Why,
};

/// So much is told of what was not taken in; `tandem queue` tells the rest.
const TOLD: usize = 3;

impl Status {
    /// The status that a view amounts to. Whether the configuration has changed is not known here.
    pub(crate) fn of(view: &View, spec: &ServiceSpec, now: Timestamp) -> Status {
        let (state, observed) = (&view.state, &view.observed);
        let wanted = state.wanted(spec.run.instances);
        let serving = state.instances.iter().filter(|(_, i)| i.stage == Stage::Serving);
        let known = observed.traffic.as_ref();
        Status {
            service: spec.service.clone(),
            at: view.at,
            listen: spec.listen.iter().map(|listen| listen.address).collect(),
            current: state.current.clone(),
            previous: state.previous.clone(),
            wanted,
            healthy: known.map(|_| serving.filter(|(id, _)| observed.is_up(**id)).count() as u32),
            instances: instances(view),
            deployment: state.deployment.as_ref().map(|deployment| under_way(view, spec, deployment)),
            maintenance: match &state.gate.kind {
                Gate::Closed(told) => Some(MaintenanceStatus {
                    since: state.gate.since,
                    message: told.message.clone(),
                    allow: told.allow.clone(),
                }),
                Gate::Open | Gate::Held { .. } => None,
            },
            waits: view
                .waits
                .iter()
                .map(|wait| WaitStatus {
                    sentence: wait.sentence(now),
                    until: wait.until(),
                    wait: wait.clone(),
                })
                .collect(),
            counts: known.map(|report| report.counts.get(&spec.service).copied().unwrap_or_default()),
            sessions: known
                .and_then(|report| report.sessions.get(&spec.service))
                .cloned()
                .unwrap_or_default(),
            remarks: remarks(view, spec),
            database: observed.database.clone(),
            config_changed: false,
            trouble: None,
        }
    }

    /// What is waited for, in sentences.
    pub(crate) fn why(&self) -> Why {
        let deployment = self.deployment.as_ref().map(|d| {
            let way = match &d.turned_back {
                Some(reason) => format!("goes back, because {reason}; it is {}", d.phase),
                None => format!("is {}", d.phase),
            };
            format!("{} to {} {way}", d.id, d.version)
        });
        let trouble = self.trouble.iter().cloned();
        let changed = self.config_changed.then(|| {
            "the configuration on the disk is another one than that in force; `tandem reload` takes it"
                .to_owned()
        });
        let nothing = (self.current.is_none() && self.deployment.is_none())
            .then(|| "nothing is deployed yet; `tandem deploy PATH` deploys the first version".to_owned());
        let waits = self.waits.iter().map(|wait| wait.sentence.clone());
        Why {
            deployment,
            waits: trouble.chain(waits).chain(nothing).chain(changed).collect(),
            remarks: self.remarks.clone(),
        }
    }
}

/// Whoever uses the database and not as the revision that is expected of it.
fn remarks(view: &View, spec: &ServiceSpec) -> Vec<String> {
    let (now, state, observed) = (view.at, &view.state, &view.observed);
    let strays = strays(&Input { now, spec, state, observed });
    let strangers = observed.database.as_ref().map_or(0, |seen| seen.strangers);
    let strangers = (strangers > 0).then(|| {
        format!(
            "{strangers} database sessions are of neither revision, and of no instance as far as can be told (a pooler, a Unix \
             socket, another program): look at pg_stat_activity"
        )
    });
    let remarks = strays.iter().map(ToString::to_string).chain(strangers);
    remarks.chain(of_queue(&state.queue)).collect()
}

/// That nothing is begun by itself, and what came last and was not taken in.
fn of_queue(queue: &Queue) -> impl Iterator<Item = String> + '_ {
    let paused = queue.paused.iter().map(|pause| {
        let why = &pause.why;
        format!("nothing is deployed by itself, because {why}; `tandem source resume` ends that, or the next `tandem deploy`")
    });
    let last = queue.entries.last().map_or(Timestamp(0), |entry| entry.arrived_at);
    let since = queue.declined.iter().rev().take(TOLD).filter(move |declined| declined.at >= last);
    paused.chain(since.map(|declined| format!("{} was not taken: {}", declined.name, declined.why)))
}

fn instances(view: &View) -> Vec<InstanceStatus> {
    let status = |(id, instance): (&tandem_core::base::InstanceId, &tandem_core::workflow::Instance)| {
        let report = view.observed.report(*id);
        InstanceStatus {
            instance: *id,
            version: instance.version.clone(),
            revision: view.state.revision_of(&instance.version).cloned(),
            stage: instance.stage,
            since: instance.since,
            address: instance.address,
            health: report.map(|report| report.health.clone()),
            in_flight: report.map(|report| report.in_flight),
            requests: report.map(|report| report.requests),
            failed: report.map(|report| report.failed),
            exit: instance.exit.as_ref().map(ToString::to_string),
        }
    };
    view.state.instances.iter().map(status).collect()
}

fn under_way(view: &View, spec: &ServiceSpec, deployment: &Deployment) -> DeploymentStatus {
    let input = Input { now: view.at, spec, state: &view.state, observed: &view.observed };
    let goal = deployment.goal();
    let ready = view.state.instances.iter().filter(|(id, instance)| {
        Some(&instance.version) == goal && instance.stage == Stage::Serving && view.observed.is_up(**id)
    });
    DeploymentStatus {
        id: deployment.request.deployment,
        kind: deployment.request.kind,
        version: deployment.request.version.clone(),
        from: deployment.from.clone(),
        strategy: deployment.request.strategy.kind(),
        requested_at: deployment.requested_at,
        phase: deployment.phase,
        phase_since: deployment.phase_since,
        paused: deployment.paused,
        turned_back: deployment.turned_back().map(ToString::to_string),
        ready: view.observed.traffic.as_ref().map(|_| ready.count() as u32),
        wanted: input.wanted(),
        comparison: deployment.comparison.clone(),
        canary: canary(deployment),
        findings: findings(&input, deployment)
            .into_iter()
            .map(|finding| FindingStatus { sentence: finding.to_string(), finding })
            .collect(),
    }
}

fn canary(deployment: &Deployment) -> Option<CanaryStatus> {
    let Strategy::Canary(canary) = &deployment.request.strategy else { return None };
    let progress = &deployment.canary;
    Some(CanaryStatus {
        steps: canary.steps.clone(),
        step: progress.step + 1,
        reached_at: progress.reached_at,
    })
}

impl DeploymentRecord {
    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.finished_at.is_some()
    }
}
