//! The families of what is deployed, and of what is being deployed.

use std::collections::BTreeMap;

use tandem_core::workflow::{Phase, Verdict};

use super::{Page, Seconds};
use crate::message::{DeploymentRecord, Status};

/// All phases: one of them is 1 while a deployment is under way.
const PHASES: [Phase; 5] =
    [Phase::Preparing, Phase::Expanding, Phase::Shifting, Phase::Baking, Phase::Retiring];

pub(super) fn write(status: &Status, last: Option<&DeploymentRecord>, page: &mut Page) {
    let service = ("service", status.service.as_str());
    let mut family = page.gauge("tandem_version_info", "The version that is to serve, as a label.");
    if let Some(current) = &status.current {
        family.sample(&[service, ("version", current.as_str())], 1);
    }
    page.gauge("tandem_instances_wanted", "How many instances are wanted.").sample(&[service], status.wanted);
    let mut counts: BTreeMap<(String, String), u32> = BTreeMap::new();
    for instance in &status.instances {
        *counts.entry((instance.version.to_string(), instance.stage.to_string())).or_default() += 1;
    }
    let mut family = page.gauge("tandem_instances", "Instances by version and stage.");
    for ((version, stage), count) in &counts {
        family.sample(&[service, ("version", version), ("stage", stage)], count);
    }
    under_way(status, page);
    let about = "The deployment that was over last: its number, version and outcome, as labels.";
    let mut family = page.gauge("tandem_deployment_last_info", about);
    let over = last.and_then(|last| Some((last, last.finished_at?, last.receipt.as_ref()?)));
    if let Some((last, _, receipt)) = over {
        let (id, version) = (last.id.to_string(), last.version.to_string());
        let labels =
            [service, ("deployment", &id), ("version", &version), ("outcome", outcome(&receipt.verdict))];
        family.sample(&labels, 1);
    }
    let mut family = page.gauge("tandem_deployment_last_duration_seconds", "How long it took.");
    if let Some((.., receipt)) = over {
        family.sample(&[service], Seconds(receipt.took.0.saturating_mul(1000)));
    }
    let mut family = page.gauge("tandem_deployment_last_timestamp_seconds", "When it was over.");
    if let Some((_, at, _)) = over {
        family.sample(&[service], Seconds(at.0.saturating_mul(1000)));
    }
}

fn under_way(status: &Status, page: &mut Page) {
    let service = ("service", status.service.as_str());
    let about = "The deployment under way: its number and versions, as labels.";
    let mut family = page.gauge("tandem_deployment_info", about);
    if let Some(deployment) = &status.deployment {
        let (id, from) = (deployment.id.to_string(), deployment.from.as_ref().map(ToString::to_string));
        let labels = [
            service,
            ("deployment", id.as_str()),
            ("from", from.as_deref().unwrap_or_default()),
            ("version", deployment.version.as_str()),
            ("strategy", deployment.strategy.name()),
        ];
        family.sample(&labels, 1);
    }
    let mut family = page.gauge("tandem_deployment_phase", "1 for the phase of the deployment under way.");
    let phase = status.deployment.as_ref().map(|deployment| deployment.phase);
    for one in PHASES {
        family.sample(&[service, ("phase", &one.to_string())], u8::from(phase == Some(one)));
    }
    let is = |what: fn(&crate::message::DeploymentStatus) -> bool| {
        u8::from(status.deployment.as_ref().is_some_and(what))
    };
    page.gauge("tandem_deployment_paused", "Whether the deployment under way is paused.")
        .sample(&[service], is(|deployment| deployment.paused));
    page.gauge("tandem_deployment_turned_back", "Whether the deployment under way goes back.")
        .sample(&[service], is(|deployment| deployment.turned_back.is_some()));
}

fn outcome(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Settled => "settled",
        Verdict::RolledBack { .. } => "rolled_back",
        Verdict::Failed { .. } => "failed",
    }
}
