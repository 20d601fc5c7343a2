//! Trying again: a statement that can't have its locks gives way, waits a moment and comes back, within a budget.
//!
//! While the working connection waits, the guard's connection looks who is in the way, and ends the wait on request.
//! Pauses wait on the guard's notifications, so nothing here sleeps. Tested in `tests/postgres/execution.rs`.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use postgres::Client;
use postgres::error::SqlState;
use postgres::fallible_iterator::FallibleIterator;

use super::{Options, Watch};
use crate::error::Error;
use crate::failure::Failure;
use crate::session::{COLUMNS, Session, named};

/// The first pause before another try, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// How quickly a request to stop is seen.
const STOPPING: Duration = Duration::from_millis(100);

/// After this long a wait is told.
const TOLD: Duration = Duration::from_secs(1);

/// The two connections of an operator.
pub(super) struct Line<'a> {
    /// Does the work.
    pub(super) work: Client,
    /// Holds the operator's lock, and looks on.
    pub(super) guard: Client,
    /// The working connection's process on the server.
    pub(super) pid: i32,
    /// Limits.
    pub(super) options: Options,
    /// Set by whoever wants an end.
    pub(super) stop: &'a AtomicBool,
    /// What a working transaction sets beside the limit of locks.
    pub(super) rights: Rights,
    /// How long autovacuum may be in the way before the server ends it.
    pub(super) patience: Duration,
}

/// What the role may do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rights {
    /// Set `session_replication_role`: the user's own triggers can be kept quiet.
    pub(super) replica: bool,
    /// Set `deadlock_timeout`: autovacuum gives way quickly.
    pub(super) patience: bool,
}

impl Line<'_> {
    /// Does something again and again until it succeeds, fails for good, or the budget is used up.
    pub(super) fn attempts<T>(
        &mut self,
        step: &str,
        watch: &mut (dyn Watch + Send),
        mut work: impl FnMut(&mut Client, &str) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut refused: Option<Instant> = None;
        let (mut pause, mut blockers) = (PAUSES.0, Vec::new());
        loop {
            self.go_on()?;
            let limits = self.limits(&blockers);
            let (result, seen) = self.observed(watch, |client| work(client, &limits));
            let failure = match result {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            if !seen.is_empty() {
                blockers = seen;
            }
            if failure.code() == Some(&SqlState::QUERY_CANCELED) {
                self.go_on()?;
            }
            if !failure.passes() {
                return Err(failure);
            }
            let waited = refused.get_or_insert_with(Instant::now).elapsed();
            if waited >= self.options.budget {
                let (statement, source) = match failure {
                    Failure::Statement { statement, source, .. } => (Some(statement), source),
                    Failure::Database(source) => (None, source),
                    other => return Err(other),
                };
                return Err(Failure::Blocked { step: step.to_owned(), statement, waited, blockers, source });
            }
            watch.waiting(&format!("{step} gives way and tries again; in the way: {}", named(&blockers)));
            let until = Instant::now() + jittered(pause).min(self.options.budget.saturating_sub(waited));
            while Instant::now() < until {
                self.wait(until.saturating_duration_since(Instant::now()))?;
            }
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Fails if an end was asked for.
    pub(super) fn go_on(&self) -> Result<(), Failure> {
        if self.stop.load(Ordering::Relaxed) { Err(Failure::Stopped) } else { Ok(()) }
    }

    /// Waits until something is notified or the time is over.
    pub(super) fn wait(&mut self, time: Duration) -> Result<(), Failure> {
        let until = Instant::now() + time;
        loop {
            self.go_on()?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            if self.guard.is_closed() {
                let why = "the one that holds the operator's lock was closed".to_owned();
                return Err(Error::Lost { why }.into());
            }
            if self.guard.notifications().timeout_iter(left.min(STOPPING)).next()?.is_some() {
                return Ok(());
            }
        }
    }

    /// The settings that limit a transaction's waits for locks. Autovacuum ends itself for a waiter, but only after
    /// `deadlock_timeout`: it is made short where that is allowed, else waited for once when nobody else is in the way.
    fn limits(&self, blockers: &[Session]) -> String {
        let mut limit = self.options.lock_timeout;
        if self.rights.patience {
            let patience = (limit / 4).max(Duration::from_millis(1));
            return format!(
                "SET LOCAL lock_timeout = {}; SET LOCAL deadlock_timeout = {}",
                limit.as_millis().max(1),
                patience.as_millis()
            );
        }
        if !blockers.is_empty() && blockers.iter().all(|session| session.autovacuum) {
            limit = limit.max(self.patience + Duration::from_millis(100));
        }
        format!("SET LOCAL lock_timeout = {}", limit.as_millis().max(1))
    }

    /// Runs something while the guard looks on; tells who was seen in the way last.
    fn observed<T>(
        &mut self,
        watch: &mut (dyn Watch + Send),
        work: impl FnOnce(&mut Client) -> T,
    ) -> (T, Vec<Session>) {
        let (client, guard) = (&mut self.work, &mut self.guard);
        // At least once in each wait for a lock; what takes no longer is left alone.
        let (pid, stop, pace) = (self.pid, self.stop, (self.options.lock_timeout * 3 / 4).min(STOPPING));
        let (end, ended) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let observer = scope.spawn(move || observe(guard, pid, pace, stop, &ended, watch));
            let result = work(client);
            drop(end);
            (result, observer.join().unwrap_or_default())
        })
    }
}

/// Looks who is in the way until the work has ended.
fn observe(
    guard: &mut Client,
    pid: i32,
    pace: Duration,
    stop: &AtomicBool,
    ended: &Receiver<()>,
    watch: &mut (dyn Watch + Send),
) -> Vec<Session> {
    let (begun, mut last, mut told) = (Instant::now(), Vec::new(), String::new());
    let query = format!("SELECT {COLUMNS} FROM pg_stat_activity a WHERE a.pid = ANY (pg_blocking_pids($1))");
    while ended.recv_timeout(pace.max(Duration::from_millis(5))) == Err(RecvTimeoutError::Timeout) {
        if stop.load(Ordering::Relaxed) && guard.execute("SELECT pg_cancel_backend($1)", &[&pid]).is_err() {
            return last;
        }
        let Ok(rows) = guard.query(&query, &[&pid]) else { return last };
        let seen: Vec<Session> = rows.iter().filter_map(|row| Session::of(row).ok()).collect();
        if seen.is_empty() {
            continue;
        }
        let text = named(&seen);
        if begun.elapsed() >= TOLD && text != told {
            watch.waiting(&format!("waits for {text}"));
            told = text;
        }
        last = seen;
    }
    last
}

/// Between half of a time and the whole: two that collide don't collide again.
fn jittered(time: Duration) -> Duration {
    let part = (RandomState::new().build_hasher().finish() % 1000) as u32;
    time / 2 + time / 2 * part / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_at_least_half_and_at_most_whole() {
        for _ in 0..100 {
            let time = jittered(PAUSES.1);
            assert!(time >= PAUSES.1 / 2 && time <= PAUSES.1);
        }
    }
}
