//! When a deployment goes back by itself.

use crate::deploy::pools::{Copy, Pools, count};
use crate::deploy::{Input, schema, strays};
use crate::fleet::Exit;
use crate::workflow::{Deployment, Phase, Reason, Stage};

/// Why the deployment must go back. None: it need not, or does already.
pub(super) fn verdict(input: &Input<'_>, deployment: &Deployment) -> Option<Reason> {
    if deployment.turned_back().is_some() || deployment.phase == Phase::Preparing {
        return None;
    }
    if deployment.phase == Phase::Expanding {
        return schema::failure(input, deployment);
    }
    ended_early(input, deployment)
        .or_else(|| not_ready(input, deployment))
        .or_else(|| crashed(input, deployment))
        .or_else(|| unhealthy(input, deployment))
        .or_else(|| strayed(input, deployment))
}

fn ended_early(input: &Input<'_>, deployment: &Deployment) -> Option<Reason> {
    input.state.of_version(&deployment.request.version).find_map(|(id, instance)| {
        let exit = instance.exit.clone().filter(|_| instance.ready_at.is_none())?;
        let unasked = !instance.signalled || matches!(exit, Exit::NotExecuted(_));
        unasked.then_some(Reason::EndedEarly { instance: id, exit })
    })
}

fn not_ready(input: &Input<'_>, deployment: &Deployment) -> Option<Reason> {
    // While the proxy is away nothing can become ready; that is no fault of the instance.
    let report = input.observed.traffic.as_ref()?;
    let within = input.spec.run.ready.within;
    let (id, _) = input
        .state
        .of_version(&deployment.request.version)
        .find(|(_, i)| i.stage == Stage::Starting && input.now.since(i.since) >= within)?;
    let health = report.instances.get(&id).map(|r| r.health.clone()).unwrap_or_default();
    Some(Reason::NotReady { instance: id, within, health })
}

fn crashed(input: &Input<'_>, deployment: &Deployment) -> Option<Reason> {
    let limit = input.spec.deploy.guard.crashes;
    if deployment.crashes <= limit {
        return None;
    }
    let (instance, _) =
        input.state.of_version(&deployment.request.version).filter(|(_, i)| i.exit.is_some()).last()?;
    Some(Reason::Crashed { instance, crashes: deployment.crashes, limit })
}

/// A new instance uses the database and not as its revision. As long as requests still move, none more go to its version;
/// later that is only told.
fn strayed(input: &Input<'_>, deployment: &Deployment) -> Option<Reason> {
    let stray = strays::of_deployment(input, deployment).filter(|_| deployment.phase == Phase::Shifting)?;
    Some(Reason::Strayed(stray))
}

/// Fewer than half of those that should carry the traffic are healthy.
fn unhealthy(input: &Input<'_>, deployment: &Deployment) -> Option<Reason> {
    input.observed.traffic.as_ref()?;
    let pools = Pools::of(input, Some(&deployment.request.version));
    let healthy = count(&pools.goal, Copy::serves);
    let of = match deployment.phase {
        Phase::Preparing | Phase::Expanding => 0,
        Phase::Shifting => count(&pools.goal, |c| c.stage == Stage::Serving),
        Phase::Baking | Phase::Retiring => pools.wanted,
    };
    (healthy * 2 < of).then_some(Reason::Unhealthy { healthy, of })
}
