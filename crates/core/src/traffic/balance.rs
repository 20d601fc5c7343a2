//! Which instance gets a request: the less loaded of two random ones that are up, or each in its turn, or the same for the
//! same key.
//!
//! Two choices come close to the best of all without looking at all, and without the herd that runs to the one idle
//! instance. Knows neither sockets nor counters: it asks for both. Tested in place.

use crate::base::Millis;

/// So many requests more than its part an instance may have before a key goes elsewhere: of a few at once nobody suffers.
const SLACK: u64 = 8;

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

/// The index whose turn it is: the first one at or after `turn` (any number) that is allowed and up; else that is allowed.
pub fn in_turn(
    count: usize,
    turn: usize,
    allowed: impl Fn(usize) -> bool,
    up: impl Fn(usize) -> bool,
) -> Option<usize> {
    nearest(count, turn, |at| allowed(at) && up(at)).or_else(|| nearest(count, turn, &allowed))
}

/// The index for a key: the same one for the same key while the pool is the same, and for nearly all keys when one comes or
/// goes (rendezvous hashing: Thaler and Ravishankar 1998). One with more than 1.25 times the mean load and `SLACK` is passed over,
/// so that a key that everybody has drowns nobody (bounded loads: Mirrokni, Thorup, Zadimoghaddam 2018). `id` tells instances
/// apart.
pub fn by_key(
    count: usize,
    key: u64,
    allowed: impl Fn(usize) -> bool,
    up: impl Fn(usize) -> bool,
    load: impl Fn(usize) -> u64,
    id: impl Fn(usize) -> u64,
) -> Option<usize> {
    let good = |at: &usize| allowed(*at) && up(*at);
    let (number, sum) = (0..count).filter(good).fold((0, 0), |(n, sum), at| (n + 1, sum + load(at)));
    let bound = (5 * (sum + 1)).div_ceil(4 * u64::max(number, 1)) + SLACK;
    let best = |passes: &dyn Fn(&usize) -> bool| {
        (0..count).filter(passes).max_by_key(|at| mixed(key ^ mixed(id(*at))))
    };
    best(&|at| good(at) && load(*at) < bound).or_else(|| best(&good)).or_else(|| best(&|at| allowed(*at)))
}

/// All bits of a number spread over all others (the finalizer of SplitMix64: Steele, Lea, Flood 2014).
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

/// A key for a text (FNV-1a).
pub fn key(text: &[u8]) -> u64 {
    text.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &b| (sum ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// Whether an instance that came up so long ago is considered for a request that drew `lot`: the older, the more often, from
/// a tenth of all up to each at the end of `slow_start`.
pub fn is_considered(age: Millis, slow_start: Millis, lot: u64) -> bool {
    age >= slow_start || lot % 1000 < (age.0.saturating_mul(1000) / slow_start.0.max(1)).max(100)
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
    fn each_has_its_turn_but_for_those_that_are_down() {
        let turns =
            |up: fn(usize) -> bool| (0..6).map(|turn| in_turn(3, turn, ANY, up).unwrap()).collect::<Vec<_>>();
        assert_eq!(turns(ANY), [0, 1, 2, 0, 1, 2]);
        assert_eq!(turns(|at| at != 1), [0, 2, 2, 0, 2, 2]);
        assert_eq!(turns(|_| false), [0, 1, 2, 0, 1, 2]);
        assert_eq!(in_turn(0, 4, ANY, ANY), None);
    }

    #[test]
    fn a_key_stays_where_it_is_when_others_come_and_go() {
        let all = |ids: &[u64]| -> Vec<u64> {
            let of =
                |k| by_key(ids.len(), key(&[k]), ANY, ANY, |_| 0, |at| ids[at]).map(|at| ids[at]).unwrap();
            (0..=255).map(of).collect()
        };
        let (three, four) = (all(&[1, 2, 3]), all(&[1, 2, 3, 4]));
        assert!(three.iter().zip(&four).all(|(before, after)| before == after || *after == 4));
        for id in 1..=4 {
            let part = four.iter().filter(|&&chosen| chosen == id).count();
            assert!((40..=90).contains(&part), "{id} has {part} of 256 keys");
        }
        // One that is down gives its keys to others, and gets them back.
        let down =
            |k: u8| by_key(4, key(&[k]), ANY, |at| at != 3, |_| 0, |at| at as u64 + 1).unwrap() as u64 + 1;
        assert!((0..=255).all(|k| down(k) == three[usize::from(k)]));
    }

    #[test]
    fn a_key_that_everybody_has_drowns_nobody() {
        let mut loads = [0_u64; 4];
        for _ in 0..400 {
            let at = by_key(4, 7, ANY, ANY, |at| loads[at], |at| at as u64).unwrap();
            loads[at] += 1;
        }
        assert!(loads.iter().all(|&load| load <= 126 + SLACK), "{loads:?}");
        assert_eq!(by_key(2, 7, |_| false, ANY, |_| 0, |at| at as u64), None);
        assert!(by_key(2, 7, ANY, |_| false, |_| 0, |at| at as u64).is_some());
    }

    #[test]
    fn a_new_instance_gets_more_and_more() {
        let part = |age| (0..1000).filter(|&lot| is_considered(Millis(age), Millis(10_000), lot)).count();
        assert_eq!([0, 500, 1_000, 5_000, 9_999, 10_000].map(part), [100, 100, 100, 500, 999, 1000]);
        assert!(is_considered(Millis(0), Millis(0), 999));
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
