//! What is measured of requests, in cells that belong to one thread each.
//!
//! As in `counts`, one thread writes and anyone may read: a load and a store, no lock and no contended cache line. Knows
//! nothing of requests but what `account` says of one that ended. Tested through the whole proxy.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;
use tandem_core::traffic::metrics::{
    BOUNDARIES, ConnectionMetrics, Histogram, Method, Requests, StatusClass,
};
use tandem_core::traffic::{Answers, Latencies};

/// A sum with one writer.
#[derive(Debug, Default)]
pub(crate) struct Sum(AtomicU64);

impl Sum {
    /// Adds. Only the thread that the cell belongs to may call this.
    pub(crate) fn add(&self, more: u64) {
        // One writer: a load and a store do, without locking the cache line.
        self.0.store(self.read().wrapping_add(more), Ordering::Relaxed);
    }

    /// The sum as far as it is known here.
    pub(crate) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Lengths of time by buckets.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    counts: [Sum; BOUNDARIES.len() + 1],
    micros: Sum,
}

impl Buckets {
    /// Takes one length in. Only the thread that it belongs to may call this.
    pub(crate) fn add(&self, micros: u64) {
        if let Some(count) = self.counts.get(Histogram::bucket(micros)) {
            count.add(1);
            self.micros.add(micros);
        }
    }

    fn read(&self) -> Histogram {
        Histogram { buckets: self.counts.iter().map(Sum::read).collect(), micros: self.micros.read() }
    }
}

/// What one thread measures of the requests of an instance, or of those that the proxy answers itself.
#[derive(Debug)]
pub(crate) struct Shard {
    ended: [[Sum; StatusClass::ALL.len()]; Method::ALL.len()],
    pub(crate) durations: Buckets,
    pub(crate) heads: Buckets,
    pub(crate) received: Sum,
    pub(crate) sent: Sum,
    /// The times to the heads once more, finer.
    latencies: [Sum; Latencies::BUCKETS],
}

impl Default for Shard {
    fn default() -> Self {
        Shard {
            ended: Default::default(),
            durations: Buckets::default(),
            heads: Buckets::default(),
            received: Sum::default(),
            sent: Sum::default(),
            latencies: std::array::from_fn(|_| Sum::default()),
        }
    }
}

impl Shard {
    /// The head of an answer came after so long.
    pub(crate) fn answered(&self, micros: u64) {
        self.heads.add(micros);
        if let Some(count) = self.latencies.get(Latencies::bucket(micros)) {
            count.add(1);
        }
    }

    /// A request ended so.
    pub(crate) fn end(&self, method: Method, class: StatusClass) {
        let classes = self.ended.get(method as usize);
        if let Some(cell) = classes.and_then(|classes| classes.get(class as usize)) {
            cell.add(1);
        }
    }

    fn read(&self) -> Requests {
        let mut requests = Requests {
            durations: self.durations.read(),
            received: self.received.read(),
            sent: self.sent.read(),
            ..Requests::default()
        };
        for (method, cells) in Method::ALL.into_iter().zip(&self.ended) {
            let counts = StatusClass::ALL.into_iter().zip(cells).map(|(class, cell)| (class, cell.read()));
            let classes: BTreeMap<_, _> = counts.filter(|(_, count)| *count > 0).collect();
            if !classes.is_empty() {
                requests.ended.insert(method, classes);
            }
        }
        requests
    }
}

/// What all threads measure of the same.
#[derive(Debug)]
pub(crate) struct Meter {
    shards: Box<[CachePadded<Shard>]>,
}

impl Meter {
    /// For so many threads, all zero.
    pub(crate) fn new(threads: usize) -> Self {
        Meter { shards: (0..threads).map(|_| CachePadded::default()).collect() }
    }

    /// The cells of a thread.
    pub(crate) fn shard(&self, thread: usize) -> Option<&Shard> {
        self.shards.get(thread).map(|shard| &**shard)
    }

    /// How many requests ended, and how many of them with a failure of the instance.
    pub(crate) fn ended(&self) -> (u64, u64) {
        let cells = self.shards.iter().flat_map(|shard| &shard.ended);
        cells.fold((0, 0), |(all, failed), classes| {
            let sum: u64 = classes.iter().map(Sum::read).sum();
            let failures = classes.get(StatusClass::ServerError as usize).map_or(0, Sum::read);
            (all + sum, failed + failures)
        })
    }

    /// What its answers were like.
    pub(crate) fn answers(&self) -> Answers {
        let mut counts = [0; Latencies::BUCKETS];
        for shard in &self.shards {
            counts.iter_mut().zip(&shard.latencies).for_each(|(count, sum)| *count += sum.read());
        }
        let cells = self.shards.iter().flat_map(|shard| &shard.ended);
        let (all, failed) = cells.fold((0, 0), |(all, failed), classes| {
            let class = |class: StatusClass| classes.get(class as usize).map_or(0, Sum::read);
            let ended: u64 = classes.iter().map(Sum::read).sum();
            // Whose client went away says nothing of the instance.
            let told = ended - class(StatusClass::None);
            (all + told, failed + class(StatusClass::ServerError))
        });
        Answers { all, failed, latencies: Latencies::of(counts) }
    }

    /// The sums over all threads: the requests, and the times to the heads of their answers.
    pub(crate) fn read(&self) -> (Requests, Histogram) {
        let mut sum = (Requests::default(), Histogram::default());
        for shard in &self.shards {
            let one = shard.read();
            sum.0.durations = sum.0.durations.plus(&one.durations);
            sum.0.received += one.received;
            sum.0.sent += one.sent;
            for (method, classes) in one.ended {
                let all = sum.0.ended.entry(method).or_default();
                classes.into_iter().for_each(|(class, count)| *all.entry(class).or_default() += count);
            }
            sum.1 = sum.1.plus(&shard.heads.read());
        }
        sum
    }
}

/// The statuses with which requests are refused at the door.
const REFUSALS: [u16; 9] = [400, 404, 405, 408, 414, 417, 431, 501, 505];

/// What one thread counts of connections.
#[derive(Debug, Default)]
pub(crate) struct DoorShard {
    pub(crate) accepted: Sum,
    pub(crate) pauses: Sum,
    pub(crate) handshakes: Sum,
    pub(crate) failed_handshakes: Sum,
    refused: [Sum; REFUSALS.len()],
}

impl DoorShard {
    /// A request was refused with this status.
    pub(crate) fn refuse(&self, status: u16) {
        let at = REFUSALS.iter().position(|known| *known == status).unwrap_or_default();
        if let Some(cell) = self.refused.get(at) {
            cell.add(1);
        }
    }
}

/// What all threads count of connections.
#[derive(Debug)]
pub(crate) struct DoorMeter {
    shards: Box<[CachePadded<DoorShard>]>,
}

impl DoorMeter {
    /// For so many threads, all zero.
    pub(crate) fn new(threads: usize) -> Self {
        DoorMeter { shards: (0..threads).map(|_| CachePadded::default()).collect() }
    }

    /// The cells of a thread.
    pub(crate) fn shard(&self, thread: usize) -> Option<&DoorShard> {
        self.shards.get(thread).map(|shard| &**shard)
    }

    /// The sums over all threads; what is open, and the most that there may be, are not known here.
    pub(crate) fn connections(&self) -> ConnectionMetrics {
        let sum = |pick: fn(&DoorShard) -> &Sum| self.shards.iter().map(|shard| pick(shard).read()).sum();
        ConnectionMetrics {
            open: 0,
            most: 0,
            accepted: sum(|shard| &shard.accepted),
            pauses: sum(|shard| &shard.pauses),
            handshakes: sum(|shard| &shard.handshakes),
            failed_handshakes: sum(|shard| &shard.failed_handshakes),
        }
    }

    /// How many requests were refused, by status.
    pub(crate) fn refused(&self) -> BTreeMap<u16, u64> {
        let sum =
            |at: usize| self.shards.iter().filter_map(|shard| shard.refused.get(at)).map(Sum::read).sum();
        let all = REFUSALS.into_iter().enumerate().map(|(at, status)| (status, sum(at)));
        all.filter(|(_, count)| *count > 0).collect()
    }
}
