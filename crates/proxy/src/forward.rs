//! The life of one request: an instance is chosen, the request goes there, the answer comes back.
//!
//! Read this first. `forward` is the whole; `attempt` is one try on one instance; what a failed try leads to is
//! decided by `core::traffic::retry`. Must not know how bytes are parsed (`request`, `response`, `chunked`) nor how
//! tables come (`snapshot`). Tested through the whole proxy.

mod affinity;
mod answer;
mod own;
mod patience;
mod reach;
mod upload;

use std::io::{self, IoSlice};
use std::rc::Rc;

use tandem_core::spec::{Protocol, TimeoutSpec};
use tandem_core::traffic::retry::{Attempt, Progress, may_retry};
use tandem_core::traffic::{Gate, Route};

use crate::buffer::Buffer;
use crate::client::{Connection, Next};
use crate::counts::{Count, ServiceCounts};
use crate::deadline::{Side, Stop};
use crate::http2::Verdict;
use crate::inflight::Class;
use crate::pool::Member;
use crate::request::{Framing, Outcome, Request};
use crate::respond::Own;
use crate::search::Search;
use crate::stream::InstanceStream;
use crate::upgrade::{self, Ended};
use crate::worker::{Choice, View, Worker};

use answer::{Answer, Delivered};
use patience::{Patience, enter, renewed};

/// So often a table may change under a request before it is answered with 503.
const CHOICES: u32 = 8;

/// A try that failed.
#[derive(Debug)]
struct Failure {
    /// How far it came, as the retry rule wants to know it.
    progress: Progress,
    /// Nothing that would have to be sent again was used up.
    replayable: bool,
    /// Something of an answer went to the client.
    answered: bool,
    /// What happened.
    cause: Cause,
}

/// What made a try fail.
#[derive(Debug)]
enum Cause {
    /// The instance did what it should not: refused, reset, sent nonsense. For people.
    Instance(String),
    /// The instance was silent for too long.
    Silent(&'static str),
    /// The instance left, and the drain deadline passed.
    Cut,
    /// The client is gone or too slow.
    Client,
    /// The instance has no such file, but it may be elsewhere.
    Lacking,
    /// The client's body is not what it should be.
    Refused(u16, &'static str),
}

/// Answers one request; `out` holds its head for the instance.
pub(crate) async fn forward(
    connection: &mut Connection,
    mut view: Rc<View>,
    request: &Request,
    out: &mut Vec<u8>,
) -> Next {
    let mut at = request.route;
    let key = match enter(connection, &mut view, &mut at, request, out).await {
        Ok(key) => key,
        Err(next) => return next,
    };
    let worker = Rc::clone(&connection.worker);
    let (mut attempts, mut choices, mut resent) = (0, 0, false);
    let mut patience = Patience::default();
    let (mut tried, mut lacking) = (None::<Rc<Member>>, false);
    loop {
        let Some((route, counts)) = view.route(at) else {
            return connection.answer(request, 404, "no service answers for this host", out).await;
        };
        let (member, permit) = match choose(&worker, &view, (at, key), request, tried.as_ref(), lacking) {
            Choice::Member(member, permit) => (member, permit),
            Choice::None => {
                // The instance left between the look at the table and the permit: the newer table is there.
                choices += 1;
                if Rc::ptr_eq(&worker.view(), &view) || choices > CHOICES {
                    let comes = request.session().is_none_or(|session| !session.only);
                    if !comes || !patience.wait(&worker, route.timeouts.hold.0).await {
                        worker.count(counts, Count::Failed);
                        return connection.answer(request, 503, absence(&view, at, request), out).await;
                    }
                    choices = 0;
                }
                (view, at) = renewed(&worker, &view, at);
                continue;
            }
        };
        attempts += 1;
        connection.account.give(&member);
        connection.limits.begin(permit);
        let outcome = attempt(connection, request, &member, (route, counts), out).await;
        connection.limits.finish();
        worker.free();
        let failure = match outcome {
            Ok(next) => {
                member.instance.succeeded();
                return next;
            }
            Err(failure) => failure,
        };
        if matches!(failure.cause, Cause::Lacking) {
            member.instance.succeeded();
            // Whatever the next one says is the answer.
            if let Some(file) = connection.search.take().and_then(|search| search.shelved()) {
                return connection.send_shelved(request, file, out).await;
            }
            (tried, lacking) = (Some(member), true);
            continue;
        }
        connection.blame(&member, &failure);
        let Failure { progress, replayable, .. } = failure;
        let again = Attempt { progress, idempotent: request.idempotent, replayable, attempts, resent };
        let ours = matches!(failure.cause, Cause::Instance(_) | Cause::Silent(_));
        if !ours || failure.answered || !may_retry(again) {
            // Nobody has seen anything of it: it can wait for an instance that takes it.
            let untouched = ours && replayable && progress == Progress::NothingSent;
            if !untouched || !patience.wait(&worker, route.timeouts.hold.0).await {
                return connection.give_up(request, counts, failure, out).await;
            }
        } else {
            resent |= progress != Progress::NothingSent;
            worker.count(counts, Count::Retried);
            connection.account.retried();
        }
        tried = Some(member);
        (view, at) = renewed(&worker, &view, at);
    }
}

/// Why no instance is found, for people.
fn absence(view: &View, at: usize, request: &Request) -> &'static str {
    match request.session() {
        Some(session) if session.only => "the version of this link is not running at the moment",
        _ if view.is_served(at) => "every instance is busy at the moment",
        _ => "no instance is serving at the moment",
    }
}

/// An instance for a request: of its session's version if there is one, of another than the one that lacks the file.
fn choose(
    worker: &Worker,
    view: &View,
    (at, key): (usize, Option<u64>),
    request: &Request,
    tried: Option<&Rc<Member>>,
    lacking: bool,
) -> Choice {
    let found = match (request.session(), tried) {
        (_, Some(tried)) if lacking => {
            worker.choose_of(view, at, None, key, |version| *version != tried.instance.version)
        }
        (Some(session), _) => worker.choose_of(view, at, tried, key, |version| *version == session.version),
        _ => Choice::None,
    };
    match found {
        Choice::None if request.session().is_some_and(|session| session.only) => Choice::None,
        Choice::None => worker.choose(view, at, tried, key),
        found => found,
    }
}

/// One try on one instance.
async fn attempt(
    connection: &mut Connection,
    request: &Request,
    member: &Rc<Member>,
    (route, counts): (&Route, &ServiceCounts),
    head: &[u8],
) -> Result<Next, Failure> {
    let (timeouts, most) = (&route.timeouts, route.limits.body);
    let (mut upstream, reused) = match route.protocol {
        // A client that wants to change the protocol can do that in HTTP/1.1 only.
        Protocol::Http2 if request.upgrade.is_none() => {
            Box::pin(reach::stream(connection, request, member, timeouts)).await?
        }
        // A request that must not be sent twice gets a connection that is surely open.
        _ => match member.take_idle(!request.idempotent) {
            Some(stream) => (InstanceStream::Tcp(stream), true),
            None => (InstanceStream::Tcp(reach::connect(connection, member, timeouts).await?), false),
        },
    };
    let worker = Rc::clone(&connection.worker);
    let mut buffer = Buffer::default();
    let whole = match request.body {
        Framing::None => Some(0),
        Framing::Length(length) => {
            usize::try_from(length).ok().filter(|n| *n <= connection.buffer.filled().len())
        }
        _ => None,
    };
    let outcome = match whole {
        Some(body) if !request.expects || body == 0 => {
            exchange(connection, request, &mut upstream, &mut buffer, timeouts, body, head).await
        }
        _ => {
            let exchange =
                upload::exchange(connection, request, &mut upstream, &mut buffer, timeouts, most, head);
            Box::pin(exchange).await
        }
    };
    let outcome = match outcome {
        Ok(answer) if answer.upgraded => {
            let relay = upgrade::relay(connection, &mut upstream, &mut buffer, request);
            let (next, ended) = Box::pin(relay).await;
            if ended == Ended::ByDrain {
                worker.count(counts, Count::WebSocketMoved);
            }
            Ok(Delivered { next, reusable: false, ..answer })
        }
        other => other,
    };
    let clean = buffer.is_empty();
    worker.buffers.put(buffer);
    match outcome {
        Ok(done) => {
            if let InstanceStream::Tcp(stream) = upstream
                && done.reusable
                && clean
            {
                member.put_idle(stream, worker.now());
            }
            Ok(done.next)
        }
        Err(mut failure) => {
            if !reused && failure.progress == Progress::SentOnReused {
                failure.progress = Progress::SentOnNew;
            }
            Err(failure)
        }
    }
}

/// Sends a request whose body is at hand as a whole, and carries the answer back.
async fn exchange(
    connection: &mut Connection,
    request: &Request,
    upstream: &mut InstanceStream,
    buffer: &mut Buffer,
    timeouts: &TimeoutSpec,
    body: usize,
    head: &[u8],
) -> Result<Delivered, Failure> {
    let worker = &connection.worker;
    let limits = &connection.limits;
    let data = connection.buffer.filled().get(..body).unwrap_or_default();
    let mut progress = 0;
    limits.set(Side::Answer, timeouts.answer.0);
    let sent = match data {
        [] => limits.write_all(Side::Answer, upstream, &mut [IoSlice::new(head)], &mut progress).await,
        _ => {
            let mut parts = [IoSlice::new(head), IoSlice::new(data)];
            limits.write_all(Side::Answer, upstream, &mut parts, &mut progress).await
        }
    };
    if let Err(stop) = sent {
        let untouched = matches!(&stop, Stop::Io(error) if Verdict::of(error) == Some(Verdict::Untouched));
        let progress =
            if progress == 0 || untouched { Progress::NothingSent } else { Progress::SentOnReused };
        return Err(Failure {
            progress,
            replayable: true,
            answered: false,
            cause: Cause::from_instance(stop),
        });
    }
    let account = &connection.account;
    account.received.set(body as u64);
    let mut answer = Answer::new(request, worker, limits, timeouts, account);
    answer.search = connection.search.as_ref();
    // The head stays as it is until an answer came: the try may have to be repeated.
    let mut text = worker.buffers.text();
    let outcome = answer.receive(upstream, buffer, &mut connection.stream, &mut text).await;
    worker.buffers.put_text(text);
    connection.buffer.consume(if outcome.is_ok() { body } else { 0 });
    outcome
}

impl Cause {
    /// What a stop while talking to an instance means.
    fn from_instance(stop: Stop) -> Self {
        match stop {
            Stop::Io(error) if Verdict::of(&error) == Some(Verdict::Unsayable) => {
                Cause::Refused(400, "the request can't be said in HTTP/2")
            }
            Stop::Io(error) => Cause::Instance(told(&error)),
            Stop::Elapsed => Cause::Silent("it did not answer in time"),
            Stop::Cut => Cause::Cut,
        }
    }

    /// What a stop while talking to the client means.
    fn from_client(stop: &Stop) -> Self {
        if matches!(stop, Stop::Cut) { Cause::Cut } else { Cause::Client }
    }
}

/// An error of the system in a few words.
pub(crate) fn told(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::BrokenPipe => "connection closed".to_owned(),
        io::ErrorKind::UnexpectedEof => "the connection ended before an answer".to_owned(),
        _ => error.to_string(),
    }
}

impl Connection {
    /// Counts a request, and answers it if no instance is needed for that.
    async fn turn_away(&mut self, view: &View, request: &Request, out: &mut Vec<u8>) -> Option<Next> {
        let (route, counts) = view.route(request.route)?;
        self.worker.count(counts, if self.is_http2() { Count::Http2 } else { Count::Http1 });
        view.count_call(request.route, self.worker.thread, out);
        if matches!(request.session, Outcome::Again(_)) {
            return Some(self.send_again(request, out).await);
        }
        if let Some(rule) = request.rule.as_deref()
            && let Some(next) = Box::pin(self.answer_by_rule(request, rule, out)).await
        {
            return Some(next);
        }
        if let Gate::Closed(told) = &route.gate
            && !told.allows(self.client.named(out))
        {
            return Some(self.maintain(request, told, out).await);
        }
        let limit = route.limits.body;
        if matches!(request.body, Framing::Length(length) if limit != 0 && length > limit) {
            return Some(self.answer(request, 413, "the body is too large", out).await);
        }
        self.worker.came(view, request.route, request);
        None
    }

    /// Takes from the head what depends on what the client sent: the key of those that belong together, where else its file may be.
    /// From here on the head is what an instance gets. An answer, if that can't be.
    async fn prepare(
        &mut self,
        view: &View,
        at: usize,
        request: &Request,
        out: &mut Vec<u8>,
    ) -> Result<Option<u64>, Next> {
        let key = affinity::key(view, at, &self.client, out);
        self.search = Search::of(view, at, request, &self.worker.shared.shelf, out);
        if let Some(rule) = request.rule.as_deref().filter(|rule| rule.changes_request())
            && !self.rebuild(request, rule, out)
        {
            let why = "the target became too long by a rule";
            return Err(Box::pin(self.answer(request, 414, why, out)).await);
        }
        Ok(key)
    }

    /// Tells the instance's health of a failure that was its own.
    fn blame(&self, member: &Member, failure: &Failure) {
        match &failure.cause {
            // A connection that had been idle may end at any time; that is nobody's fault.
            Cause::Instance(_) if failure.progress == Progress::SentOnReused => {}
            Cause::Instance(why) => member.failed(why),
            // An answer that takes too long says little of the instance: some requests are slow.
            Cause::Silent(why) if failure.progress == Progress::NothingSent => member.failed(why),
            Cause::Silent(_) => member.tally_failure(),
            Cause::Cut | Cause::Client | Cause::Lacking | Cause::Refused(..) => {}
        }
    }

    /// Ends a request that failed for good.
    async fn give_up(
        &mut self,
        request: &Request,
        counts: &ServiceCounts,
        failure: Failure,
        out: &mut Vec<u8>,
    ) -> Next {
        let worker = Rc::clone(&self.worker);
        let (status, why) = match failure.cause {
            Cause::Client => {
                self.account.because("the client had gone");
                return Next::Abort;
            }
            Cause::Refused(status, why) => (status, why),
            Cause::Lacking => (404, "there is no such file"),
            Cause::Instance(_) => (502, "the instance did not give a valid answer"),
            Cause::Silent(_) => (504, "the instance did not answer in time"),
            Cause::Cut => {
                worker.count(counts, Count::Cut);
                (504, "the request was ended because its instance is being replaced")
            }
        };
        if status >= 500 {
            worker.count(counts, Count::Failed);
        }
        self.account.because(why);
        if failure.answered {
            // The part that is missing must be missed: never a clean end.
            if request.http10 {
                self.reset_on_close();
            }
            return Next::Abort;
        }
        self.answer_last(request, status, why, out).await;
        Next::Linger
    }

    /// Answers in place of an instance; the connection goes on if there is no body in the way.
    async fn answer(&mut self, request: &Request, status: u16, why: &'static str, out: &mut Vec<u8>) -> Next {
        let at_hand = match request.body {
            Framing::None => Some(0),
            Framing::Length(n) => usize::try_from(n).ok().filter(|n| *n <= self.buffer.filled().len()),
            _ => None,
        };
        let keep_alive = at_hand.is_some() && request.keep_alive && !request.http10;
        self.write_own(request, status, why, keep_alive, out).await;
        match at_hand {
            Some(body) if keep_alive => {
                self.buffer.consume(body);
                Next::Continue
            }
            _ => Next::Linger,
        }
    }

    async fn answer_last(&mut self, request: &Request, status: u16, why: &'static str, out: &mut Vec<u8>) {
        self.write_own(request, status, why, false, out).await;
    }

    async fn write_own(
        &mut self,
        request: &Request,
        status: u16,
        why: &'static str,
        keep_alive: bool,
        out: &mut Vec<u8>,
    ) {
        self.account.excused(status, why);
        out.clear();
        let (id, json) = (Some(request.id.as_bytes()), request.wants_json);
        Own { status, why, id, json, is_head: request.is_head, keep_alive }.write(out);
        let _gone = self.send(out).await;
    }
}

/// What is in flight belongs to the class by which its drain deadline is chosen.
fn class_of(uploading: bool, answering: bool) -> Class {
    match (uploading, answering) {
        (true, _) => Class::Upload,
        (false, true) => Class::Stream,
        (false, false) => Class::Request,
    }
}
