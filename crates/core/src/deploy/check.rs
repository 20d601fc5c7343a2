//! The plan checker: the safety rules in words. It guards production (a decision that breaks a rule is not carried
//! out) and is the oracle of the tests.

use crate::base::{InstanceId, VersionLabel};
use crate::database::Job;
use crate::deploy::pools::Pools;
use crate::deploy::{Input, hook, promise, strategy, strays};
use crate::fleet::RunStatus;
use crate::spec::{Moment, StrategyKind};
use crate::traffic::{Role, Table};
use crate::workflow::{Action, Deployment, Phase, Stage};

/// A rule that an action would break.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// An instance would be stopped that may still get requests.
    #[error("{instance} would be stopped while {stage}: it must be taken out of the table first")]
    StopsServing {
        /// The instance.
        instance: InstanceId,
        /// Where it is in its life.
        stage: Stage,
    },
    /// An instance would be stopped before it is known that nothing is in flight on it.
    #[error("{instance} would be stopped before the proxy has said that nothing is in flight on it")]
    StopsInFlight {
        /// The instance.
        instance: InstanceId,
    },
    /// The capacity would sink below the floor, and below what it is.
    #[error("capacity would sink from {before} to {after}, below the floor of {floor}")]
    BelowFloor {
        /// Healthy serving instances now.
        before: u32,
        /// Healthy serving instances after the table.
        after: u32,
        /// What was promised.
        floor: u32,
    },
    /// A table would give requests to an instance that is not known to be healthy.
    #[error("{instance} would be given requests without having been ready")]
    ServesUnready {
        /// The instance.
        instance: InstanceId,
    },
    /// A table would give requests to an instance that uses the database as another revision, or may.
    #[error(
        "{instance} would be given requests without its database sessions being known to be of its revision"
    )]
    ServesStray {
        /// The instance.
        instance: InstanceId,
    },
    /// A table would give requests to an instance of a version that has not told what it promises.
    #[error("{instance} would be given requests before its contract was compared")]
    ServesUntold {
        /// The instance.
        instance: InstanceId,
    },
    /// A version would be prepared, started, or given requests, before its hook has agreed.
    #[error("{version} would go on before the hook `{}` has agreed", .moment.name())]
    Unasked {
        /// The version.
        version: VersionLabel,
        /// The moment of the hook.
        moment: Moment,
    },
    /// A table would not be newer than the one before.
    #[error("the table's generation would not grow")]
    StaleTable,
    /// More instances would run than the strategy may use.
    #[error("{alive} instances would run, at most {limit} may")]
    TooMany {
        /// How many would run.
        alive: u32,
        /// How many may.
        limit: u32,
    },
    /// An instance would be started whose schema is not there.
    #[error("{instance} of {version} would be started without its schema")]
    StartsWithoutSchema {
        /// The instance.
        instance: InstanceId,
        /// What it would run.
        version: VersionLabel,
    },
    /// A revision of the schema would be removed that instances use.
    #[error("{job} while {alive} instances of the revision that goes are alive")]
    RemovesRevision {
        /// What would be done.
        job: Job,
        /// How many instances there are.
        alive: u32,
    },
    /// An instance would be removed that may still run.
    #[error("{instance} would be removed before its end was seen")]
    RemovesLiving {
        /// The instance.
        instance: InstanceId,
    },
}

/// Checks actions before they are carried out.
///
/// # Errors
/// The first rule that one of them breaks.
pub fn check(input: &Input<'_>, actions: &[Action]) -> Result<(), Violation> {
    for action in actions {
        match action {
            Action::Prepare { version, .. } => {
                if input.state.deployment.as_ref().is_some_and(|d| !hook::may_begin(input, d)) {
                    return Err(Violation::Unasked { version: version.clone(), moment: Moment::Begin });
                }
            }
            Action::Start { instance, version } => start(input, *instance, version)?,
            Action::Schema { job } => schema(input, actions, job)?,
            Action::Route { table } => route(input, table)?,
            Action::Stop { instance } => {
                if actions.iter().any(|other| serves(other, *instance)) {
                    return Err(Violation::StopsServing { instance: *instance, stage: Stage::Serving });
                }
                stop(input, *instance)?;
            }
            Action::Remove { instance } => {
                let alive = input.state.instances.get(instance).is_some_and(|i| i.stage.is_alive());
                if alive {
                    return Err(Violation::RemovesLiving { instance: *instance });
                }
            }
        }
    }
    number(input, actions)
}

/// Promise 6, for new versions: what runs already is kept running whatever somebody did to the schema by hand.
fn start(input: &Input<'_>, instance: InstanceId, version: &VersionLabel) -> Result<(), Violation> {
    let state = input.state;
    let new = state.deployment.as_ref().is_some_and(|d| d.goal() == Some(version))
        && state.current.as_ref() != Some(version);
    if new && state.deployment.as_ref().is_some_and(|d| !hook::may_start(input, d)) {
        return Err(Violation::Unasked { version: version.clone(), moment: Moment::Release });
    }
    if new && !state.schema.standing.serves(state.revision_of(version)) {
        return Err(Violation::StartsWithoutSchema { instance, version: version.clone() });
    }
    Ok(())
}

/// Promise 6, for what runs: its revision stays.
fn schema(input: &Input<'_>, actions: &[Action], job: &Job) -> Result<(), Violation> {
    let change = input.state.schema.standing.change.as_ref();
    let leaving = match job {
        Job::Expand { .. } => None,
        Job::Contract { .. } => change.and_then(|change| change.from.as_ref()),
        Job::Undo { to } => Some(to),
    };
    let Some(leaving) = leaving else { return Ok(()) };
    let starts = actions.iter().filter(|action| {
        matches!(action, Action::Start { version, .. } if input.state.revision_of(version) == Some(leaving))
    });
    match input.state.alive_at(leaving) + starts.count() as u32 {
        0 => Ok(()),
        alive => Err(Violation::RemovesRevision { job: job.clone(), alive }),
    }
}

/// Whether an action gives requests to an instance.
fn serves(action: &Action, instance: InstanceId) -> bool {
    let Action::Route { table } = action else { return false };
    let mut members = table.routes.iter().flat_map(|route| &route.members);
    members.any(|m| m.instance == instance && m.role == Role::Serve)
}

fn stop(input: &Input<'_>, id: InstanceId) -> Result<(), Violation> {
    let orphaned = input.observed.instances.get(&id).is_some_and(|i| i.status == RunStatus::Orphaned);
    let Some(instance) = input.state.instances.get(&id).filter(|_| !orphaned) else { return Ok(()) };
    match instance.stage {
        Stage::Stopping | Stage::Ended => Ok(()),
        Stage::Draining => {
            let expired = input.now.since(instance.since) >= input.spec.run.stop.drain.longest();
            let report = input.observed.traffic.as_ref();
            let settled = report.is_some_and(|r| r.generation >= input.state.table.generation);
            let empty = input.observed.report(id).is_none_or(|r| r.in_flight.total() == 0);
            if settled && (empty || expired) {
                Ok(())
            } else {
                Err(Violation::StopsInFlight { instance: id })
            }
        }
        stage => Err(Violation::StopsServing { instance: id, stage }),
    }
}

fn route(input: &Input<'_>, table: &Table) -> Result<(), Violation> {
    if table.generation <= input.state.last_generation && *table != input.state.table {
        return Err(Violation::StaleTable);
    }
    let mut after = 0;
    for member in table.routes.iter().flat_map(|route| &route.members).filter(|m| m.role == Role::Serve) {
        let instance = input.state.instances.get(&member.instance);
        let served = instance.is_some_and(|i| i.stage == Stage::Serving);
        let up = input.observed.is_up(member.instance);
        if !served && !up {
            return Err(Violation::ServesUnready { instance: member.instance });
        }
        if instance.is_some_and(|i| !strays::admits(input, member.instance, i)) {
            return Err(Violation::ServesStray { instance: member.instance });
        }
        if instance.is_some_and(|i| !promise::admits(input, i)) {
            return Err(Violation::ServesUntold { instance: member.instance });
        }
        if let Some(unasked) = instance.filter(|i| !hook::admits(input, i)) {
            let version = unasked.version.clone();
            return Err(Violation::Unasked { version, moment: Moment::Ready });
        }
        after += u32::from(up);
    }
    let before = Pools::of(input, input.state.goal()).capacity();
    let floor = floor(input);
    if after < before && after < floor {
        return Err(Violation::BelowFloor { before, after, floor });
    }
    Ok(())
}

fn floor(input: &Input<'_>) -> u32 {
    match &input.state.deployment {
        Some(deployment) if deployment.goal().is_none() => 0,
        Some(deployment) => strategy::floor(&deployment.request.strategy, input.wanted()),
        None => input.wanted(),
    }
}

/// A rolling upgrade stays within its surge; everything else may run one pool of the goal beside all others.
fn number(input: &Input<'_>, actions: &[Action]) -> Result<(), Violation> {
    let new =
        |a: &&Action| matches!(a, Action::Start { instance, .. } if *instance > input.state.last_instance);
    let starts = actions.iter().filter(new).count() as u32;
    let wanted = input.wanted();
    let pools = Pools::of(input, input.state.goal());
    let limit = match &input.state.deployment {
        Some(Deployment { request, phase: Phase::Shifting, from: Some(_), .. })
            if request.strategy.kind() == StrategyKind::Rolling =>
        {
            strategy::peak(&request.strategy, wanted)
        }
        _ => (2 * wanted).max(pools.others.len() as u32 + wanted),
    };
    let alive = pools.alive() + starts;
    if starts > 0 && alive > limit { Err(Violation::TooMany { alive, limit }) } else { Ok(()) }
}
