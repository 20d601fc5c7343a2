//! The decision: what is wanted and what was observed in, facts, actions and waits out.

use crate::deploy::pools::Pools;
use crate::deploy::strategy::{self, Moves};
use crate::deploy::{
    Decision, Input, Preparation, Wait, canary, facts, guard, hook, promise, queue, routing, schema, steps,
    strays,
};
use crate::spec::Strategy;
use crate::workflow::{Action, Deployment, Phase, Stage};

/// Decides what is to be done now. Total: any input gives a decision. Called again after its facts are recorded, and
/// after its actions are done.
pub fn decide(input: &Input<'_>) -> Decision {
    let facts = facts::facts(input);
    if !facts.is_empty() {
        return Decision { facts, ..Decision::default() };
    }
    let mut decision = Decision::default();
    let moves = moves(input, &mut decision);
    for wait in &moves.waits {
        decision.wait(wait.clone());
    }
    queue::waits(input).into_iter().for_each(|wait| decision.wait(wait));
    if let Some((_, Some(until))) = routing::gate(input) {
        decision.wait(Wait::Held { until });
    }
    if input.state.deployment.as_ref().is_some_and(|d| guard::is_watched(input, d)) {
        decision.look_again(input.now + guard::GLANCE);
    }
    steps::starts(input, &moves, &mut decision);
    if input.observed.traffic.is_none() {
        decision.wait(Wait::ProxyAway);
    } else if let Some(table) = routing::table(input, &moves) {
        decision.actions.push(Action::Route { table });
    }
    steps::departures(input, &moves, &mut decision);
    schema::tend(input, &mut decision);
    decision
}

/// What the deployment under way wants moved, or what keeps the service as it is.
fn moves(input: &Input<'_>, decision: &mut Decision) -> Moves {
    let pools = Pools::of(input, input.state.goal());
    let known = input.observed.traffic.is_some();
    let mut moves = match &input.state.deployment {
        None => strategy::hold(&pools),
        // A pause must not keep a service down: with nothing serving, the deployment goes on.
        Some(deployment) if deployment.paused && pools.capacity() > 0 => {
            decision.wait(Wait::Paused);
            Moves::default()
        }
        Some(deployment) => under_way(input, deployment, &pools, decision),
    };
    if !known {
        // Without the proxy's word nothing is known to be healthy: whoever serves goes on serving.
        moves = Moves { start: moves.start.min(never_begun(&pools)), ..Moves::default() };
    }
    moves
}

/// How many of the wanted instances do not even run.
fn never_begun(pools: &Pools) -> u32 {
    pools.wanted.saturating_sub(pools.goal.iter().filter(|c| !c.leaves()).count() as u32)
}

fn under_way(input: &Input<'_>, deployment: &Deployment, pools: &Pools, decision: &mut Decision) -> Moves {
    hook::wait(input).into_iter().for_each(|wait| decision.wait(wait));
    match deployment.phase {
        Phase::Preparing if !hook::may_begin(input, deployment) => steady_at_old(input, deployment),
        Phase::Preparing => {
            let version = deployment.request.version.clone();
            let again = input.state.schema.standing.change.is_none();
            let to_prepare = match input.observed.prepared.get(&version) {
                None => true,
                Some(found) => *found == Preparation::Unsettled && again,
            };
            if to_prepare {
                let source = deployment.request.source.clone();
                decision.actions.push(Action::Prepare { version: version.clone(), source });
            }
            decision.wait(Wait::Preparing { version });
            // Until the new version is ready to run, the service is kept at the old one.
            steady_at_old(input, deployment)
        }
        Phase::Expanding => steady_at_old(input, deployment),
        Phase::Shifting if !hook::may_start(input, deployment) => steady_at_old(input, deployment),
        Phase::Shifting => {
            strays::waits(input).into_iter().chain(promise::wait(input)).for_each(|wait| decision.wait(wait));
            canary::wait(input, deployment).into_iter().for_each(|wait| decision.wait(wait));
            strategy::shift(deployment, pools)
        }
        Phase::Baking => {
            let until = facts::baked_at(input, deployment);
            let bake_end = deployment.phase_since + input.spec.deploy.bake;
            let second = !matches!(deployment.request.strategy, Strategy::Rolling(_));
            if input.now < bake_end || !second {
                decision.wait(Wait::Baking { until: if second { bake_end } else { until } });
            }
            if second && deployment.from.is_some() {
                decision.wait(Wait::Warm { until });
            }
            if let Some(sessions) = facts::held(input, deployment) {
                decision.wait(sessions);
            }
            strategy::keep(pools)
        }
        Phase::Retiring => {
            let mut moves = strategy::keep(pools);
            moves.drain = pools.others.iter().filter(|c| c.stage < Stage::Draining).map(|c| c.id).collect();
            moves
        }
    }
}

/// The old version is kept at its number while nothing of the new one runs.
fn steady_at_old(input: &Input<'_>, deployment: &Deployment) -> Moves {
    let kept = strategy::keep(&Pools::of(input, deployment.from.as_ref()));
    Moves { start: 0, restore: kept.start, drain: Vec::new(), ..kept }
}

#[cfg(test)]
mod tests;
