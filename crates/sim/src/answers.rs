//! Which version a request goes to, and what its answer is like; and what must hold of a version whose answers are worse.

use std::collections::{BTreeMap, BTreeSet};

use tandem_core::base::{InstanceId, VersionLabel};
use tandem_core::spec::{Strategy, Unclear};
use tandem_core::traffic::session::PLACES;
use tandem_core::traffic::{Answers, Latencies};
use tandem_core::workflow::{Event, Passed, Verdict};

use crate::scenario::Behaviour;
use crate::world::World;

/// How long a usual answer takes, in microseconds, and one of a version that is slow.
const TIMES: (u64, u64) = (10_000, 40_000);

impl World {
    /// Of those that can take a request, those of the version to which it falls.
    pub(crate) fn fall(&mut self, able: &[InstanceId]) -> Vec<InstanceId> {
        // Some requests say that they want the version that comes.
        let says = self.random.chance(200);
        let chosen = self.proxy.table.routes.iter().any(|route| route.sessions.chosen.is_some());
        let place = if chosen && says { 0 } else { self.random.between(0, u64::from(PLACES) - 1) as u32 };
        let versions = self.proxy.table.routes.iter().flat_map(|route| &route.sessions.versions);
        let mut end = 0;
        let mut versions = versions.map(|live| (&live.version, live.share));
        let fallen = versions.find(|(_, share)| {
            end += if chosen && says { PLACES } else { *share };
            place < end
        });
        let of = |id: &&InstanceId| {
            fallen.is_none_or(|(version, _)| self.processes.get(id).is_some_and(|p| p.version == *version))
        };
        let of_version: Vec<InstanceId> = able.iter().filter(of).copied().collect();
        if of_version.is_empty() { able.to_vec() } else { of_version }
    }

    /// An instance of a version answers.
    pub(crate) fn answered(&mut self, version: &VersionLabel) {
        let behaviour = self.scenario.behaviours.get(version).copied();
        let fails = behaviour == Some(Behaviour::Fails) && self.random.chance(400);
        let micros = if behaviour == Some(Behaviour::Slow) { TIMES.1 } else { TIMES.0 };
        let sum = self.proxy.answers.entry(version.clone()).or_default();
        let mut counts = [0; Latencies::BUCKETS];
        counts[Latencies::bucket(micros)] = 1;
        *sum = sum.plus(&Answers { all: 1, failed: u64::from(fails), latencies: Latencies::of(counts) });
    }

    /// Promise 9 and what a canary is for: a version that is worse settles only if somebody took that upon themselves, and no
    /// step is passed in silence.
    pub(crate) fn check_canaries(&mut self) {
        let (mut canaries, mut asked) = (BTreeMap::new(), BTreeSet::new());
        let mut broken = Vec::new();
        for recorded in &self.journal {
            match &recorded.event {
                Event::Requested(request) => {
                    if let Strategy::Canary(canary) = &request.strategy {
                        canaries.insert(request.deployment, (request.version.clone(), canary.steps.len()));
                    }
                }
                Event::Promoted { deployment, .. } => drop(asked.insert(*deployment)),
                Event::Stepped { deployment, passed: Passed::Unclear, .. } => {
                    if self.scenario.spec.deploy.guard.unclear != Unclear::Pass {
                        broken.push(format!("{deployment} went on although nobody knows"));
                    }
                    asked.insert(*deployment);
                }
                Event::Finished { deployment, receipt } if receipt.verdict == Verdict::Settled => {
                    let Some((version, _)) = canaries.get(deployment) else { continue };
                    let behaviour = self.scenario.behaviours.get(version).copied();
                    let worse = match behaviour {
                        Some(Behaviour::Fails | Behaviour::Slow) => true,
                        Some(Behaviour::Unwell) => self.scenario.spec.hooks.watch.is_some(),
                        _ => false,
                    };
                    if worse && receipt.from.is_some() && !asked.contains(deployment) {
                        broken.push(format!("{deployment} settled with {version}, which is worse"));
                    }
                }
                _ => {}
            }
        }
        broken.into_iter().for_each(|how| self.broke("a worse version does not settle by itself", how));
    }
}
