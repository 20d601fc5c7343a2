//! What is measured of the traffic, in sums that only grow during one run of the proxy.
//!
//! The classes by which requests are told apart, durations in the boundaries that OpenTelemetry recommends for
//! `http.server.request.duration`, and the report of it all. Must not know how it is counted nor how it is shown.
//! Tested in place.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::report::{Counts, Health, InFlight};
use super::table::Role;
use crate::base::{Generation, InstanceId, Millis, ServiceName, VersionLabel};

/// The upper ends of the buckets, in microseconds; one more bucket has none.
pub const BOUNDARIES: [u64; 14] = [
    5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 750_000, 1_000_000, 2_500_000,
    5_000_000, 7_500_000, 10_000_000,
];

/// A method, as far as methods are told apart: what clients may invent is one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "they say what they are")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
    /// Any other.
    Other,
}

impl Method {
    /// All of them, in the order of their numbers.
    pub const ALL: [Method; 8] = [
        Method::Get,
        Method::Head,
        Method::Post,
        Method::Put,
        Method::Patch,
        Method::Delete,
        Method::Options,
        Method::Other,
    ];

    /// The one that is called so.
    pub fn named(name: &str) -> Method {
        match name {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "PATCH" => Method::Patch,
            "DELETE" => Method::Delete,
            "OPTIONS" => Method::Options,
            _ => Method::Other,
        }
    }

    /// What it is called; `_OTHER` as OpenTelemetry has it.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
            Method::Other => "_OTHER",
        }
    }
}

/// The class of an answer's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum StatusClass {
    /// There was no answer: the client had gone.
    #[serde(rename = "none")]
    None,
    /// The protocol was changed.
    #[serde(rename = "1xx")]
    Upgraded,
    /// 200 to 299.
    #[serde(rename = "2xx")]
    Success,
    /// 300 to 399.
    #[serde(rename = "3xx")]
    Redirection,
    /// 400 to 499.
    #[serde(rename = "4xx")]
    ClientError,
    /// 500 and more.
    #[serde(rename = "5xx")]
    ServerError,
}

impl StatusClass {
    /// All of them, in the order of their numbers.
    pub const ALL: [StatusClass; 6] = [
        StatusClass::None,
        StatusClass::Upgraded,
        StatusClass::Success,
        StatusClass::Redirection,
        StatusClass::ClientError,
        StatusClass::ServerError,
    ];

    /// The class of a status; 0 stands for no answer.
    pub fn of(status: u16) -> StatusClass {
        match status {
            0..100 => StatusClass::None,
            100..200 => StatusClass::Upgraded,
            200..300 => StatusClass::Success,
            300..400 => StatusClass::Redirection,
            400..500 => StatusClass::ClientError,
            _ => StatusClass::ServerError,
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            StatusClass::None => "none",
            StatusClass::Upgraded => "1xx",
            StatusClass::Success => "2xx",
            StatusClass::Redirection => "3xx",
            StatusClass::ClientError => "4xx",
            StatusClass::ServerError => "5xx",
        }
    }
}

/// How often something took how long.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Histogram {
    /// How often, by the bucket of [`BOUNDARIES`] in which it falls; the last one has no upper end.
    pub buckets: Vec<u64>,
    /// All of it together, in microseconds.
    pub micros: u64,
}

impl Histogram {
    /// The number of the bucket for a length in microseconds.
    pub fn bucket(micros: u64) -> usize {
        BOUNDARIES.iter().position(|end| micros <= *end).unwrap_or(BOUNDARIES.len())
    }

    /// How often in all.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The length that the given share of them (0 to 1) did not exceed, in microseconds: as if they lay evenly in
    /// their bucket. None: there are none. Beyond the last boundary only that boundary is known.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let rank = share.clamp(0.0, 1.0) * self.count() as f64;
        let (mut below, mut start) = (0, 0);
        for (count, end) in self.buckets.iter().zip(BOUNDARIES) {
            if *count > 0 && (below + count) as f64 >= rank {
                let part = (rank - below as f64) / *count as f64;
                return Some(start + (part * (end - start) as f64) as u64);
            }
            (below, start) = (below + count, end);
        }
        (self.count() > 0).then_some(start)
    }

    /// What came since `before`. Saturates at zero.
    #[must_use]
    pub fn since(&self, before: &Histogram) -> Histogram {
        let earlier = before.buckets.iter().copied().chain(std::iter::repeat(0));
        let buckets = self.buckets.iter().zip(earlier).map(|(now, then)| now.saturating_sub(then));
        Histogram { buckets: buckets.collect(), micros: self.micros.saturating_sub(before.micros) }
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Histogram) -> Histogram {
        let at = |histogram: &Histogram, at: usize| histogram.buckets.get(at).copied().unwrap_or_default();
        let length = self.buckets.len().max(other.buckets.len());
        let buckets = (0..length).map(|bucket| at(self, bucket).saturating_add(at(other, bucket)));
        Histogram { buckets: buckets.collect(), micros: self.micros.saturating_add(other.micros) }
    }
}

/// What is measured of the requests that ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Requests {
    /// How many, by method and class of the answer; what is not there is none.
    pub ended: BTreeMap<Method, BTreeMap<StatusClass, u64>>,
    /// From the whole head of the request to the last byte of its answer. Upgraded connections are not in it: theirs is
    /// the length of a conversation.
    pub durations: Histogram,
    /// Bytes of bodies from clients, and of what they say on upgraded connections.
    pub received: u64,
    /// Bytes of bodies to clients, and of what they are told on upgraded connections.
    pub sent: u64,
}

impl Requests {
    /// How many ended with this class of answer.
    pub fn of_class(&self, class: StatusClass) -> u64 {
        self.ended.values().filter_map(|classes| classes.get(&class)).sum()
    }

    /// How many ended in all.
    pub fn count(&self) -> u64 {
        self.ended.values().flat_map(BTreeMap::values).sum()
    }
}

/// What one run of the proxy has measured so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Metrics {
    /// Tells one run of the proxy from the next; sums begin at zero with each run.
    pub run: u64,
    /// Its process.
    pub pid: u32,
    /// The table that is in force.
    pub generation: Generation,
    /// The connections of clients.
    pub connections: ConnectionMetrics,
    /// Requests that were refused before it was known for which service they were, by status.
    pub refused: BTreeMap<u16, u64>,
    /// The log of requests.
    pub log: LogMetrics,
    /// The services in the table.
    pub services: BTreeMap<ServiceName, ServiceMetrics>,
}

/// The connections of clients, and their handshakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionMetrics {
    /// Those that are open.
    pub open: u64,
    /// So many there may be.
    pub most: u64,
    /// Those that were accepted.
    pub accepted: u64,
    /// Pauses in accepting, of a tenth of a second each, because there were as many as there may be or no descriptors
    /// left: clients wait meanwhile.
    pub pauses: u64,
    /// TLS handshakes that were completed.
    pub handshakes: u64,
    /// TLS handshakes that were not.
    pub failed_handshakes: u64,
}

/// What became of lines of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LogMetrics {
    /// They were written.
    pub written: u64,
    /// They were not, because the disk was too slow or full.
    pub dropped: u64,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ServiceMetrics {
    /// The counts that the deployer goes by.
    pub counts: Counts,
    /// Of the requests, those that came by HTTP/1.0 and HTTP/1.1.
    pub http1: u64,
    /// Those that came by HTTP/2.
    pub http2: u64,
    /// Requests that the proxy answered without an instance.
    pub own: Requests,
    /// Its instances: those in the table, and for a while those that left it.
    pub instances: BTreeMap<InstanceId, InstanceMetrics>,
}

/// One instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceMetrics {
    /// What it runs.
    pub version: VersionLabel,
    /// The requests whose answer was its own, or should have been.
    pub requests: Requests,
    /// From the choice of the instance to the head of its answer.
    pub heads: Histogram,
    /// What is known of it now. None: it has left.
    pub now: Option<InstanceNow>,
}

/// How an instance that has not left stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceNow {
    /// What it is in the table for. None: it is out of it, but not idle yet.
    pub role: Option<Role>,
    /// Whether it answers its checks.
    pub health: Health,
    /// What is in flight on it.
    pub in_flight: InFlight,
    /// How many requests it was given.
    pub given: u64,
    /// How many of them failed by its fault.
    pub failed: u64,
    /// If it is leaving: how long what is in flight may still take.
    pub left: Option<DrainLeft>,
}

/// The time that is left for what is in flight, by drain class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DrainLeft {
    /// Ordinary requests.
    pub requests: Millis,
    /// Requests whose body is still arriving.
    pub uploads: Millis,
    /// Answers that are being sent.
    pub streams: Millis,
    /// Upgraded connections.
    pub websockets: Millis,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(lengths: &[u64]) -> Histogram {
        let mut histogram =
            Histogram { buckets: vec![0; BOUNDARIES.len() + 1], micros: lengths.iter().sum() };
        for length in lengths {
            histogram.buckets[Histogram::bucket(*length)] += 1;
        }
        histogram
    }

    #[test]
    fn a_boundary_belongs_to_the_bucket_that_it_closes() {
        let buckets = [0, 5_000, 5_001, 10_000_000, 10_000_001].map(Histogram::bucket);
        assert_eq!(buckets, [0, 0, 1, 13, 14]);
    }

    #[test]
    fn quantiles_are_found_within_their_bucket() {
        assert_eq!(Histogram::default().quantile(0.5), None);
        assert_eq!(histogram(&[]).quantile(0.99), None);
        assert_eq!(histogram(&[1, 2, 3, 4]).quantile(0.5), Some(2_500));
        let mixed = histogram(&[1, 1, 1, 60_000]);
        assert_eq!((mixed.quantile(0.75), mixed.quantile(1.0)), (Some(5_000), Some(75_000)));
        assert_eq!(histogram(&[u64::MAX / 2]).quantile(0.5), Some(10_000_000), "no more is known");
    }

    #[test]
    fn sums_are_subtracted_and_added() {
        let (before, after) = (histogram(&[1, 60_000]), histogram(&[1, 60_000, 60_000, 7]));
        assert_eq!(after.since(&before), histogram(&[60_000, 7]));
        assert_eq!(after.since(&Histogram::default()), after);
        assert_eq!(before.since(&after).count(), 0);
        assert_eq!(histogram(&[60_000, 7]).plus(&before), after);
        assert_eq!(Histogram::default().plus(&after), after);
    }

    #[test]
    fn classes_are_found_by_their_numbers() {
        for (at, method) in Method::ALL.into_iter().enumerate() {
            assert_eq!((method as usize, Method::named(method.name())), (at, method));
        }
        for (at, class) in StatusClass::ALL.into_iter().enumerate() {
            assert_eq!((class as usize, StatusClass::of(at as u16 * 100)), (at, class));
        }
        assert_eq!((Method::named("get"), StatusClass::of(0)), (Method::Other, StatusClass::None));
    }
}
