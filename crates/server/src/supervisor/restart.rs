//! How soon a process that died is started again: at once, but not in a circle. Pure; tested in place.

use std::time::Duration;

/// The wait after the second death in a row; it doubles with each further one.
const FIRST: Duration = Duration::from_millis(100);

/// The longest wait. Until the part is there again nobody is served, or nothing decided; one start a second costs little.
const LONGEST: Duration = Duration::from_secs(1);

/// A process that lived for this long is forgiven all earlier deaths: it did work.
const FORGIVEN: Duration = Duration::from_secs(1);

/// The deaths of one part in a row.
#[derive(Debug, Default)]
pub(super) struct Restarts {
    deaths: u32,
}

impl Restarts {
    /// The wait before the next start, now that it died having lived for `lived`.
    pub(super) fn after(&mut self, lived: Duration) -> Duration {
        if lived >= FORGIVEN {
            self.deaths = 0;
        }
        self.deaths = self.deaths.saturating_add(1);
        match self.deaths {
            0 | 1 => Duration::ZERO,
            more => FIRST.saturating_mul(1 << (more - 2).min(10)).min(LONGEST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_death_costs_no_time_and_a_circle_of_deaths_is_slowed() {
        let mut restarts = Restarts::default();
        let lived = Duration::from_millis(500);
        let waits: Vec<u128> = (0..8).map(|_| restarts.after(lived).as_millis()).collect();
        assert_eq!(waits, [0, 100, 200, 400, 800, 1000, 1000, 1000]);
        assert_eq!(restarts.after(FORGIVEN), Duration::ZERO);
        assert_eq!(restarts.after(lived), FIRST);
    }
}
