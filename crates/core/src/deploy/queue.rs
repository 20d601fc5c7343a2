//! What comes by itself: which deliverable of the queue is deployed, when, and what those that wait are waiting for.
//!
//! Of those that wait the newest one is deployed: what comes later is taken to hold what came before. Hotfixes go first, and
//! wait for no window and no interval. Must not know how deliverables come, nor how they are looked at. Tested in
//! `decide/tests/queue.rs`.

mod admission;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calendar::{self, Calendar, WhyClosed};
use super::{Command, Input, Wait, accept};
use crate::base::{DeploymentId, Digest, Timestamp, VersionLabel};
use crate::spec::{ServiceSpec, Window};
use crate::workflow::{Deployment, Entry, Event, Kind, Reason, State, Verdict};

pub(super) use admission::{admit, approve, pause, resume, supersede};

/// What is known of where deliverables come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObservedSource {
    /// What the clocks of people show.
    pub calendar: Calendar,
    /// What came of the check of a deliverable; if it did not pass: why, for people. None: it is not over.
    pub check: Option<(Digest, Result<(), String>)>,
}

/// What must be before a deliverable of the queue is deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "condition")]
pub enum Condition {
    /// Somebody lets the source go on.
    Resumed {
        /// Why it is paused, for people.
        why: String,
    },
    /// A deployment is over.
    Over {
        /// Which one.
        deployment: DeploymentId,
        /// Its version.
        version: VersionLabel,
    },
    /// A freeze is over.
    Thawed {
        /// The freeze.
        freeze: Window,
    },
    /// A window opens.
    Window,
    /// The clocks of a zone are known.
    Zone {
        /// The zone.
        zone: String,
    },
    /// Enough time has passed since the last deployment began.
    Interval,
    /// It has passed the check.
    Check,
    /// Somebody approves it.
    Approval,
}

/// The deliverable that is to be checked now. None: none.
pub fn to_be_checked<'a>(spec: &ServiceSpec, state: &'a State) -> Option<&'a Entry> {
    spec.source.check.as_ref()?;
    state.queue.waiting().find(|entry| entry.checked_at.is_none())
}

/// What has become a fact about the queue.
pub(super) fn facts(input: &Input<'_>) -> Vec<Event> {
    if let Some(checked) = checked(input) {
        return vec![checked];
    }
    let ready = |entry: &&Entry| blocks(input, entry).is_empty();
    input.state.queue.waiting().find(ready).map_or_else(Vec::new, |entry| begin(input, entry))
}

fn checked(input: &Input<'_>) -> Option<Event> {
    let (digest, outcome) = input.observed.source.as_ref()?.check.as_ref()?;
    let awaited = to_be_checked(input.spec, input.state)?;
    (awaited.deliverable.digest == *digest).then(|| match outcome {
        Ok(()) => Event::Checked { digest: digest.clone() },
        Err(why) => Event::Refused { digest: digest.clone(), why: why.clone() },
    })
}

/// It goes through the same door as what people ask for.
fn begin(input: &Input<'_>, entry: &Entry) -> Vec<Event> {
    let deliverable = &entry.deliverable;
    let digest = &deliverable.digest;
    let deploy = &input.spec.deploy;
    let command = Command::Deploy {
        version: deliverable.version.clone(),
        source: deliverable.source.clone(),
        strategy: deploy.strategy(deploy.strategy),
        break_contract: false,
    };
    let events = match accept(input.state, &command) {
        Ok(events) => events,
        Err(refusal) => return vec![Event::Refused { digest: digest.clone(), why: refusal.to_string() }],
    };
    let begun = events.into_iter().filter_map(|event| match event {
        Event::Requested(mut request) => {
            request.queued = Some(digest.clone());
            Some(Event::Requested(request))
        }
        // By what somebody asks for, everything is overtaken; by this one only what came before it.
        _ => None,
    });
    let before = input.state.queue.entries.iter().take_while(|other| other.deliverable.digest != *digest);
    supersede(before, &deliverable.version).chain(begun).collect()
}

/// What the deliverables of the queue are waiting for.
pub(super) fn waits(input: &Input<'_>) -> Vec<Wait> {
    let of_entry = |entry: &Entry| {
        let (version, since) = (entry.deliverable.version.clone(), entry.arrived_at);
        let wait = |(condition, until)| Wait::Queued { version: version.clone(), condition, since, until };
        blocks(input, entry).into_iter().map(wait).collect::<Vec<_>>()
    };
    input.state.queue.waiting().flat_map(of_entry).collect()
}

/// What is in the way of a deliverable, each with the time when it is out of it by itself.
fn blocks(input: &Input<'_>, entry: &Entry) -> Vec<(Condition, Option<Timestamp>)> {
    let (source, queue) = (&input.spec.source, &input.state.queue);
    let mut blocks = Vec::new();
    if let Some(pause) = &queue.paused {
        blocks.push((Condition::Resumed { why: pause.why.clone() }, None));
    }
    if let Some(Deployment { request, .. }) = &input.state.deployment {
        let (deployment, version) = (request.deployment, request.version.clone());
        blocks.push((Condition::Over { deployment, version }, None));
    }
    if !entry.deliverable.hotfix {
        blocks.extend(shut(input));
        let next = queue.last_began.map(|began| began + source.interval);
        blocks.extend(next.filter(|next| *next > input.now).map(|next| (Condition::Interval, Some(next))));
    }
    if source.check.is_some() && entry.checked_at.is_none() {
        blocks.push((Condition::Check, None));
    }
    if source.approve && entry.approved_at.is_none() {
        blocks.push((Condition::Approval, None));
    }
    blocks
}

/// Whether it is not the time for deployments.
fn shut(input: &Input<'_>) -> Option<(Condition, Option<Timestamp>)> {
    let source = &input.spec.source;
    source.zones().next()?;
    let nothing = Calendar::default();
    let calendar = input.observed.source.as_ref().map_or(&nothing, |seen| &seen.calendar);
    let closed = calendar::closed(source, calendar)?;
    let condition = match closed.why {
        WhyClosed::NoWindow => Condition::Window,
        WhyClosed::Freeze(freeze) => Condition::Thawed { freeze },
        WhyClosed::UnknownZone(zone) => Condition::Zone { zone },
    };
    Some((condition, closed.until.map(|until| input.now + until.since(calendar.wall))))
}

/// Whether a deployment that ends so keeps everything from being begun by itself until somebody is at hand: when what came by
/// itself went back, and when somebody went back.
pub(super) fn pause_after(input: &Input<'_>, deployment: &Deployment, verdict: &Verdict) -> Option<Event> {
    let (request, queue) = (&deployment.request, &input.state.queue);
    let is_used = input.spec.source.folder.is_some() || !queue.entries.is_empty();
    if !is_used || queue.paused.is_some() {
        return None;
    }
    let (id, version) = (request.deployment, &request.version);
    let why = match (request.kind, verdict) {
        (Kind::Rollback, Verdict::Settled) => format!("somebody went back to {version} ({id})"),
        (Kind::Deploy, Verdict::RolledBack { reason } | Verdict::Failed { reason })
            if request.queued.is_some() || deployment.turned_back() == Some(&Reason::Asked) =>
        {
            format!("{version} went back ({id}): {reason}")
        }
        _ => return None,
    };
    Some(Event::SourcePaused { why })
}

/// It continues a sentence that begins with "waits".
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Resumed { why } => {
                write!(f, "for `tandem source resume`; the source is paused because {why}")
            }
            Condition::Over { deployment, version } => write!(f, "until {deployment} to {version} is over"),
            Condition::Thawed { freeze } => write!(f, "for the end of the freeze {freeze}"),
            Condition::Window => f.write_str("until a window opens"),
            Condition::Zone { zone } => {
                write!(
                    f,
                    "until the clocks of {zone} are known: is the time zone database (tzdata) installed?"
                )
            }
            Condition::Interval => {
                f.write_str("until enough time has passed since the last deployment began")
            }
            Condition::Check => f.write_str("until it has passed its check"),
            Condition::Approval => f.write_str("until somebody approves it with `tandem approve`"),
        }
    }
}
