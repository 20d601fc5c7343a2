//! Commands that are asked whether a deployment may go on, and what must hold whatever they say.

use tandem_core::base::{Millis, Timestamp, VersionLabel};
use tandem_core::deploy::{Asked, Call, Rounds};
use tandem_core::spec::Moment;
use tandem_core::traffic::Table;
use tandem_core::workflow::{Event, State};

use crate::contract::brings_new;
use crate::scenario::Behaviour;
use crate::world::World;

/// So many hooks of a thousand object, while things go wrong.
const OBJECTIONS: u64 = 100;

impl World {
    /// How far the hook is that is asked. It takes a while, and what it says is left to chance.
    pub(crate) fn ask_hook(&mut self, call: Option<&Call>) -> Option<Asked> {
        let Some(call) = call else {
            self.hook = None;
            return None;
        };
        let same =
            |(of, ..): &(Call, u64, bool)| (of.deployment, of.moment) == (call.deployment, call.moment);
        if !self.hook.as_ref().is_some_and(same) {
            let done = self.now + self.random.between(1, 300);
            let objects = self.faulty() && self.random.chance(OBJECTIONS);
            self.hook = Some((call.clone(), done, !objects));
        }
        let (_, done, agrees) = self.hook.as_ref()?;
        Some(match agrees {
            _ if self.now < *done => {
                let until = Timestamp(self.time().0 + done - self.now);
                Asked::Running { since: self.time(), until }
            }
            true => Asked::Agreed { took: Millis(1) },
            false => Asked::Objected("failed (exit status: 1)".to_owned()),
        })
    }

    /// What is run again and again is well, but for one version.
    pub(crate) fn watch_hook(&mut self, call: &Call) -> Option<Rounds> {
        let unwell = self.scenario.behaviours.get(&call.version) == Some(&Behaviour::Unwell);
        let failed = || Some("failed (exit status: 1)".to_owned());
        match self.random.between(0, 2) {
            0 => None,
            runs if unwell => Some(Rounds { runs: runs as u32, failures: runs as u32, last: failed() }),
            runs => Some(Rounds { runs: runs as u32, ..Rounds::default() }),
        }
    }

    /// Nothing of a version is prepared before the hook has agreed.
    pub(crate) fn check_begun(&mut self, version: &VersionLabel) {
        self.check_agreed(version, Moment::Begin);
    }

    /// A version that goes on to its first requests was agreed to.
    pub(crate) fn check_hooks(&mut self, table: &Table) {
        let serving: Vec<VersionLabel> = self
            .serving(table)
            .iter()
            .filter_map(|id| self.processes.get(id).map(|process| process.version.clone()))
            .collect();
        for version in serving {
            self.check_agreed(&version, Moment::Ready);
        }
    }

    fn check_agreed(&mut self, version: &VersionLabel, moment: Moment) {
        let state = State::fold(&self.journal).unwrap_or_default();
        let asked = self.scenario.spec.hooks.command(moment).is_some();
        let Some(deployment) = state.deployment.filter(|deployment| asked && brings_new(deployment)) else {
            return;
        };
        let id = deployment.request.deployment;
        let is_that = |event: &Event| matches!(event, Event::Agreed { deployment, moment: at, .. } if *deployment == id && *at == moment);
        let agreed = self.journal.iter().any(|recorded| is_that(&recorded.event));
        if deployment.request.version == *version && !agreed {
            let how = format!("{version} went on without the hook `{}`", moment.name());
            self.broke("nothing goes on unasked", how);
        }
    }
}
