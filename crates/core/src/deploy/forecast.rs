//! The steps of a deployment before it is begun: the same [`decide()`](super::decide()) in a world where everything
//! works at once.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::base::{Timestamp, VersionLabel};
use crate::contract::{Comparison, Contract};
use crate::deploy::pools::Pools;
use crate::deploy::{
    Command, Input, Observed, Preparation, Promise, Refusal, Wait, accept, decide, question,
};
use crate::fleet::{Exit, ObservedInstance, RunStatus};
use crate::spec::ServiceSpec;
use crate::traffic::{Answers, Health, InstanceReport, Latencies, Role, TrafficReport};
use crate::workflow::{Action, Event, Outcome, Queue, Stage, State};

/// More passes than any deployment of 1000 instances takes.
const PASSES: usize = 20_000;

/// More answers than any guard needs.
const PLENTY: u64 = 1_000_000;

/// What a deployment would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// The version that serves now.
    pub from: Option<VersionLabel>,
    /// The version that would be deployed.
    pub to: VersionLabel,
    /// What would be done, in order.
    pub steps: Vec<Step>,
    /// The greatest number of instances that would run at once.
    pub peak: u32,
    /// The lowest number of healthy serving instances.
    pub lowest_capacity: u32,
    /// The number of instances that is wanted.
    pub wanted: u32,
    /// How its contract differs from that of the version that serves. None: no deliverable was looked at, or it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<Comparison>,
    /// The path at which its first instance would be asked for its contract: only then is that compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
}

/// What would be done in one pass, and how things would stand after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What would be done, for people.
    pub what: String,
    /// Healthy serving instances of the new version after it.
    pub new: u32,
    /// Healthy serving instances of the old version after it.
    pub old: u32,
    /// Instances that run after it, those that are starting or leaving included.
    pub running: u32,
}

/// The steps that `command` would take.
///
/// # Errors
/// The command would be refused.
pub fn forecast(spec: &ServiceSpec, state: &State, command: &Command) -> Result<Forecast, Refusal> {
    let mut world = World::like(spec, state);
    for event in accept(&world.state, command)? {
        world.record(&event);
    }
    let to = match &world.state.deployment {
        Some(deployment) => deployment.request.version.clone(),
        None => return Err(Refusal::NothingUnderWay),
    };
    let from = world.state.current.clone();
    let mut steps: Vec<Step> = Vec::new();
    for _ in 0..PASSES {
        if world.state.deployment.is_none() {
            break;
        }
        steps.extend(world.pass(&to));
    }
    let start = world.began_with;
    Ok(Forecast {
        peak: steps.iter().map(|s| s.running).max().unwrap_or(0),
        lowest_capacity: steps
            .iter()
            .map(|s| s.new + s.old)
            .chain(from.as_ref().map(|_| start))
            .min()
            .unwrap_or(0),
        wanted: state.wanted(spec.run.instances),
        contract: None,
        asked: spec.contract.asked().map(str::to_owned),
        from,
        to,
        steps,
    })
}

/// A world where every instance is ready when it was started and ends when it was asked to.
struct World<'a> {
    spec: &'a ServiceSpec,
    state: State,
    observed: Observed,
    now: Timestamp,
    began_with: u32,
}

impl<'a> World<'a> {
    fn like(spec: &'a ServiceSpec, state: &State) -> World<'a> {
        let traffic = TrafficReport { generation: state.table.generation, ..TrafficReport::default() };
        let observed = Observed { traffic: Some(traffic), ..Observed::default() };
        // What waits begins by itself, and is not asked about.
        let state_alone = State { queue: Queue::default(), ..state.clone() };
        let mut world = World { spec, state: state_alone, observed, now: Timestamp(0), began_with: 0 };
        for (id, instance) in &state.instances {
            if let Some(address) = instance.address.filter(|_| instance.stage.is_alive()) {
                world.observe(*id, instance.version.clone(), address);
            }
        }
        world.began_with = world.capacity(None);
        world
    }

    fn observe(&mut self, id: crate::base::InstanceId, version: VersionLabel, address: SocketAddr) {
        let status = RunStatus::Running;
        self.observed.instances.insert(id, ObservedInstance { version, address, status });
        if let Some(traffic) = &mut self.observed.traffic {
            traffic.instances.insert(id, InstanceReport { health: Health::Up, ..InstanceReport::default() });
        }
    }

    /// An event that does not fit would be a fault of `decide`; a forecast is no place to stop the program for it.
    fn record(&mut self, event: &Event) {
        let _ = self.state.apply(self.now, event);
    }

    fn capacity(&self, version: Option<&VersionLabel>) -> u32 {
        let input = Input { now: self.now, spec: self.spec, state: &self.state, observed: &self.observed };
        let pools = Pools::of(&input, version);
        crate::deploy::pools::count(
            if version.is_some() { &pools.goal } else { &pools.others },
            crate::deploy::pools::Copy::serves,
        )
    }

    /// Every version that serves has answered well, and often enough to be judged.
    fn answer(&mut self) {
        let Some(traffic) = &mut self.observed.traffic else { return };
        let sums = traffic.answers.entry(self.spec.service.clone()).or_default();
        let more = Answers { all: PLENTY, failed: 0, latencies: Latencies::of([PLENTY]) };
        let serving = self.state.instances.values().filter(|instance| instance.stage == Stage::Serving);
        let versions: BTreeSet<&VersionLabel> = serving.map(|instance| &instance.version).collect();
        for version in versions {
            let sum = sums.entry(version.clone()).or_default();
            *sum = sum.plus(&more);
        }
    }

    fn pass(&mut self, to: &VersionLabel) -> Option<Step> {
        self.answer();
        let told = || Promise::Told(Contract::default(), Comparison::default());
        self.observed.promise = question(self.spec, &self.state).map(|asked| (asked.instance, told()));
        let input = Input { now: self.now, spec: self.spec, state: &self.state, observed: &self.observed };
        let decision = decide(&input);
        for fact in &decision.facts {
            self.record(fact);
        }
        if decision.actions.is_empty() {
            if decision.facts.is_empty() {
                // Nothing is seen by looking again before something ends.
                let end = decision.waits.iter().filter_map(Wait::until).min().or(decision.wake_at);
                self.now = end.unwrap_or(self.now).max(self.now + crate::base::Millis(1));
            }
            return None;
        }
        let what = describe(&decision.actions, &self.state);
        for action in &decision.actions {
            self.record(&Event::Begun { action: action.clone() });
            self.carry_out(action);
        }
        let new = self.capacity(Some(to));
        let all = {
            let input =
                Input { now: self.now, spec: self.spec, state: &self.state, observed: &self.observed };
            Pools::of(&input, Some(to))
        };
        what.map(|what| Step { what, new, old: all.capacity() - new, running: all.alive() })
    }

    fn carry_out(&mut self, action: &Action) {
        let outcome = match action {
            Action::Prepare { version, .. } => {
                if let Ok(digest) = "0".parse() {
                    let ready = Preparation::Ready { digest, revision: None, key: None, contract: None };
                    self.observed.prepared.insert(version.clone(), ready);
                }
                Outcome::Preparing { version: version.clone() }
            }
            Action::Start { instance, version } => {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                self.observe(*instance, version.clone(), address);
                Outcome::Started { instance: *instance, address }
            }
            Action::Route { table } => {
                if let Some(traffic) = &mut self.observed.traffic {
                    traffic.generation = table.generation;
                }
                Outcome::Routed { generation: table.generation }
            }
            // Which migrations a deliverable brings is not known before it is looked at.
            Action::Schema { job } => Outcome::Working { job: job.clone() },
            Action::Stop { instance } => {
                if let Some(seen) = self.observed.instances.get_mut(instance) {
                    seen.status = RunStatus::Exited(Exit::Code(0));
                }
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

/// One line for what is done in a pass; None if there is nothing in it that people care about.
fn describe(actions: &[Action], before: &State) -> Option<String> {
    let mut parts = Vec::new();
    let starts: Vec<&Action> = actions.iter().filter(|a| matches!(a, Action::Start { .. })).collect();
    if let Some(Action::Start { version, .. }) = starts.first() {
        parts.push(format!("start {} of {version}", starts.len()));
    }
    for action in actions {
        if let Action::Prepare { version, .. } = action {
            parts.push(format!("make {version} ready to run"));
        }
        if let Action::Route { table } = action {
            parts.extend(role_changes(table, before));
        }
    }
    let stops = actions.iter().filter(|a| matches!(a, Action::Stop { .. })).count();
    if stops > 0 {
        parts.push(format!("stop {stops} that are drained"));
    }
    if parts.is_empty() { None } else { Some(parts.join(", ")) }
}

fn role_changes(table: &crate::traffic::Table, before: &State) -> Vec<String> {
    let role_before = |id| {
        let members = before.table.routes.iter().flat_map(|route| &route.members);
        members.into_iter().find(|m| m.instance == id).map(|m| m.role)
    };
    let changed = |role: Role| {
        let members = table.routes.iter().flat_map(|route| &route.members);
        members.filter(|m| m.role == role && role_before(m.instance) != Some(role)).count()
    };
    let warm = table.routes.iter().flat_map(|route| &route.members);
    let warm =
        warm.filter(|m| m.role == Role::Standby && role_before(m.instance) == Some(Role::Serve)).count();
    let mut parts = Vec::new();
    for (count, what) in
        [(changed(Role::Serve), "route to"), (changed(Role::Drain), "drain"), (warm, "keep warm")]
    {
        if count > 0 {
            parts.push(format!("{what} {count}"));
        }
    }
    parts
}
