//! Rolling: a few at a time. Instances of the goal are started within the surge, given requests when they are ready,
//! and in the same table swap as many others are taken out as the floor allows.
//!
//! With 4 wanted, batch 1, surge 1, floor 4: start 1 (5 run) → ready: serve it, drain 1 other (4 serve) → it ends (4
//! run) → start 1 … With surge 0, floor 3: drain 1 (3 serve) → it ends → start 1 → serve it, drain 1 …

use crate::deploy::Wait;
use crate::deploy::pools::{Copy, Pools, count};
use crate::deploy::strategy::Moves;
use crate::spec::RollingSpec;
use crate::workflow::Stage;

/// The parameters of a rolling upgrade as numbers of instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How many are replaced at a time. At least 1.
    pub batch: u32,
    /// How many there may be beyond the wanted number.
    pub surge: u32,
    /// How many must serve at all times.
    pub floor: u32,
}

impl Limits {
    /// The limits for `wanted` instances. Amounts are rounded up; if they would let nothing move (no surge and all of
    /// the pool as the floor), one instance of surge is allowed.
    pub(crate) fn of(spec: &RollingSpec, wanted: u32) -> Limits {
        let batch = spec.batch.of_rounded_up(wanted).clamp(1, wanted.max(1));
        let surge = spec.surge.map_or(batch, |surge| surge.of_rounded_up(wanted));
        let floor = match spec.floor {
            Some(floor) => floor.of_rounded_up(wanted).min(wanted),
            None if surge == 0 => wanted - batch.min(wanted),
            None => wanted,
        };
        let surge = if surge == 0 && floor == wanted { 1 } else { surge };
        Limits { batch, surge, floor }
    }

    /// Limits that let everything be replaced at once without ever serving with fewer than wanted.
    pub(crate) fn all_at_once(wanted: u32) -> Limits {
        Limits { batch: wanted.max(1), surge: wanted, floor: wanted }
    }
}

pub(super) fn moves(limits: &Limits, pools: &Pools) -> Moves {
    let mut moves = fill(limits, pools);
    let staying = count(&pools.goal, |c| c.serves() && !moves.drain.contains(&c.id));
    let goal_after = staying + count(&pools.goal, |c| moves.serve.contains(&c.id) && c.up);
    let serving_others: Vec<&Copy> = pools.others.iter().filter(|c| c.stage == Stage::Serving).collect();
    let healthy_others = count(serving_others.iter().copied(), |c| c.up);

    // Others that have no requests are of no use any more; those that fail their checks are the next to go.
    moves.drain.extend(
        pools.others.iter().filter(|c| matches!(c.stage, Stage::Starting | Stage::Standby)).map(|c| c.id),
    );
    let leaving = count(&pools.others, Copy::leaves);
    let mut room = limits.batch.saturating_sub(leaving) as usize;
    let unhealthy = serving_others.iter().filter(|c| !c.up).take(if goal_after > 0 { room } else { 0 });
    let before = moves.drain.len();
    moves.drain.extend(unhealthy.map(|c| c.id));
    room -= moves.drain.len() - before;
    let spare = (goal_after + healthy_others).saturating_sub(limits.floor) as usize;
    moves.drain.extend(serving_others.iter().filter(|c| c.up).take(room.min(spare)).map(|c| c.id));

    let starting = moves.start + count(&pools.goal, |c| c.stage == Stage::Starting);
    if healthy_others > 0 && room > 0 && spare == 0 && starting == 0 {
        moves.waits.push(Wait::Floor { healthy: goal_after + healthy_others, floor: limits.floor });
    }
    moves.complete = count(&pools.goal, Copy::serves) >= pools.wanted
        && !pools.others.iter().any(|c| matches!(c.stage, Stage::Starting | Stage::Standby | Stage::Serving));
    moves
}

/// Brings the goal to its number: starts what is missing, serves what is ready, drains what is too many.
pub(super) fn fill(limits: &Limits, pools: &Pools) -> Moves {
    let serving = count(&pools.goal, |c| c.stage == Stage::Serving);
    let lacking = pools.wanted.saturating_sub(serving) as usize;
    // Ready ones first; those that are draining already are called back only if there are not enough.
    let mut ready: Vec<&Copy> = pools.goal.iter().filter(|c| c.can_serve()).collect();
    ready.sort_by_key(|c| (c.stage, c.id));
    let serve: Vec<_> = ready.into_iter().take(lacking).map(|c| c.id).collect();

    let useful = count(&pools.goal, |c| !c.leaves() || serve.contains(&c.id));
    let missing = pools.wanted.saturating_sub(useful);
    let room = (pools.wanted + limits.surge).saturating_sub(pools.alive());
    let starting = count(&pools.goal, |c| c.stage == Stage::Starting);
    let start = missing.min(room).min(limits.batch.saturating_sub(starting));

    Moves { start, drain: surplus(pools, &serve), serve, ..Moves::default() }
}

/// Those of the goal that are too many: not ready ones first, then unhealthy ones, then the youngest; and of the
/// healthy serving ones only as many as leaves the wanted number.
fn surplus(pools: &Pools, serve: &[crate::base::InstanceId]) -> Vec<crate::base::InstanceId> {
    let mut staying: Vec<&Copy> =
        pools.goal.iter().filter(|c| !c.leaves() || serve.contains(&c.id)).collect();
    let too_many = staying.len().saturating_sub(pools.wanted as usize);
    staying
        .sort_by_key(|c| (c.serves() || serve.contains(&c.id), c.stage == Stage::Serving, u64::MAX - c.id.0));
    staying.into_iter().take(too_many).map(|c| c.id).collect()
}
