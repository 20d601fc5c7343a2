//! When a failed request may be tried again: only where it provably was not processed, or where processing it twice
//! is the same as once.
//!
//! Knows nothing of sockets: it is told how far the attempt came. Tested in place, by the whole truth table.

/// So many attempts a request may have in all.
pub const ATTEMPTS: u32 = 3;

/// How far an attempt had come when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// No byte of the request left: no connection, or the first write failed.
    NothingSent,
    /// Something was sent on a connection that had served before; no byte of an answer came, the connection ended.
    SentOnReused,
    /// Something was sent on a new connection; no byte of an answer came, the connection ended.
    SentOnNew,
    /// Part of an answer came, or time ran out: the instance was at it.
    Begun,
}

/// What is known of the request that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// How far it came.
    pub progress: Progress,
    /// Its method has the same effect once and twice.
    pub idempotent: bool,
    /// All that would have to be sent again is still at hand.
    pub replayable: bool,
    /// How many attempts there were, this one included.
    pub attempts: u32,
    /// An attempt was already repeated although something of it had been sent.
    pub resent: bool,
}

/// Whether the request may be tried again.
pub fn may_retry(attempt: Attempt) -> bool {
    let again = match attempt.progress {
        Progress::NothingSent => true,
        Progress::SentOnReused => attempt.idempotent && !attempt.resent,
        Progress::SentOnNew | Progress::Begun => false,
    };
    again && attempt.replayable && attempt.attempts < ATTEMPTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_truth_table() {
        use Progress::{Begun, NothingSent, SentOnNew, SentOnReused};
        let rows = [
            (NothingSent, true, true, true),
            (NothingSent, false, true, true),
            (NothingSent, true, false, false),
            (SentOnReused, true, true, true),
            (SentOnReused, true, false, false),
            (SentOnReused, false, true, false),
            (SentOnNew, true, true, false),
            (SentOnNew, false, true, false),
            (Begun, true, true, false),
            (Begun, false, true, false),
        ];
        for (progress, idempotent, replayable, expected) in rows {
            let attempt = Attempt { progress, idempotent, replayable, attempts: 1, resent: false };
            assert_eq!(may_retry(attempt), expected, "{attempt:?}");
            assert!(!may_retry(Attempt { attempts: ATTEMPTS, ..attempt }));
            assert!(!may_retry(Attempt { resent: true, ..attempt }) || progress == NothingSent);
        }
    }
}
