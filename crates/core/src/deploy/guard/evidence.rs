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

/// Whether the rate of a sample surely exceeds that of another one by more than `margin` (0 to 1): whatever the other rate is,
/// both samples together exclude it. Each is a part of a whole.
pub(super) fn exceeds_by(new: (u64, u64), old: (u64, u64), margin: f64) -> bool {
    let rate = |(part, whole): (u64, u64)| part as f64 / whole.max(1) as f64;
    let (mut low, mut high) = (rate(old), rate(new) - margin);
    if low >= high {
        return false;
    }
    let against = |rate: f64| quotient(new, rate + margin) + quotient(old, rate);
    // It is convex, so the least of it is found by thirds.
    for _ in 0..HALVINGS {
        let third = (high - low) / 3.0;
        if against(low + third) < against(high - third) { high -= third } else { low += third }
    }
    against(f64::midpoint(low, high)) > SURE
}

/// The highest rate (0 to 1) that the one may have of which `part` of `whole` is a sample.
pub(super) fn at_most(part: u64, whole: u64) -> f64 {
    let (mut inside, mut outside) = (part as f64 / whole.max(1) as f64, 1.0);
    if !excludes(part, whole, outside) {
        return outside;
    }
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(inside, outside);
        if excludes(part, whole, middle) { outside = middle } else { inside = middle }
    }
    inside
}

fn excludes(part: u64, whole: u64, rate: f64) -> bool {
    quotient((part, whole), rate) > SURE
}

/// The logarithm of the quotient of both likelihoods of a part of a whole.
fn quotient((part, whole): (u64, u64), rate: f64) -> f64 {
    let (hits, misses) = (part as f64, whole.saturating_sub(part) as f64);
    let mixture = ln_beta(hits + 0.5, misses + 0.5) - ln_beta(0.5, 0.5);
    mixture - times_ln(hits, rate) - times_ln(misses, 1.0 - rate)
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
    let series =
        (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - 1.0 / (1680.0 * square)) / square) / square) / x;
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
        for (x, known) in
            [(1.0, 0.0), (2.0, 0.0), (0.5, half), (5.0, 24_f64.ln()), (11.0, 3_628_800_f64.ln())]
        {
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
        for (rate, within) in [(0.02, 9_000), (0.05, 900), (0.5, 40)] {
            let slowest = (1..=100).map(|seed| alarm(seed, rate, 0.01, within)).max().flatten();
            assert!((1..=100).all(|seed| alarm(seed, rate, 0.01, within).is_some()), "{rate}: {slowest:?}");
        }
    }

    #[test]
    fn the_highest_rate_is_no_lower_than_what_was_seen_and_closes_in_on_it() {
        assert_eq!(at_most(0, 0), 1.0);
        for (part, whole) in [(0, 10), (10, 10), (1, 100), (30, 1_000), (3_000, 100_000)] {
            let (seen, high) = (part as f64 / whole as f64, at_most(part, whole));
            assert!(seen <= high && high <= 1.0, "{part}/{whole}: {high}");
        }
        assert!(at_most(3_000, 100_000) < 0.033);
    }

    #[test]
    fn two_versions_are_compared_with_all_that_chance_may_have_done_to_both() {
        for (new, old, more) in [
            ((30, 1_000), (30, 1_000), false),
            ((28, 1_000), (10, 1_000), false),
            ((70, 1_000), (10, 1_000), true),
            ((20, 20), (0, 1_000), true),
            ((20, 20), (0, 0), false),
            ((0, 0), (0, 1_000), false),
        ] {
            assert_eq!(exceeds_by(new, old, 0.01), more, "{new:?} and {old:?}");
        }
    }
}
