//! Which failures a kill excuses. Pure; tested in place.

use std::time::Duration;

use tandem_load::{FailureKind, Outcome, Record};
use tandem_trial::Kind;

/// A process is not gone the instant that it is killed: the system takes its connections down one by one, and whoever
/// writes into one of them meanwhile was in flight in it too. Microseconds.
const SLACK: u64 = 50_000;

/// A kill, in the load's microseconds.
#[derive(Debug, Clone)]
pub(in crate::trial) struct Moment {
    /// The version that was being deployed.
    pub(in crate::trial) label: String,
    /// The process that was killed.
    pub(in crate::trial) pid: u32,
    /// Just before the kill.
    pub(in crate::trial) since: u64,
    /// Just after it.
    pub(in crate::trial) until: u64,
    /// From the beginning of the deployment to the kill.
    pub(in crate::trial) into: Duration,
}

/// The figures of one kind.
#[derive(Debug, Default)]
pub(in crate::trial) struct Tally {
    pub(in crate::trial) kills: u64,
    pub(in crate::trial) requests: u64,
    /// Failed, having been in flight in the killed process.
    pub(in crate::trial) in_flight: u64,
    /// Failed without an excuse.
    pub(in crate::trial) otherwise: u64,
    /// No connection was to be had.
    pub(in crate::trial) refused: u64,
    pub(in crate::trial) settled: u64,
    pub(in crate::trial) rolled_back: u64,
    /// Orders executed twice.
    pub(in crate::trial) twice: u64,
    /// Orders acknowledged and not executed.
    pub(in crate::trial) missing: u64,
    /// Kills after which instances were lost or doubled.
    pub(in crate::trial) instances: u64,
    /// The longest time without any answer, in microseconds.
    pub(in crate::trial) longest_gap: u64,
    /// Promises that were broken.
    pub(in crate::trial) broken: u64,
}

impl Tally {
    /// Counts one kill and the requests that ended around it; hands back those that break a promise.
    pub(in crate::trial) fn judge<'a>(
        &mut self,
        kind: Kind,
        moment: &Moment,
        records: &'a [Record],
    ) -> Vec<(&'a Record, &'static str)> {
        self.kills += 1;
        self.requests += records.len() as u64;
        let mut broken = Vec::new();
        for record in records {
            let Outcome::Failed { kind: failure, .. } = &record.outcome else { continue };
            if *failure == FailureKind::Connect {
                self.refused += 1;
                broken.push((record, "a connection was refused"));
            } else if carries(kind) && was_in_flight(record, moment) {
                self.in_flight += 1;
            } else {
                self.otherwise += 1;
                broken.push((record, "a request was lost that the killed process did not carry"));
            }
        }
        self.broken += broken.len() as u64;
        broken
    }
}

/// Whether requests pass through processes of this kind; a keeper's app ends with it.
fn carries(kind: Kind) -> bool {
    matches!(kind, Kind::Proxy | Kind::Keeper | Kind::Instance)
}

fn was_in_flight(record: &Record, moment: &Moment) -> bool {
    record.sent <= moment.until + SLACK && record.end >= moment.since
}

#[cfg(test)]
mod tests {
    use tandem_load::RequestKind;

    use super::*;

    fn failed(sent: u64, end: u64, kind: FailureKind) -> Record {
        let outcome = Outcome::Failed { kind, what: String::new(), version: None };
        Record { number: 0, kind: RequestKind::Get, visitor: None, due: sent, sent, end, outcome }
    }

    #[test]
    fn only_what_was_in_flight_is_excused_and_only_where_requests_pass() {
        let moment =
            Moment { label: String::new(), pid: 1, since: 1_000_000, until: 1_001_000, into: Duration::ZERO };
        let before = failed(900_000, 999_999, FailureKind::Closed);
        let during = failed(900_000, 1_000_500, FailureKind::Closed);
        let late = failed(1_051_001, 1_060_000, FailureKind::Closed);
        let refused = failed(1_000_000, 1_000_500, FailureKind::Connect);
        for (kind, record, excused) in [
            (Kind::Proxy, &before, false),
            (Kind::Proxy, &during, true),
            (Kind::Instance, &during, true),
            (Kind::Controller, &during, false),
            (Kind::Supervisor, &during, false),
            (Kind::Keeper, &late, false),
            (Kind::Proxy, &refused, false),
        ] {
            let mut tally = Tally::default();
            let broken = tally.judge(kind, &moment, std::slice::from_ref(record)).len();
            assert_eq!(broken == 0, excused, "{kind:?} {record:?}");
            assert_eq!((tally.in_flight == 1, tally.broken == 0), (excused, excused));
        }
    }
}
