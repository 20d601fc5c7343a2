//! When a version that keeps dying is started again.

use crate::base::{Millis, Timestamp};
use crate::spec::RestartSpec;
use crate::workflow::CrashRecord;

/// The wait after `crashes` deaths in a row: `first` after one, doubled with each further one, at most `longest`.
///
/// With `first` 100 ms and `longest` 60 s: 1 → 100 ms, 2 → 200 ms, 5 → 1.6 s, 11 and more → 60 s.
pub(super) fn delay(restart: &RestartSpec, crashes: u32) -> Millis {
    let doublings = crashes.saturating_sub(1).min(32);
    Millis(restart.first.0.saturating_mul(1 << doublings)).min(restart.longest)
}

/// When the version may be started again.
pub(super) fn not_before(restart: &RestartSpec, record: &CrashRecord) -> Timestamp {
    if record.count == 0 { record.last } else { record.last + delay(restart, record.count) }
}

/// The count of deaths in a row when an instance dies now that had been ready for `lived` (None: never): a long life
/// begins the count anew.
pub(super) fn count(restart: &RestartSpec, record: Option<&CrashRecord>, lived: Option<Millis>) -> u32 {
    let before = record.map_or(0, |record| record.count);
    if lived.is_some_and(|lived| lived >= restart.forget) { 1 } else { before.saturating_add(1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::InstanceId;
    use crate::fleet::Exit;

    #[test]
    fn waits_double_up_to_the_longest() {
        let restart = RestartSpec::default();
        let waits = [1, 2, 5, 10, 11, 4_000_000_000].map(|n| delay(&restart, n).0);
        assert_eq!(waits, [100, 200, 1_600, 51_200, 60_000, 60_000]);
    }

    #[test]
    fn a_long_life_is_forgiven() {
        let restart = RestartSpec::default();
        let (instance, exit) = (InstanceId(7), Exit::Code(1));
        let record = CrashRecord { count: 7, last: Timestamp(0), instance, exit };
        assert_eq!(count(&restart, Some(&record), Some(restart.forget)), 1);
        assert_eq!(count(&restart, Some(&record), Some(Millis(1))), 8);
        assert_eq!(count(&restart, None, None), 1);
    }
}
