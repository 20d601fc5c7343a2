//! What one data thread has for itself: its clock, buffers, random numbers, its view of the table, its connections.
//!
//! Everything is reached through one `Rc`; nothing here is locked. Must not know HTTP. Tested through the whole proxy.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tandem_core::base::{Millis, ServiceName, VersionLabel};
use tandem_core::spec::{BalanceSpec, Policy};
use tandem_core::traffic::{Role, Route, balance};
use tokio::sync::Notify;

use crate::audience::Audience;
use crate::buffer::Buffers;
use crate::counts::{Count, ServiceCounts};
use crate::deadline::Limits;
use crate::meter::DoorShard;
use crate::pool::{Member, Permit};
use crate::request::Request;
use crate::snapshot::{Shared, Snapshot};

/// Time between two looks at the limits of all connections.
const TICK: Duration = Duration::from_millis(100);

/// One data thread.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) thread: usize,
    pub(crate) buffers: Buffers,
    now: Rc<Cell<u64>>,
    random: Cell<u64>,
    view: RefCell<Rc<View>>,
    connections: RefCell<Vec<Rc<Limits>>>,
    ended: Notify,
    /// So many requests are held until an instance can take them.
    held: Cell<usize>,
    /// Told at each tick and each new table.
    turn: Notify,
    /// Tells one that is held that a request has ended.
    freed: Notify,
}

/// So many requests one thread holds.
const MOST_HELD: usize = 1024;

/// One request that is held; none any more when dropped.
struct Held<'w>(&'w Cell<usize>);

impl<'w> Held<'w> {
    fn one_more(count: &'w Cell<usize>) -> Self {
        count.set(count.get() + 1);
        Held(count)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// The place of one connection or stream among all that there may be; free again when dropped.
pub(crate) struct Place {
    shared: Arc<Shared>,
    among: fn(&Shared) -> &AtomicUsize,
}

impl Place {
    fn take(shared: &Arc<Shared>, among: fn(&Shared) -> &AtomicUsize) -> Place {
        among(shared).fetch_add(1, Ordering::Relaxed);
        Place { shared: Arc::clone(shared), among }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        (self.among)(&self.shared).fetch_sub(1, Ordering::Relaxed);
    }
}

/// The table as one thread uses it.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) snapshot: Arc<Snapshot>,
    routes: Vec<ViewRoute>,
}

#[derive(Debug)]
struct ViewRoute {
    serving: Vec<Rc<Member>>,
    others: Vec<Rc<Member>>,
    /// Whose turn it is, where each has its turn.
    turn: Cell<usize>,
}

impl View {
    /// One route with its counts.
    pub(crate) fn route(&self, at: usize) -> Option<(&Route, &ServiceCounts)> {
        Some((self.snapshot.table.routes.get(at)?, &*self.snapshot.routes.get(at)?.counts))
    }

    /// Where a service is found in it.
    pub(crate) fn position(&self, service: &ServiceName) -> Option<usize> {
        self.snapshot.table.routes.iter().position(|route| route.service == *service)
    }

    /// Counts a call of one of a route's operations, if it has a contract.
    pub(crate) fn count_call(&self, at: usize, thread: usize, head: &[u8]) {
        if let Some(calls) = self.snapshot.routes.get(at).and_then(|route| route.calls.as_ref()) {
            calls.count(thread, head);
        }
    }

    /// The clients that are held to a version of a route.
    pub(crate) fn audience(&self, at: usize, version: &VersionLabel) -> Option<(&Audience, Millis)> {
        let sessions = &self.snapshot.table.routes.get(at)?.sessions;
        let place = sessions.versions.iter().position(|live| live.version == *version)?;
        let audience = self.snapshot.routes.get(at)?.audiences.get(place)?;
        Some((&**audience, sessions.idle))
    }

    /// Whether any instance serves a route, be it busy or not.
    pub(crate) fn is_served(&self, at: usize) -> bool {
        self.routes.get(at).is_some_and(|route| route.serving.iter().any(|member| member.instance.is_up()))
    }

    /// Whether instances of more than one version serve a route.
    pub(crate) fn is_mixed(&self, at: usize) -> bool {
        let Some(route) = self.routes.get(at) else { return false };
        let mut versions = route.serving.iter().map(|member| &member.instance.version);
        versions.next().is_some_and(|first| versions.any(|other| other != first))
    }
}

/// By what an instance is chosen for a request.
struct Rule<'v> {
    spec: &'v BalanceSpec,
    route: &'v ViewRoute,
    /// What the request has in common with others.
    key: Option<u64>,
    now: u64,
}

/// What was found for a request.
pub(crate) enum Choice {
    /// This instance, with the permit to use it.
    Member(Rc<Member>, Permit),
    /// The service has no instance that serves (or none that was not tried).
    None,
}

fn permitted(chosen: Option<&Rc<Member>>) -> Choice {
    match chosen.and_then(|member| Some((member, member.permit()?))) {
        Some((member, permit)) => Choice::Member(Rc::clone(member), permit),
        None => Choice::None,
    }
}

impl Worker {
    /// The state of one thread. `seed` makes its random numbers differ from those of others.
    pub(crate) fn new(shared: Arc<Shared>, thread: usize, seed: u64) -> Rc<Self> {
        let snapshot = shared.snapshot.load_full();
        let now = Rc::new(Cell::new(shared.now()));
        let view = RefCell::new(Rc::new(View { snapshot, routes: Vec::new() }));
        let worker = Worker {
            shared,
            thread,
            buffers: Buffers::default(),
            now,
            random: Cell::new(seed | 1),
            view,
            connections: RefCell::default(),
            ended: Notify::new(),
            held: Cell::new(0),
            turn: Notify::new(),
            freed: Notify::new(),
        };
        let snapshot = worker.shared.snapshot.load_full();
        worker.rebuild(snapshot);
        Rc::new(worker)
    }

    /// The table in force.
    pub(crate) fn view(&self) -> Rc<View> {
        {
            let view = self.view.borrow();
            let current = self.shared.snapshot.load();
            if Arc::ptr_eq(&current, &view.snapshot) {
                return Rc::clone(&view);
            }
        }
        self.rebuild(self.shared.snapshot.load_full())
    }

    /// Makes the view anew; members that stay keep their connections, those that leave lose their idle ones.
    fn rebuild(&self, snapshot: Arc<Snapshot>) -> Rc<View> {
        let before = Rc::clone(&self.view.borrow());
        let member = |instance| {
            let mut known = before.routes.iter().flat_map(|r| r.serving.iter().chain(&r.others));
            let known = known.find(|known| Arc::ptr_eq(&known.instance, instance)).cloned();
            known.unwrap_or_else(|| Member::new(&self.shared, self.thread, instance))
        };
        let routes = snapshot.table.routes.iter().zip(&snapshot.routes).map(|(route, state)| {
            let (mut serving, mut others) = (Vec::new(), Vec::new());
            for (spec, instance) in route.members.iter().zip(&state.instances) {
                let list = if spec.role == Role::Serve { &mut serving } else { &mut others };
                list.push(member(instance));
            }
            ViewRoute { serving, others, turn: Cell::new(self.random() as usize) }
        });
        let routes = routes.collect();
        let view = Rc::new(View { snapshot, routes });
        for member in before.routes.iter().flat_map(|route| &route.serving) {
            if !view.routes.iter().any(|route| route.serving.iter().any(|m| Rc::ptr_eq(m, member))) {
                member.close_idle();
            }
        }
        *self.view.borrow_mut() = Rc::clone(&view);
        view
    }

    /// An instance of the route for one request, by the route's rule; `tried` is left out if there are others. `key` is what
    /// the request has in common with others, where that matters.
    pub(crate) fn choose(
        &self,
        view: &View,
        route: usize,
        tried: Option<&Rc<Member>>,
        key: Option<u64>,
    ) -> Choice {
        let Some(rule) = self.rule(view, route, key) else { return Choice::None };
        let fresh = |m: &Rc<Member>| m.instance.flights.is_open() && tried.is_none_or(|t| !Rc::ptr_eq(t, m));
        let serving = &rule.route.serving;
        permitted(self.among(&rule, serving, fresh).or_else(|| self.among(&rule, serving, |_| true)))
    }

    fn rule<'v>(&self, view: &'v View, at: usize, key: Option<u64>) -> Option<Rule<'v>> {
        let (route, _) = view.route(at)?;
        Some(Rule { spec: &route.balance, route: view.routes.get(at)?, key, now: self.now() })
    }

    /// One whose version `fits`, also of those that serve only who asks for them; none that is not up.
    pub(crate) fn choose_of(
        &self,
        view: &View,
        route: usize,
        tried: Option<&Rc<Member>>,
        key: Option<u64>,
        fits: impl Fn(&VersionLabel) -> bool,
    ) -> Choice {
        let Some(rule) = self.rule(view, route, key) else { return Choice::None };
        let fresh = |m: &Rc<Member>| {
            let instance = &m.instance;
            let can = instance.is_up() && instance.flights.is_open() && fits(&instance.version);
            can && tried.is_none_or(|t| !Rc::ptr_eq(t, m))
        };
        let Rule { route, .. } = rule;
        permitted(
            self.among(&rule, &route.serving, fresh).or_else(|| self.among(&rule, &route.others, fresh)),
        )
    }

    /// The one of the members that the rule gives.
    fn among<'m>(
        &self,
        rule: &Rule<'_>,
        members: &'m [Rc<Member>],
        allowed: impl Fn(&Rc<Member>) -> bool,
    ) -> Option<&'m Rc<Member>> {
        let Rule { spec, now, .. } = *rule;
        let load = |m: &Rc<Member>| m.instance.flights.load(self.thread);
        let room = |m: &Rc<Member>| spec.concurrent == 0 || load(m) < u64::from(spec.concurrent);
        // What belongs together stays together, also where an instance is new.
        if spec.slow_start != Millis::ZERO && spec.policy != Policy::Hash {
            let considered =
                |m: &Rc<Member>| balance::is_considered(m.instance.age(now), spec.slow_start, self.random());
            let known = |m: &Rc<Member>| m.instance.is_up() && allowed(m) && room(m) && considered(m);
            if let Some(found) = self.pick(rule, members, known) {
                return Some(found);
            }
        }
        self.pick(rule, members, |m| allowed(m) && room(m))
    }

    fn pick<'m>(
        &self,
        rule: &Rule<'_>,
        members: &'m [Rc<Member>],
        allowed: impl Fn(&Rc<Member>) -> bool,
    ) -> Option<&'m Rc<Member>> {
        let allowed = |at: usize| members.get(at).is_some_and(&allowed);
        let up = |at: usize| members.get(at).is_some_and(|m| m.instance.is_up());
        let load = |at: usize| members.get(at).map_or(0, |m| m.instance.flights.load(self.thread));
        let id = |at: usize| members.get(at).map_or(0, |m| m.instance.id.0);
        let count = members.len();
        let at = match (rule.spec.policy, rule.key) {
            (Policy::RoundRobin, _) => {
                let at = balance::in_turn(count, rule.route.turn.get(), allowed, up)?;
                rule.route.turn.set(at + 1);
                Some(at)
            }
            (Policy::Hash, Some(key)) => balance::by_key(count, key, allowed, up, load, id),
            _ => balance::choose(count, self.random(), allowed, up, load),
        };
        at.and_then(|at| members.get(at))
    }

    /// A client that is known came to the version that it belongs to.
    pub(crate) fn came(&self, view: &View, at: usize, request: &Request) {
        let Some((session, client)) = request.session().and_then(|s| Some((s, s.client?))) else { return };
        if let Some((audience, idle)) = view.audience(at, &session.version) {
            audience.came(client, idle, self.now());
        }
    }

    /// 64 random bits: not secret, but not the same on two threads.
    pub(crate) fn random(&self) -> u64 {
        let mut x = self.random.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random.set(x);
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// The time by the thread's slow clock, in milliseconds.
    pub(crate) fn now(&self) -> u64 {
        self.now.get()
    }

    /// The limits of a new connection, looked at from now on.
    pub(crate) async fn limits(&self) -> Rc<Limits> {
        let limits = Limits::new(Rc::clone(&self.now), self.random()).await;
        self.connections.borrow_mut().push(Rc::clone(&limits));
        limits
    }

    /// Whether there may be another connection, or another stream of one.
    pub(crate) fn has_room(&self) -> bool {
        let Shared { connections, streams, .. } = &*self.shared;
        let used = connections.load(Ordering::Relaxed) + streams.load(Ordering::Relaxed);
        used < self.view().snapshot.limits.connections as usize
    }

    /// Takes the place of one connection.
    pub(crate) fn place(&self) -> Place {
        Place::take(&self.shared, |shared| &shared.connections)
    }

    /// Takes the place of one stream of a connection, if there is one.
    pub(crate) fn stream_place(&self) -> Option<Place> {
        self.has_room().then(|| Place::take(&self.shared, |shared| &shared.streams))
    }

    /// Waits until the process is to end.
    pub(crate) async fn closing(&self) {
        self.ended.notified().await;
    }

    /// Holds a request until things may have changed: the next tick, or a new table. False: too many are held.
    pub(crate) async fn hold(&self) -> bool {
        if self.held.get() >= MOST_HELD {
            return false;
        }
        let held = Held::one_more(&self.held);
        tokio::select! {
            () = self.turn.notified() => {}
            () = self.freed.notified() => {}
        }
        drop(held);
        true
    }

    /// A request has ended: one that is held may find an instance now.
    pub(crate) fn free(&self) {
        if self.held.get() > 0 {
            self.freed.notify_one();
        }
    }

    /// Counts something of connections.
    pub(crate) fn at_door(&self, count: impl FnOnce(&DoorShard)) {
        if let Some(door) = self.shared.door.shard(self.thread) {
            count(door);
        }
    }

    /// Counts for the given route.
    pub(crate) fn count(&self, counts: &ServiceCounts, what: Count) {
        counts.add(self.thread, what);
    }

    /// Looks over everything that has a time limit, again and again, and takes a new table over at once.
    pub(crate) async fn housekeep(&self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            match self.shared.wakers.get(self.thread) {
                Some(waker) => tokio::select! {
                    _ = tick.tick() => {}
                    () = waker.notified() => {}
                },
                None => drop(tick.tick().await),
            }
            if self.shared.ended.load(Ordering::Relaxed) {
                return;
            }
            self.now.set(self.shared.now());
            let view = self.view();
            self.turn.notify_waiters();
            for (route, members) in view.snapshot.table.routes.iter().zip(&view.routes) {
                let Millis(oldest) = route.timeouts.pool_idle;
                let all = members.serving.iter().chain(&members.others);
                all.for_each(|member| member.prune(self.now(), oldest));
            }
            drop(view);
            let (closing, ending) = (self.shared.is_closing(), self.shared.is_ending());
            if closing {
                self.ended.notify_waiters();
            }
            // A connection that is gone has left the only reference here.
            self.connections.borrow_mut().retain(|limits| {
                let alive = Rc::strong_count(limits) > 1;
                if alive {
                    limits.tick(ending);
                    if closing {
                        limits.wake();
                    }
                }
                alive
            });
        }
    }
}
