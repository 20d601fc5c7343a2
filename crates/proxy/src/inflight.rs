//! How many requests are in flight on one instance, counted so that a zero can be believed.
//!
//! Each thread counts on a cache line of its own. The handshake that makes zero exact once the gate is closed:
//! a thread first raises its count and then looks at the gate; whoever closes the gate first closes it and then
//! reads the counts, all in one sequentially consistent order. So either the reader sees the raised count, or the
//! thread sees the closed gate and takes its count back. A request that saw the gate open is therefore in every sum
//! taken after the closing, until it ends; after a sum of zero none can begin. Must not know what a request is.
//! Tested by a stress test in place.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_utils::CachePadded;
use tandem_core::traffic::InFlight;

/// What a request is doing, which decides how long it may go on when its instance leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Neither of the others.
    Request,
    /// Its body is still arriving.
    Upload,
    /// Its answer is being sent.
    Stream,
    /// It became a connection for both sides.
    WebSocket,
}

/// One thread's counts. `all` is exact; the classes are gauges beside it that may lag for an instant.
#[derive(Debug, Default)]
struct Shard {
    all: AtomicU64,
    uploads: AtomicU64,
    streams: AtomicU64,
    websockets: AtomicU64,
}

/// The counts of one instance and its gate.
#[derive(Debug)]
pub(crate) struct Flights {
    open: AtomicBool,
    shards: Box<[CachePadded<Shard>]>,
}

/// Up to so many threads the load of an instance is the sum over them; beyond, a thread looks at its own count only.
const SUMMED_THREADS: usize = 8;

impl Flights {
    /// Counts for so many threads; the gate is closed.
    pub(crate) fn new(threads: usize) -> Self {
        let shards = (0..threads).map(|_| CachePadded::default()).collect();
        Flights { open: AtomicBool::new(false), shards }
    }

    /// Opens or closes the gate. After closing, `in_flight` is exact.
    pub(crate) fn set_open(&self, open: bool) {
        self.open.store(open, Ordering::SeqCst);
    }

    /// Whether new requests are taken.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::SeqCst)
    }

    /// Counts one request on the given thread, unless the gate is closed.
    pub(crate) fn begin(&self, thread: usize) -> bool {
        let Some(shard) = self.shards.get(thread) else { return false };
        shard.all.fetch_add(1, Ordering::SeqCst);
        if self.is_open() {
            return true;
        }
        shard.all.fetch_sub(1, Ordering::SeqCst);
        false
    }

    /// Ends a request that `begin` counted. True if it was the last one behind a closed gate.
    pub(crate) fn end(&self, thread: usize) -> bool {
        if let Some(shard) = self.shards.get(thread) {
            shard.all.fetch_sub(1, Ordering::SeqCst);
        }
        !self.is_open() && self.total() == 0
    }

    /// Moves a counted request from one class to another.
    pub(crate) fn reclass(&self, thread: usize, from: Class, to: Class) {
        let Some(shard) = self.shards.get(thread) else { return };
        if let Some(gauge) = shard.gauge(to) {
            gauge.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(gauge) = shard.gauge(from) {
            gauge.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// How loaded the instance is, as far as the given thread needs to know for choosing.
    pub(crate) fn load(&self, thread: usize) -> u64 {
        if self.shards.len() <= SUMMED_THREADS {
            self.shards.iter().map(|shard| shard.all.load(Ordering::Relaxed)).sum()
        } else {
            self.shards.get(thread).map_or(0, |shard| shard.all.load(Ordering::Relaxed))
        }
    }

    /// All that is in flight.
    pub(crate) fn total(&self) -> u64 {
        self.shards.iter().map(|shard| shard.all.load(Ordering::SeqCst)).sum()
    }

    /// All that is in flight, by class. The total is exact behind a closed gate.
    pub(crate) fn in_flight(&self) -> InFlight {
        let sum = |pick: fn(&Shard) -> &AtomicU64| -> u64 {
            self.shards.iter().map(|shard| pick(shard).load(Ordering::Relaxed)).sum()
        };
        let (uploads, streams) = (sum(|s| &s.uploads), sum(|s| &s.streams));
        let websockets = sum(|s| &s.websockets);
        // The classes are cut to the exact total: a gauge that lags can't make anything out of nothing.
        let total = self.total();
        let websockets = websockets.min(total);
        let uploads = uploads.min(total - websockets);
        let streams = streams.min(total - websockets - uploads);
        InFlight { requests: total - websockets - uploads - streams, uploads, streams, websockets }
    }
}

impl Shard {
    fn gauge(&self, class: Class) -> Option<&AtomicU64> {
        match class {
            Class::Request => None,
            Class::Upload => Some(&self.uploads),
            Class::Stream => Some(&self.streams),
            Class::WebSocket => Some(&self.websockets),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn after_a_zero_behind_a_closed_gate_nothing_begins() {
        const THREADS: usize = 3;
        let flights = Flights::new(THREADS);
        // The epoch of the open gate; a request notes it after it began and looks again before it ends.
        let settled = AtomicU64::new(0);
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (flights, settled, stop) = (&flights, &settled, &stop);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        if flights.begin(thread) {
                            let before = settled.load(Ordering::SeqCst);
                            std::hint::spin_loop();
                            let after = settled.load(Ordering::SeqCst);
                            assert_eq!(before % 2, 0, "a request runs although zero was reported");
                            assert_eq!(before, after, "zero was reported while a request ran");
                            flights.end(thread);
                        } else {
                            while !flights.is_open() && !stop.load(Ordering::Relaxed) {
                                std::thread::yield_now();
                            }
                        }
                    }
                });
            }
            for _ in 0..1000 {
                flights.set_open(true);
                std::thread::yield_now();
                flights.set_open(false);
                // Bounded, so that a thread that failed is seen as a failure. A refused request may be counted for an
                // instant, so only a zero says something.
                let empty = |_| {
                    std::thread::yield_now();
                    flights.total() == 0
                };
                if !(0..1_000_000).any(empty) {
                    break;
                }
                settled.fetch_add(1, Ordering::SeqCst);
                std::thread::yield_now();
                settled.fetch_add(1, Ordering::SeqCst);
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert_eq!(flights.in_flight(), InFlight::default());
    }

    #[test]
    fn classes_are_parts_of_the_total() {
        let flights = Flights::new(2);
        flights.set_open(true);
        assert!(flights.begin(0) && flights.begin(1) && flights.begin(1));
        flights.reclass(1, Class::Request, Class::Upload);
        flights.reclass(1, Class::Upload, Class::Stream);
        let seen = flights.in_flight();
        assert_eq!((seen.total(), seen.requests, seen.streams, seen.uploads), (3, 2, 1, 0));
    }
}
