//! The log of requests: who is written down, and the way to the one thread that writes.
//!
//! The way is a queue with a bound: if the disk is slow, lines are dropped and counted, and requests never wait. Who is kept is
//! decided by `core::spec`; `line` knows how a line looks, `writer` the file. Tested through the whole proxy.

mod line;
mod writer;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use tandem_core::base::{Millis, ServiceName};
use tandem_core::spec::LogSpec;

use crate::field;
use crate::instance::Instance;
use crate::request::{Request, RequestId};

/// So many lines may wait for the disk.
const WAITING: usize = 8192;
/// The longest part of a request line, or of a field, that is logged, in bytes.
const LONGEST: usize = 2048;

/// A log that is being written.
#[derive(Debug)]
pub(crate) struct Log {
    spec: LogSpec,
    queue: SyncSender<Order>,
}

/// What the thread is asked to do.
#[derive(Debug)]
enum Order {
    /// Write this down.
    Line(Box<Entry>),
    /// Open the file anew.
    Reopen,
    /// Write what came before, then let go of this.
    Flush(SyncSender<()>),
}

/// What became of lines, over all logs of a run.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) written: AtomicU64,
    pub(crate) dropped: AtomicU64,
}

/// The log in force, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    /// Looked at first: most proxies have no log.
    open: AtomicBool,
    log: ArcSwapOption<Log>,
    pub(crate) tally: Arc<Tally>,
}

impl Desk {
    /// Whether requests are to be noted.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// Has requests that end from now on written down by these rules.
    pub(crate) fn set(&self, spec: &LogSpec) -> std::io::Result<()> {
        if self.log.load().as_ref().is_some_and(|log| log.spec == *spec) {
            return Ok(());
        }
        let log = Log::begin(spec, &self.tally)?;
        self.open.store(log.is_some(), Ordering::Relaxed);
        self.log.store(log.map(Arc::new));
        Ok(())
    }

    /// Has the file opened anew.
    pub(crate) fn reopen(&self) {
        self.log.load().iter().for_each(|log| log.reopen());
    }

    /// Waits until what ended is written, at most so long.
    pub(crate) fn flush(&self, at_most: Duration) {
        let (done, written) = sync_channel(0);
        self.log.load().iter().for_each(|log| drop(log.queue.try_send(Order::Flush(done.clone()))));
        drop(done);
        let _late = written.recv_timeout(at_most);
    }

    /// Whether a request that ended so is to be written down.
    pub(crate) fn wants(&self, note: &Note, status: u16, took: Duration) -> bool {
        let took = Millis(took.as_millis() as u64);
        self.log.load().as_ref().is_some_and(|log| log.spec.keeps(status, took, note.lot))
    }

    /// Has it written down; never waits.
    pub(crate) fn take(&self, entry: Entry) {
        let log = self.log.load();
        let sent = log.as_ref().map(|log| log.queue.try_send(Order::Line(Box::new(entry))));
        if matches!(sent, Some(Err(_))) {
            self.tally.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What is noted of a request when it begins: its head is gone when it ends.
#[derive(Debug)]
pub(crate) struct Note {
    client: IpAddr,
    protocol: &'static str,
    /// The request line and the host, as they go to the instance.
    line: Vec<u8>,
    host: (usize, usize),
    id: Option<RequestId>,
    trace: Vec<u8>,
    agent: Vec<u8>,
    referer: Vec<u8>,
    lot: u64,
}

/// Why a request did not simply go its way.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Why {
    /// So often it was tried again.
    pub(crate) retries: u8,
    /// It ended in another way than it should, because of this.
    pub(crate) own: Option<&'static str>,
}

/// A request that ended.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) note: Box<Note>,
    /// When it began.
    pub(crate) at: SystemTime,
    pub(crate) took: Duration,
    /// The time to the head of the instance's answer.
    pub(crate) head: Option<Duration>,
    pub(crate) status: u16,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) service: Option<ServiceName>,
    pub(crate) instance: Option<Arc<Instance>>,
    pub(crate) why: Why,
}

impl Log {
    /// Begins a log with a thread of its own, which ends with the log. None: there is to be none.
    fn begin(spec: &LogSpec, tally: &Arc<Tally>) -> std::io::Result<Option<Log>> {
        let Some(to) = spec.access.clone() else { return Ok(None) };
        let (queue, orders) = sync_channel(WAITING);
        let (spec, rules, counted) = (spec.clone(), spec.clone(), Arc::clone(tally));
        let write = move || writer::write(&to, &rules, &orders, &counted);
        std::thread::Builder::new().name("log".to_owned()).spawn(write)?;
        Ok(Some(Log { spec, queue }))
    }

    /// Has the file opened anew. If the queue is full, the writer finds out for itself.
    fn reopen(&self) {
        let _full = self.queue.try_send(Order::Reopen);
    }
}

impl Note {
    /// Notes what a request is, from its head as it goes to the instance.
    pub(crate) fn of(request: &Request, head: &[u8], client: IpAddr, http2: bool, lot: u64) -> Note {
        let take = |name: &str| cut(field::find(head, name.as_bytes()).unwrap_or_default()).to_vec();
        let (start, end) = request.host;
        Note {
            client,
            protocol: match () {
                () if http2 => "HTTP/2",
                () if request.http10 => "HTTP/1.0",
                () => "HTTP/1.1",
            },
            line: head.get(..end).unwrap_or_default().to_vec(),
            host: (start, end),
            id: Some(request.id),
            trace: take("traceparent"),
            agent: take("user-agent"),
            referer: take("referer"),
            lot,
        }
    }

    /// Notes a request of which nothing is known, because it was refused.
    pub(crate) fn unknown(client: IpAddr, lot: u64) -> Note {
        let none = Vec::new;
        let (line, trace, agent, referer) = (none(), none(), none(), none());
        let protocol = "HTTP";
        Note { client, protocol, line, host: (0, 0), id: None, trace, agent, referer, lot }
    }
}

fn cut(text: &[u8]) -> &[u8] {
    text.get(..LONGEST).unwrap_or(text)
}
