//! From the state to the route table.

use std::collections::BTreeSet;

use crate::base::{Generation, InstanceId, Share, Timestamp, VersionLabel};
use crate::contract::Operation;
use crate::deploy::strategy::Moves;
use crate::deploy::{Input, canary};
use crate::spec::{AssetSpec, ListenSpec, Pin, ServiceSpec, Strategy};
use crate::traffic::asset::CONVENTIONS;
use crate::traffic::session::{places, shares};
use crate::traffic::{
    Chosen, Gate, Listener, LiveVersion, Member, Role, Route, RouteContract, Sessions, Table,
};
use crate::workflow::{Deployment, Instance, Phase, Stage};

/// The table that ought to be in force after `moves`. None: the one that is in force is right.
pub(super) fn table(input: &Input<'_>, moves: &Moves) -> Option<Table> {
    let report = input.observed.traffic.as_ref()?;
    let members: Vec<Member> =
        input.state.instances.iter().filter_map(|(&id, instance)| member(id, instance, moves)).collect();
    let sessions = sessions(input, &members);
    let contract = contract(input, &members);
    let gate = gate(input).map(|(gate, _)| gate.clone()).unwrap_or_default();
    let routes = vec![Route { contract, gate, ..route(input.spec, sessions, members) }];
    let listeners = listeners(input.spec);
    let known = &input.state.table;
    if routes == known.routes && listeners == known.listeners && report.generation <= known.generation {
        return (report.generation < known.generation).then(|| known.clone());
    }
    // A proxy that knows of a newer table than the journal does was told so by a journal that is lost.
    let generation: Generation = input.state.last_generation.max(report.generation).next();
    Some(Table { generation, listeners, routes })
}

/// The table of a service without any instance, by which it is seen whether services go together.
pub fn bare(spec: &ServiceSpec) -> Table {
    let routes = vec![route(spec, Sessions::default(), Vec::new())];
    Table { generation: Generation::default(), listeners: listeners(spec), routes }
}

/// What is done at each address; those where nothing but HTTP is spoken need no word.
fn listeners(spec: &ServiceSpec) -> Vec<Listener> {
    let listener = |listen: &ListenSpec| Listener {
        address: listen.address,
        speaks: listen.speaks,
        trusted: listen.trusted.clone(),
        told: listen.told,
    };
    let is_special = |listener: &Listener| *listener != Listener::new(listener.address);
    spec.listen.iter().map(listener).filter(is_special).collect()
}

/// What keeps new requests from the instances, and until when if it ends by itself. None: nothing does.
pub(super) fn gate<'a>(input: &Input<'a>) -> Option<(&'a Gate, Option<Timestamp>)> {
    let (gate, since) = (&input.state.gate.kind, input.state.gate.since);
    match gate {
        Gate::Open => None,
        Gate::Held { longest } => {
            let until = since + *longest;
            (input.now < until).then_some((gate, Some(until)))
        }
        Gate::Closed(_) => Some((gate, None)),
    }
}

fn member(id: InstanceId, instance: &Instance, moves: &Moves) -> Option<Member> {
    let role = if moves.drain.contains(&id) {
        Role::Drain
    } else if moves.serve.contains(&id) {
        Role::Serve
    } else if moves.warm.contains(&id) {
        Role::Standby
    } else {
        match instance.stage {
            Stage::Starting | Stage::Standby => Role::Standby,
            Stage::Serving => Role::Serve,
            Stage::Draining | Stage::Stopping => Role::Drain,
            Stage::Ended => return None,
        }
    };
    Some(Member { instance: id, version: instance.version.clone(), address: instance.address?, role })
}

/// How clients are divided between the versions that live: in proportion to the instances that serve, and towards the
/// version that comes.
fn sessions(input: &Input<'_>, members: &[Member]) -> Sessions {
    let (state, spec) = (input.state, &input.spec.sessions);
    let live: BTreeSet<&VersionLabel> =
        members.iter().filter(|m| m.role != Role::Drain).map(|m| &m.version).collect();
    let stay = spec.pin == Pin::Stay;
    if live.len() < 2 && !stay {
        return Sessions::default();
    }
    // Going back, too, the first is the one that came: its part of the clients becomes smaller and smaller.
    let deployment = state.deployment.as_ref();
    let first = deployment.map(|d| &d.request.version).or(state.current.as_ref());
    let mut order: Vec<&VersionLabel> = live.into_iter().collect();
    order.sort_by_key(|version| Some(*version) != first);
    let serving = |version: &&VersionLabel| {
        members.iter().filter(|m| m.role == Role::Serve && m.version == **version).count() as u32
    };
    let serving: Vec<u32> = order.iter().map(serving).collect();
    let new = serving.first().copied().unwrap_or_default();
    let canary = deployment.and_then(|d| canary::share(d, new, input.wanted()));
    let shares = shares(canary, &serving);
    let forward = deployment.is_none_or(|d| d.turned_back().is_none());
    let from = deployment.and_then(|d| d.from.as_ref());
    let kept = stay
        && forward
        && deployment.is_some_and(|d| {
            matches!(d.request.strategy, Strategy::Flip(_))
                && matches!(d.phase, Phase::Shifting | Phase::Baking)
        });
    let live = |(version, &share): (&VersionLabel, &u32)| LiveVersion {
        version: version.clone(),
        key: state.releases.get(version).and_then(|release| release.key.clone()),
        share,
        holds: spec.pin != Pin::None && forward && Some(version) == first && share > 0
            || kept && Some(version) == from,
        known: share > 0 || Some(version) == from,
    };
    let several = shares.iter().filter(|share| **share > 0).count() > 1;
    Sessions {
        cookie: spec.cookie.clone(),
        pins: stay || spec.pin == Pin::Forward && several,
        idle: spec.idle,
        versions: order.into_iter().zip(&shares).map(live).collect(),
        chosen: deployment.filter(|_| new > 0).and_then(chosen),
    }
}

/// Who gets the new version of a canary whatever its share is.
fn chosen(deployment: &Deployment) -> Option<Chosen> {
    let canary = canary::spec(deployment).filter(|_| deployment.phase == Phase::Shifting)?;
    let chosen = Chosen { headers: canary.headers.clone(), cookies: canary.cookies.clone() };
    (!chosen.is_empty()).then_some(chosen)
}

/// Whether a table gives this part of the clients to a version.
pub(super) fn gives(table: &Table, version: &VersionLabel, share: Share) -> bool {
    let mut versions = table.routes.iter().flat_map(|route| &route.sessions.versions);
    versions.any(|live| live.version == *version && live.share == places(share))
}

/// The operations that clients of any version that lives may call.
fn contract(input: &Input<'_>, members: &[Member]) -> Option<RouteContract> {
    let spec = &input.spec.contract;
    spec.document.as_ref()?;
    let contracts = members.iter().filter_map(|m| input.state.releases.get(&m.version)?.contract.as_ref());
    let operations: BTreeSet<&Operation> = contracts.flat_map(|contract| &contract.operations).collect();
    let operations: Vec<Operation> = operations.into_iter().cloned().collect();
    (!operations.is_empty()).then(|| RouteContract { caller: spec.caller.clone(), operations })
}

/// The paths below which files have names that tell their content.
fn assets(spec: &AssetSpec) -> Vec<String> {
    if spec.size == 0 {
        return Vec::new();
    }
    let mut paths: Vec<String> = spec.folders.keys().cloned().collect();
    paths.extend(CONVENTIONS.iter().map(|(path, _)| (*path).to_owned()));
    paths.sort();
    paths.dedup();
    paths
}

fn route(spec: &ServiceSpec, sessions: Sessions, members: Vec<Member>) -> Route {
    Route {
        service: spec.service.clone(),
        hosts: spec.hosts(),
        paths: spec.paths(),
        probe: spec.run.ready.clone(),
        drain: spec.run.stop.drain,
        timeouts: spec.timeouts,
        limits: spec.limits,
        balance: spec.balance.clone(),
        rules: spec.rules.clone(),
        sessions,
        assets: assets(&spec.assets),
        protocol: spec.run.protocol,
        contract: None,
        gate: Gate::default(),
        members,
    }
}
