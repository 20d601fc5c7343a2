//! A world in which everything takes as long as it did of late, for [`decide()`](crate::deploy::decide()) to act in.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};

use super::{Fault, Step};
use crate::base::{DeploymentId, InstanceId, Millis, Share, Timestamp, VersionLabel};
use crate::contract::{Comparison, Contract};
use crate::deploy::pools::{Copy, Pools, count};
use crate::deploy::{
    Asked, Input, Observed, Preparation, Promise, Rounds, Wait, call, decide, question, watch_call,
};
use crate::fleet::{Exit, ObservedInstance, RunStatus};
use crate::spec::{Moment, ServiceSpec};
use crate::traffic::{Answers, Health, InFlight, InstanceReport, Latencies, Role, TrafficReport};
use crate::workflow::{Action, Event, Outcome, Pace, Phase, Queue, Reason, Receipt, Recent, Stage, State};

/// Before this, whoever turns back finds everything that was kept for it.
fn is_last_chance(fact: &Event) -> bool {
    matches!(fact, Event::Entered { phase: Phase::Retiring, .. } | Event::Finished { .. })
}

/// More answers than any guard needs.
const PLENTY: u64 = 1_000_000;

/// How long things take where nothing was measured yet.
pub(super) const GUESS: Guess = Guess {
    prepare: Millis::from_secs(1),
    ready: Millis::from_secs(5),
    drain: Millis::from_secs(1),
    stop: Millis::from_secs(1),
    hook: Millis::from_secs(5),
};

pub(super) struct Guess {
    pub(super) prepare: Millis,
    pub(super) ready: Millis,
    pub(super) drain: Millis,
    pub(super) stop: Millis,
    pub(super) hook: Millis,
}

/// Something that comes about by itself.
#[derive(Clone)]
enum Coming {
    Prepared(VersionLabel),
    Up(InstanceId),
    Drained(InstanceId),
    Gone(InstanceId),
}

/// The world, and what was seen of it so far.
#[derive(Clone)]
pub(super) struct World<'a> {
    spec: &'a ServiceSpec,
    pub(super) state: State,
    pace: &'a Pace,
    observed: Observed,
    began: Timestamp,
    pub(super) now: Timestamp,
    coming: BTreeMap<Timestamp, Vec<Coming>>,
    fault: Option<Fault>,
    /// Answers of each version in thousandths.
    answered: BTreeMap<VersionLabel, u64>,
    /// What was done, in order.
    pub(super) steps: Vec<Step>,
    /// The greatest number of instances at once.
    pub(super) peak: u32,
    /// The lowest number of healthy serving instances.
    pub(super) lowest: u32,
    /// How long instances beyond the wanted number ran, all of them together.
    pub(super) extra: Millis,
    /// When the version that is to serve had all requests.
    served: Option<Timestamp>,
    /// The part of the clients that met the new version first.
    pub(super) first: Option<Share>,
    /// How long it would have taken just before the end until the other version had all requests again.
    pub(super) back: Option<Millis>,
    /// What the deployment reports at its end.
    pub(super) receipt: Option<Receipt>,
}

impl<'a> World<'a> {
    /// The world as the journal has it, at rest.
    pub(super) fn like(
        spec: &'a ServiceSpec,
        state: &'a State,
        now: Timestamp,
        fault: Option<Fault>,
    ) -> World<'a> {
        let traffic = TrafficReport { generation: state.table.generation, ..TrafficReport::default() };
        let observed = Observed { traffic: Some(traffic), ..Observed::default() };
        let mut world = World {
            spec,
            // What waits begins by itself, and is not asked about.
            state: State { queue: Queue::default(), ..state.clone() },
            pace: &state.pace,
            observed,
            began: now,
            now,
            coming: BTreeMap::new(),
            fault,
            answered: BTreeMap::new(),
            steps: Vec::new(),
            peak: 0,
            lowest: u32::MAX,
            extra: Millis::ZERO,
            served: None,
            first: None,
            back: None,
            receipt: None,
        };
        for (id, instance) in &state.instances {
            if let Some(address) = instance.address.filter(|_| instance.stage.is_alive()) {
                world.observe(*id, instance.version.clone(), address, Health::Up);
            }
        }
        let pools = world.pools(None);
        (world.lowest, world.peak) = (pools.capacity(), pools.alive());
        // Of the version that serves enough is known.
        let serving = state.current.clone();
        world.answered.extend(serving.map(|version| (version, PLENTY * 1000)));
        world
    }

    /// An event that does not fit would be a fault of `decide`; a forecast is no place to stop the program for it.
    pub(super) fn record(&mut self, event: &Event) {
        if let Event::Finished { receipt, .. } = event {
            self.receipt = Some((**receipt).clone());
        }
        let _ = self.state.apply(self.now, event);
    }

    /// One look at the world, and what follows from it; if nothing does, the time of the next change comes.
    pub(super) fn pass(&mut self, to: &VersionLabel) {
        let told = || Promise::Told(Contract::default(), Comparison::default());
        self.observed.promise = question(self.spec, &self.state).map(|asked| (asked.instance, told()));
        self.ask();
        self.tell_answers();
        let decision = decide(&self.input());
        if decision.facts.iter().any(is_last_chance) {
            self.back = self.back.or_else(|| self.way_back(to));
        }
        decision.facts.iter().for_each(|fact| self.record(fact));
        if decision.actions.is_empty() {
            if decision.facts.is_empty() {
                let end = decision.waits.iter().filter_map(Wait::until).min();
                self.pass_time(end, decision.wake_at);
            }
            return;
        }
        let what = super::describe(&decision.actions, &self.state);
        for action in &decision.actions {
            self.record(&Event::Begun { action: action.clone() });
            self.carry_out(action);
        }
        let pools = self.pools(Some(to));
        let new = count(&pools.goal, Copy::serves);
        let (old, running) = (pools.capacity() - new, pools.alive());
        self.peak = self.peak.max(running);
        self.lowest = self.lowest.min(new + old);
        if let Some(what) = what {
            self.steps.push(Step { at: self.passed(), what, new, old, running });
        }
        self.look(to, new, old);
        self.break_something();
    }

    /// A hook agrees as soon as it has taken as long as it did of late.
    fn ask(&mut self) {
        let well = Rounds { runs: 1, ..Rounds::default() };
        self.observed.rounds = watch_call(self.spec, &self.state).map(|call| (call.deployment, well));
        let Some(call) = call(self.spec, &self.state) else {
            self.observed.hook = None;
            return;
        };
        let is_asked = |asked: &(DeploymentId, Moment, Asked)| asked.1 == call.moment;
        if self.observed.hook.as_ref().is_none_or(|asked| !is_asked(asked)) {
            let takes = self.pace.hooks.get(&call.moment).and_then(Recent::typical).unwrap_or(GUESS.hook);
            let asked = Asked::Running { since: self.now, until: self.now + takes };
            self.observed.hook = Some((call.deployment, call.moment, asked));
        }
        if let Some((_, _, asked)) = &mut self.observed.hook
            && let Asked::Running { since, until } = *asked
            && until <= self.now
        {
            *asked = Asked::Agreed { took: until.since(since) };
        }
    }

    /// Takes notice of which versions have requests.
    fn look(&mut self, to: &VersionLabel, new: u32, old: u32) {
        if new > 0 && self.first.is_none() {
            let parts = self.parts();
            let (part, all) = (parts.get(to).copied().unwrap_or_default(), parts.values().sum::<u64>());
            self.first = Some(Share::nearest(part as f64 / all.max(1) as f64));
        }
        let forward = self.state.goal() == Some(to);
        let (goal, other) = if forward { (new, old) } else { (old, new) };
        match self.served {
            Some(_) if other > 0 => self.served = None,
            None if goal > 0 && other == 0 => self.served = Some(self.now),
            _ => {}
        }
    }

    /// How long it takes from now on until the version from before has all requests again, if somebody turns back.
    fn way_back(&self, to: &VersionLabel) -> Option<Millis> {
        let deployment = self.state.deployment.as_ref()?;
        if deployment.from.is_none() || deployment.turned_back().is_some() {
            return None;
        }
        let turned = Event::TurnedBack { deployment: deployment.request.deployment, reason: Reason::Asked };
        let mut back = World { served: None, fault: None, began: self.now, ..self.clone() };
        back.record(&turned);
        for _ in 0..super::PASSES {
            if back.served.is_some() || back.state.deployment.is_none() {
                break;
            }
            back.pass(to);
        }
        back.served.map(|at| at.since(self.now))
    }

    /// How much time has passed.
    pub(super) fn passed(&self) -> Millis {
        self.now.since(self.began)
    }

    /// How long it took until the version that is to serve had all requests.
    pub(super) fn served(&self) -> Millis {
        self.served.unwrap_or(self.now).since(self.began)
    }

    fn input(&self) -> Input<'_> {
        Input { now: self.now, spec: self.spec, state: &self.state, observed: &self.observed }
    }

    fn pools(&self, goal: Option<&VersionLabel>) -> Pools {
        Pools::of(&self.input(), goal)
    }

    fn observe(&mut self, id: InstanceId, version: VersionLabel, address: SocketAddr, health: Health) {
        let status = RunStatus::Running;
        self.observed.instances.insert(id, ObservedInstance { version, address, status });
        self.report(id, |report| report.health = health);
    }

    fn report(&mut self, id: InstanceId, change: impl FnOnce(&mut InstanceReport)) {
        if let Some(traffic) = &mut self.observed.traffic {
            change(traffic.instances.entry(id).or_default());
        }
    }

    /// What comes about next comes about, or something ends that is waited for.
    fn pass_time(&mut self, end: Option<Timestamp>, wake_at: Option<Timestamp>) {
        let looks = match self.pace.requests {
            // Answers come little by little: it is enough to look when their number has grown by a hundredth.
            Some(_) => wake_at.map(|at| at.max(self.now + Millis(self.passed().0 / 100))),
            None => wake_at.filter(|_| end.is_none()),
        };
        let next = self.coming.keys().next().copied();
        let next = [next, end, looks].into_iter().flatten().min();
        let next = next.unwrap_or(self.now).max(self.now + Millis(1));
        let passed = next.since(self.now);
        let beyond = self.pools(None).alive().saturating_sub(self.state.wanted(self.spec.run.instances));
        self.extra = self.extra + Millis(passed.0.saturating_mul(u64::from(beyond)));
        self.add_answers(passed);
        self.now = next;
        while let Some(due) = self.coming.first_entry().filter(|due| *due.key() <= next) {
            for coming in due.remove() {
                self.come(coming);
            }
        }
        let capacity = self.pools(None).capacity();
        self.lowest = self.lowest.min(capacity);
    }

    fn come(&mut self, coming: Coming) {
        match coming {
            Coming::Prepared(version) => {
                if let Ok(digest) = "0".parse() {
                    let ready = Preparation::Ready { digest, revision: None, key: None, contract: None };
                    self.observed.prepared.insert(version, ready);
                }
            }
            Coming::Up(id) => self.report(id, |report| report.health = Health::Up),
            Coming::Drained(id) => self.report(id, |report| report.in_flight = InFlight::default()),
            Coming::Gone(id) => self.end(id, Exit::Code(0)),
        }
    }

    fn end(&mut self, id: InstanceId, exit: Exit) {
        if let Some(seen) = self.observed.instances.get_mut(&id) {
            seen.status = RunStatus::Exited(exit);
        }
        self.report(id, |report| *report = InstanceReport::default());
    }

    /// The instance that is to die does, if its time has come and it runs.
    fn break_something(&mut self) {
        let Some(fault) = self.fault.filter(|fault| self.steps.len() >= fault.step) else { return };
        let runs = |seen: &ObservedInstance| seen.status == RunStatus::Running;
        if self.observed.instances.get(&fault.instance).is_some_and(runs) {
            self.fault = None;
            self.end(fault.instance, Exit::Signal(9));
            self.lowest = self.lowest.min(self.pools(None).capacity());
        }
    }

    /// Whether what was to break did.
    pub(super) fn is_broken(&self) -> bool {
        self.fault.is_none()
    }

    /// The versions that have requests, each with its part of the clients.
    fn parts(&self) -> BTreeMap<VersionLabel, u64> {
        let versions = self.state.table.routes.iter().flat_map(|route| &route.sessions.versions);
        let mut parts: BTreeMap<VersionLabel, u64> =
            versions.map(|live| (live.version.clone(), u64::from(live.share))).collect();
        if parts.is_empty() {
            let serving = self.state.instances.values().filter(|instance| instance.stage == Stage::Serving);
            serving.for_each(|instance| *parts.entry(instance.version.clone()).or_default() += 1);
        }
        parts
    }

    fn add_answers(&mut self, passed: Millis) {
        let Some(requests) = self.pace.requests else { return };
        let parts = self.parts();
        let all: u64 = parts.values().sum();
        // Requests in 1000 s are thousandths of a request in 1 s.
        let thousandths = u128::from(requests) * u128::from(passed.0) / 1000;
        for (version, part) in parts {
            let share = (thousandths * u128::from(part)).checked_div(u128::from(all)).unwrap_or_default();
            let sum = self.answered.entry(version).or_default();
            *sum = sum.saturating_add(u64::try_from(share).unwrap_or(u64::MAX));
        }
    }

    /// Every version that serves has answered well. Where nobody knows how often, it was often enough to be judged.
    fn tell_answers(&mut self) {
        if self.pace.requests.is_none() {
            let serving = self.state.instances.values().filter(|instance| instance.stage == Stage::Serving);
            let versions: BTreeSet<&VersionLabel> = serving.map(|instance| &instance.version).collect();
            for version in versions {
                *self.answered.entry(version.clone()).or_default() += PLENTY * 1000;
            }
        }
        let Some(traffic) = &mut self.observed.traffic else { return };
        let sums = traffic.answers.entry(self.spec.service.clone()).or_default();
        for (version, thousandths) in &self.answered {
            let all = thousandths / 1000;
            sums.insert(version.clone(), Answers { all, failed: 0, latencies: Latencies::of([all]) });
        }
    }

    /// What takes time comes about later.
    fn later(&mut self, id: InstanceId, recent: impl Fn(&Pace) -> &Recent, guess: Millis, coming: Coming) {
        let takes = recent(self.pace).of(id).unwrap_or(guess);
        self.coming.entry(self.now + takes).or_default().push(coming);
    }

    fn carry_out(&mut self, action: &Action) {
        let outcome = match action {
            Action::Prepare { version, .. } => {
                let takes = self.pace.prepare.typical().unwrap_or(GUESS.prepare);
                let coming = Coming::Prepared(version.clone());
                self.coming.entry(self.now + takes).or_default().push(coming);
                self.observed.prepared.insert(version.clone(), Preparation::Running);
                Outcome::Preparing { version: version.clone() }
            }
            Action::Start { instance, version } => {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                self.observe(*instance, version.clone(), address, Health::default());
                self.later(*instance, |pace| &pace.ready, GUESS.ready, Coming::Up(*instance));
                Outcome::Started { instance: *instance, address }
            }
            Action::Route { table } => {
                if let Some(traffic) = &mut self.observed.traffic {
                    traffic.generation = table.generation;
                }
                let serves =
                    |id: &InstanceId| self.state.instances.get(id).is_some_and(|i| i.stage == Stage::Serving);
                let members = table.routes.iter().flat_map(|route| &route.members);
                let leaving: Vec<InstanceId> = members
                    .filter(|member| member.role == Role::Drain && serves(&member.instance))
                    .map(|member| member.instance)
                    .collect();
                for id in leaving {
                    self.report(id, |report| report.in_flight.requests = 1);
                    self.later(id, |pace| &pace.drain, GUESS.drain, Coming::Drained(id));
                }
                Outcome::Routed { generation: table.generation }
            }
            // Which migrations a deliverable brings is not known before it is looked at.
            Action::Schema { job } => Outcome::Working { job: job.clone() },
            Action::Stop { instance } => {
                self.later(*instance, |pace| &pace.stop, GUESS.stop, Coming::Gone(*instance));
                Outcome::Stopping { instance: *instance }
            }
            Action::Remove { instance } => {
                self.observed.instances.remove(instance);
                Outcome::Removed { instance: *instance }
            }
        };
        self.record(&Event::Done { outcome });
    }
}
