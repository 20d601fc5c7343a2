//! A run: sends each request when it is due, whatever became of those before it, and keeps the records.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::arrivals::{Arrival, Arrivals};
use crate::connection::{Answer, Connection, Failure, Idle, Marks};
use crate::plan::Plan;
use crate::record::{FailureKind, Outcome, Record, micros};
use crate::request::Request;
use crate::verdict::{FlipWatch, Verdict};
use crate::visitor::{Visitor, Visitors};

/// How many unused connections are kept.
const MOST_IDLE: usize = 256;

/// Why a plan can't be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The rate is not usable.
    #[error("the rate must be above 0 and at most 100000 requests per second")]
    Rate,
    /// There is nothing to send.
    #[error("the mix is empty: at least one kind of request needs a share")]
    EmptyMix,
}

/// A run of the generator. Dropping it ends the run without a verdict.
pub struct Load {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    sending: JoinHandle<()>,
}

struct Shared {
    plan: Plan,
    run: String,
    start: Instant,
    idle: Idle,
    visitors: Visitors,
    in_flight: AtomicUsize,
    /// Woken when a request ends.
    ended: watch::Sender<u64>,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    records: Vec<Record>,
    versions: BTreeSet<Arc<str>>,
    flips: Vec<FlipWatch>,
}

impl Load {
    /// Starts sending. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the plan can't be run.
    pub fn start(plan: Plan) -> Result<Load, StartError> {
        if !(plan.rate > 0.0 && plan.rate <= 100_000.0) {
            return Err(StartError::Rate);
        }
        if plan.mix.total() == 0 {
            return Err(StartError::EmptyMix);
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let shared = Arc::new(Shared {
            run: format!("l{:x}", since.as_nanos() & 0xff_ffff_ffff),
            visitors: Visitors::new(plan.visitors),
            plan,
            start: Instant::now(),
            idle: Idle::default(),
            in_flight: AtomicUsize::new(0),
            ended: watch::Sender::new(0),
            book: Mutex::default(),
        });
        let (stop, stopped) = watch::channel(false);
        let sending = tokio::spawn(send_all(Arc::clone(&shared), stopped));
        Ok(Load { shared, stop, sending })
    }

    /// From now until the next call: once an answer of `new` has come, an answer of `old` to a request that was
    /// sent later counts as wrong.
    pub fn watch_flip(&self, old: &str, new: &str) {
        self.watch(old, new, false);
    }

    /// From now until the next call: once an answer of `new` has come to a visitor, an answer of `old` to the same one
    /// counts as wrong.
    pub fn watch_visitors(&self, old: &str, new: &str) {
        self.watch(old, new, true);
    }

    fn watch(&self, old: &str, new: &str, each: bool) {
        self.end_watch();
        let since = self.now();
        let watch = FlipWatch { old: old.to_owned(), new: new.to_owned(), each, since, until: None };
        self.shared.book().flips.push(watch);
    }

    /// Ends the watch that was begun: say so before the versions change again.
    pub fn end_watch(&self) {
        let now = self.now();
        if let Some(last) = self.shared.book().flips.last_mut() {
            last.until.get_or_insert(now);
        }
    }

    /// The time since the start in microseconds, as records have it.
    pub fn now(&self) -> u64 {
        micros(self.shared.start.elapsed())
    }

    /// Waits until so many requests have ended since the start, or the run is over.
    pub async fn ended(&self, count: u64) {
        let mut ended = self.shared.ended.subscribe();
        while *ended.borrow_and_update() < count && !self.sending.is_finished() {
            if ended.changed().await.is_err() {
                return;
            }
        }
    }

    /// The verdict on what has ended so far.
    pub fn so_far(&self) -> Verdict {
        let book = self.shared.book();
        Verdict::over(&book.records, &book.flips, &self.shared.run)
    }

    /// Stops sending, waits for what is in flight (bounded by the plan's timeout), and judges.
    pub async fn stop(mut self) -> Verdict {
        self.stop.send_replace(true);
        let _ = (&mut self.sending).await;
        self.settle().await;
        self.so_far()
    }

    /// Waits until the plan is done by itself, then judges.
    pub async fn finish(mut self) -> Verdict {
        let _ = (&mut self.sending).await;
        self.settle().await;
        self.so_far()
    }

    /// A copy of all records so far.
    pub fn records(&self) -> Vec<Record> {
        self.shared.book().records.clone()
    }

    async fn settle(&self) {
        let mut ended = self.shared.ended.subscribe();
        while self.shared.in_flight.load(Ordering::SeqCst) > 0 {
            ended.borrow_and_update();
            if self.shared.in_flight.load(Ordering::SeqCst) == 0 || ended.changed().await.is_err() {
                break;
            }
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.sending.abort();
    }
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, arrival: Arrival, visitor: Option<Visitor>, sent: u64, result: Result<Answer, Failure>) {
        let end = micros(self.start.elapsed());
        let number = visitor.as_ref().map(|visitor| visitor.number);
        if let Some(visitor) = visitor {
            self.visitors.put(visitor, result.as_ref().ok().and_then(|answer| answer.cookie.as_deref()));
        }
        let mut book = self.book();
        let id = format!("{}-{}", self.run, arrival.number);
        let outcome = judge(&mut book, &id, result);
        let due = micros(arrival.due);
        let sent = if sent == 0 { due } else { sent };
        let Arrival { number: at, kind, .. } = arrival;
        book.records.push(Record { number: at, kind, visitor: number, due, sent, end, outcome });
    }
}

/// What an answer is worth to the request with this id.
fn judge(book: &mut Book, id: &str, result: Result<Answer, Failure>) -> Outcome {
    let answer = match result {
        Ok(answer) => answer,
        Err(Failure { kind, what }) => return Outcome::Failed { kind, what, version: None },
    };
    let version = answer.version.map(|name| {
        let known = book.versions.get(name.as_str()).cloned();
        known.unwrap_or_else(|| {
            let new: Arc<str> = name.into();
            book.versions.insert(Arc::clone(&new));
            new
        })
    });
    match answer.id {
        Some(other) if other != id => {
            let what = format!("the answer was for {other}");
            Outcome::Failed { kind: FailureKind::Crossed, what, version }
        }
        _ if answer.status >= 400 => {
            Outcome::Failed { kind: FailureKind::Status, what: format!("status {}", answer.status), version }
        }
        _ => Outcome::Answered { status: answer.status, version },
    }
}

async fn send_all(shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    for arrival in Arrivals::of(&shared.plan) {
        let due = tokio::time::Instant::from_std(shared.start + arrival.due);
        tokio::select! {
            biased;
            _ = stopped.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep_until(due) => {}
        }
        if shared.in_flight.load(Ordering::SeqCst) >= shared.plan.in_flight {
            let what = format!("{} requests were in flight already", shared.plan.in_flight);
            shared.keep(arrival, None, 0, Err(Failure { kind: FailureKind::Overload, what }));
            shared.ended.send_modify(|count| *count += 1);
            continue;
        }
        shared.in_flight.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let sent = AtomicU64::new(0);
            let visitor = shared.visitors.take();
            let cookie = visitor.as_ref().and_then(|visitor| visitor.cookie.as_deref());
            let sending = send(&shared, arrival, cookie, &sent);
            let result = match tokio::time::timeout(shared.plan.timeout, sending).await {
                Ok(result) => result,
                Err(_) => {
                    let what = format!("no whole answer within {:?}", shared.plan.timeout);
                    Err(Failure { kind: FailureKind::Timeout, what })
                }
            };
            shared.keep(arrival, visitor, sent.load(Ordering::Relaxed), result);
            shared.in_flight.fetch_sub(1, Ordering::SeqCst);
            shared.ended.send_modify(|count| *count += 1);
        });
    }
}

async fn send(
    shared: &Shared,
    arrival: Arrival,
    cookie: Option<&str>,
    sent: &AtomicU64,
) -> Result<Answer, Failure> {
    let plan = &shared.plan;
    let request = Request::new(plan, &shared.run, arrival.number, arrival.kind, cookie);
    debug_assert!(request.id.ends_with(&arrival.number.to_string()), "ids are the run and the number");
    let kept = if arrival.kind.may_reuse() { shared.idle.take() } else { None };
    let mut connection = match kept {
        Some(connection) => connection,
        None => Connection::open(plan.target).await?,
    };
    let marks = Marks { version: &plan.version_header, id: &plan.id_header };
    let answer = connection.exchange(&request, &marks, shared.start, sent).await?;
    if answer.reusable && arrival.kind.may_reuse() {
        shared.idle.put(connection, MOST_IDLE);
    }
    Ok(answer)
}
