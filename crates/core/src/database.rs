//! The database below a service, as its keeper sees it: which revisions of the schema are alive, what is being done.
//!
//! Facts only; what follows from them is decided in `deploy`. Must not know SQL or deployments.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{InstanceId, Millis, Revision, Timestamp, VersionLabel};

/// Where the schema stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Standing {
    /// The revision that was reached last. None: no migration has run.
    pub revision: Option<Revision>,
    /// The change from it to the next one, from its first step until it is contracted or undone.
    pub change: Option<Change>,
}

/// A change of the schema that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The revision that is left. None: there was none.
    pub from: Option<Revision>,
    /// The revision that comes.
    pub to: Revision,
    /// How far it is.
    pub phase: ChangePhase,
}

/// How far a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChangePhase {
    /// The new revision is being made: expand and backfill.
    Expanding,
    /// Both revisions are served.
    Mixed,
    /// The old revision is being removed.
    Contracting,
    /// The new revision is being removed.
    Undoing,
}

impl Standing {
    /// Whether a version that was written for `revision` finds its schema. One that was written for none needs none.
    pub fn serves(&self, revision: Option<&Revision>) -> bool {
        let Some(revision) = revision else { return true };
        match &self.change {
            None => self.revision.as_ref() == Some(revision),
            Some(Change { from, to, phase }) => match phase {
                ChangePhase::Expanding | ChangePhase::Undoing => from.as_ref() == Some(revision),
                ChangePhase::Mixed => to == revision || from.as_ref() == Some(revision),
                ChangePhase::Contracting => to == revision,
            },
        }
    }

    /// The change, while both revisions are served.
    pub fn mixed(&self) -> Option<&Change> {
        self.change.as_ref().filter(|change| change.phase == ChangePhase::Mixed)
    }
}

/// Something that can be done to the schema. Whatever of it was done already is not done again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", tag = "job")]
pub enum Job {
    /// Make the revision of a version, beside the one that is there.
    Expand {
        /// The version that brings the migrations.
        version: VersionLabel,
        /// Its revision.
        to: Revision,
    },
    /// Make a revision the only one.
    Contract {
        /// The newer of the two that are there.
        to: Revision,
    },
    /// Remove a revision again.
    Undo {
        /// The newer of the two that are there.
        to: Revision,
    },
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Job::Expand { to, .. } => write!(f, "expand the schema to {to}"),
            Job::Contract { to } => write!(f, "contract the schema to {to}"),
            Job::Undo { to } => write!(f, "undo the schema's change to {to}"),
        }
    }
}

/// The database as it was seen last.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ObservedDatabase {
    /// Where the schema stands. While work is done here, as it was before.
    pub standing: Standing,
    /// Rows that the change has filled.
    pub rows: u64,
    /// What is being done here.
    pub work: Work,
    /// Who else is at work on it, for people.
    pub operator: Option<String>,
    /// Sessions of the older revision while there are two.
    pub old_clients: u32,
    /// Sessions of the newer revision while there are two.
    pub new_clients: u32,
    /// The sessions of each instance while there are two revisions. An instance that is not here has none that could be told to
    /// be its own.
    #[serde(default)]
    pub sessions: BTreeMap<InstanceId, Vec<Session>>,
    /// While there are two revisions: sessions of neither of them, and of no instance as far as can be told.
    #[serde(default)]
    pub strangers: u32,
    /// When it was looked at.
    #[serde(default)]
    pub at: Timestamp,
}

/// A session on the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// The server's process.
    pub pid: i32,
    /// Its role.
    pub user: String,
    /// What it calls itself.
    pub application: String,
    /// How long it had been open when it was looked at.
    pub age: Millis,
    /// The revision that its name, its role or what it uses tells, of the two that are served. None: neither.
    pub revision: Option<Revision>,
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {} (role {}", self.pid, self.user)?;
        if !self.application.is_empty() {
            write!(f, ", application {}", self.application)?;
        }
        write!(f, ", open for {})", self.age.rough())
    }
}

/// What is being done to the schema by this controller.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", tag = "work")]
pub enum Work {
    /// Nothing.
    #[default]
    Idle,
    /// A job.
    Running {
        /// Which.
        job: Job,
        /// How far it is, for people.
        progress: String,
    },
    /// The last job failed.
    Failed {
        /// Which.
        job: Job,
        /// Why, for people.
        error: String,
        /// When.
        at: Timestamp,
        /// How often in a row.
        attempts: u32,
        /// Whether the same may succeed later.
        again: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_served_while_its_lens_is_there() {
        let name = |text: &str| -> Revision { text.parse().unwrap() };
        let (a, b) = (name("1_a"), name("2_b"));
        let during = |phase| Standing {
            revision: Some(a.clone()),
            change: Some(Change { from: Some(a.clone()), to: b.clone(), phase }),
        };
        let served = |standing: &Standing| [standing.serves(Some(&a)), standing.serves(Some(&b))];
        assert_eq!(served(&Standing { revision: Some(a.clone()), change: None }), [true, false]);
        assert_eq!(served(&during(ChangePhase::Expanding)), [true, false]);
        assert_eq!(served(&during(ChangePhase::Mixed)), [true, true]);
        assert_eq!(served(&during(ChangePhase::Undoing)), [true, false]);
        assert_eq!(served(&during(ChangePhase::Contracting)), [false, true]);
        assert!(Standing::default().serves(None) && !Standing::default().serves(Some(&a)));
    }
}
