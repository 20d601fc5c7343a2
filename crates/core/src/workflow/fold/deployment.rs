//! What events do to the deployment under way.

use std::collections::BTreeSet;

use super::{Illegal, illegal};
use crate::base::{Timestamp, VersionLabel};
use crate::spec::Strategy;
use crate::workflow::{
    CanaryProgress, Deployment, Direction, Event, Expanded, Phase, Reason, Receipt, Request, State, Verdict,
    Watch,
};

impl State {
    pub(super) fn requested(&mut self, at: Timestamp, request: &Request) -> Result<(), Illegal> {
        if let Some(active) = &self.deployment {
            return illegal(format!(
                "{} began while {} is under way",
                request.deployment, active.request.deployment
            ));
        }
        if request.deployment != self.last_deployment.next() {
            return illegal(format!("{} follows {}", request.deployment, self.last_deployment));
        }
        self.queue.began(at, request)?;
        self.last_deployment = request.deployment;
        self.deployment = Some(Deployment {
            request: request.clone(),
            from: self.current.clone(),
            requested_at: at,
            phase: Phase::Preparing,
            phase_since: at,
            direction: Direction::Forward,
            paused: false,
            baseline: None,
            lowest_capacity: None,
            crashes: 0,
            mixed_since: None,
            last_left_at: None,
            expanded: None,
            stray: None,
            comparison: None,
            watch: None,
            canary: CanaryProgress::default(),
            agreed: BTreeSet::new(),
            foreseen: None,
        });
        Ok(())
    }

    pub(super) fn deployment_moved(&mut self, at: Timestamp, event: &Event) -> Result<(), Illegal> {
        let id = match event {
            Event::Foreseen { deployment, .. }
            | Event::Paused { deployment }
            | Event::Resumed { deployment }
            | Event::Entered { deployment, .. }
            | Event::TurnedBack { deployment, .. }
            | Event::Counted { deployment, .. }
            | Event::CapacityFell { deployment, .. }
            | Event::Compared { deployment, .. }
            | Event::Expanded { deployment, .. }
            | Event::Strayed { deployment, .. }
            | Event::Promoted { deployment, .. }
            | Event::Agreed { deployment, .. }
            | Event::Watched { deployment, .. }
            | Event::Reached { deployment, .. }
            | Event::Stepped { deployment, .. }
            | Event::Finished { deployment, .. } => *deployment,
            Event::Diagnosed(diagnosis) => diagnosis.deployment,
            _ => return illegal("not an event of a deployment"),
        };
        let Some(active) = self.deployment.as_mut().filter(|d| d.request.deployment == id) else {
            return illegal(format!("{id} is not under way"));
        };
        match event {
            Event::Paused { .. } if active.paused => return illegal(format!("{id} is paused already")),
            Event::Paused { .. } => active.paused = true,
            Event::Resumed { .. } if !active.paused => return illegal(format!("{id} is not paused")),
            Event::Resumed { .. } => active.paused = false,
            Event::Entered { phase, .. } if *phase <= active.phase => {
                return illegal(format!("{id} can't enter {phase} from {}", active.phase));
            }
            Event::Entered { phase, .. } => {
                (active.phase, active.phase_since) = (*phase, at);
                active.canary.promoted = false;
            }
            Event::TurnedBack { .. } if active.turned_back().is_some() => {
                return illegal(format!("{id} goes back already"));
            }
            Event::TurnedBack { reason, .. } => {
                active.direction = Direction::Back { reason: reason.clone() };
                (active.phase, active.phase_since) = (Phase::Shifting, at);
                (active.paused, active.last_left_at) = (false, None);
            }
            Event::Foreseen { figures, .. } => active.foreseen = Some(*figures),
            Event::Counted { counts, .. } => active.baseline = Some(*counts),
            Event::CapacityFell { serving, .. } => active.lowest_capacity = Some(*serving),
            Event::Compared { comparison, .. } => active.comparison = Some(comparison.clone()),
            Event::Expanded { to, rows, .. } => {
                let took = at.since(active.phase_since);
                active.expanded = Some(Expanded { to: to.clone(), rows: *rows, took });
            }
            Event::Agreed { moment, took, .. } => {
                active.agreed.insert(*moment);
                self.pace.hooks.entry(*moment).or_default().add(*took);
            }
            Event::Strayed { stray, .. } => active.stray = Some(stray.clone()),
            Event::Promoted { .. } if active.turned_back().is_some() => {
                return illegal(format!("{id} is promoted and goes back"));
            }
            event @ (Event::Promoted { .. }
            | Event::Watched { .. }
            | Event::Reached { .. }
            | Event::Stepped { .. }) => {
                return active.watched(at, event);
            }
            Event::Finished { receipt, .. } => return self.finished(at, receipt),
            _ => {}
        }
        Ok(())
    }

    fn finished(&mut self, at: Timestamp, receipt: &Receipt) -> Result<(), Illegal> {
        let Some(mut over) = self.deployment.take() else { return illegal("no deployment is under way") };
        let content = |version: &VersionLabel| self.releases.get(version).map(|known| &known.digest);
        // What was refused may not be what is known under its label.
        let is_known = !over.turned_back().is_some_and(Reason::is_refusal);
        let new = content(&over.request.version).filter(|_| is_known);
        self.pace.learn(receipt);
        self.queue.ended(at, (&over.request, receipt), new, over.from.as_ref().and_then(content));
        if receipt.verdict == Verdict::Settled {
            self.schema.settled_at = Some(at);
            self.previous = over.from.take();
            self.current = Some(over.request.version);
        }
        Ok(())
    }
}

impl Deployment {
    /// The new version is watched, or a canary goes on.
    fn watched(&mut self, at: Timestamp, event: &Event) -> Result<(), Illegal> {
        let (id, now) = (self.request.deployment, self.canary);
        let steps = match &self.request.strategy {
            Strategy::Canary(canary) => canary.steps.len(),
            Strategy::Rolling(_) | Strategy::Flip(_) => 0,
        };
        match event {
            Event::Promoted { whole: true, .. } if now.step < steps => {
                self.canary = CanaryProgress { step: steps, last: now.last, ..CanaryProgress::default() };
            }
            Event::Promoted { .. } => self.canary.promoted = true,
            Event::Watched { run, answers, .. } => {
                self.watch = Some(Watch { run: *run, answers: answers.clone() });
            }
            Event::Reached { step, .. }
                if *step != now.step || *step >= steps || now.reached_at.is_some() =>
            {
                return illegal(format!("{id} reached step {step} and was at {} of {steps}", now.step));
            }
            // What was seen before its share of the clients came does not count.
            Event::Reached { step, .. } => {
                (self.canary.reached_at, self.canary.last) = (Some(at), Some(*step));
                self.watch = None;
            }
            Event::Stepped { step, .. } if *step != now.step + 1 || now.reached_at.is_none() => {
                return illegal(format!("{id} steps from {} to {step}", now.step));
            }
            Event::Stepped { step, .. } => {
                self.canary = CanaryProgress { step: *step, last: now.last, ..CanaryProgress::default() };
            }
            _ => {}
        }
        Ok(())
    }
}
