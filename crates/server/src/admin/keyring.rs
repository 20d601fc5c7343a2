//! What is known by a secret for a limited time: sessions, tickets. A bounded number; of the secrets only digests.
//!
//! Tested in place.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tandem_core::base::Timestamp;

use super::digest::{Digest, secret};

/// Values by secrets, each until its end.
pub(super) struct Keyring<T> {
    most: usize,
    all: Mutex<HashMap<Digest, (Timestamp, T)>>,
}

impl<T: Clone> Keyring<T> {
    /// One for `most` values; where there are more, the one that ends first goes.
    pub(super) fn new(most: usize) -> Keyring<T> {
        Keyring { most, all: Mutex::default() }
    }

    /// Keeps a value, and gives the secret for it.
    pub(super) fn keep(&self, value: T, ends: Timestamp, now: Timestamp) -> io::Result<String> {
        let secret = secret()?;
        let mut all = self.lock();
        all.retain(|_, (ends, _)| now < *ends);
        if all.len() >= self.most
            && let Some(first) = all.iter().min_by_key(|(_, (ends, _))| *ends).map(|(digest, _)| *digest)
        {
            all.remove(&first);
        }
        all.insert(Digest::of(&secret), (ends, value));
        Ok(secret)
    }

    /// The value of a secret, and when it ends.
    pub(super) fn find(&self, digest: &Digest, now: Timestamp) -> Option<(Timestamp, T)> {
        self.lock().get(digest).filter(|(ends, _)| now < *ends).cloned()
    }

    /// The same, for the last time.
    pub(super) fn take(&self, digest: &Digest, now: Timestamp) -> Option<T> {
        self.lock().remove(digest).filter(|(ends, _)| now < *ends).map(|(_, value)| value)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, (Timestamp, T)>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_ends_is_taken_once_and_is_never_too_much() {
        let ring = Keyring::new(2);
        let keep = |value, ends| Digest::of(&ring.keep(value, Timestamp(ends), Timestamp(0)).unwrap());
        let (a, b) = (keep("a", 10), keep("b", 20));
        assert_eq!(ring.find(&a, Timestamp(9)), Some((Timestamp(10), "a")));
        assert_eq!(ring.find(&a, Timestamp(10)), None);
        let c = keep("c", 30);
        assert_eq!(ring.find(&a, Timestamp(0)), None, "the one that ended first made room");
        assert_eq!((ring.take(&b, Timestamp(0)), ring.take(&b, Timestamp(0))), (Some("b"), None));
        assert_eq!(ring.take(&c, Timestamp(30)), None);
        assert_eq!(ring.find(&c, Timestamp(0)), None);
    }
}
