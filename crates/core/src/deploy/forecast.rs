//! A deployment before it is begun: the same [`decide()`](super::decide()) in a world where everything goes well and takes as
//! long as it did of late.

mod ways;
mod world;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{InstanceId, Millis, Price, Share, Timestamp, VersionLabel};
use crate::contract::Comparison;
use crate::deploy::{Command, Refusal, accept};
use crate::spec::{Moment, ServiceSpec, Strategy};
use crate::traffic::Role;
use crate::workflow::{Action, Event, Figures, Judgement, Pace, Recent, State, Verdict};

pub use ways::Way;
use world::{GUESS, World};

/// More passes than any deployment of 1000 instances takes.
const PASSES: usize = 20_000;

/// A deployment of no more instances than this is foreseen within a second: the time grows with the square of their number.
const AT_ONCE: u32 = 300;

/// What a deployment would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Forecast {
    /// The version that serves now.
    pub from: Option<VersionLabel>,
    /// The version that would be deployed.
    pub to: VersionLabel,
    /// What would be done, in order.
    pub steps: Vec<Step>,
    /// What it would cost.
    #[serde(flatten)]
    pub figures: Figures,
    /// The number of instances that is wanted.
    pub wanted: u32,
    /// How it would end. None: its end is too far away to be seen.
    pub end: Option<Verdict>,
    /// What an instance costs in an hour. None: nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// What the times are reckoned from.
    pub basis: Basis,
    /// Other ways, and what they would cost. Empty: nobody asked for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ways: Vec<Way>,
    /// How its contract differs from that of the version that serves. None: no deliverable was looked at, or it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<Comparison>,
    /// The path at which its first instance would be asked for its contract: only then is that compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
}

/// What would be done in one pass, and how things would stand after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// When, from the request on.
    pub at: Millis,
    /// What would be done, for people.
    pub what: String,
    /// Healthy serving instances of the new version after it.
    pub new: u32,
    /// Healthy serving instances of the old version after it.
    pub old: u32,
    /// Instances that run after it, those that are starting or leaving included.
    pub running: u32,
}

/// What the times of a forecast are reckoned from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Basis {
    /// From the request until the version is ready to run.
    pub prepare: Estimate,
    /// From the start of an instance until it answers its checks.
    pub ready: Estimate,
    /// From an instance's last new request until nothing is in flight.
    pub drain: Estimate,
    /// From the signal to stop until no process is left.
    pub stop: Estimate,
    /// For the hooks that there are, until each has agreed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hooks: BTreeMap<Moment, Estimate>,
    /// Requests in 1000 seconds. None: not known; there are taken to be as many as the guard needs.
    pub requests: Option<u64>,
    /// The last forecasts beside what came of them, the newest last.
    pub judged: Vec<Judgement>,
}

/// How long something takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// The length in the middle.
    pub typical: Millis,
    /// Of how many that were measured. 0: it is assumed.
    pub measured: usize,
}

impl Basis {
    fn of(spec: &ServiceSpec, pace: &Pace) -> Basis {
        let estimate = |recent: &Recent, guess| Estimate {
            typical: recent.typical().unwrap_or(guess),
            measured: recent.len(),
        };
        Basis {
            prepare: estimate(&pace.prepare, GUESS.prepare),
            ready: estimate(&pace.ready, GUESS.ready),
            drain: estimate(&pace.drain, GUESS.drain),
            stop: estimate(&pace.stop, GUESS.stop),
            hooks: spec
                .hooks
                .asked()
                .map(|moment| {
                    let known = pace.hooks.get(&moment);
                    (moment, estimate(known.unwrap_or(&Recent::default()), GUESS.hook))
                })
                .collect(),
            requests: pace.requests,
            judged: pace.forecasts.iter().copied().collect(),
        }
    }
}

/// An instance that dies while a deployment is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// The instance.
    pub instance: InstanceId,
    /// After this step, from 1; 0: before the first one.
    pub step: usize,
}

/// What `command` would do if it came `now`, and what if something dies on the way.
///
/// # Errors
/// The command would be refused, or what is to die would not run then.
pub fn forecast(
    spec: &ServiceSpec,
    state: &State,
    now: Timestamp,
    command: &Command,
    fault: Option<Fault>,
) -> Result<Forecast, Refusal> {
    after(spec, state, now, &accept(state, command)?, fault)
}

/// What follows from the events with which a deployment begins or turns.
fn after(
    spec: &ServiceSpec,
    state: &State,
    now: Timestamp,
    events: &[Event],
    fault: Option<Fault>,
) -> Result<Forecast, Refusal> {
    let mut world = World::like(spec, state, now, fault);
    events.iter().for_each(|event| world.record(event));
    let to = match &world.state.deployment {
        Some(deployment) => deployment.request.version.clone(),
        None => return Err(Refusal::NothingUnderWay),
    };
    for _ in 0..PASSES {
        if world.state.deployment.is_none() {
            break;
        }
        world.pass(&to);
    }
    if let Some(Fault { instance, step }) = fault.filter(|_| !world.is_broken()) {
        return Err(Refusal::NotThere { instance, step });
    }
    let from = state.current.clone();
    let receipt = world.receipt.as_ref();
    let figures = Figures {
        took: world.passed(),
        served: world.served(),
        back: world.back,
        first: world.first.unwrap_or(Share::NONE),
        mixed_state: receipt.map_or(Millis::ZERO, |receipt| receipt.mixed_state),
        peak: world.peak,
        lowest_capacity: from.as_ref().map(|_| world.lowest),
        extra: world.extra,
    };
    Ok(Forecast {
        figures,
        wanted: state.wanted(spec.run.instances),
        end: receipt.map(|receipt| receipt.verdict.clone()),
        price: spec.run.price.clone(),
        basis: Basis::of(spec, &state.pace),
        ways: Vec::new(),
        contract: None,
        asked: spec.contract.asked().map(str::to_owned),
        from,
        to,
        steps: world.steps,
    })
}

/// The ways in which `version` could be deployed, weighed against each other. Empty: it can't be, or nothing serves, and then
/// they are all alike.
pub fn ways(spec: &ServiceSpec, state: &State, now: Timestamp, version: &VersionLabel) -> Vec<Way> {
    if state.current.is_none() {
        return Vec::new();
    }
    let way = |(name, strategy): (String, Strategy)| {
        let (version, source) = (version.clone(), String::new());
        let command = Command::Deploy { version, source, strategy: strategy.clone(), break_contract: false };
        let Forecast { figures, steps, end, .. } = forecast(spec, state, now, &command, None).ok()?;
        end.is_some().then_some(Way { name, strategy, figures, steps, unbeaten: false })
    };
    let candidates = ways::candidates(&spec.deploy, state.wanted(spec.run.instances));
    let mut ways: Vec<Way> = candidates.into_iter().filter_map(way).collect();
    ways::weigh(&mut ways);
    ways
}

/// What is to be remembered beside the events with which a deployment begins: what it was foreseen to cost. None: it is not to
/// settle, or whoever asked would have to wait for the answer.
pub fn foreseen(spec: &ServiceSpec, state: &State, now: Timestamp, events: &[Event]) -> Option<Event> {
    let request = events.iter().find_map(|event| match event {
        Event::Requested(request) => Some(request),
        _ => None,
    })?;
    if state.wanted(spec.run.instances) > AT_ONCE {
        return None;
    }
    let forecast = after(spec, state, now, events, None).ok()?;
    let event = Event::Foreseen { deployment: request.deployment, figures: forecast.figures };
    (forecast.end == Some(Verdict::Settled)).then_some(event)
}

/// One line for what is done in a pass; None if there is nothing in it that people care about.
fn describe(actions: &[Action], before: &State) -> Option<String> {
    let mut parts = Vec::new();
    let starts = actions.iter().filter_map(|action| match action {
        Action::Start { instance, version } => Some((instance, version)),
        _ => None,
    });
    let starts: Vec<(&InstanceId, &VersionLabel)> = starts.collect();
    if let (Some(&(first, version)), Some(&(last, _))) = (starts.first(), starts.last()) {
        let who = if last == first { first.to_string() } else { format!("{first} to {last}") };
        parts.push(format!("start {} of {version} ({who})", starts.len()));
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
