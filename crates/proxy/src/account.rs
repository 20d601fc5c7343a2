//! The account of one request: what happened to it, told to the meters and to the log when it is over, however it ends.
//!
//! A connection has one account and uses it for request after request. Whatever ends a request without a word (a stream
//! that its client withdrew) ends the account too, because it is dropped. Decides nothing. Tested through the whole proxy.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tandem_core::traffic::metrics::{Method, StatusClass};

use crate::log::{Entry, Note, Why};
use crate::meter::Shard;
use crate::pool::Member;
use crate::request::{Client, Refusal, Request};
use crate::worker::{View, Worker};

/// The account of the request that is under way on a connection.
#[derive(Debug)]
pub(crate) struct Account {
    worker: Rc<Worker>,
    /// None: no request is under way.
    view: RefCell<Option<Rc<View>>>,
    route: Cell<usize>,
    method: Cell<Method>,
    begun: Cell<Instant>,
    /// When the present instance was chosen.
    chosen: Cell<Instant>,
    /// The instance whose answer it is, or should have been.
    member: RefCell<Option<Rc<Member>>>,
    /// 0: there is no answer yet.
    status: Cell<u16>,
    /// Bytes of the body from the client.
    pub(crate) received: Cell<u64>,
    /// Bytes of the body to the client.
    pub(crate) sent: Cell<u64>,
    /// How long the head of the answer took.
    head: Cell<Option<Duration>>,
    why: Cell<Why>,
    /// For the log, if there is one.
    note: RefCell<Option<Box<Note>>>,
}

impl Account {
    /// For a connection; nothing is under way.
    pub(crate) fn new(worker: &Rc<Worker>) -> Account {
        let now = Instant::now();
        Account {
            worker: Rc::clone(worker),
            view: RefCell::default(),
            route: Cell::default(),
            method: Cell::new(Method::Other),
            begun: Cell::new(now),
            chosen: Cell::new(now),
            member: RefCell::default(),
            status: Cell::default(),
            received: Cell::default(),
            sent: Cell::default(),
            head: Cell::default(),
            why: Cell::default(),
            note: RefCell::default(),
        }
    }

    /// A request was found good by this table; `head` is its head for the instance.
    pub(crate) fn begin(
        &self,
        view: &Rc<View>,
        request: &Request,
        client: &Client,
        http2: bool,
        head: &[u8],
    ) {
        let now = Instant::now();
        self.begun.set(now);
        self.chosen.set(now);
        self.route.set(request.route);
        self.method.set(request.method);
        self.status.set(0);
        self.received.set(0);
        self.sent.set(0);
        self.head.set(None);
        self.why.set(Why::default());
        *self.view.borrow_mut() = Some(Rc::clone(view));
        if self.worker.shared.log.is_open() {
            let note = Note::of(request, head, client.ip, http2, self.worker.random());
            *self.note.borrow_mut() = Some(Box::new(note));
        }
    }

    /// An instance was chosen for it.
    pub(crate) fn give(&self, member: &Rc<Member>) {
        // The first one is chosen at once: the clock need not be asked again.
        if self.member.replace(Some(Rc::clone(member))).is_some() {
            self.chosen.set(Instant::now());
        }
    }

    /// The instance's answer has begun.
    pub(crate) fn answered(&self, status: u16) {
        self.status.set(status);
        let took = self.chosen.get().elapsed();
        self.head.set(Some(took));
        let member = self.member.borrow();
        if let Some(shard) = member.as_ref().and_then(|m| m.instance.meter.shard(self.worker.thread)) {
            shard.answered(micros(took));
        }
    }

    /// It is tried once more.
    pub(crate) fn retried(&self) {
        let why = self.why.get();
        self.why.set(Why { retries: why.retries.saturating_add(1), ..why });
    }

    /// It ends in another way than it should, because of this.
    pub(crate) fn because(&self, own: &'static str) {
        self.why.set(Why { own: Some(own), ..self.why.get() });
    }

    /// The proxy answers this, in place of the instance if one was chosen.
    pub(crate) fn excused(&self, status: u16, why: &'static str) {
        self.because(why);
        self.status.set(status);
    }

    /// A request was refused before it was one.
    pub(crate) fn refused(&self, refusal: &Refusal, client: &Client) {
        self.worker.at_door(|door| door.refuse(refusal.status));
        let log = &self.worker.shared.log;
        if !log.is_open() {
            return;
        }
        let note = Box::new(Note::unknown(client.ip, self.worker.random()));
        if !log.wants(&note, refusal.status, Duration::ZERO) {
            return;
        }
        log.take(Entry {
            note,
            at: SystemTime::now(),
            took: Duration::ZERO,
            head: None,
            status: refusal.status,
            received: 0,
            sent: 0,
            service: None,
            instance: None,
            why: Why { own: Some(refusal.why), ..Why::default() },
        });
    }

    /// The proxy answers, and no instance has to do with it.
    pub(crate) fn answered_alone(&self, status: u16) {
        *self.member.borrow_mut() = None;
        self.status.set(status);
    }

    /// The request is over.
    pub(crate) fn end(&self) {
        let Some(view) = self.view.borrow_mut().take() else { return };
        let member = self.member.borrow_mut().take();
        let meter = match &member {
            Some(member) => Some(&*member.instance.meter),
            None => view.route(self.route.get()).map(|(_, counts)| &counts.own),
        };
        let took = self.begun.get().elapsed();
        if let Some(shard) = meter.and_then(|meter| meter.shard(self.worker.thread)) {
            self.measure(shard, took);
        }
        let note = self.note.borrow_mut().take();
        if let Some(note) = note {
            self.write_down(note, &view, member.as_deref(), took);
        }
    }

    fn measure(&self, shard: &Shard, took: Duration) {
        let class = StatusClass::of(self.status.get());
        shard.end(self.method.get(), class);
        if class != StatusClass::Upgraded {
            shard.durations.add(micros(took));
        }
        shard.received.add(self.received.get());
        shard.sent.add(self.sent.get());
    }

    fn write_down(&self, note: Box<Note>, view: &View, member: Option<&Member>, took: Duration) {
        let log = &self.worker.shared.log;
        if !log.wants(&note, self.status.get(), took) {
            return;
        }
        let now = SystemTime::now();
        log.take(Entry {
            note,
            at: now.checked_sub(took).unwrap_or(now),
            took,
            head: self.head.get(),
            status: self.status.get(),
            received: self.received.get(),
            sent: self.sent.get(),
            service: view.route(self.route.get()).map(|(route, _)| route.service.clone()),
            instance: member.map(|member| Arc::clone(&member.instance)),
            why: self.why.get(),
        });
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.end();
    }
}

fn micros(took: Duration) -> u64 {
    took.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(took.subsec_micros()))
}
