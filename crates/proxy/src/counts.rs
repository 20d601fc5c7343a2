//! Counts of one service, one cache line per thread. Each line has one writer; anyone may read.
//!
//! Knows nothing of requests but their number. Tested through the reports of the whole proxy.

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;
use tandem_core::traffic::Counts;

use crate::meter::Meter;

/// What is counted for a service.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Count {
    /// A request that was well formed and matched the service, and came by HTTP/1.
    Http1,
    /// The same, and came by HTTP/2.
    Http2,
    /// It failed by the fault of Tandem or an instance.
    Failed,
    /// It was tried on a second instance.
    Retried,
    /// An upgraded connection was closed by draining.
    WebSocketMoved,
    /// A drain deadline ended a request.
    Cut,
}

const KINDS: usize = 6;

/// The counts of one service.
#[derive(Debug)]
pub(crate) struct ServiceCounts {
    shards: Box<[CachePadded<[AtomicU64; KINDS]>]>,
    /// Requests that were answered without an instance.
    pub(crate) own: Meter,
}

impl ServiceCounts {
    /// Counts for so many threads, all zero.
    pub(crate) fn new(threads: usize) -> Self {
        let shards = (0..threads).map(|_| CachePadded::default()).collect();
        ServiceCounts { shards, own: Meter::new(threads) }
    }

    /// Adds one. Only the given thread itself may call this.
    pub(crate) fn add(&self, thread: usize, what: Count) {
        if let Some(cell) = self.shards.get(thread).and_then(|shard| shard.get(what as usize)) {
            // One writer: a load and a store do, without locking the cache line.
            cell.store(cell.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
    }

    /// One sum over all threads.
    pub(crate) fn sum(&self, what: Count) -> u64 {
        let cells = self.shards.iter().filter_map(|shard| shard.get(what as usize));
        cells.map(|cell| cell.load(Ordering::Relaxed)).sum()
    }

    /// The sums over all threads.
    pub(crate) fn read(&self) -> Counts {
        let sum = |what| self.sum(what);
        Counts {
            requests: sum(Count::Http1) + sum(Count::Http2),
            failed: sum(Count::Failed),
            retried: sum(Count::Retried),
            websockets_moved: sum(Count::WebSocketMoved),
            cut: sum(Count::Cut),
        }
    }
}
