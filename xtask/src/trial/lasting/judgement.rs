//! Whether something that lasts went on for as long as it was promised. Pure; tested in place.

use std::time::Duration;

/// The proxy looks at deadlines ten times a second, and so does its clock go.
const RESOLUTION: u64 = 150;
/// A cut is seen at the latest so long after its deadline, on a busy machine. Milliseconds.
const LATEST: u64 = 2000;

/// What is to become of something that was opened before the deployment.
#[derive(Debug, Clone, Copy)]
pub(super) enum Expected {
    /// It finishes.
    Whole,
    /// It is cut so long after its instance left, at the earliest `spread` before that.
    Cut { after: Duration, spread: Duration },
}

/// What became of it. Times are milliseconds since 1970.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// The number of the instance that served it.
    pub(super) instance: u64,
    pub(super) began: u64,
    pub(super) ended: u64,
    /// Whether all of it came, and was right.
    pub(super) whole: bool,
    /// What was seen of its end, for people.
    pub(super) how: String,
}

/// Holds it against what was promised; `left` is when its instance began to leave.
pub(super) fn judge(expected: &Expected, seen: &Seen, left: Option<u64>) -> Result<(), String> {
    match expected {
        Expected::Whole if seen.whole => Ok(()),
        Expected::Whole => Err(format!("it did not finish: {}", seen.how)),
        Expected::Cut { .. } if seen.whole => Err("it seems to be whole, and can't be".to_owned()),
        Expected::Cut { after, spread } => {
            let left = left.ok_or_else(|| format!("it ended before i{} left", seen.instance))?;
            let deadline = left + after.as_millis() as u64;
            let earliest = deadline.saturating_sub(spread.as_millis() as u64 + RESOLUTION);
            if seen.ended < earliest {
                Err(format!("cut {} ms too early", earliest - seen.ended))
            } else if seen.ended > deadline + LATEST {
                Err(format!("cut {} ms after its deadline", seen.ended - deadline))
            } else {
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_too_early_nor_too_late_nor_as_if_it_were_whole() {
        let cut = Expected::Cut { after: Duration::from_secs(12), spread: Duration::from_secs(3) };
        let seen = |ended, whole| Seen { instance: 1, began: 0, ended, whole, how: String::new() };
        for (expected, seen, left, good) in [
            (Expected::Whole, seen(1, true), None, true),
            (Expected::Whole, seen(1, false), None, false),
            (cut, seen(20_000, false), Some(10_000), true),
            (cut, seen(22_500, false), Some(10_000), true),
            (cut, seen(18_000, false), Some(10_000), false),
            (cut, seen(25_000, false), Some(10_000), false),
            (cut, seen(20_000, true), Some(10_000), false),
            (cut, seen(20_000, false), None, false),
        ] {
            assert_eq!(judge(&expected, &seen, left).is_ok(), good, "{expected:?} {seen:?}");
        }
    }
}
