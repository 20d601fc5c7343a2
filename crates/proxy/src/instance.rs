//! One instance as all threads share it: what is in flight, its health, its drain deadlines.
//!
//! Lives from the first table that names it until it is out of the table and idle. Must not know connections: the
//! pools are per thread. Tested through the whole proxy; the state machine of health is `core::traffic::health`.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_utils::CachePadded;
use tandem_core::base::{InstanceId, Millis, VersionLabel};
use tandem_core::spec::{DrainSpec, HttpProbe};
use tandem_core::traffic::health::{Checks, REQUEST_FAILURES};
use tandem_core::traffic::metrics::DrainLeft;
use tandem_core::traffic::{Health, InstanceReport, Role};

use crate::inflight::{Class, Flights};
use crate::meter::Meter;

/// No deadline.
const NEVER: u64 = u64::MAX;

/// One instance, shared by all threads.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) id: InstanceId,
    pub(crate) version: VersionLabel,
    pub(crate) address: SocketAddr,
    pub(crate) flights: Flights,
    pub(crate) meter: Arc<Meter>,
    up: AtomicBool,
    /// When it came up last, in milliseconds of the proxy's clock.
    up_since: AtomicU64,
    checks: Mutex<Checks>,
    /// Why it is left alone although its checks are good, if it is.
    ejected: Mutex<Option<String>>,
    failures_in_row: AtomicU32,
    tallies: Box<[CachePadded<Tally>]>,
    /// When it began to leave, in milliseconds of the proxy's clock, and the deadline of each class.
    drain: Mutex<Option<u64>>,
    deadlines: [AtomicU64; 4],
    /// The window over which upgraded connections are closed, in milliseconds.
    spread: AtomicU64,
}

#[derive(Debug, Default)]
struct Tally {
    requests: AtomicU64,
    failed: AtomicU64,
}

impl Instance {
    /// An instance that was not seen before; `trusted` if it may be taken for healthy without a check.
    pub(crate) fn new(
        id: InstanceId,
        version: VersionLabel,
        address: SocketAddr,
        threads: usize,
        trusted: bool,
        meter: Arc<Meter>,
    ) -> Self {
        Instance {
            id,
            version,
            address,
            flights: Flights::new(threads),
            meter,
            up: AtomicBool::new(trusted),
            up_since: AtomicU64::new(0),
            ejected: Mutex::new(None),
            checks: Mutex::new(if trusted { Checks::trusted() } else { Checks::default() }),
            failures_in_row: AtomicU32::new(0),
            tallies: (0..threads).map(|_| CachePadded::default()).collect(),
            drain: Mutex::new(None),
            deadlines: [const { AtomicU64::new(NEVER) }; 4],
            spread: AtomicU64::new(0),
        }
    }

    /// Whether requests may be given to it: it answers its checks, and is not left alone.
    pub(crate) fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    /// How long it has been up.
    pub(crate) fn age(&self, now: u64) -> Millis {
        Millis(now.saturating_sub(self.up_since.load(Ordering::Relaxed)))
    }

    /// Takes the outcome of a check in. True if the health changed.
    pub(crate) fn checked(&self, outcome: Result<(), String>, probe: &HttpProbe, now: u64) -> bool {
        let mut checks = lock(&self.checks);
        if outcome.is_ok() {
            self.failures_in_row.store(0, Ordering::Relaxed);
        }
        let changed = checks.observe(outcome, probe.rise, probe.fall);
        self.settle(&checks, now);
        changed
    }

    /// Leaves it alone, for what reason; or no more.
    pub(crate) fn eject(&self, why: Option<String>, now: u64) {
        *lock(&self.ejected) = why;
        self.settle(&lock(&self.checks), now);
    }

    fn settle(&self, checks: &Checks, now: u64) {
        let up = checks.health().is_up() && lock(&self.ejected).is_none();
        if up && !self.is_up() {
            self.up_since.store(now, Ordering::Relaxed);
        }
        self.up.store(up, Ordering::Relaxed);
    }

    /// Whether its checks are good.
    pub(crate) fn answers(&self) -> bool {
        lock(&self.checks).health().is_up()
    }

    /// Whether a check ever found it healthy.
    pub(crate) fn was_up(&self) -> bool {
        matches!(lock(&self.checks).health(), Health::Up | Health::Down { .. })
    }

    /// Counts a request that was given to it. Only the given thread itself may call this.
    pub(crate) fn given(&self, thread: usize) {
        if let Some(tally) = self.tallies.get(thread) {
            tally.requests.store(tally.requests.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
    }

    /// A request on it went well.
    pub(crate) fn succeeded(&self) {
        if self.failures_in_row.load(Ordering::Relaxed) != 0 {
            self.failures_in_row.store(0, Ordering::Relaxed);
        }
    }

    /// Counts a request that failed on it. Only the given thread itself may call this.
    pub(crate) fn tally_failure(&self, thread: usize) {
        if let Some(tally) = self.tallies.get(thread) {
            tally.failed.store(tally.failed.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
    }

    /// A request on it failed by its fault, as said. True if that changed its health.
    pub(crate) fn failed(&self, thread: usize, why: &str) -> bool {
        self.tally_failure(thread);
        let row = self.failures_in_row.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if row < REQUEST_FAILURES || !self.is_up() {
            return false;
        }
        let mut checks = lock(&self.checks);
        let changed = checks.requests_failed(format!("{row} requests in a row failed: {why}"));
        self.up.store(false, Ordering::Relaxed);
        changed
    }

    /// Gives it the role that the table says (none: it left the table). Deadlines count from the first call that
    /// makes it leave. The gate is not touched here: it is opened and closed in the order that `snapshot` explains.
    pub(crate) fn set_role(&self, role: Option<Role>, spec: &DrainSpec, now: u64) {
        let mut since = lock(&self.drain);
        let leaving = !matches!(role, Some(Role::Serve | Role::Standby));
        if !leaving {
            *since = None;
            for deadline in &self.deadlines {
                deadline.store(NEVER, Ordering::Relaxed);
            }
            return;
        }
        let since = *since.get_or_insert(now);
        let end = |length: Millis| since.saturating_add(length.0);
        for (class, length) in [
            (Class::Request, spec.requests),
            (Class::Upload, spec.uploads),
            (Class::Stream, spec.streams),
            (Class::WebSocket, spec.websockets),
        ] {
            if let Some(deadline) = self.deadlines.get(class as usize) {
                deadline.store(end(length), Ordering::Relaxed);
            }
        }
        self.spread.store(spec.websockets.0 / 4, Ordering::Relaxed);
    }

    /// When what is in flight in `class` is cut, in milliseconds of the proxy's clock; `u64::MAX` if it is not.
    /// `jitter` (any number, fixed for one connection) spreads the upgraded ones over the last quarter of their time.
    pub(crate) fn cut_at(&self, class: Class, jitter: u64) -> u64 {
        let deadline = self.deadlines.get(class as usize).map_or(NEVER, |d| d.load(Ordering::Relaxed));
        if class != Class::WebSocket || deadline == NEVER {
            return deadline;
        }
        deadline - jitter % (self.spread.load(Ordering::Relaxed) + 1)
    }

    /// If it is leaving: how long what is in flight may still take.
    pub(crate) fn left(&self, now: u64) -> Option<DrainLeft> {
        let left = |class: Class| {
            let end = self.deadlines.get(class as usize)?.load(Ordering::Relaxed);
            (end != NEVER).then(|| Millis(end.saturating_sub(now)))
        };
        Some(DrainLeft {
            requests: left(Class::Request)?,
            uploads: left(Class::Upload)?,
            streams: left(Class::Stream)?,
            websockets: left(Class::WebSocket)?,
        })
    }

    /// What is known of it.
    pub(crate) fn report(&self) -> InstanceReport {
        let sum = |pick: fn(&Tally) -> &AtomicU64| {
            self.tallies.iter().map(|tally| pick(tally).load(Ordering::Relaxed)).sum()
        };
        let health = lock(&self.checks).health().clone();
        let ejected = lock(&self.ejected).clone().filter(|_| health.is_up());
        InstanceReport {
            health: ejected.map_or(health, |last| Health::Down { last }),
            in_flight: self.flights.in_flight(),
            requests: sum(|t| &t.requests),
            failed: sum(|t| &t.failed),
        }
    }
}

/// A lock whose holder panicked still guards a usable value here: nothing is left half done under these locks.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
