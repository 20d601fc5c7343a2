//! Leaves instances alone that fail far more than the others, by what was measured of their requests: once a second, on the
//! prober's thread, so that requests pay nothing for it.
//!
//! Which ones is decided by `core::traffic::outlier`. Tested through the whole proxy.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tandem_core::base::{InstanceId, Millis, ServiceName, Share};
use tandem_core::spec::EjectSpec;
use tandem_core::traffic::outlier::{Seen, outliers, rest};
use tandem_core::traffic::{Role, Route};
use tokio::time::MissedTickBehavior;

use crate::instance::Instance;
use crate::snapshot::{RouteState, Shared};

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(1);

/// What was seen of one instance.
#[derive(Debug, Default)]
struct History {
    /// Sums of requests and failures, one for each look, the latest last.
    sums: VecDeque<(u64, u64)>,
    /// How often it was left alone of late.
    times: u32,
    /// Until when it is left alone, in milliseconds of the proxy's clock; or was.
    until: u64,
    resting: bool,
}

/// All instances that are watched.
type Histories = BTreeMap<(ServiceName, InstanceId), History>;

/// Watches for as long as the proxy works.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut histories = Histories::new();
    let mut tick = tokio::time::interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let snapshot = shared.snapshot.load_full();
        let mut seen = Histories::new();
        for (route, state) in snapshot.table.routes.iter().zip(&snapshot.routes) {
            let found = look(route, state, &mut histories, shared.now());
            if found.changed {
                shared.change();
            }
            seen.extend(found.histories);
        }
        histories = seen;
    }
}

struct Found {
    histories: Histories,
    changed: bool,
}

/// One look at the instances of a route.
fn look(route: &Route, state: &RouteState, before: &mut Histories, now: u64) -> Found {
    let spec = &route.balance.eject;
    let mut found = Found { histories: Histories::new(), changed: false };
    let serving = route.members.iter().zip(&state.instances).filter(|(member, _)| member.role == Role::Serve);
    let mut watched: Vec<(&Arc<Instance>, History)> = serving
        .map(|(member, instance)| {
            let history = before.remove(&(route.service.clone(), member.instance)).unwrap_or_default();
            (instance, history)
        })
        .collect();
    for (instance, history) in &mut watched {
        let over = history.resting && (now >= history.until || spec.errors == Share::NONE);
        if over {
            history.resting = false;
            history.sums.clear();
            instance.eject(None, now);
            found.changed = true;
        }
        history.take(instance.meter.ended(), spec, now);
    }
    if spec.errors != Share::NONE {
        let resting = watched.iter().filter(|(_, history)| history.resting).count();
        let up = |(instance, history): &&mut (&Arc<Instance>, History)| !history.resting && instance.is_up();
        let mut up: Vec<_> = watched.iter_mut().filter(up).collect();
        let seen: Vec<Seen> = up.iter().map(|(_, history)| history.seen()).collect();
        for at in outliers(&seen, resting, spec) {
            let (Some((instance, history)), Some(seen)) = (up.get_mut(at), seen.get(at)) else { continue };
            instance.eject(Some(history.rest(*seen, spec, now)), now);
            found.changed = true;
        }
    }
    let key = |instance: &Instance| (route.service.clone(), instance.id);
    found.histories = watched.into_iter().map(|(instance, history)| (key(instance), history)).collect();
    found
}

impl History {
    fn take(&mut self, sums: (u64, u64), spec: &EjectSpec, now: u64) {
        self.sums.push_back(sums);
        while self.sums.len() as u64 > spec.within.0 / 1000 + 1 {
            self.sums.pop_front();
        }
        // Whoever was good for as long as it had to rest begins anew.
        if self.times > 0 && !self.resting && now.saturating_sub(self.until) > rest(self.times, spec).0 {
            self.times = 0;
        }
    }

    fn seen(&self) -> Seen {
        let (first, last) = (self.sums.front().copied(), self.sums.back().copied());
        let ((before, failed), (now, fails)) = (first.unwrap_or_default(), last.unwrap_or_default());
        Seen { requests: now.saturating_sub(before), failed: fails.saturating_sub(failed) }
    }

    /// Begins a rest; why, for people.
    fn rest(&mut self, seen: Seen, spec: &EjectSpec, now: u64) -> String {
        self.times = self.times.saturating_add(1);
        let Millis(length) = rest(self.times, spec);
        (self.resting, self.until) = (true, now.saturating_add(length));
        let Seen { requests, failed } = seen;
        format!("{failed} of its last {requests} requests failed; it is left alone for {}", Millis(length))
    }
}
