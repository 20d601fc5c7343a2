//! The table in force, as the threads see it, and the one way to replace it.
//!
//! Order of a swap: the gates of instances that may be given requests are opened, the pointer is stored, then the gates of
//! those that leave are closed. So a thread that still holds the old snapshot either is counted before the gate
//! closes or is refused and loads the new one; and no thread finds a gate closed without the newer table being there.
//! Must not know sockets. Tested through the whole proxy and in `inflight`.

mod metrics;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use tandem_core::base::{Generation, InstanceId, ServiceName, VersionLabel};
use tandem_core::contract::{Operation, Templates};
use tandem_core::spec::LimitSpec;
use tandem_core::traffic::matching::{self, HostIndex, RouteError};
use tandem_core::traffic::{Encryption, Role, Route, Table};
use tokio::sync::Notify;

use crate::audience::Audience;
use crate::calls::{Callers, OperationCalls, RouteCalls};
use crate::counts::ServiceCounts;
use crate::instance::{Instance, lock};
use crate::log::Desk;
use crate::meter::DoorMeter;
use crate::rule::{Rule, Rules};
use crate::tls::{BadCertificate, Tls};

use metrics::Meters;

/// The tables in force with all that belongs to them.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// Of each service its own, as it was told.
    tables: BTreeMap<ServiceName, Table>,
    /// All of them together.
    pub(crate) table: Table,
    pub(crate) hosts: HostIndex,
    /// One per route of the table, in its order.
    pub(crate) routes: Vec<RouteState>,
    /// The same of their rules.
    pub(crate) rules: Vec<Rules>,
    /// The widest of all routes' limits: what holds before a request's route is known.
    pub(crate) limits: LimitSpec,
}

/// What the threads share of one route.
#[derive(Debug)]
pub(crate) struct RouteState {
    pub(crate) counts: Arc<ServiceCounts>,
    /// One per member of the route, in its order.
    pub(crate) instances: Vec<Arc<Instance>>,
    /// One per version that clients can be held to, in the order of the route's sessions.
    pub(crate) audiences: Vec<Arc<Audience>>,
    /// The calls of its operations. None: it has no contract.
    pub(crate) calls: Option<RouteCalls>,
}

/// Why a table was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    /// A newer one, or another one of the same generation, is in force.
    #[error("table {offered} is refused: {current} is in force")]
    Fenced { offered: Generation, current: Generation },
    /// It makes no sense, alone or beside those of other services.
    #[error("table {offered} is refused: {why}")]
    Invalid { offered: Generation, why: RouteError },
}

/// One running copy of a service, among those of all services.
type InstanceKey = (ServiceName, InstanceId);

/// What all threads of the proxy share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(crate) threads: usize,
    /// The proxy's clock begins here.
    pub(crate) start: Instant,
    /// Where the files are that instances may lack.
    pub(crate) shelf: PathBuf,
    /// One per data thread, and the last one for the prober: told when the table changed.
    pub(crate) wakers: Vec<Notify>,
    /// Set when another proxy took over: no new connections, and those that are there end with their next answer.
    pub(crate) leaving: AtomicBool,
    /// Set when the process is to end: no new connections, what is in flight finishes.
    pub(crate) closing: AtomicBool,
    /// Set when the threads are to end.
    pub(crate) ended: AtomicBool,
    /// Connections from clients, of all threads.
    pub(crate) connections: AtomicUsize,
    /// Streams of HTTP/2 on them that are under way.
    pub(crate) streams: AtomicUsize,
    /// What is counted of them.
    pub(crate) door: DoorMeter,
    /// Where requests are written down.
    pub(crate) log: Desk,
    /// What encrypted connections need.
    pub(crate) tls: ArcSwapOption<Tls>,
    run: u64,
    known: Mutex<Known>,
    changes: Mutex<u64>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Known {
    /// From when on the deadlines of all instances count, once the proxy leaves.
    leaves_at: Option<u64>,
    instances: BTreeMap<InstanceKey, Arc<Instance>>,
    /// What the connections of each service need.
    encryption: BTreeMap<ServiceName, Encryption>,
    counts: BTreeMap<ServiceName, Arc<ServiceCounts>>,
    audiences: BTreeMap<(ServiceName, VersionLabel), Arc<Audience>>,
    calls: BTreeMap<(ServiceName, Operation), Arc<OperationCalls>>,
    callers: BTreeMap<ServiceName, Arc<Callers>>,
    meters: Meters,
}

impl Shared {
    /// The state of a proxy with so many data threads, before its first table.
    pub(crate) fn new(threads: usize, run: u64, shelf: PathBuf) -> Self {
        let empty = Snapshot {
            tables: BTreeMap::new(),
            table: Table::default(),
            hosts: HostIndex::default(),
            routes: Vec::new(),
            rules: Vec::new(),
            limits: LimitSpec::default(),
        };
        Shared {
            snapshot: Arc::new(ArcSwap::from_pointee(empty)),
            threads,
            start: Instant::now(),
            shelf,
            wakers: (0..=threads).map(|_| Notify::new()).collect(),
            leaving: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
            door: DoorMeter::new(threads),
            log: Desk::default(),
            tls: ArcSwapOption::empty(),
            run,
            known: Mutex::default(),
            changes: Mutex::new(1),
            changed: Condvar::new(),
        }
    }

    /// Milliseconds of the proxy's clock.
    pub(crate) fn now(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    /// Puts the table of a service in force; those of others stay. `trusted`: its serving members are taken for healthy (it
    /// was in force before a restart). The same table again is a success that changes nothing.
    pub(crate) fn apply(
        &self,
        service: &ServiceName,
        table: Table,
        trusted: bool,
    ) -> Result<Generation, ApplyError> {
        // One writer at a time: `known` is held throughout.
        let mut known = lock(&self.known);
        let current = self.snapshot.load_full();
        let offered = table.generation;
        match current.tables.get(service) {
            Some(same) if *same == table => return Ok(offered),
            Some(other) if offered <= other.generation => {
                return Err(ApplyError::Fenced { offered, current: other.generation });
            }
            _ => {}
        }
        let mut tables = current.tables.clone();
        tables.insert(service.clone(), table);
        let next = known
            .snapshot(tables, self.threads, trusted.then_some(service), self.now())
            .map_err(|why| ApplyError::Invalid { offered, why })?;
        self.swap(&mut known, &Arc::new(next));
        drop(known);
        self.wakers.iter().for_each(Notify::notify_one);
        self.change();
        Ok(offered)
    }

    /// Exchanges the snapshot, in the order that the beginning of this file names.
    fn swap(&self, known: &mut Known, next: &Arc<Snapshot>) {
        let stays = |route: &Route| -> Vec<InstanceKey> {
            let members = route.members.iter().filter(|m| m.role != Role::Drain);
            members.map(|m| (route.service.clone(), m.instance)).collect()
        };
        let open: BTreeSet<InstanceKey> = next.table.routes.iter().flat_map(stays).collect();
        for instance in open.iter().filter_map(|key| known.instances.get(key)) {
            instance.flights.set_open(true);
        }
        let before = self.snapshot.swap(Arc::clone(next));
        for (key, instance) in &known.instances {
            if !open.contains(key) {
                instance.flights.set_open(false);
            }
        }
        let now = self.now();
        known.leave(&before, next, now);
        known.forget_meters(now);
    }

    /// Has handshakes that begin from now on use this for a service, beside what there is for others.
    ///
    /// # Errors
    /// Something in it can't be used: what is in force stays.
    pub(crate) fn encrypt(
        &self,
        service: &ServiceName,
        encryption: &Encryption,
    ) -> Result<(), BadCertificate> {
        let mut known = lock(&self.known);
        let mut all = known.encryption.clone();
        all.insert(service.clone(), encryption.clone());
        self.tls.store(Some(Arc::new(Tls::new(&Encryption::join(all.values()))?)));
        known.encryption = all;
        Ok(())
    }

    /// Something that a report shows has changed.
    pub(crate) fn change(&self) {
        *lock(&self.changes) += 1;
        self.changed.notify_all();
    }

    /// Whether anything is in flight.
    pub(crate) fn is_idle(&self) -> bool {
        lock(&self.known).instances.values().all(|instance| instance.flights.total() == 0)
    }

    /// Whether connections are to end with their next answer.
    pub(crate) fn is_closing(&self) -> bool {
        self.leaving.load(Ordering::Relaxed) || self.is_ending()
    }

    /// Whether the process is to end, and nobody is waited for who has nothing in flight.
    pub(crate) fn is_ending(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// Begins to leave: what is there may go on as if every instance were leaving, and the deadlines count from when idle
    /// connections are gone. Returns how long all of it may take.
    pub(crate) fn leave(&self) -> Duration {
        let mut known = lock(&self.known);
        self.leaving.store(true, Ordering::Relaxed);
        let snapshot = self.snapshot.load();
        let routes = || snapshot.table.routes.iter();
        let idle = routes().map(|route| route.timeouts.idle).max().unwrap_or_default();
        known.leaves_at = Some(self.now() + idle.0);
        for (route, state) in routes().zip(&snapshot.routes) {
            for instance in &state.instances {
                instance.set_role(None, &route.drain, self.now() + idle.0);
            }
        }
        drop(known);
        self.wakers.iter().for_each(Notify::notify_one);
        let drain = routes().map(|route| route.drain.longest()).max().unwrap_or_default();
        idle.to_std() + drain.to_std()
    }
}

impl Snapshot {
    /// Of the table of a service; the smallest if it has none.
    fn generation(&self, service: &ServiceName) -> Generation {
        self.tables.get(service).map(|table| table.generation).unwrap_or_default()
    }

    /// Every instance in it.
    fn keys(&self) -> impl Iterator<Item = InstanceKey> {
        let of = |route: &Route| -> Vec<InstanceKey> {
            route.members.iter().map(|member| (route.service.clone(), member.instance)).collect()
        };
        self.table.routes.iter().flat_map(of)
    }
}

impl Known {
    /// The snapshot of these tables. `trusted`: whose instances are taken for healthy.
    fn snapshot(
        &mut self,
        tables: BTreeMap<ServiceName, Table>,
        threads: usize,
        trusted: Option<&ServiceName>,
        now: u64,
    ) -> Result<Snapshot, RouteError> {
        let table = matching::join(&tables)?;
        let hosts = HostIndex::build(&table.routes)?;
        let state = |route: &Route| self.route(route, threads, trusted == Some(&route.service), now);
        let routes = table.routes.iter().map(state).collect();
        let rules = table.routes.iter().map(rules).collect();
        Ok(Snapshot { limits: widest(&table), hosts, routes, rules, tables, table })
    }

    /// The shared state of a route: what is known already stays, the rest is made.
    fn route(&mut self, route: &Route, threads: usize, trusted: bool, now: u64) -> RouteState {
        let counts = self.counts.entry(route.service.clone());
        let counts = Arc::clone(counts.or_insert_with(|| Arc::new(ServiceCounts::new(threads))));
        let meters = &mut self.meters;
        let instances = route.members.iter().map(|member| {
            let meter = meters.of(&route.service, member, threads);
            let make = || {
                let trusted = trusted && member.role == Role::Serve;
                let (version, address) = (member.version.clone(), member.address);
                Arc::new(Instance::new(
                    member.instance,
                    version,
                    address,
                    threads,
                    trusted,
                    Arc::clone(&meter),
                ))
            };
            let instance =
                self.instances.entry((route.service.clone(), member.instance)).or_insert_with(make);
            // An id stands for one running copy; should one come back with another address, it is another one.
            if instance.address != member.address || instance.version != member.version {
                instance.flights.set_open(false);
                *instance = make();
            }
            match self.leaves_at {
                Some(since) => instance.set_role(None, &route.drain, since),
                None => instance.set_role(Some(member.role), &route.drain, now),
            }
            Arc::clone(instance)
        });
        let instances = instances.collect();
        let audiences = route.sessions.versions.iter().map(|live| {
            let audience = self.audiences.entry((route.service.clone(), live.version.clone()));
            Arc::clone(audience.or_insert_with(|| Arc::new(Audience::new(now))))
        });
        let audiences = audiences.collect();
        RouteState { instances, counts, audiences, calls: self.route_calls(route, threads) }
    }

    fn route_calls(&mut self, route: &Route, threads: usize) -> Option<RouteCalls> {
        let contract = route.contract.as_ref()?;
        let callers = self.callers.entry(route.service.clone()).or_insert_with(|| Arc::new(Callers::new()));
        let callers = Arc::clone(callers);
        let operations = contract.operations.iter().map(|operation| {
            let calls = self.calls.entry((route.service.clone(), operation.clone()));
            Arc::clone(calls.or_insert_with(|| Arc::new(OperationCalls::new(threads))))
        });
        Some(RouteCalls {
            templates: Templates::build(&contract.operations),
            operations: operations.collect(),
            callers,
            field: contract.caller.clone(),
        })
    }

    /// Starts the deadlines of what the newer table does not name any more.
    fn leave(&mut self, before: &Snapshot, next: &Snapshot, now: u64) {
        let stays: BTreeSet<InstanceKey> = next.keys().collect();
        for (route, state) in before.table.routes.iter().zip(&before.routes) {
            let left = |instance: &&Arc<Instance>| !stays.contains(&(route.service.clone(), instance.id));
            for instance in state.instances.iter().filter(left) {
                instance.set_role(None, &route.drain, now);
            }
        }
    }
}

/// The rules of a route, ready to be obeyed.
fn rules(route: &Route) -> Rules {
    route.rules.iter().map(|spec| Arc::new(Rule { spec: spec.clone() })).collect()
}

/// The widest limits of all routes.
fn widest(table: &Table) -> LimitSpec {
    let mut limits = table.routes.iter().map(|route| route.limits);
    let Some(first) = limits.next() else { return LimitSpec::default() };
    limits.fold(first, |a, b| LimitSpec {
        head: a.head.max(b.head),
        fields: a.fields.max(b.fields),
        body: if a.body == 0 || b.body == 0 { 0 } else { a.body.max(b.body) },
        connections: a.connections.max(b.connections),
    })
}

#[cfg(test)]
mod tests {
    use tandem_core::traffic::Member;

    use super::*;

    fn shop() -> ServiceName {
        "shop".parse().unwrap()
    }

    fn table(generation: u64, roles: &[Role]) -> Table {
        let member = |(at, role): (usize, &Role)| Member {
            instance: InstanceId(at as u64 + 1),
            version: "v1".parse().unwrap(),
            address: "127.0.0.1:1".parse().unwrap(),
            role: *role,
        };
        let members = roles.iter().enumerate().map(member).collect();
        let route = Route::new(shop(), members);
        Table { generation: Generation(generation), listeners: Vec::new(), routes: vec![route] }
    }

    #[test]
    fn a_thread_with_the_old_table_is_refused_by_what_left_and_its_begun_requests_are_told() {
        let shared = Shared::new(2, 1, PathBuf::new());
        shared.apply(&shop(), table(1, &[Role::Serve, Role::Drain]), false).unwrap();
        let old = shared.snapshot.load_full();
        let [one, two] = old.routes[0].instances.as_slice() else { panic!("two instances") };
        assert!(one.flights.begin(0), "it serves");
        assert!(!two.flights.begin(1), "it does not serve yet");
        for (generation, roles) in
            [(2, vec![Role::Drain, Role::Serve]), (3, vec![Role::Drain, Role::Standby]), (4, Vec::new())]
        {
            shared.apply(&shop(), table(generation, &roles), false).unwrap();
            assert!(!one.flights.begin(1), "table {generation}: it left, but takes a request");
            assert_eq!(shared.report(&shop()).instances[&one.id].in_flight.total(), 1);
        }
        assert!(one.flights.end(0), "the last one is told");
        assert!(shared.report(&shop()).instances.is_empty());
        shared.apply(&shop(), table(5, &[Role::Serve]), true).unwrap();
        let again = shared.snapshot.load();
        assert!(again.routes[0].instances[0].is_up() && again.routes[0].instances[0].flights.begin(0));
    }
}
