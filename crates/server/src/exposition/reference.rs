//! The page of the guide that lists every metric, `docs/src/reference/metrics.md`: made of what is told, and compared with
//! the file, so that neither changes without the other. Only tests know it.

use std::collections::BTreeSet;
use std::fmt::Write;

use tandem_core::base::{DeploymentId, InstanceId, Millis, Timestamp};
use tandem_core::spec::StrategyKind;
use tandem_core::workflow::{Kind, Receipt, Stage, Verdict};

use super::tests::{deploying, metrics};
use super::{Figures, Format, Scene};
use crate::message::{DeploymentRecord, InstanceStatus, Status, Who};

/// Where the page is.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/reference/metrics.md");
/// Has the file written anew.
const WRITE: &str = "TANDEM_WRITE_DOCUMENT";

const HEAD: &str = "\
# Metrics

<!-- Made by crates/server/src/exposition/reference.rs. -->

For Prometheus, at the address in `[metrics]` under `/metrics`, and at the admin socket under `/v1/metrics`; in Prometheus's text format, or
OpenMetrics for those who ask for it. How to switch it on: [Monitoring](../tasks/monitoring.md).

Names follow OpenTelemetry where it has one. No path of a request and no client is in a label. An instance that left is told for five more
minutes.

| metric | kind | labels | what it says |
| --- | --- | --- | --- |
";

/// A service of which there is something to tell in every family.
fn status() -> Status {
    let mut status = deploying();
    let version: tandem_core::base::VersionLabel = "v1".parse().expect("a label");
    status.current = Some(version.clone());
    status.instances.push(InstanceStatus {
        instance: InstanceId(1),
        version,
        revision: None,
        stage: Stage::Serving,
        since: Timestamp(1),
        address: None,
        health: None,
        in_flight: None,
        requests: None,
        failed: None,
        exit: None,
    });
    status
}

/// A deployment that is over.
fn last() -> DeploymentRecord {
    let version: tandem_core::base::VersionLabel = "v1".parse().expect("a label");
    let receipt = Receipt {
        verdict: Verdict::Settled,
        from: None,
        to: version.clone(),
        took: Millis(1),
        counts: None,
        lowest_capacity: None,
        wanted: 1,
        mixed_state: Millis(0),
        expanded: None,
        stray: None,
        broken: 0,
        foreseen: None,
    };
    DeploymentRecord {
        id: DeploymentId(1),
        kind: Kind::Deploy,
        version,
        strategy: StrategyKind::Flip,
        who: Who::default(),
        requested_at: Timestamp(1),
        finished_at: Some(Timestamp(2)),
        turned_back: None,
        diagnosis: None,
        receipt: Some(receipt),
    }
}

fn page() -> String {
    let (status, last, metrics) = (status(), last(), metrics());
    let figures = Figures { cpu: 1, memory: 1, threads: 1, descriptors: 1 };
    let last = Some(&last);
    let scene = Scene { status: &status, last, metrics: Some(&metrics), processes: &[("proxy", figures)] };
    let text = scene.text(Format::Text);
    let mut page = HEAD.to_owned();
    for family in text.split("# HELP ").skip(1) {
        let (name, rest) = family.split_once(' ').expect("a name");
        let (about, rest) = rest.split_once('\n').expect("a line");
        let (kind, samples) = rest.split_once('\n').expect("a kind");
        let kind = kind.rsplit(' ').next().expect("a kind");
        let labels: BTreeSet<&str> =
            samples.lines().flat_map(labels).filter(|label| *label != "le").collect();
        let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(" ");
        let _ = writeln!(page, "| `{name}` | {kind} | {labels} | {} |", about.replace('|', "\\|"));
    }
    page
}

/// The names of a sample's labels.
fn labels(sample: &str) -> Vec<&str> {
    let inside =
        sample.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}')).map_or("", |(inside, _)| inside);
    inside.split("\",").filter_map(|label| label.split_once('=')).map(|(name, _)| name).collect()
}

#[test]
fn the_guide_lists_every_metric() {
    let made = page();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(PAGE, &made).expect("the page can be written");
    }
    let written = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(
        made == written,
        "{PAGE} is not what the code says: {WRITE}=1 cargo test -p tandem-server --lib reference"
    );
}
