//! Calls of a service's operations, and by whom: for services that have a contract.
//!
//! As in `counts`, each thread has cells of its own and nobody waits for anybody. Callers are known by a name in a header
//! field; a bounded number of names is kept, and a bounded number of callers for each operation, the rest are only
//! counted. Nothing is allocated but once for a new name. Tested here and through the whole proxy.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crossbeam_utils::CachePadded;
use tandem_core::contract::{Calls, Operation, Templates};

use crate::field::{self, request_line};

/// So many names of callers are kept for a service.
const NAMES: usize = 256;
/// So many places are tried for a name.
const TRIES: usize = 8;
/// The longest name, in bytes.
const LONGEST: usize = 48;
/// So many callers of an operation are told apart by each thread.
const SLOTS: usize = 8;
/// A slot holds the number of its caller above its count.
const COUNT_BITS: u32 = 48;

/// What is counted of a route, as its table wants it.
#[derive(Debug)]
pub(crate) struct RouteCalls {
    pub(crate) templates: Templates,
    /// One per operation, in the order of the templates.
    pub(crate) operations: Vec<Arc<OperationCalls>>,
    pub(crate) callers: Arc<Callers>,
    /// The header field with the name of the caller.
    pub(crate) field: String,
}

/// The calls of one operation.
#[derive(Debug)]
pub(crate) struct OperationCalls {
    shards: Box<[CachePadded<Shard>]>,
}

#[derive(Debug, Default)]
struct Shard {
    total: AtomicU64,
    callers: [AtomicU64; SLOTS],
}

/// The names of a service's callers, by their numbers. A name is never forgotten while the proxy runs.
#[derive(Debug)]
pub(crate) struct Callers {
    names: Box<[OnceLock<Box<str>>]>,
}

impl RouteCalls {
    /// Counts a request, if it is for an operation. Only the given thread itself may call this; `head` is the head that
    /// goes to the instance.
    pub(crate) fn count(&self, thread: usize, head: &[u8]) {
        let Some((method, target)) = request_line(head) else { return };
        let found = self.templates.find(method, target);
        // What answers GET answers HEAD.
        let found = found.or_else(|| self.templates.find("GET", target).filter(|_| method == "HEAD"));
        if let Some(operation) = found.and_then(|at| self.operations.get(at)) {
            let name = field::find(head, self.field.as_bytes()).and_then(name);
            operation.add(thread, name.and_then(|name| self.callers.number(name)));
        }
    }
}

impl OperationCalls {
    /// Counts for so many threads, all zero.
    pub(crate) fn new(threads: usize) -> Self {
        OperationCalls { shards: (0..threads).map(|_| CachePadded::default()).collect() }
    }

    fn add(&self, thread: usize, caller: Option<u64>) {
        let Some(shard) = self.shards.get(thread) else { return };
        // One writer: a load and a store do, without locking the cache line.
        let more = |cell: &AtomicU64, start: u64| cell.store(start + 1, Ordering::Relaxed);
        more(&shard.total, shard.total.load(Ordering::Relaxed));
        let Some(caller) = caller else { return };
        for cell in &shard.callers {
            let held = cell.load(Ordering::Relaxed);
            match held >> COUNT_BITS {
                0 => return more(cell, caller << COUNT_BITS),
                of if of == caller => return more(cell, held),
                _ => {}
            }
        }
    }

    /// The sums over all threads.
    pub(crate) fn read(&self, names: &Callers) -> Calls {
        let mut calls = Calls::default();
        for shard in &self.shards {
            calls.total += shard.total.load(Ordering::Relaxed);
            for cell in &shard.callers {
                let held = cell.load(Ordering::Relaxed);
                if let Some(name) = names.name(held >> COUNT_BITS) {
                    *calls.callers.entry(name.to_owned()).or_default() += held & ((1 << COUNT_BITS) - 1);
                }
            }
        }
        calls
    }
}

impl Callers {
    /// No names yet.
    pub(crate) fn new() -> Self {
        Callers { names: (0..NAMES).map(|_| OnceLock::new()).collect() }
    }

    /// The number of a name, from 1 on. None: no place is left for it.
    fn number(&self, name: &str) -> Option<u64> {
        // FNV-1a.
        let hash = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |sum: u64, b| (sum ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        let places = (0..TRIES).map(|step| (hash as usize).wrapping_add(step) % NAMES);
        let mut places = places.filter_map(|at| Some((at, self.names.get(at)?)));
        let found = places.find(|(_, place)| **place.get_or_init(|| name.into()) == *name);
        found.map(|(at, _)| at as u64 + 1)
    }

    fn name(&self, number: u64) -> Option<&str> {
        let at = usize::try_from(number.checked_sub(1)?).ok()?;
        self.names.get(at)?.get().map(|name| &**name)
    }
}

/// The counts of a service's operations, by their names.
pub(crate) fn read(operations: &[Operation], counts: &RouteCalls) -> BTreeMap<Operation, Calls> {
    let all = operations.iter().zip(&counts.operations);
    all.map(|(operation, calls)| (operation.clone(), calls.read(&counts.callers))).collect()
}

/// The first product of a value, as in `checkout/3.1 (linux)`.
fn name(value: &[u8]) -> Option<&str> {
    let end = value.iter().position(|b| !b.is_ascii_graphic() || b"(;,".contains(b)).unwrap_or(value.len());
    let name = value.get(..end).filter(|name| !name.is_empty() && name.len() <= LONGEST)?;
    std::str::from_utf8(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_first_product_of_a_field() {
        let head = b"GET /a?b HTTP/1.1\r\nHost: a\r\nuser-agent:  checkout/3.1 (linux)\r\nx: y\r\n\r\n";
        assert_eq!(request_line(head), Some(("GET", "/a?b")));
        assert_eq!(field::find(head, b"User-Agent").and_then(name), Some("checkout/3.1"));
        assert_eq!(
            (field::find(head, b"Host"), field::find(head, b"User"), field::find(head, b"y")),
            (Some(&b"a"[..]), None, None)
        );
        for none in ["", "(x)", " ", "é", &"x".repeat(LONGEST + 1)] {
            assert_eq!(name(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn callers_that_are_too_many_are_counted_without_a_name() {
        let (calls, callers) = (OperationCalls::new(2), Callers::new());
        for round in 0..2 * NAMES {
            calls.add(round % 2, callers.number(&format!("caller/{round}")));
            calls.add(0, callers.number("caller/0"));
        }
        let read = calls.read(&callers);
        assert_eq!((read.total, read.callers["caller/0"]), (4 * NAMES as u64, 2 * NAMES as u64 + 1));
        assert!(read.callers.len() <= 2 * SLOTS && read.callers.values().sum::<u64>() < read.total);
        let known = (0..2 * NAMES).filter(|at| callers.number(&format!("caller/{at}")).is_some()).count();
        assert!(known <= NAMES && callers.number("one more").is_none() == (known == NAMES));
    }
}
