//! Flip: a second pool is started beside the first; when all of it is ready, one table swap moves all traffic, and the
//! first pool is kept warm. Going back is the same swap the other way.

use crate::deploy::Wait;
use crate::deploy::pools::{Copy, Pools, count};
use crate::deploy::strategy::{Limits, Moves, rolling};
use crate::workflow::Stage;

pub(super) fn moves(pools: &Pools, back: bool) -> Moves {
    // The other pool does not count against the number of instances: that is what a flip costs.
    let alone = Pools { wanted: pools.wanted, goal: pools.goal.clone(), others: Vec::new() };
    let limits = Limits { surge: 0, ..Limits::all_at_once(pools.wanted) };
    let mut moves = rolling::fill(&limits, &alone);
    let others_serve = pools.others.iter().any(|c| c.stage == Stage::Serving);
    let ready = count(&pools.goal, |c| c.serves() || c.can_serve());

    // On the way back there is no point in waiting for the whole pool when what serves now is no better.
    let enough = ready >= pools.wanted || back && ready > 0 && ready >= pools.capacity();
    if others_serve && !enough {
        moves.serve.clear();
        moves.waits.push(Wait::PoolNotReady { ready, wanted: pools.wanted });
        if !back {
            moves.keep_others(pools);
        }
    } else {
        let serving = pools.others.iter().filter(|c| c.stage == Stage::Serving);
        moves.warm.extend(serving.map(|c| c.id));
    }
    moves.complete = count(&pools.goal, Copy::serves) >= pools.wanted && !others_serve;
    moves
}
