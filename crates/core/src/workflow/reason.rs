//! Why a deployment goes back, as a value that says on what it was decided.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{InstanceId, Millis};
use crate::contract::Break;
use crate::fleet::Exit;
use crate::spec::Moment;
use crate::traffic::Health;
use crate::workflow::{Finding, Stray};

/// Why a deployment goes back. Each kind carries the value, the limit and the sample on which it was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum Reason {
    /// Somebody asked for it.
    Asked,
    /// The deliverable could not be made ready.
    NotPrepared {
        /// Why, for people.
        error: String,
    },
    /// Clients call what the new version does not do any more as it was promised.
    BreaksContract {
        /// What that is, a few of it.
        breaks: Vec<Break>,
        /// How many more operations there are.
        more: usize,
    },
    /// The schema could not be expanded.
    NotExpanded {
        /// Why, for people.
        error: String,
    },
    /// A new instance did not become healthy in time.
    NotReady {
        /// The instance.
        instance: InstanceId,
        /// How long it was given.
        within: Millis,
        /// What its last check met.
        health: Health,
    },
    /// A new instance ended before it was ready.
    EndedEarly {
        /// The instance.
        instance: InstanceId,
        /// How.
        exit: Exit,
    },
    /// Too many new instances died after they were ready.
    Crashed {
        /// The last of them.
        instance: InstanceId,
        /// How many died.
        crashes: u32,
        /// How many may.
        limit: u32,
    },
    /// A new instance did not tell what its version promises, or nothing that can be used.
    NoContract {
        /// The instance.
        instance: InstanceId,
        /// Why, for people.
        error: String,
    },
    /// A hook has something against it.
    Objected {
        /// The moment of the hook.
        moment: Moment,
        /// What, for people.
        error: String,
    },
    /// What the team watches by a command of its own is not as it should be.
    Unwell {
        /// How often the command failed in a row.
        failures: u32,
        /// How often is too often.
        limit: u32,
        /// What it said last, for people.
        error: String,
    },
    /// Too few of the new instances that serve are healthy.
    Unhealthy {
        /// How many are healthy.
        healthy: u32,
        /// Out of so many.
        of: u32,
    },
    /// A new instance uses the database and not as its revision.
    Strayed(Stray),
    /// The new version is worse than it may be.
    Worse(Finding),
    /// It was not clear in time whether the new version is good.
    Unclear(Finding),
}

impl Reason {
    /// The instance at which it showed, if it was one.
    pub fn instance(&self) -> Option<InstanceId> {
        match self {
            Reason::NotReady { instance, .. }
            | Reason::EndedEarly { instance, .. }
            | Reason::Crashed { instance, .. } => Some(*instance),
            Reason::Asked
            | Reason::NotPrepared { .. }
            | Reason::BreaksContract { .. }
            | Reason::NoContract { .. }
            | Reason::Objected { .. }
            | Reason::Unwell { .. }
            | Reason::NotExpanded { .. }
            | Reason::Unhealthy { .. }
            | Reason::Worse(_)
            | Reason::Unclear(_)
            // What it does wrong is said in full.
            | Reason::Strayed(_) => None,
        }
    }

    /// Whether the deliverable was refused before anything of it had requests.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Reason::NotPrepared { .. }
                | Reason::BreaksContract { .. }
                | Reason::NoContract { .. }
                | Reason::NotExpanded { .. }
                | Reason::Objected { moment: Moment::Begin | Moment::Release | Moment::Ready, .. }
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Asked => f.write_str("somebody asked for it"),
            Reason::NotPrepared { error } => write!(f, "the deliverable can't be used: {error}"),
            Reason::BreaksContract { breaks, more } => {
                f.write_str("it would break clients")?;
                breaks.iter().try_for_each(|one| write!(f, "; {one}"))?;
                if *more > 0 {
                    write!(f, "; and {more} more operations")?;
                }
                f.write_str("; deploy it with --break-contract if that is meant")
            }
            Reason::NoContract { instance, error } => {
                write!(f, "the contract of {instance} can't be used: {error}")
            }
            Reason::NotExpanded { error } => write!(f, "the schema can't be expanded: {error}"),
            Reason::NotReady { instance, within, health } => {
                write!(f, "{instance} was not ready within {within}: {}", last_answer(health))
            }
            Reason::EndedEarly { instance, exit: exit @ Exit::NotExecuted(_) } => {
                write!(f, "{instance} {exit}")
            }
            Reason::EndedEarly { instance, exit } => write!(f, "{instance} {exit} before it was ready"),
            Reason::Crashed { instance, crashes, limit } => {
                write!(f, "crashes {crashes} > {limit}: {instance} was the last")
            }
            Reason::Objected { moment, error } => write!(f, "the hook `{}` {error}", moment.name()),
            Reason::Unwell { failures, limit, error } => {
                write!(f, "failures in a row of the hook `watch` {failures} >= {limit}: it {error}")
            }
            Reason::Unhealthy { healthy, of } => {
                write!(f, "healthy new instances {healthy}/{of} < half")
            }
            Reason::Strayed(stray) => stray.fmt(f),
            Reason::Worse(finding) => finding.fmt(f),
            Reason::Unclear(finding) => write!(f, "it was not clear in time whether it is good: {finding}"),
        }
    }
}

/// What the last health check met, for people.
pub(crate) fn last_answer(health: &Health) -> &str {
    match health {
        Health::Unknown => "it was never checked",
        Health::Up => "it is healthy",
        Health::Failing { last } | Health::Down { last } => last,
    }
}
