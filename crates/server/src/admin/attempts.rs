//! How often something may happen within a minute, by address. Tested in place.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Within this time it is counted.
const WITHIN: Duration = Duration::from_secs(60);
/// So many addresses are known at once; where there are more, the oldest is forgotten.
const ADDRESSES: usize = 4096;

/// What is counted by address.
#[derive(Debug)]
pub(super) struct Attempts {
    most: u32,
    all: Mutex<HashMap<IpAddr, Window>>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    count: u32,
}

/// Whoever has one address of IPv6 mostly has a network of them.
pub(super) fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        v4 => v4,
    }
}

impl Attempts {
    /// So many from one address.
    pub(super) fn new(most: u32) -> Attempts {
        Attempts { most, all: Mutex::default() }
    }

    /// Whether an address has one left.
    ///
    /// # Errors
    /// It has none for so long.
    pub(super) fn check(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(window) = all.get(&source(address)) else { return Ok(()) };
        let left = WITHIN.saturating_sub(now.saturating_duration_since(window.since));
        if left.is_zero() || window.count < self.most { Ok(()) } else { Err(left) }
    }

    /// Counts one.
    pub(super) fn count(&self, address: IpAddr, now: Instant) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let source = source(address);
        all.retain(|_, window| now.saturating_duration_since(window.since) < WITHIN);
        if all.len() >= ADDRESSES
            && !all.contains_key(&source)
            && let Some(oldest) = all.iter().min_by_key(|(_, window)| window.since).map(|(source, _)| *source)
        {
            all.remove(&oldest);
        }
        let window = all.entry(source).or_insert(Window { since: now, count: 0 });
        window.count = window.count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_too_often_waits_and_nobody_else() {
        let (attempts, begun) = (Attempts::new(10), Instant::now());
        let (one, other) = ("2001:db8::1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        for _ in 0..10 {
            assert_eq!(attempts.check(one, begun), Ok(()));
            attempts.count(one, begun);
        }
        let later = begun + Duration::from_secs(20);
        let wait = Err(Duration::from_secs(40));
        assert_eq!(attempts.check(one, later), wait);
        assert_eq!(attempts.check("2001:db8::2".parse().unwrap(), later), wait, "the same network");
        assert_eq!(attempts.check(other, later), Ok(()));
        assert_eq!(attempts.check(one, begun + WITHIN), Ok(()));
    }

    #[test]
    fn no_number_of_addresses_fills_the_memory() {
        let (attempts, now) = (Attempts::new(10), Instant::now());
        for number in 0..ADDRESSES as u32 + 100 {
            attempts.count(IpAddr::from(number.to_be_bytes()), now);
        }
        assert_eq!(attempts.all.lock().unwrap().len(), ADDRESSES);
    }
}
