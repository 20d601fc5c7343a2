//! What follows from the answers to health checks, and from failures of requests.
//!
//! A small state machine per instance: `rise` good answers in a row bring it up, `fall` bad ones take it down, so
//! that one lost packet moves nothing. Knows no sockets and no time. Tested in place.

use super::report::Health;

/// So many failures of requests in a row, without one success between them, take an instance down at once.
pub const REQUEST_FAILURES: u32 = 3;

/// What the checks of one instance have shown so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checks {
    health: Health,
    good: u32,
    bad: u32,
}

impl Checks {
    /// The state of an instance that is trusted from the start: it served before the proxy was restarted.
    pub fn trusted() -> Self {
        Checks { health: Health::Up, good: 0, bad: 0 }
    }

    /// The state now.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Takes the outcome of one check in; the error is what it met, for people. True if the state or its text changed.
    pub fn observe(&mut self, outcome: Result<(), String>, rise: u32, fall: u32) -> bool {
        let before = self.health.clone();
        match outcome {
            Ok(()) => {
                self.bad = 0;
                self.good = self.good.saturating_add(1);
                if self.good >= rise {
                    self.health = Health::Up;
                }
            }
            Err(last) => {
                self.good = 0;
                self.bad = self.bad.saturating_add(1);
                match self.health {
                    Health::Unknown | Health::Failing { .. } => self.health = Health::Failing { last },
                    Health::Down { .. } => self.health = Health::Down { last },
                    Health::Up if self.bad >= fall => self.health = Health::Down { last },
                    Health::Up => {}
                }
            }
        }
        self.health != before
    }

    /// Requests failed on it as said, so often that no check needs to be waited for. True if that changed the state.
    pub fn requests_failed(&mut self, last: String) -> bool {
        self.good = 0;
        if !self.health.is_up() {
            return false;
        }
        self.health = Health::Down { last };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Result<(), String> {
        Err("connection refused".to_owned())
    }

    #[test]
    fn it_rises_after_good_answers_in_a_row() {
        let mut checks = Checks::default();
        assert!(checks.observe(refused(), 2, 3));
        assert!(!checks.observe(refused(), 2, 3));
        assert!(!checks.observe(Ok(()), 2, 3));
        assert!(!checks.observe(refused(), 2, 3));
        assert!(!checks.observe(Ok(()), 2, 3));
        assert_eq!(checks.health(), &Health::Failing { last: "connection refused".to_owned() });
        assert!(checks.observe(Ok(()), 2, 3));
        assert!(checks.health().is_up());
    }

    #[test]
    fn it_falls_after_bad_answers_in_a_row() {
        let mut checks = Checks::trusted();
        for outcome in [refused(), refused(), Ok(()), refused(), refused()] {
            assert!(!checks.observe(outcome, 2, 3));
        }
        assert!(checks.observe(refused(), 2, 3));
        assert_eq!(checks.health(), &Health::Down { last: "connection refused".to_owned() });
    }

    #[test]
    fn failed_requests_take_it_down_at_once_and_checks_bring_it_back() {
        let mut checks = Checks::trusted();
        assert!(checks.requests_failed("reset".to_owned()));
        assert!(!checks.requests_failed("reset again".to_owned()));
        assert!(!checks.observe(Ok(()), 2, 3));
        assert!(checks.observe(Ok(()), 2, 3));
        assert!(checks.health().is_up());
    }
}
