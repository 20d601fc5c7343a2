//! The account of one request: what happened to it, told to the meters when it is over, however it ends.
//!
//! A connection has one account and uses it for request after request. Whatever ends a request without a word (a stream
//! that its client withdrew) ends the account too, because it is dropped. Decides nothing. Tested through the whole proxy.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use tandem_core::traffic::metrics::{Method, StatusClass};

use crate::pool::Member;
use crate::request::Request;
use crate::worker::View;

/// The account of the request that is under way on a connection.
#[derive(Debug)]
pub(crate) struct Account {
    thread: usize,
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
}

impl Account {
    /// For a connection of the given thread; nothing is under way.
    pub(crate) fn new(thread: usize) -> Account {
        let now = Instant::now();
        Account {
            thread,
            view: RefCell::default(),
            route: Cell::default(),
            method: Cell::new(Method::Other),
            begun: Cell::new(now),
            chosen: Cell::new(now),
            member: RefCell::default(),
            status: Cell::default(),
            received: Cell::default(),
            sent: Cell::default(),
        }
    }

    /// A request was found good by this table.
    pub(crate) fn begin(&self, view: &Rc<View>, request: &Request) {
        let now = Instant::now();
        self.begun.set(now);
        self.chosen.set(now);
        self.route.set(request.route);
        self.method.set(request.method);
        self.status.set(0);
        self.received.set(0);
        self.sent.set(0);
        *self.view.borrow_mut() = Some(Rc::clone(view));
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
        if let Some(shard) = self.member.borrow().as_ref().and_then(|m| m.instance.meter.shard(self.thread)) {
            shard.heads.add(micros_since(self.chosen.get()));
        }
    }

    /// The proxy answers, in place of the instance if one was chosen.
    pub(crate) fn excused(&self, status: u16) {
        self.status.set(status);
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
        let Some(shard) = meter.and_then(|meter| meter.shard(self.thread)) else { return };
        let class = StatusClass::of(self.status.get());
        shard.end(self.method.get(), class);
        if class != StatusClass::Upgraded {
            shard.durations.add(micros_since(self.begun.get()));
        }
        shard.received.add(self.received.get());
        shard.sent.add(self.sent.get());
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.end();
    }
}

fn micros_since(then: Instant) -> u64 {
    let took = then.elapsed();
    took.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(took.subsec_micros()))
}
