//! Which instance gets a request: the less loaded of two random ones that are up.
//!
//! Two choices come close to the best of all without looking at all, and without the herd that runs to the one idle
//! instance. Knows neither sockets nor counters: it asks for both. Tested in place.

/// The index of the instance to use, out of `count`; none if there is none that is allowed.
///
/// `random` are 64 random bits. Instances that are not `up` are used only when no allowed one is (the panic floor: an
/// instance that may work is better than a certain error). `allowed` leaves out what was tried already.
pub fn choose(
    count: usize,
    random: u64,
    allowed: impl Fn(usize) -> bool,
    up: impl Fn(usize) -> bool,
    load: impl Fn(usize) -> u64,
) -> Option<usize> {
    let good = |at: usize| allowed(at) && up(at);
    let (first, second) = (random as u32 as usize, (random >> 32) as usize);
    match nearest(count, first, good) {
        Some(one) => {
            // The second choice is drawn from the others, so that a pool of two is always compared.
            let two = nearest(count, one + 1 + second % count.max(2).saturating_sub(1), good).unwrap_or(one);
            Some(if load(two) < load(one) { two } else { one })
        }
        None => nearest(count, first, &allowed),
    }
}

/// The first index at or after `from` (round the end) that passes.
fn nearest(count: usize, from: usize, passes: impl Fn(usize) -> bool) -> Option<usize> {
    if count == 0 {
        return None;
    }
    let from = from % count;
    (from..count).chain(0..from).find(|&at| passes(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: fn(usize) -> bool = |_| true;

    #[test]
    fn of_two_the_less_loaded_is_chosen() {
        for random in [0, 1, u64::MAX, 7 << 32, 0x1234_5678_9abc_def0] {
            assert_eq!(choose(2, random, ANY, ANY, |at| [5, 4][at]), Some(1));
        }
    }

    #[test]
    fn what_is_down_is_chosen_only_when_nothing_is_up() {
        for random in 0..50 {
            assert_eq!(choose(4, random, ANY, |at| at == 2, |_| 0), Some(2));
        }
        assert!(choose(4, 9, ANY, |_| false, |_| 0).is_some());
        assert_eq!(choose(2, 9, |at| at == 1, |at| at == 0, |_| 0), Some(1));
    }

    #[test]
    fn nothing_is_chosen_from_nothing() {
        assert_eq!(choose(0, 1, ANY, ANY, |_| 0), None);
        assert_eq!(choose(1, 1, |_| false, ANY, |_| 0), None);
        assert_eq!(choose(1, u64::MAX, ANY, ANY, |_| 0), Some(0));
    }

    #[test]
    fn equal_load_is_spread() {
        let mut hits = [0_u32; 3];
        let mut random = 1_u64;
        for _ in 0..3000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            hits[choose(3, random, ANY, ANY, |_| 0).unwrap()] += 1;
        }
        assert!(hits.iter().all(|&n| n > 800), "{hits:?}");
    }
}
