//! One thread's view of an instance: its idle connections, and the permits for requests on it.
//!
//! Nothing here is shared between threads but the counts behind `Instance`. Must not know HTTP beyond "a connection
//! may be used again". Tested through the whole proxy.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use rustix::net::RecvFlags;
use tokio::net::TcpStream;

use crate::http2;
use crate::inflight::Class;
use crate::instance::Instance;
use crate::snapshot::Shared;

/// So many idle connections to one instance are kept by one thread.
const KEPT: usize = 256;

/// One instance, as one thread uses it.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) instance: Arc<Instance>,
    pub(crate) thread: usize,
    shared: Arc<Shared>,
    idle: RefCell<Vec<Idle>>,
    /// For an instance that speaks HTTP/2.
    pub(crate) http2: http2::Pool,
}

#[derive(Debug)]
struct Idle {
    stream: TcpStream,
    since: u64,
}

impl Member {
    /// The view of one thread on an instance.
    pub(crate) fn new(shared: &Arc<Shared>, thread: usize, instance: &Arc<Instance>) -> Rc<Self> {
        Rc::new(Member {
            instance: Arc::clone(instance),
            thread,
            shared: Arc::clone(shared),
            idle: RefCell::default(),
            http2: http2::Pool::default(),
        })
    }

    /// Counts a request on the instance, unless it takes none any more.
    pub(crate) fn permit(self: &Rc<Self>) -> Option<Permit> {
        if self.instance.flights.begin(self.thread) {
            self.instance.given(self.thread);
            return Some(Permit { member: Rc::clone(self), class: Cell::new(Class::Request) });
        }
        // The attempt was counted for an instant, and may have hidden from the last request that it was the last.
        if self.instance.flights.total() == 0 {
            self.shared.change();
        }
        None
    }

    /// An idle connection that was open a moment ago. `surely`: ask the system, not only what it told already.
    pub(crate) fn take_idle(&self, surely: bool) -> Option<TcpStream> {
        let mut idle = self.idle.borrow_mut();
        while let Some(Idle { stream, .. }) = idle.pop() {
            if is_quiet(&stream, surely) {
                return Some(stream);
            }
        }
        None
    }

    /// Keeps a connection for the next request, if there will be one.
    pub(crate) fn put_idle(&self, stream: TcpStream, now: u64) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < KEPT && self.instance.flights.is_open() {
            idle.push(Idle { stream, since: now });
        }
    }

    /// Closes idle connections that were closed by the instance or are older than `oldest`.
    pub(crate) fn prune(&self, now: u64, oldest: u64) {
        self.idle
            .borrow_mut()
            .retain(|idle| now.saturating_sub(idle.since) < oldest && is_quiet(&idle.stream, false));
        self.http2.prune(now, oldest);
    }

    /// Closes all idle connections.
    pub(crate) fn close_idle(&self) {
        self.idle.borrow_mut().clear();
        self.http2.clear();
    }

    /// A request on it failed in a way that says nothing of its health.
    pub(crate) fn tally_failure(&self) {
        self.instance.tally_failure(self.thread);
    }

    /// A request on it failed by its fault.
    pub(crate) fn failed(&self, why: &str) {
        if self.instance.failed(self.thread, why) {
            self.close_idle();
            self.shared.change();
        }
    }
}

/// Whether an idle connection is open and has nothing to say, as it should.
fn is_quiet(stream: &TcpStream, surely: bool) -> bool {
    let mut byte = [0_u8; 1];
    // Costs no system call as long as the system has not told of anything.
    if !matches!(stream.try_read(&mut byte), Err(e) if e.kind() == io::ErrorKind::WouldBlock) {
        return false;
    }
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    !surely || matches!(rustix::net::recv(stream, &mut byte, flags), Err(rustix::io::Errno::AGAIN))
}

/// The right to have one request on an instance; counted until dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    member: Rc<Member>,
    class: Cell<Class>,
}

impl Permit {
    /// The request is of another class now.
    pub(crate) fn reclass(&mut self, class: Class) {
        let from = self.class.replace(class);
        if from != class {
            self.member.instance.flights.reclass(self.member.thread, from, class);
        }
    }

    /// When it is cut, in milliseconds of the proxy's clock.
    pub(crate) fn cut_at(&self, jitter: u64) -> u64 {
        self.member.instance.cut_at(self.class.get(), jitter)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.reclass(Class::Request);
        if self.member.instance.flights.end(self.member.thread) {
            self.member.shared.change();
        }
    }
}
