//! How often operations were called, and by whom.
//!
//! Callers are known by a name that requests bring along; a bounded number of them is told apart, the rest are "others".

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Operation;
use crate::base::{Grouped, Millis, ServiceName};

/// How often something was called.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Calls {
    /// By anybody.
    pub total: u64,
    /// By those who were told apart.
    pub callers: BTreeMap<String, u64>,
}

/// What one run of the proxy has counted so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CallReport {
    /// Tells one run of the proxy from the next; counts begin at zero with each run.
    pub run: u64,
    /// The operations of each service that has a contract, those that were never called included.
    pub services: BTreeMap<ServiceName, BTreeMap<Operation, Calls>>,
}

/// The calls of an operation within a window of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counted {
    /// The calls.
    pub calls: Calls,
    /// For how long they were counted: the window, or as long as the operation is known.
    pub over: Millis,
    /// Whether there can't have been any others within the window.
    pub complete: bool,
}

impl Calls {
    /// Both together.
    pub(super) fn add(&mut self, other: &Calls) {
        self.total = self.total.saturating_add(other.total);
        for (caller, count) in &other.callers {
            let sum = self.callers.entry(caller.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    /// What was counted since `before`. Saturates at zero.
    pub(super) fn since(&self, before: &Calls) -> Calls {
        let callers = self.callers.iter().filter_map(|(caller, count)| {
            let more = count.saturating_sub(before.callers.get(caller).copied().unwrap_or_default());
            (more > 0).then(|| (caller.clone(), more))
        });
        Calls { total: self.total.saturating_sub(before.total), callers: callers.collect() }
    }
}

/// So many callers are named.
const NAMED: usize = 3;

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counted { calls, over, complete } = self;
        let over = if over.0.is_multiple_of(60_000) { over.to_string() } else { over.rough() };
        match (calls.total, complete) {
            (0, true) => return write!(f, "not called in the last {over}"),
            (0, false) => return write!(f, "counted for {over} only, not called since"),
            (1, _) => write!(f, "called once in the last {over}")?,
            (total, _) => write!(f, "called {} times in the last {over}", Grouped(total))?,
        }
        let mut callers: Vec<(&String, &u64)> = calls.callers.iter().collect();
        callers.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), *name));
        callers.truncate(NAMED);
        let named: u64 = callers.iter().map(|(_, count)| **count).sum();
        let mut parts: Vec<String> =
            callers.iter().map(|(name, count)| format!("{name} ({})", Grouped(**count))).collect();
        if parts.is_empty() {
            return Ok(());
        }
        if named < calls.total {
            parts.push("others".to_owned());
        }
        let last = parts.pop().unwrap_or_default();
        match parts.is_empty() {
            true => write!(f, ", by {last}"),
            false => write!(f, ", by {} and {last}", parts.join(", ")),
        }
    }
}
