//! How soon a process that died is started again: at once, but not in a circle. Pure; tested in place.

use std::time::Duration;

/// The wait after the second death in a row; it doubles with each further one.
const FIRST: Duration = Duration::from_millis(100);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(10);

/// A process that lived for this long is forgiven all earlier deaths: it works, and starting it at once costs little,
/// while nobody is served, or nothing decided, until it is there again.
const FORGIVEN: Duration = Duration::from_secs(2);

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
        let waits: Vec<u128> = (0..12).map(|_| restarts.after(Duration::from_secs(1)).as_millis()).collect();
        assert_eq!(waits, [0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000, 10_000]);
        assert_eq!(restarts.after(FORGIVEN), Duration::ZERO);
        assert_eq!(restarts.after(Duration::from_secs(1)), FIRST);
    }
}
