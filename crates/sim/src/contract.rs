//! Contracts that instances are asked for, and what must hold whatever they answer.

use tandem_core::base::{InstanceId, Millis};
use tandem_core::contract::{Break, Calls, Comparison, Contract, Counted};
use tandem_core::deploy::{Promise, Question};
use tandem_core::traffic::Table;
use tandem_core::workflow::{Deployment, Event, Kind, State};

use crate::scenario::Behaviour;
use crate::world::World;

/// Whether a deployment goes on to something new.
pub(crate) fn brings_new(deployment: &Deployment) -> bool {
    let forward = deployment.turned_back().is_none() && deployment.request.kind == Kind::Deploy;
    forward && deployment.from.as_ref() != Some(&deployment.request.version)
}

impl World {
    /// What an instance answers; now and then that takes until it is asked again.
    pub(crate) fn ask(&mut self, question: &Question) -> Option<Promise> {
        if self.random.chance(500) {
            return None;
        }
        let behaviour = self.scenario.behaviours.get(&question.version).copied();
        let answers = self.processes.get(&question.instance).is_some_and(|p| p.answers(self.now));
        if !answers || behaviour == Some(Behaviour::Silent) {
            return Some(Promise::Unanswered("connection refused".to_owned()));
        }
        let mut comparison = Comparison::default();
        if behaviour == Some(Behaviour::Breaks) && question.serving.is_some() {
            let counted = Counted {
                calls: Calls { total: 1, ..Calls::default() },
                over: Millis::from_secs(60),
                complete: true,
            };
            let (operation, changes) = ("GET /".to_owned(), Vec::new());
            comparison.broken.push(Break { operation, changes, counted: Some(counted), between: None });
        }
        Some(Promise::Told(Contract::default(), comparison))
    }

    /// A version that goes on to its first requests has told what it promises, and breaks nobody.
    pub(crate) fn check_contract(&mut self, table: &Table) {
        let state = State::fold(&self.journal).unwrap_or_default();
        let asked = self.scenario.spec.contract.asked().is_some();
        let Some(deployment) = state.deployment.filter(|deployment| asked && brings_new(deployment)) else {
            return;
        };
        let (id, version) = (deployment.request.deployment, &deployment.request.version);
        let of_version = |id: &&InstanceId| self.processes.get(id).is_some_and(|p| p.version == *version);
        if self.serving(table).iter().find(of_version).is_none() {
            return;
        }
        let compared =
            |event: &Event| matches!(event, Event::Compared { deployment, .. } if *deployment == id);
        let told = self.journal.iter().any(|recorded| compared(&recorded.event));
        let breaks =
            deployment.from.is_some() && self.scenario.behaviours.get(version) == Some(&Behaviour::Breaks);
        if !told || breaks {
            let how = format!("{version} got requests; told: {told}, breaks: {breaks}");
            self.broke("no client is broken unawares", how);
        }
    }
}
