//! From the state to the route table.

use crate::base::{Generation, InstanceId};
use crate::deploy::Input;
use crate::deploy::strategy::Moves;
use crate::spec::ServiceSpec;
use crate::traffic::{Member, Role, Route, Table};
use crate::workflow::{Instance, Stage};

/// The table that ought to be in force after `moves`. None: the one that is in force is right.
pub(super) fn table(input: &Input<'_>, moves: &Moves) -> Option<Table> {
    let report = input.observed.traffic.as_ref()?;
    let members =
        input.state.instances.iter().filter_map(|(&id, instance)| member(id, instance, moves)).collect();
    let routes = vec![route(input.spec, members)];
    let known = &input.state.table;
    if routes == known.routes && report.generation <= known.generation {
        return (report.generation < known.generation).then(|| known.clone());
    }
    // A proxy that knows of a newer table than the journal does was told so by a journal that is lost.
    let generation: Generation = input.state.last_generation.max(report.generation).next();
    Some(Table { generation, routes })
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

fn route(spec: &ServiceSpec, members: Vec<Member>) -> Route {
    let all = spec.listen.iter().any(|listen| listen.hosts.is_empty());
    let mut hosts: Vec<String> =
        if all { Vec::new() } else { spec.listen.iter().flat_map(|listen| listen.hosts.clone()).collect() };
    hosts.sort();
    hosts.dedup();
    Route {
        service: spec.service.clone(),
        hosts,
        probe: spec.run.ready.clone(),
        drain: spec.run.stop.drain,
        timeouts: spec.timeouts,
        limits: spec.limits,
        members,
    }
}
