//! The journal told to people: one line for each event that they care about.
//!
//! Remembers the last route table, because what people want to know is what a new one changed. Tested in place.

use std::collections::BTreeMap;

use tandem_core::base::{DeploymentId, InstanceId, Revision};
use tandem_core::database::{ChangePhase, Standing};
use tandem_core::fleet::Exit;
use tandem_core::traffic::{Gate, Role, Table};
use tandem_core::workflow::{Action, Diagnosis, Event, Finding, Outcome, Passed, Request};
use tandem_server::api::Status;

use crate::contract;
use crate::terminal::clean;

/// How a line is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Care,
    Bad,
}

/// A line of the story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) tone: Tone,
    pub(crate) text: String,
}

/// What the story must remember.
#[derive(Default)]
pub(crate) struct Story {
    roles: BTreeMap<InstanceId, Role>,
    ordered: Option<Table>,
    capacity: Option<u32>,
}

impl Story {
    /// What an event means, if people care about it.
    pub(crate) fn tell(&mut self, event: &Event) -> Option<Line> {
        let (tone, text) = match event {
            Event::Scaled { instances } => {
                (Tone::Plain, format!("{instances} instances are wanted from now on"))
            }
            Event::Gated { gate } => gated(gate),
            Event::Requested(request) => {
                self.capacity = None;
                (Tone::Plain, begins(request))
            }
            Event::Foreseen { figures, .. } => {
                (Tone::Plain, format!("it is foreseen to take about {}", figures.took.rough()))
            }
            Event::Arrived(_)
            | Event::Declined { .. }
            | Event::Superseded { .. }
            | Event::Refused { .. }
            | Event::Checked { .. }
            | Event::Approved { .. }
            | Event::SourcePaused { .. }
            | Event::SourceResumed => queued(event)?,
            Event::Paused { deployment } => (Tone::Care, format!("{deployment} is paused")),
            Event::Resumed { deployment } => (Tone::Plain, format!("{deployment} goes on")),
            Event::Entered { phase, .. } => (Tone::Plain, format!("{phase}")),
            Event::TurnedBack { deployment, reason } => {
                (Tone::Bad, format!("{deployment} goes back: {reason}"))
            }
            Event::CapacityFell { serving, .. } => {
                // The first of these tells where capacity began.
                let before = self.capacity.replace(*serving)?;
                (Tone::Care, format!("capacity fell from {before} to {serving}"))
            }
            Event::Prepared { version, digest, .. } => {
                (Tone::Plain, format!("{version} is ready to run (digest {})", digest.short()))
            }
            Event::Promised { version, contract } => (
                Tone::Plain,
                format!("{version} tells its contract: {} operations", contract.operations.len()),
            ),
            Event::Compared { comparison, .. } => (Tone::Care, contract::sentence(comparison)?),
            Event::Stands(standing) => (Tone::Plain, stands(standing)),
            Event::Expanded { to, rows, .. } => {
                (Tone::Good, format!("the schema is expanded to {to}, {rows} rows filled"))
            }
            Event::Previewed { instance } => {
                (Tone::Care, format!("{instance} was given requests by a link: the new schema is in use"))
            }
            Event::Strayed { stray, .. } => (Tone::Care, stray.to_string()),
            Event::Agreed { moment, took, .. } => {
                (Tone::Good, format!("the hook `{}` agrees after {took}", moment.name()))
            }
            Event::Promoted { deployment, whole } => (Tone::Plain, promoted(*deployment, *whole)),
            Event::Reached { step, .. } => {
                (Tone::Good, format!("the clients of step {} are at the new version", step + 1))
            }
            Event::Stepped { step, passed, findings, .. } => (Tone::Good, stepped(*step, *passed, findings)),
            Event::Ready { instance } => (Tone::Good, format!("{instance} is ready")),
            Event::Ended { instance, exit, crashes } => ended(*instance, exit, *crashes),
            Event::Begun { action: Action::Route { table } } => {
                self.ordered = Some(table.clone());
                return None;
            }
            Event::Done { outcome } => (Tone::Plain, self.done(outcome)?),
            Event::Failed { action, error } => (Tone::Bad, format!("could not {action}: {error}")),
            // What was found about a failed instance is told in full at the end.
            Event::Begun { .. }
            | Event::Counted { .. }
            | Event::Watched { .. }
            | Event::Diagnosed(_)
            | Event::Finished { .. } => return None,
        };
        Some(Line { tone, text: clean(&text).into_owned() })
    }

    fn done(&mut self, outcome: &Outcome) -> Option<String> {
        Some(match outcome {
            Outcome::Started { instance, address } => format!("{instance} started at {address}"),
            Outcome::Stopping { instance } => format!("{instance} was asked to stop"),
            Outcome::Working { job } => job.to_string(),
            Outcome::Routed { .. } => self.routed()?,
            Outcome::Preparing { .. } | Outcome::Removed { .. } => return None,
        })
    }

    /// What the table that is now in force changed.
    fn routed(&mut self) -> Option<String> {
        let table = self.ordered.take()?;
        let members = || table.routes.iter().flat_map(|route| &route.members);
        let roles: BTreeMap<InstanceId, Role> =
            members().map(|member| (member.instance, member.role)).collect();
        let before = std::mem::replace(&mut self.roles, roles);
        let now = |role: Role| -> Vec<String> {
            let changed = members().filter(|m| m.role == role && before.get(&m.instance) != Some(&role));
            changed.map(|member| format!("{} ({})", member.instance, member.version)).collect()
        };
        let served = |id: &InstanceId| before.get(id) == Some(&Role::Serve);
        let warm: Vec<String> = members()
            .filter(|m| m.role == Role::Standby && served(&m.instance))
            .map(|member| format!("{} ({})", member.instance, member.version))
            .collect();
        let parts: Vec<String> =
            [("requests go to", now(Role::Serve)), ("draining", now(Role::Drain)), ("kept warm", warm)]
                .into_iter()
                .filter(|(_, instances)| !instances.is_empty())
                .map(|(what, instances)| format!("{what} {}", some_of(&instances)))
                .collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// Takes over how things stand, so that the next table can be compared with it.
    pub(crate) fn stands(&mut self, status: &Status) {
        use tandem_core::workflow::Stage;
        if !self.roles.is_empty() {
            return;
        }
        self.roles = status
            .instances
            .iter()
            .filter_map(|instance| {
                let role = match instance.stage {
                    Stage::Serving => Role::Serve,
                    Stage::Standby => Role::Standby,
                    Stage::Draining => Role::Drain,
                    Stage::Starting | Stage::Stopping | Stage::Ended => return None,
                };
                Some((instance.instance, role))
            })
            .collect();
    }
}

fn gated(gate: &Gate) -> (Tone, String) {
    match gate {
        Gate::Open => (Tone::Plain, "new requests go on".to_owned()),
        Gate::Held { longest } => (Tone::Care, format!("new requests wait for {longest} at most")),
        Gate::Closed(_) => (Tone::Care, "maintenance: clients are told to come back".to_owned()),
    }
}

fn begins(request: &Request) -> String {
    let (id, version, how) = (request.deployment, &request.version, request.strategy.kind().name());
    let by_itself = if request.queued.is_some() { " by itself" } else { "" };
    format!("{id} to {version} by {how} begins{by_itself}")
}

fn promoted(deployment: DeploymentId, whole: bool) -> String {
    let how = if whole { "past all its steps" } else { "and goes on" };
    format!("{deployment} is promoted {how}")
}

/// What became of something that came by itself.
fn queued(event: &Event) -> Option<(Tone, String)> {
    Some(match event {
        Event::Arrived(deliverable) => {
            let kind = if deliverable.hotfix { ", a hotfix," } else { "" };
            let (version, digest) = (&deliverable.version, deliverable.digest.short());
            (Tone::Plain, format!("{version}{kind} came by itself (digest {digest})"))
        }
        Event::Declined { name, why, .. } => (Tone::Bad, format!("{name} is not taken: {why}")),
        Event::Superseded { digest, by } => {
            (Tone::Care, format!("what waits with the digest {} is superseded by {by}", digest.short()))
        }
        Event::Refused { digest, why } => {
            (Tone::Bad, format!("what waits with the digest {} is refused: {why}", digest.short()))
        }
        Event::Checked { digest } => (Tone::Good, format!("{} has passed its check", digest.short())),
        Event::Approved { digest } => (Tone::Good, format!("{} is approved", digest.short())),
        Event::SourcePaused { why } => {
            (Tone::Care, format!("nothing is begun by itself from now on, because {why}"))
        }
        Event::SourceResumed => (Tone::Plain, "what waits is begun by itself again".to_owned()),
        _ => return None,
    })
}

/// Why a canary goes on, with all that was found.
fn stepped(step: usize, passed: Passed, findings: &[Finding]) -> String {
    let why = match passed {
        Passed::Good => "is good",
        Passed::Unclear => "may be good or not, which was to be enough",
        Passed::Asked => "is passed because somebody said so",
    };
    let found: Vec<String> = findings.iter().map(ToString::to_string).collect();
    let found = if found.is_empty() { String::new() } else { format!(": {}", found.join("; ")) };
    format!("step {step} {why}{found}")
}

/// How an instance ended, and whether that was wanted.
fn ended(instance: InstanceId, exit: &Exit, crashes: u32) -> (Tone, String) {
    match (crashes, exit) {
        (0, exit) => (Tone::Plain, as_asked(instance, exit)),
        (_, Exit::NotExecuted(_)) => (Tone::Bad, format!("{instance} {exit}")),
        _ => (Tone::Bad, format!("{instance} {exit}, unasked (crash {crashes} in a row)")),
    }
}

/// How an instance ended that was asked to. A signal is what was asked of it, so it is no bad news.
fn as_asked(instance: InstanceId, exit: &Exit) -> String {
    match exit {
        Exit::Code(0) => format!("{instance} has ended"),
        Exit::Signal(signal) => format!("{instance} has ended by signal {signal}"),
        other => format!("{instance} {other}"),
    }
}

/// The first few of a list, and how many more there are.
fn some_of(all: &[String]) -> String {
    const SHOWN: usize = 6;
    let first = all.get(..SHOWN.min(all.len())).unwrap_or(all).join(", ");
    match all.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{first} and {more} more"),
        _ => first,
    }
}

/// Everything that was found about an instance that failed.
pub(crate) fn diagnosis(found: &Diagnosis) -> Vec<String> {
    let mut lines = vec![format!("likely cause: {}", found.cause)];
    let findings = &found.findings;
    // What could not be executed is the cause, and wrote nothing.
    let executed = !matches!(findings.exit, Some(Exit::NotExecuted(_)));
    if let (true, Some(exit)) = (executed, &findings.exit) {
        lines.push(format!("{} {exit}", found.instance));
    }
    match &found.health {
        tandem_core::traffic::Health::Failing { last } | tandem_core::traffic::Health::Down { last } => {
            lines.push(format!("last health answer: {last}"));
        }
        _ => {}
    }
    if !findings.listens.is_empty() {
        let listens: Vec<String> = findings.listens.iter().map(ToString::to_string).collect();
        lines.push(format!("it listens on {}", listens.join(", ")));
    }
    if findings.log.is_empty() && executed {
        lines.push(format!("{} wrote nothing", found.instance));
    } else if !findings.log.is_empty() {
        lines.push(format!("the last lines that {} wrote:", found.instance));
        lines.extend(findings.log.iter().map(|line| format!("  | {line}")));
    }
    lines.iter().map(|line| clean(line).into_owned()).collect()
}

/// Which revisions the schema serves.
pub(crate) fn stands(standing: &Standing) -> String {
    let named =
        |revision: Option<&Revision>| revision.map_or("the empty schema", Revision::as_str).to_owned();
    let Some(change) = &standing.change else {
        return format!("the schema is at {}", named(standing.revision.as_ref()));
    };
    let (from, to) = (named(change.from.as_ref()), &change.to);
    match change.phase {
        ChangePhase::Expanding => format!("the schema is being expanded from {from} to {to}"),
        ChangePhase::Mixed => format!("the schema serves both {from} and {to}"),
        ChangePhase::Contracting => format!("the schema is being contracted to {to}"),
        ChangePhase::Undoing => format!("the schema goes back from {to} to {from}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tandem_core::base::Generation;
    use tandem_core::traffic::{Member, Route};

    fn table(members: &[(u64, &str, Role)]) -> Event {
        let members = members.iter().map(|&(id, version, role)| Member {
            instance: InstanceId(id),
            version: version.parse().unwrap(),
            address: ([127, 0, 0, 1], 20_000).into(),
            role,
        });
        let route = Route::new("shop".parse().unwrap(), members.collect());
        Event::Begun {
            action: Action::Route {
                table: Table { generation: Generation(1), listeners: Vec::new(), routes: vec![route] },
            },
        }
    }

    fn told(story: &mut Story, event: &Event) -> String {
        assert_eq!(story.tell(event), None);
        let routed = Event::Done { outcome: Outcome::Routed { generation: Generation(1) } };
        story.tell(&routed).map(|line| line.text).unwrap_or_default()
    }

    #[test]
    fn a_table_is_told_by_what_it_changes() {
        let mut story = Story::default();
        assert_eq!(told(&mut story, &table(&[(1, "v1", Role::Serve)])), "requests go to i1 (v1)");
        assert_eq!(told(&mut story, &table(&[(1, "v1", Role::Serve), (2, "v2", Role::Standby)])), "");
        assert_eq!(
            told(&mut story, &table(&[(1, "v1", Role::Standby), (2, "v2", Role::Serve)])),
            "requests go to i2 (v2); kept warm i1 (v1)"
        );
        assert_eq!(
            told(&mut story, &table(&[(1, "v1", Role::Drain), (2, "v2", Role::Serve)])),
            "draining i1 (v1)"
        );
        let many: Vec<_> = (10..20).map(|id| (id, "v3", Role::Serve)).collect();
        assert!(told(&mut story, &table(&many)).ends_with("i15 (v3) and 4 more"));
    }

    #[test]
    fn capacity_falls_from_where_it_began() {
        let mut story = Story::default();
        let mut fell = |serving| {
            let event = Event::CapacityFell { deployment: DeploymentId(1), serving };
            story.tell(&event).map(|line| line.text)
        };
        assert_eq!(fell(4), None);
        assert_eq!(fell(3).as_deref(), Some("capacity fell from 4 to 3"));
    }

    #[test]
    fn nothing_from_outside_paints_the_terminal() {
        let error = "\u{1b}[2J".to_owned();
        let action = Action::Stop { instance: InstanceId(1) };
        let line = Story::default().tell(&Event::Failed { action, error }).unwrap();
        assert!(!line.text.contains('\u{1b}'));
    }
}
