//! How many of something there may be at once: in all, and of each. Tested in place.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// A bounded number of places.
pub(super) struct Places<K: Hash + Eq> {
    most: usize,
    most_of_one: usize,
    taken: Arc<Mutex<HashMap<K, usize>>>,
}

/// A place that is taken; free again when it is dropped.
pub(super) struct Place<K: Hash + Eq> {
    whose: K,
    taken: Arc<Mutex<HashMap<K, usize>>>,
}

impl<K: Hash + Eq + Clone> Places<K> {
    pub(super) fn new(most: usize, most_of_one: usize) -> Places<K> {
        Places { most, most_of_one, taken: Arc::default() }
    }

    /// A place, if there is one left for this one.
    pub(super) fn take(&self, whose: K) -> Option<Place<K>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.get(&whose).copied().unwrap_or_default();
        if own >= self.most_of_one || taken.values().sum::<usize>() >= self.most {
            return None;
        }
        taken.insert(whose.clone(), own + 1);
        Some(Place { whose, taken: Arc::clone(&self.taken) })
    }
}

impl<K: Hash + Eq> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.whose) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(taken.remove(&self.whose)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_in_all_and_for_each() {
        let places = Places::new(3, 2);
        let (a, _b) = (places.take("a"), places.take("a"));
        assert!(a.is_some() && places.take("a").is_none());
        let _c = places.take("c");
        assert!(places.take("d").is_none());
        drop(a);
        assert!(places.take("d").is_some());
        assert_eq!(places.taken.lock().unwrap().len(), 2, "who has none takes no memory");
    }
}
