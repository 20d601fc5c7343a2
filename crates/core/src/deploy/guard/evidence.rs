//! How sure one can be of a rate, looked at as often as one likes.
//!
//! Robbins' method of mixtures: if each of n answers fails with probability p, the likelihood of what was seen under all rates
//! at once (weighed by Jeffreys' prior) divided by that under p is a martingale, so it exceeds 1/α at any time at all with a
//! probability of at most α (Ville's inequality). Rates for which it does are excluded; there is no "peeking" that would have to
//! be corrected for. See Robbins, "Statistical methods related to the law of the iterated logarithm", 1970. Tested in place,
//! by trials.

/// Above this the logarithm of the quotient excludes a rate: one false alarm in 2000 watches of a version that lies at its
/// limit.
const SURE: f64 = 7.6;
/// So many halvings bring a bound of a rate to where doubles end.
const HALVINGS: usize = 50;

/// Whether the rate of which `part` of `whole` is a sample surely exceeds a limit (0 to 1).
pub(super) fn exceeds(part: u64, whole: u64, limit: f64) -> bool {
    part as f64 > limit * whole as f64 && excludes(part, whole, limit)
}

/// The rates (0 to 1) between which the one surely lies of which `part` of `whole` is a sample.
pub(super) fn bounds(part: u64, whole: u64) -> (f64, f64) {
    if whole == 0 {
        return (0.0, 1.0);
    }
    let seen = part as f64 / whole as f64;
    (edge(part, whole, seen, 0.0), edge(part, whole, seen, 1.0))
}

/// The farthest rate from `seen` towards `end` that is not excluded.
fn edge(part: u64, whole: u64, seen: f64, end: f64) -> f64 {
    if !excludes(part, whole, end) {
        return end;
    }
    let (mut inside, mut outside) = (seen, end);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(inside, outside);
        if excludes(part, whole, middle) { outside = middle } else { inside = middle }
    }
    inside
}

fn excludes(part: u64, whole: u64, rate: f64) -> bool {
    let (hits, misses) = (part as f64, whole.saturating_sub(part) as f64);
    let mixture = ln_beta(hits + 0.5, misses + 0.5) - ln_beta(0.5, 0.5);
    let alone = times_ln(hits, rate) + times_ln(misses, 1.0 - rate);
    mixture - alone > SURE
}

/// `n ln x`, and nothing if there are none.
fn times_ln(n: f64, x: f64) -> f64 {
    if n == 0.0 { 0.0 } else { n * x.ln() }
}

fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// The logarithm of the gamma function for x > 0, to about ten digits: Stirling's series (Abramowitz and Stegun 6.1.41) for x
/// of 8 and more, brought there by Γ(x + 1) = x Γ(x).
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut lower) = (x, 0.0);
    while x < 8.0 {
        lower += x.ln();
        x += 1.0;
    }
    let square = x * x;
    let series = (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - 1.0 / (1680.0 * square)) / square) / square) / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - lower
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a rate is ever found to exceed `limit`, looked at after each of `answers` answers, and after how many.
    fn alarm(seed: u64, rate: f64, limit: f64, answers: u64) -> Option<u64> {
        let (mut state, mut part) = (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, 0);
        (1..=answers).find(|whole| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            part += u64::from((state >> 11) as f64 / (1_u64 << 53) as f64 <= rate);
            exceeds(part, *whole, limit)
        })
    }

    #[test]
    fn the_gamma_function_is_right_where_it_is_known() {
        let half = std::f64::consts::PI.sqrt().ln();
        for (x, known) in [(1.0, 0.0), (2.0, 0.0), (0.5, half), (5.0, 24_f64.ln()), (11.0, 3_628_800_f64.ln())] {
            assert!((ln_gamma(x) - known).abs() < 1e-9, "{x}: {} and not {known}", ln_gamma(x));
        }
    }

    #[test]
    fn a_version_at_its_limit_is_not_found_worse_however_often_it_is_looked_at() {
        let alarms = (1..=400).filter(|seed| alarm(*seed, 0.01, 0.01, 5_000).is_some()).count();
        assert!(alarms <= 2, "{alarms} false alarms in 400 watches");
    }

    #[test]
    fn a_worse_version_is_found_and_the_sooner_the_worse_it_is() {
        for (rate, within) in [(0.02, 9_000), (0.05, 900), (0.5, 20)] {
            let slowest = (1..=100).map(|seed| alarm(seed, rate, 0.01, within)).max().flatten();
            assert!((1..=100).all(|seed| alarm(seed, rate, 0.01, within).is_some()), "{rate}: {slowest:?}");
        }
    }

    #[test]
    fn bounds_hold_what_was_seen_and_close_in_on_it() {
        assert_eq!(bounds(0, 0), (0.0, 1.0));
        for (part, whole) in [(0, 10), (10, 10), (1, 100), (30, 1_000), (3_000, 100_000)] {
            let (low, high) = bounds(part, whole);
            let seen = part as f64 / whole as f64;
            assert!(0.0 <= low && low <= seen && seen <= high && high <= 1.0, "{part}/{whole}: {low} {high}");
        }
        let (low, high) = bounds(3_000, 100_000);
        assert!(low > 0.027 && high < 0.033, "{low} {high}");
    }
}
