//! Pages, read by a strict reader.

use std::collections::BTreeMap;

use tandem_core::base::{DeploymentId, Generation, InstanceId, Timestamp};
use tandem_core::spec::{ServiceSpec, StrategyKind};
use tandem_core::traffic::metrics::{
    ConnectionMetrics, InstanceMetrics, InstanceNow, LogMetrics, Method, Requests, ServiceMetrics,
    StatusClass,
};
use tandem_core::traffic::{Counts, Health, InFlight, Role};
use tandem_core::workflow::{Kind, Phase};

use super::strict::{Read, read};
use super::*;
use crate::message::DeploymentStatus;

pub(super) fn status() -> Status {
    let spec = ServiceSpec::new("shop".parse().unwrap(), vec!["x".to_owned()], "[::1]:80".parse().unwrap());
    Status::of(&tandem_engine::View::default(), &spec, Timestamp(5))
}

fn requests() -> Requests {
    let mut durations = Histogram { buckets: vec![0; 15], micros: 12_007_500 };
    (durations.buckets[0], durations.buckets[1], durations.buckets[14]) = (2, 1, 1);
    let classes = BTreeMap::from([(StatusClass::Success, 3), (StatusClass::ServerError, 1)]);
    Requests { ended: BTreeMap::from([(Method::Get, classes)]), durations, received: 7, sent: 9 }
}

pub(super) fn metrics() -> Metrics {
    let now = InstanceNow {
        role: Some(Role::Serve),
        health: Health::Up,
        in_flight: InFlight { streams: 2, ..InFlight::default() },
        given: 5,
        failed: 1,
        left: None,
    };
    let instance = |now| InstanceMetrics {
        version: "v1".parse().unwrap(),
        requests: requests(),
        heads: requests().durations,
        now,
    };
    let service = ServiceMetrics {
        counts: Counts { requests: 7, failed: 1, retried: 2, websockets_moved: 3, cut: 4 },
        http1: 6,
        http2: 1,
        own: Requests::default(),
        instances: BTreeMap::from([(InstanceId(1), instance(Some(now))), (InstanceId(2), instance(None))]),
    };
    Metrics {
        generation: Generation(9),
        connections: ConnectionMetrics { open: 3, accepted: 8, failed_handshakes: 2, ..Default::default() },
        refused: BTreeMap::from([(400, 11)]),
        log: LogMetrics { written: 1, dropped: 6 },
        services: BTreeMap::from([("shop".parse().unwrap(), service)]),
        ..Metrics::default()
    }
}

fn page(status: &Status, metrics: Option<&Metrics>, format: Format) -> Read {
    let figures = Figures { cpu: 1_500_000, memory: 4096, threads: 2, descriptors: 3 };
    let processes = [("proxy", figures), ("controller", figures)];
    let text = Scene { status, last: None, metrics, processes: &processes }.text(format);
    read(&text, format).unwrap_or_else(|why| panic!("{why} in\n{text}"))
}

#[test]
fn both_formats_are_strictly_kept_and_say_the_same() {
    let (status, metrics) = (status(), metrics());
    for format in [Format::Text, Format::OpenMetrics] {
        let page = page(&status, Some(&metrics), format);
        let one = [("service", "shop"), ("version", "v1"), ("instance", "i1")];
        let with = |more: &[(&'static str, &'static str)]| [&one, more].concat();
        let labels = with(&[("http_request_method", "GET"), ("http_response_status_class", "5xx")]);
        assert_eq!(page.value("tandem_http_server_requests_total", &labels), 1.0);
        let bucket = "tandem_http_server_request_duration_seconds_bucket";
        for (end, count) in [("0.005", 2.0), ("0.01", 3.0), ("10.0", 3.0), ("+Inf", 4.0)] {
            assert_eq!(page.value(bucket, &with(&[("le", end)])), count, "{end}");
        }
        assert_eq!(page.value("tandem_http_server_request_duration_seconds_sum", &one), 12.0075);
        assert_eq!(page.value("tandem_http_server_active_requests", &with(&[("class", "streams")])), 2.0);
        assert_eq!(page.value("tandem_instance_healthy", &one), 1.0);
        assert_eq!(page.value("tandem_http_server_cut_requests_total", &[("service", "shop")]), 4.0);
        assert_eq!(page.value("tandem_tls_handshakes_total", &[("outcome", "failed")]), 2.0);
        assert_eq!(page.value("tandem_log_lines_total", &[("outcome", "dropped")]), 6.0);
        let refused = [("http_response_status_code", "400")];
        assert_eq!(page.value("tandem_http_server_refused_requests_total", &refused), 11.0);
        assert_eq!(page.value("tandem_process_cpu_seconds_total", &[("process", "controller")]), 1.5);
        // One that left has its sums, and no present.
        let left = [("service", "shop"), ("version", "v1"), ("instance", "i2")];
        assert_eq!(page.value("tandem_http_server_response_body_bytes_total", &left), 9.0);
        assert_eq!(page.find("tandem_instance_healthy", &left), None);
    }
}

#[test]
fn without_a_proxy_only_what_is_known_is_told() {
    let page = page(&status(), None, Format::Text);
    assert_eq!(page.value("tandem_proxy_up", &[]), 0.0);
    assert_eq!(page.find("tandem_connections", &[]), None);
    assert_eq!(page.value("tandem_instances_wanted", &[("service", "shop")]), 2.0);
    let shifting = [("service", "shop"), ("phase", "shifting")];
    assert_eq!(page.value("tandem_deployment_phase", &shifting), 0.0);
}

/// A deployment that has turned back.
pub(super) fn deploying() -> Status {
    let mut status = status();
    status.deployment = Some(DeploymentStatus {
        id: DeploymentId(7),
        kind: Kind::Deploy,
        version: "v2".parse().unwrap(),
        from: Some("v1".parse().unwrap()),
        strategy: StrategyKind::Flip,
        requested_at: Timestamp(1),
        phase: Phase::Shifting,
        phase_since: Timestamp(2),
        paused: false,
        turned_back: Some("it died".to_owned()),
        ready: None,
        wanted: 2,
        comparison: None,
        canary: None,
        findings: Vec::new(),
    });
    status
}

#[test]
fn a_deployment_is_told_by_its_phase() {
    let status = deploying();
    let page = page(&status, None, Format::OpenMetrics);
    for (phase, value) in [("preparing", 0.0), ("shifting", 1.0), ("retiring", 0.0)] {
        assert_eq!(page.value("tandem_deployment_phase", &[("service", "shop"), ("phase", phase)]), value);
    }
    assert_eq!(page.value("tandem_deployment_turned_back", &[("service", "shop")]), 1.0);
    let labels =
        [("service", "shop"), ("deployment", "d7"), ("from", "v1"), ("version", "v2"), ("strategy", "flip")];
    assert_eq!(page.value("tandem_deployment_info", &labels), 1.0);
}

#[test]
fn labels_are_escaped_and_lengths_have_a_fraction() {
    let mut page = Page { format: Format::Text, text: String::new() };
    page.gauge("a", "b").sample(&[("c", "d\"e\\f\ng")], Seconds(1_000_001));
    assert_eq!(page.text, "# HELP a b\n# TYPE a gauge\na{c=\"d\\\"e\\\\f\\ng\"} 1.000001\n");
    let read = read(&page.text, Format::Text).unwrap();
    assert_eq!(read.value("a", &[("c", "d\"e\\f\ng")]), 1.000001);
    assert_eq!(
        [0, 5_000, 2_500_000, 10_000_000].map(|m| Seconds(m).to_string()),
        ["0.0", "0.005", "2.5", "10.0"]
    );
}

#[test]
fn openmetrics_is_for_those_who_ask_for_it() {
    let prometheus =
        "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    assert_eq!(Format::accepted(Some(prometheus)), Format::OpenMetrics);
    assert_eq!(Format::accepted(Some("text/plain, */*")), Format::Text);
    assert_eq!(Format::accepted(None), Format::Text);
}
