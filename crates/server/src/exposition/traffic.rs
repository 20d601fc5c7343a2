//! The families of what the proxy measured.

use tandem_core::base::ServiceName;
use tandem_core::traffic::metrics::{InstanceMetrics, InstanceNow, Metrics, Requests, ServiceMetrics};

use super::{Family, Labels, Page};

pub(super) fn write(metrics: Option<&Metrics>, page: &mut Page) {
    page.gauge("tandem_proxy_up", "Whether the proxy answers the controller.")
        .sample(&[], u8::from(metrics.is_some()));
    let Some(metrics) = metrics else { return };
    connections(metrics, page);
    requests(metrics, page);
    services(metrics, page);
    instances(metrics, page);
}

fn connections(metrics: &Metrics, page: &mut Page) {
    let seen = metrics.connections;
    page.gauge("tandem_table_generation", "The generation of the route table in force.")
        .sample(&[], metrics.generation.0);
    page.gauge("tandem_connections", "Connections of clients that are open.").sample(&[], seen.open);
    page.gauge("tandem_connections_limit", "The most connections of clients that there may be.")
        .sample(&[], seen.most);
    page.counter("tandem_connections_accepted_total", "Connections of clients that were accepted.")
        .sample(&[], seen.accepted);
    let about = "Pauses of a tenth of a second in accepting, because there were as many connections as there may be, or no file descriptors left.";
    page.counter("tandem_accept_pauses_total", about).sample(&[], seen.pauses);
    let mut handshakes = page.counter("tandem_tls_handshakes_total", "TLS handshakes with clients.");
    handshakes.sample(&[("outcome", "completed")], seen.handshakes);
    handshakes.sample(&[("outcome", "failed")], seen.failed_handshakes);
    let mut lines = page.counter("tandem_log_lines_total", "Lines of the log of requests.");
    lines.sample(&[("outcome", "written")], metrics.log.written);
    lines.sample(&[("outcome", "dropped")], metrics.log.dropped);
    let about = "Requests that were refused before it was known for which service they are.";
    let mut refused = page.counter("tandem_http_server_refused_requests_total", about);
    for (status, count) in &metrics.refused {
        refused.sample(&[("http_response_status_code", &status.to_string())], count);
    }
}

/// What is measured of requests, of instances and of the proxy's own answers alike.
fn requests(metrics: &Metrics, page: &mut Page) {
    let about = "Requests that ended, by method and class of the answer; none: the client had gone. No instance: the proxy answered itself.";
    let mut family = page.counter("tandem_http_server_requests_total", about);
    each(metrics, |labels, requests| {
        for (method, classes) in &requests.ended {
            for (class, count) in classes {
                let more =
                    [("http_request_method", method.name()), ("http_response_status_class", class.name())];
                family.sample(&[labels, &more].concat(), count);
            }
        }
    });
    let about = "From the head of a request to the last byte of its answer. Connections that were upgraded are not in it.";
    let mut family = page.histogram("tandem_http_server_request_duration_seconds", about);
    each(metrics, |labels, requests| family.lengths(labels, &requests.durations));
    let about = "Bytes of bodies from clients, upgraded connections included.";
    let mut family = page.counter("tandem_http_server_request_body_bytes_total", about);
    each(metrics, |labels, requests| family.sample(labels, requests.received));
    let about = "Bytes of bodies to clients, upgraded connections included.";
    let mut family = page.counter("tandem_http_server_response_body_bytes_total", about);
    each(metrics, |labels, requests| family.sample(labels, requests.sent));
}

/// Each set of requests with its labels.
fn each(metrics: &Metrics, mut write: impl FnMut(&Labels<'_>, &Requests)) {
    for (name, service) in &metrics.services {
        write(&[("service", name.as_str())], &service.own);
        for (id, instance) in &service.instances {
            write(&labels(name, instance, &id.to_string()), &instance.requests);
        }
    }
}

fn labels<'l>(
    service: &'l ServiceName,
    instance: &'l InstanceMetrics,
    id: &'l str,
) -> [(&'static str, &'l str); 3] {
    [("service", service.as_str()), ("version", instance.version.as_str()), ("instance", id)]
}

fn services(metrics: &Metrics, page: &mut Page) {
    let about = "Requests by the version of HTTP that their client speaks.";
    let mut family = page.counter("tandem_http_server_protocol_requests_total", about);
    for (name, service) in &metrics.services {
        family.sample(&[("service", name.as_str()), ("network_protocol_version", "1")], service.http1);
        family.sample(&[("service", name.as_str()), ("network_protocol_version", "2")], service.http2);
    }
    let mut of = |name, about, pick: fn(&ServiceMetrics) -> u64| {
        let mut family = page.counter(name, about);
        for (name, service) in &metrics.services {
            family.sample(&[("service", name.as_str())], pick(service));
        }
    };
    let about = "Requests that failed by the fault of Tandem or an instance.";
    of("tandem_http_server_failed_requests_total", about, |service| service.counts.failed);
    let about = "Requests that were tried on a second instance.";
    of("tandem_http_server_retries_total", about, |service| service.counts.retried);
    let about = "Requests that a drain deadline ended.";
    of("tandem_http_server_cut_requests_total", about, |service| service.counts.cut);
    let about = "Upgraded connections that were closed by draining.";
    of("tandem_http_server_moved_websockets_total", about, |service| service.counts.websockets_moved);
}

fn instances(metrics: &Metrics, page: &mut Page) {
    let about = "From the choice of an instance to the head of its answer.";
    let mut family = page.histogram("tandem_instance_answer_head_duration_seconds", about);
    of_instances(metrics, |labels, instance| family.lengths(labels, &instance.heads));
    let about = "What is in flight on an instance, by drain class.";
    let mut family = page.gauge("tandem_http_server_active_requests", about);
    of_present(metrics, &mut family, |labels, now, family| {
        let seen = now.in_flight;
        for (class, count) in [
            ("requests", seen.requests),
            ("uploads", seen.uploads),
            ("streams", seen.streams),
            ("websockets", seen.websockets),
        ] {
            family.sample(&[labels, &[("class", class)]].concat(), count);
        }
    });
    let about = "Whether an instance answers its checks.";
    let mut family = page.gauge("tandem_instance_healthy", about);
    of_present(metrics, &mut family, |labels, now, family| {
        family.sample(labels, u8::from(now.health.is_up()));
    });
    let about = "Attempts that failed by the fault of an instance.";
    let mut family = page.counter("tandem_instance_failures_total", about);
    of_present(metrics, &mut family, |labels, now, family| family.sample(labels, now.failed));
}

fn of_instances(metrics: &Metrics, mut write: impl FnMut(&Labels<'_>, &InstanceMetrics)) {
    for (name, service) in &metrics.services {
        for (id, instance) in &service.instances {
            write(&labels(name, instance, &id.to_string()), instance);
        }
    }
}

/// Those that have not left.
fn of_present(
    metrics: &Metrics,
    family: &mut Family<'_>,
    write: impl Fn(&Labels<'_>, &InstanceNow, &mut Family<'_>),
) {
    of_instances(metrics, |labels, instance| {
        if let Some(now) = &instance.now {
            write(labels, now, family);
        }
    });
}
