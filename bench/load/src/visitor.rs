//! Visitors: clients that keep the cookie that they were given, each with one request at a time.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A visitor who waits for the next request.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    pub(crate) number: u32,
    /// What is sent in `Cookie`.
    pub(crate) cookie: Option<String>,
}

/// All visitors of a run; those who are under way are not here.
pub(crate) struct Visitors(Mutex<VecDeque<Visitor>>);

impl Visitors {
    /// So many, none of whom was here before.
    pub(crate) fn new(count: u32) -> Visitors {
        Visitors(Mutex::new((0..count).map(|number| Visitor { number, cookie: None }).collect()))
    }

    fn list(&self) -> MutexGuard<'_, VecDeque<Visitor>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one who has waited longest.
    pub(crate) fn take(&self) -> Option<Visitor> {
        self.list().pop_front()
    }

    /// Is back, perhaps with another cookie.
    pub(crate) fn put(&self, mut visitor: Visitor, set: Option<&str>) {
        if let Some(cookie) = set {
            visitor.cookie = cookie.split(';').next().map(str::to_owned);
        }
        self.list().push_back(visitor);
    }
}
