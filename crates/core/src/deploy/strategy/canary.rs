//! Canary: a second pool beside the first, as large as its part of the clients needs, that grows from step to step. The first
//! pool stays whole, so that going back is one table swap at any moment. After the last step it is a flip.

use crate::deploy::Wait;
use crate::deploy::pools::{Pools, count};
use crate::deploy::strategy::{Limits, Moves, flip, needed, rolling};
use crate::spec::CanarySpec;
use crate::workflow::CanaryProgress;

pub(super) fn moves(canary: &CanarySpec, progress: &CanaryProgress, pools: &Pools) -> Moves {
    let Some(step) = canary.steps.get(progress.step) else { return flip::moves(pools, false) };
    let wanted = needed(step.share, pools.wanted);
    let alone = Pools { wanted, goal: pools.goal.clone(), others: Vec::new() };
    let mut moves = rolling::fill(&Limits { surge: 0, ..Limits::all_at_once(wanted) }, &alone);
    let ready = count(&pools.goal, |c| c.serves() || c.can_serve());
    if ready < wanted && progress.reached_at.is_none() {
        moves.serve.clear();
        moves.waits.push(Wait::PoolNotReady { ready, wanted });
    }
    moves.keep_others(pools);
    moves
}
