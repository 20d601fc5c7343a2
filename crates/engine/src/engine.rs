//! One pass of the loop, and the commands that are taken in between passes.

use tandem_core::base::{InstanceId, Millis, Timestamp};
use tandem_core::deploy::{
    Command, Decision, Input, Observed, Refusal, Violation, Wait, accept, call, check, decide, foreseen,
    likely_cause, question, to_be_checked, unseen_since, watch_call,
};
use tandem_core::spec::ServiceSpec;
use tandem_core::workflow::{Action, Diagnosis, Event, Illegal, Outcome, Reason, Recorded, State};

use crate::ports::{PortError, Ports, Start};

/// How often a decision may follow from its own facts in one pass. Far more than a service has phases.
const FACTS_MAX: usize = 64;

/// When something failed, it is tried again after this time.
const RETRY_AFTER: Millis = Millis::from_secs(1);

/// Why a pass could not be carried through. The next one begins anew from what is observed then.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A port failed.
    #[error("{0}")]
    Port(#[from] PortError),
    /// The journal does not fit together: it is damaged, or was written by another program.
    #[error("the journal can't be understood: {0}")]
    Journal(#[from] Illegal),
    /// A decision broke a safety rule and was not carried out. A fault of Tandem.
    #[error("refused by the plan checker: {0}")]
    Unsafe(#[from] Violation),
    /// Facts followed from facts without end. A fault of Tandem.
    #[error("the decision does not come to rest")]
    Restless,
    /// Somebody's command was refused.
    #[error("{0}")]
    Refused(#[from] Refusal),
}

/// What a pass has come to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pass {
    /// How many events were recorded. Zero: nothing happened.
    pub events: usize,
    /// Whether something could not be done: it is tried again, but not at once.
    pub failed: bool,
    /// When to look again even if nothing happens.
    pub wake_at: Option<Timestamp>,
}

/// How things stand after a pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    /// When it was seen.
    pub at: Timestamp,
    /// What the journal amounts to.
    pub state: State,
    /// What was observed.
    pub observed: Observed,
    /// What is waited for.
    pub waits: Vec<Wait>,
}

/// The engine of one service.
pub struct Engine {
    spec: ServiceSpec,
    ports: Ports,
    view: View,
    /// The journal may hold more than the state.
    stale: bool,
}

impl Engine {
    /// Takes up the work where the journal left it.
    ///
    /// # Errors
    /// The journal can't be read or does not fit together.
    pub fn load(spec: ServiceSpec, mut ports: Ports) -> Result<Engine, EngineError> {
        let state = State::fold(&ports.journal.load()?)?;
        let view = View { at: ports.clock.now(), state, ..View::default() };
        Ok(Engine { spec, ports, view, stale: false })
    }

    /// How things stood after the last pass.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// What the team wants.
    pub fn spec(&self) -> &ServiceSpec {
        &self.spec
    }

    /// Takes a command. When this returns, it is recorded; the next pass acts on it.
    ///
    /// # Errors
    /// It was refused, or could not be recorded.
    pub fn command(&mut self, command: &Command) -> Result<Vec<Event>, EngineError> {
        self.refresh()?;
        let mut events = accept(&self.view.state, command)?;
        events.extend(foreseen(&self.spec, &self.view.state, self.view.at, &events));
        self.record(events.clone())?;
        // Whoever asked is not to read that somebody is still waited for.
        self.view.waits = decide(&self.input()).waits;
        Ok(events)
    }

    /// Looks at the world once, and does what follows from it.
    ///
    /// # Errors
    /// Nothing more was done after the failure; the next pass begins anew.
    pub fn pass(&mut self) -> Result<Pass, EngineError> {
        let mut pass = Pass::default();
        self.refresh()?;
        self.observe()?;
        let decision = self.decide(&mut pass)?;
        check(&self.input(), &decision.actions)?;
        pass.wake_at = decision.wake_at;
        if !decision.actions.is_empty() {
            let begun = decision.actions.iter().map(|action| Event::Begun { action: action.clone() });
            pass.events += self.record(begun.collect())?;
            let ended = self.act(decision.actions);
            pass.failed = ended.iter().any(|event| matches!(event, Event::Failed { .. }));
            if pass.failed {
                let retry = self.ports.clock.now() + RETRY_AFTER;
                pass.wake_at = Some(pass.wake_at.map_or(retry, |at| at.min(retry)));
            }
            pass.events += self.record(ended)?;
        }
        Ok(pass)
    }

    fn input(&self) -> Input<'_> {
        Input { now: self.view.at, spec: &self.spec, state: &self.view.state, observed: &self.view.observed }
    }

    /// Reads the journal again if it may hold more than the state.
    fn refresh(&mut self) -> Result<(), EngineError> {
        if self.stale {
            self.view.state = State::fold(&self.ports.journal.load()?)?;
            self.stale = false;
        }
        Ok(())
    }

    fn observe(&mut self) -> Result<(), EngineError> {
        let since = unseen_since(&self.view.state);
        let asked = question(&self.spec, &self.view.state);
        let contracts = self.ports.contracts.as_mut();
        let promise = asked.zip(contracts).and_then(|(question, contracts)| {
            contracts.observe(&question).map(|promise| (question.instance, promise))
        });
        let asked = call(&self.spec, &self.view.state);
        let hook = self.ports.hooks.as_mut().and_then(|hooks| hooks.observe(asked.as_ref()));
        let hook = asked.zip(hook).map(|(call, asked)| (call.deployment, call.moment, asked));
        let watched = watch_call(&self.spec, &self.view.state);
        let rounds = self.ports.hooks.as_mut().and_then(|hooks| hooks.watch(watched.as_ref()));
        let rounds = watched.map(|call| call.deployment).zip(rounds);
        let checked = to_be_checked(&self.spec, &self.view.state).map(|entry| entry.deliverable.clone());
        self.view.observed = Observed {
            instances: self.ports.instances.observe()?,
            prepared: self.ports.instances.prepared()?,
            traffic: self.ports.traffic.observe(),
            database: self.ports.database.as_mut().and_then(|database| database.observe(since)),
            promise,
            hook,
            rounds,
            source: self.ports.source.as_mut().map(|source| source.observe(checked.as_ref())),
        };
        self.view.at = self.ports.clock.now().max(self.view.at);
        Ok(())
    }

    /// Records facts until a decision has none, and returns that one.
    fn decide(&mut self, pass: &mut Pass) -> Result<Decision, EngineError> {
        for _ in 0..FACTS_MAX {
            let mut decision = decide(&self.input());
            if decision.facts.is_empty() {
                self.view.waits = std::mem::take(&mut decision.waits);
                return Ok(decision);
            }
            let diagnoses = self.diagnoses(&decision.facts);
            decision.facts.extend(diagnoses);
            // What waited in the queue begins by itself.
            let foreseen = foreseen(&self.spec, &self.view.state, self.view.at, &decision.facts);
            decision.facts.extend(foreseen);
            pass.events += self.record(decision.facts)?;
        }
        Err(EngineError::Restless)
    }

    /// When a deployment turns back because of an instance, what can be found about it is found now: it will be
    /// removed soon.
    fn diagnoses(&mut self, facts: &[Event]) -> Vec<Event> {
        let mut diagnoses = Vec::new();
        for fact in facts {
            if let Event::TurnedBack { deployment, reason } = fact
                && let Some(instance) = reason.instance()
            {
                diagnoses.push(Event::Diagnosed(self.diagnosis(*deployment, instance, reason)));
            }
        }
        diagnoses
    }

    fn diagnosis(
        &mut self,
        deployment: tandem_core::base::DeploymentId,
        instance: InstanceId,
        reason: &Reason,
    ) -> Diagnosis {
        let mut findings = self.ports.instances.findings(instance);
        if let Reason::EndedEarly { exit, .. } = reason {
            findings.exit = Some(exit.clone());
        }
        let health = self.view.observed.report(instance).map(|r| r.health.clone()).unwrap_or_default();
        let known = self.view.state.instances.get(&instance);
        let port = known.and_then(|i| i.address).map(|address| address.port());
        let cause = likely_cause(&self.spec.run.ready, port, &health, &findings);
        Diagnosis { deployment, instance, health, findings, cause }
    }

    /// Makes events part of the state and of the journal. The state is tried first, so that an event that does not fit
    /// never reaches the journal.
    fn record(&mut self, events: Vec<Event>) -> Result<usize, EngineError> {
        let at = self.view.at;
        let mut state = self.view.state.clone();
        for event in &events {
            state.apply(at, event)?;
        }
        let recorded: Vec<Recorded> = events.into_iter().map(|event| Recorded { at, event }).collect();
        // Whether a failed append left something behind is not known: only the journal itself can tell.
        self.stale = true;
        self.ports.journal.append(&recorded)?;
        self.stale = false;
        self.view.state = state;
        Ok(recorded.len())
    }

    /// Carries actions out, starts together, and tells what came of each.
    fn act(&mut self, actions: Vec<Action>) -> Vec<Event> {
        let starts: Vec<Start> = actions.iter().filter_map(|action| self.start(action)).collect();
        let mut events: Vec<Event> = Vec::with_capacity(actions.len());
        if !starts.is_empty() {
            let started = self.ports.instances.start(&starts);
            for (Start { instance, version, .. }, result) in starts.into_iter().zip(started) {
                events.push(match result {
                    Ok(address) => Event::Done { outcome: Outcome::Started { instance, address } },
                    Err(PortError(error)) => {
                        Event::Failed { action: Action::Start { instance, version }, error }
                    }
                });
            }
        }
        for action in actions.into_iter().filter(|action| !matches!(action, Action::Start { .. })) {
            events.push(match self.act_alone(&action) {
                Ok(outcome) => Event::Done { outcome },
                Err(PortError(error)) => Event::Failed { action, error },
            });
        }
        events
    }

    fn act_alone(&mut self, action: &Action) -> Result<Outcome, PortError> {
        let instances = &mut self.ports.instances;
        match action {
            Action::Prepare { version, source } => {
                let state = &self.view.state;
                instances.prepare(version, source, &state.revisions(), state.current.as_ref())?;
                Ok(Outcome::Preparing { version: version.clone() })
            }
            // Starts are carried out together.
            Action::Start { instance, .. } => {
                Err(PortError(format!("the driver gave no answer about {instance}")))
            }
            Action::Schema { job } => {
                let database = self.ports.database.as_mut();
                database.ok_or_else(|| PortError("the service has no database".to_owned()))?.begin(job)?;
                Ok(Outcome::Working { job: job.clone() })
            }
            Action::Route { table } => {
                self.ports.traffic.apply(table)?;
                Ok(Outcome::Routed { generation: table.generation })
            }
            Action::Stop { instance } => {
                instances.stop(*instance)?;
                Ok(Outcome::Stopping { instance: *instance })
            }
            Action::Remove { instance } => {
                instances.remove(*instance)?;
                Ok(Outcome::Removed { instance: *instance })
            }
        }
    }

    fn start(&self, action: &Action) -> Option<Start> {
        let Action::Start { instance, version } = action else { return None };
        let revision = self.view.state.revision_of(version).cloned();
        Some(Start { instance: *instance, version: version.clone(), revision })
    }
}
