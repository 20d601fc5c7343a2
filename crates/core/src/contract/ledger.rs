//! Which operations were called of late: the counts of the proxy, kept by spans of time over its restarts and Tandem's.
//!
//! A value that is written to a file and read again. Time is an argument. Tested in place.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Calls, Counted, Operation};
use crate::base::{Millis, Timestamp};

/// A window is kept in so many spans: what is older than it by less than one of them still counts.
const SPANS: u64 = 24;

/// The calls of a service's operations.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// The run of the proxy that was heard last, and what it had counted.
    run: u64,
    heard: BTreeMap<Operation, Calls>,
    /// When counting began.
    began: Option<Timestamp>,
    /// When each operation was heard of, for the first and for the last time.
    times: BTreeMap<Operation, (Timestamp, Timestamp)>,
    /// The oldest first.
    spans: Vec<Span>,
}

/// The calls within a span of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Span {
    from: Timestamp,
    calls: BTreeMap<Operation, Calls>,
}

impl Ledger {
    /// Takes in what a run of the proxy has counted so far. A run that ends counts as far as it was heard.
    pub fn take(&mut self, run: u64, report: &BTreeMap<Operation, Calls>, window: Millis, now: Timestamp) {
        if run != self.run {
            self.run = run;
            self.heard.clear();
        }
        self.began.get_or_insert(now);
        let nothing = Calls::default();
        let more = report.iter().map(|(operation, calls)| {
            (operation, calls.since(self.heard.get(operation).unwrap_or(&nothing)))
        });
        let more: Vec<(&Operation, Calls)> = more.filter(|(_, calls)| calls.total > 0).collect();
        let length = Millis(window.0 / SPANS);
        self.spans.retain(|span| span.from + length + window > now);
        if self.spans.last().is_none_or(|last| last.from + length <= now) {
            self.spans.push(Span { from: now, calls: BTreeMap::new() });
        }
        if let Some(last) = self.spans.last_mut() {
            more.iter().for_each(|(operation, calls)| {
                last.calls.entry((*operation).clone()).or_default().add(calls);
            });
        }
        for operation in report.keys() {
            self.times.entry(operation.clone()).or_insert((now, now)).1 = now;
        }
        // One that comes back within the window (a rollback) is not taken for one that is new.
        self.times.retain(|_, (_, last)| *last + length + window > now);
        self.heard.clone_from(report);
    }

    /// What was counted of an operation within the window.
    pub fn counted(&self, operation: &Operation, window: Millis, now: Timestamp) -> Counted {
        let mut calls = Calls::default();
        self.spans.iter().filter_map(|span| span.calls.get(operation)).for_each(|more| calls.add(more));
        let since = self.times.get(operation).map(|(first, _)| *first);
        let over = since.map_or(Millis::ZERO, |since| now.since(since)).min(window);
        // What was not there when counting began has never been called uncounted.
        let later = since.zip(self.began).is_some_and(|(since, began)| since > began);
        Counted { calls, over, complete: later || since.is_some() && over >= window }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Millis = Millis::from_secs(86_400);
    const HOUR: u64 = 3_600_000;

    fn operation(path: &str) -> Operation {
        Operation::new("get", path)
    }

    fn report(counts: &[(&str, u64)]) -> BTreeMap<Operation, Calls> {
        let calls =
            |count: u64| Calls { total: count, callers: BTreeMap::from([("shop/1".to_owned(), count)]) };
        counts.iter().map(|(path, count)| (operation(path), calls(*count))).collect()
    }

    #[test]
    fn calls_are_kept_for_the_window_over_restarts_of_the_proxy() {
        let mut ledger = Ledger::default();
        let mut total = 0;
        // A new run every ten hours, each counting from zero: ten calls an hour.
        for hour in 0..50 {
            let count = (hour % 10 + 1) * 10;
            ledger.take(hour / 10, &report(&[("/a", count), ("/b", 0)]), DAY, Timestamp(hour * HOUR));
            total += 10;
            let counted = ledger.counted(&operation("/a"), DAY, Timestamp(hour * HOUR));
            assert_eq!(counted.calls.total, total.min(250), "hour {hour}");
            assert_eq!(counted.calls.callers["shop/1"], counted.calls.total);
            assert_eq!(counted.complete, hour >= 24, "hour {hour}");
        }
        assert!(ledger.spans.len() <= SPANS as usize + 1);
        let text = serde_json::to_string(&ledger).unwrap();
        assert_eq!(serde_json::from_str::<Ledger>(&text).unwrap(), ledger);
    }

    #[test]
    fn what_was_never_counted_is_not_known_and_what_came_later_is() {
        let mut ledger = Ledger::default();
        let now = |hour: u64| Timestamp((100 + hour) * HOUR);
        let counted = |ledger: &Ledger, path: &str, hour| ledger.counted(&operation(path), DAY, now(hour));
        assert!(!counted(&ledger, "/a", 0).complete);
        ledger.take(1, &report(&[("/a", 0)]), DAY, now(0));
        ledger.take(1, &report(&[("/a", 0), ("/b", 0)]), DAY, now(1));
        let (a, b, c) = (counted(&ledger, "/a", 3), counted(&ledger, "/b", 3), counted(&ledger, "/c", 3));
        assert_eq!((a.complete, b.complete, c.complete), (false, true, false));
        assert_eq!(a.to_string(), "counted for 3h only, not called since");
        assert_eq!(b.to_string(), "not called in the last 2h");
        assert!(counted(&ledger, "/a", 24).complete);
        // Gone for a while, which a version was that had no such operation: it is no newer than it was.
        let mut back = Ledger::default();
        for (hour, paths) in
            [&[("/a", 0), ("/b", 0)][..], &[("/b", 0)], &[("/a", 0), ("/b", 0)]].iter().enumerate()
        {
            back.take(1, &report(paths), DAY, now(hour as u64));
        }
        assert!(!counted(&back, "/a", 3).complete);
        // Gone from the proxy and back again: it counts from zero, and nothing is counted twice.
        ledger.take(1, &report(&[("/a", 5), ("/b", 7)]), DAY, now(4));
        ledger.take(1, &report(&[("/a", 5)]), DAY, now(5));
        ledger.take(1, &report(&[("/a", 5), ("/b", 2)]), DAY, now(6));
        assert_eq!(counted(&ledger, "/b", 6).calls.total, 9);
        assert_eq!(counted(&ledger, "/b", 24).to_string(), "called 9 times in the last 23h, by shop/1 (9)");
    }
}
