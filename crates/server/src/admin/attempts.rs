//! How often somebody may try: failures by address within a minute. Tested in place.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many failures there may be from one address …
const MOST: u32 = 10;
/// … within this time.
const WITHIN: Duration = Duration::from_secs(60);
/// So many addresses are known at once; where there are more, the oldest is forgotten.
const ADDRESSES: usize = 4096;

/// Failures by address.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<HashMap<IpAddr, Window>>);

#[derive(Debug)]
struct Window {
    since: Instant,
    failures: u32,
    is_told: bool,
}

/// Somebody tried too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooOften {
    /// When they may try again.
    pub(super) left: Duration,
    /// Whether this is the first time that they are told.
    pub(super) is_first: bool,
}

/// Whoever has one address of IPv6 mostly has a network of them.
pub(super) fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        v4 => v4,
    }
}

impl Attempts {
    /// Whether an address may try.
    ///
    /// # Errors
    /// It tried too often.
    pub(super) fn check(&self, address: IpAddr, now: Instant) -> Result<(), TooOften> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(window) = all.get_mut(&source(address)) else { return Ok(()) };
        let left = WITHIN.saturating_sub(now.saturating_duration_since(window.since));
        if left.is_zero() || window.failures < MOST {
            return Ok(());
        }
        let is_first = !std::mem::replace(&mut window.is_told, true);
        Err(TooOften { left, is_first })
    }

    /// Notes a failure.
    pub(super) fn failed(&self, address: IpAddr, now: Instant) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let source = source(address);
        all.retain(|_, window| now.saturating_duration_since(window.since) < WITHIN);
        if all.len() >= ADDRESSES
            && !all.contains_key(&source)
            && let Some(oldest) = all.iter().min_by_key(|(_, window)| window.since).map(|(source, _)| *source)
        {
            all.remove(&oldest);
        }
        let window = all.entry(source).or_insert(Window { since: now, failures: 0, is_told: false });
        window.failures = window.failures.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_too_often_waits_and_nobody_else() {
        let (attempts, begun) = (Attempts::default(), Instant::now());
        let (one, other) = ("2001:db8::1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        for _ in 0..MOST {
            assert_eq!(attempts.check(one, begun), Ok(()));
            attempts.failed(one, begun);
        }
        let later = begun + Duration::from_secs(20);
        let wait = |is_first| Err(TooOften { left: Duration::from_secs(40), is_first });
        assert_eq!(attempts.check(one, later), wait(true));
        assert_eq!(attempts.check("2001:db8::2".parse().unwrap(), later), wait(false), "the same network");
        assert_eq!(attempts.check(other, later), Ok(()));
        assert_eq!(attempts.check(one, begun + WITHIN), Ok(()));
    }

    #[test]
    fn no_number_of_addresses_fills_the_memory() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for number in 0..ADDRESSES as u32 + 100 {
            attempts.failed(IpAddr::from(number.to_be_bytes()), now);
        }
        assert_eq!(attempts.0.lock().unwrap().len(), ADDRESSES);
    }
}
