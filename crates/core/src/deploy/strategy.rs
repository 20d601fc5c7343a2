//! How a new version replaces the old one: one small file per strategy, all over the same moves.

mod canary;
mod flip;
mod rolling;

use crate::base::{InstanceId, Share};
use crate::deploy::Wait;
use crate::deploy::pools::Pools;
use crate::spec::Strategy;
use crate::workflow::Deployment;

pub(super) use rolling::Limits;

/// What a strategy wants done now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Moves {
    /// So many new instances are to be started.
    pub start: u32,
    /// So many of the version that is being left are to be started, in place of those that died.
    pub restore: u32,
    /// These are given requests.
    pub serve: Vec<InstanceId>,
    /// These are given only requests that ask for their version, and kept running.
    pub warm: Vec<InstanceId>,
    /// These are given no more requests, for good.
    pub drain: Vec<InstanceId>,
    /// What it waits for.
    pub waits: Vec<Wait>,
    /// Whether all traffic is where it is to be.
    pub complete: bool,
}

/// The moves of a deployment's strategy. A first version replaces nothing, so there is nothing to be careful about.
pub fn shift(deployment: &Deployment, pools: &Pools) -> Moves {
    match &deployment.request.strategy {
        _ if deployment.from.is_none() => hold(pools),
        Strategy::Rolling(spec) => rolling::moves(&Limits::of(spec, pools.wanted), pools),
        Strategy::Flip(_) => flip::moves(pools, deployment.turned_back().is_some()),
        Strategy::Canary(_) if deployment.turned_back().is_some() => flip::moves(pools, true),
        Strategy::Canary(spec) => canary::moves(spec, &deployment.canary, pools),
    }
}

/// How many instances a part of the clients needs.
pub fn needed(share: Share, wanted: u32) -> u32 {
    share.of_rounded_up(wanted).max(1)
}

impl Moves {
    /// Keeps the others at the wanted number, too: their pool is what all that goes wrong falls back on.
    fn keep_others(&mut self, pools: &Pools) {
        let staying = pools.others.iter().filter(|c| !c.leaves()).copied().collect();
        let alone = Pools { wanted: pools.wanted, goal: staying, others: Vec::new() };
        let kept = rolling::fill(&Limits { surge: 0, ..Limits::all_at_once(pools.wanted) }, &alone);
        // Those on their way out count: two pools are what there is room for.
        self.restore = kept.start.min((2 * pools.wanted).saturating_sub(pools.alive() + self.start));
        self.serve.extend(kept.serve);
        self.drain.extend(kept.drain);
    }
}

/// The moves that bring a service to its goal, or keep it there, when nothing else is under way: as many instances as
/// wanted, of the goal only, and none of the others leaves before it is replaced.
pub fn hold(pools: &Pools) -> Moves {
    rolling::moves(&Limits::all_at_once(pools.wanted), pools)
}

/// The moves that keep the goal at its number and leave all others alone.
pub fn keep(pools: &Pools) -> Moves {
    let mut moves = rolling::fill(&Limits::all_at_once(pools.wanted), pools);
    moves.drain.clear();
    moves
}

/// The least number of healthy serving instances that a strategy promises.
pub fn floor(strategy: &Strategy, wanted: u32) -> u32 {
    match strategy {
        Strategy::Rolling(spec) => Limits::of(spec, wanted).floor,
        Strategy::Flip(_) | Strategy::Canary(_) => wanted,
    }
}

/// The greatest number of instances that a strategy runs at once.
pub fn peak(strategy: &Strategy, wanted: u32) -> u32 {
    match strategy {
        Strategy::Rolling(spec) => wanted + Limits::of(spec, wanted).surge,
        Strategy::Flip(_) | Strategy::Canary(_) => wanted * 2,
    }
}
