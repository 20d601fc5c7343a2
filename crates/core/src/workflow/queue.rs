//! The queue: deliverables that came by themselves, which of them wait, and what became of the others.
//!
//! Folded from the journal like all of the state. When one of them is deployed is decided elsewhere (`deploy::queue`).
//! Tested in `deploy/decide/tests/queue.rs`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{DeploymentId, Digest, Timestamp, VersionLabel};
use crate::workflow::{Event, Illegal, Kind, Receipt, Request, Verdict};

/// So many are remembered of which something has become, and so many that were not taken in.
const REMEMBERED: usize = 200;

/// What came by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Queue {
    /// In the order in which they came.
    pub entries: Vec<Entry>,
    /// What was not taken in, in the order in which it came.
    pub declined: Vec<Declined>,
    /// Why nothing is begun by itself. None: it is.
    pub paused: Option<SourcePause>,
    /// When the last deployment began, by whomever.
    pub last_began: Option<Timestamp>,
    /// The content of versions that the service went back from, in that order. It is not tried again by itself.
    pub withdrawn: Vec<Digest>,
    /// Files that were last changed by then may have been here and are forgotten; they are not taken in.
    pub forgotten: Timestamp,
}

/// A deliverable that came by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deliverable {
    /// Of what it is made.
    pub digest: Digest,
    /// The label of its version.
    pub version: VersionLabel,
    /// Where it is kept; understood by the driver.
    pub source: String,
    /// How it came.
    pub origin: Origin,
    /// Whether it waits for no window and no interval.
    #[serde(default)]
    pub hotfix: bool,
}

/// How a deliverable came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum Origin {
    /// It appeared in the watched folder.
    Folder {
        /// Its name there.
        file: String,
        /// What tells whether it has changed since.
        mark: Mark,
    },
    /// Somebody pushed it.
    Push,
}

/// What tells whether a file has changed, those included that belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Mark {
    /// When the last of them was changed, by the clock of the file system.
    pub modified: Timestamp,
    /// How many bytes they have.
    pub size: u64,
}

/// A deliverable in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// The deliverable.
    pub deliverable: Deliverable,
    /// When it came.
    pub arrived_at: Timestamp,
    /// When somebody approved it.
    pub approved_at: Option<Timestamp>,
    /// When it passed the check.
    pub checked_at: Option<Timestamp>,
    /// What has become of it.
    pub standing: QueueStanding,
    /// Since when.
    pub since: Timestamp,
}

/// What has become of a deliverable in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "standing")]
pub enum QueueStanding {
    /// It waits to be deployed.
    Waiting,
    /// Another version was to be deployed in its place.
    Superseded {
        /// Which one.
        by: VersionLabel,
    },
    /// It may not be deployed.
    Refused {
        /// Why, for people.
        why: String,
    },
    /// It is being deployed.
    Deploying {
        /// By this deployment.
        deployment: DeploymentId,
    },
    /// It was deployed.
    Settled {
        /// By this deployment.
        deployment: DeploymentId,
    },
    /// The service went back from it.
    WentBack {
        /// In this deployment.
        deployment: DeploymentId,
        /// Why, for people.
        why: String,
    },
}

/// Something that came and was not taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Declined {
    /// What it is called: a file in the folder, or a version that was pushed.
    pub name: String,
    /// What tells whether the file has changed since. None: it was pushed.
    pub mark: Option<Mark>,
    /// Why, for people.
    pub why: String,
    /// When.
    pub at: Timestamp,
}

/// That nothing is begun by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourcePause {
    /// Why, for people.
    pub why: String,
    /// Since when.
    pub since: Timestamp,
}

impl Queue {
    /// The deliverable of that content.
    pub fn entry(&self, digest: &Digest) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.deliverable.digest == *digest)
    }

    /// Those that wait, in the order in which they go: hotfixes first.
    pub fn waiting(&self) -> impl Iterator<Item = &Entry> {
        let waits = |hotfix: bool| {
            let fits = move |entry: &&Entry| entry.waits() && entry.deliverable.hotfix == hotfix;
            self.entries.iter().filter(fits)
        };
        waits(true).chain(waits(false))
    }

    /// Whether a file of the folder was here as it is now, or may have been.
    pub fn knows_file(&self, name: &str, mark: Mark) -> bool {
        let came = |entry: &Entry| match &entry.deliverable.origin {
            Origin::Folder { file, mark: as_it_came } => file == name && *as_it_came == mark,
            Origin::Push => false,
        };
        let was_declined = |declined: &Declined| declined.name == name && declined.mark == Some(mark);
        mark.modified <= self.forgotten
            || self.entries.iter().any(came)
            || self.declined.iter().any(was_declined)
    }

    /// Whether the content is still needed where it is kept.
    pub fn needs(&self, digest: &Digest) -> bool {
        let needs =
            |entry: &Entry| entry.waits() || matches!(entry.standing, QueueStanding::Deploying { .. });
        self.entry(digest).is_some_and(needs)
    }

    pub(super) fn apply(&mut self, at: Timestamp, event: &Event) -> Result<(), Illegal> {
        match event {
            Event::Arrived(deliverable) => {
                let is_refused = |entry: &Entry| matches!(entry.standing, QueueStanding::Refused { .. });
                if self.entry(&deliverable.digest).is_some_and(|entry| !is_refused(entry)) {
                    return illegal(format!("{} came twice", deliverable.digest.short()));
                }
                self.entries.retain(|entry| entry.deliverable.digest != deliverable.digest);
                self.entries.push(Entry {
                    deliverable: deliverable.clone(),
                    arrived_at: at,
                    approved_at: None,
                    checked_at: None,
                    standing: QueueStanding::Waiting,
                    since: at,
                });
                Ok(())
            }
            Event::Declined { name, mark, why } => {
                // A file has one last word.
                self.declined.retain(|known| known.name != *name || known.mark.is_none());
                let declined = Declined { name: name.clone(), mark: *mark, why: why.clone(), at };
                self.declined.push(declined);
                self.forget();
                Ok(())
            }
            Event::Superseded { digest, by } => {
                self.waiting_entry(digest)?.becomes(QueueStanding::Superseded { by: by.clone() }, at);
                self.forget();
                Ok(())
            }
            Event::Refused { digest, why } => {
                self.waiting_entry(digest)?.becomes(QueueStanding::Refused { why: why.clone() }, at);
                self.forget();
                Ok(())
            }
            Event::Checked { digest } => {
                self.waiting_entry(digest)?.checked_at = Some(at);
                Ok(())
            }
            Event::Approved { digest } => {
                self.waiting_entry(digest)?.approved_at = Some(at);
                Ok(())
            }
            Event::SourcePaused { why } => {
                self.paused = Some(SourcePause { why: why.clone(), since: at });
                Ok(())
            }
            Event::SourceResumed => {
                self.paused = None;
                Ok(())
            }
            _ => illegal("not an event of the queue"),
        }
    }

    /// A deployment begins. If somebody asked for it, they are at hand: what paused is over.
    pub(super) fn began(&mut self, at: Timestamp, request: &Request) -> Result<(), Illegal> {
        if let Some(digest) = &request.queued {
            let deploying = QueueStanding::Deploying { deployment: request.deployment };
            self.waiting_entry(digest)?.becomes(deploying, at);
        } else if request.kind == Kind::Deploy {
            self.paused = None;
        }
        self.last_began = Some(at);
        Ok(())
    }

    /// A deployment is over. `content` is that of its version, `left` that of the version from before.
    pub(super) fn ended(
        &mut self,
        at: Timestamp,
        (request, receipt): (&Request, &Receipt),
        content: Option<&Digest>,
        left: Option<&Digest>,
    ) {
        let deployment = request.deployment;
        let content = request.queued.as_ref().or(content);
        let (bad, why) = match (&receipt.verdict, request.kind) {
            (Verdict::Settled, Kind::Rollback) => (left, "somebody went back to the version from before"),
            (Verdict::Settled, Kind::Deploy) => {
                self.withdrawn.retain(|digest| Some(digest) != content);
                let carried = request.queued.as_ref();
                if let Some(entry) = carried.and_then(|digest| self.entry_mut(digest)) {
                    entry.becomes(QueueStanding::Settled { deployment }, at);
                }
                (None, "")
            }
            (Verdict::RolledBack { reason } | Verdict::Failed { reason }, Kind::Deploy) => {
                (content, reason.as_str())
            }
            // What it went to is what it came from.
            (Verdict::RolledBack { .. } | Verdict::Failed { .. }, Kind::Rollback) => (None, ""),
        };
        if let Some(digest) = bad {
            self.withdrawn.retain(|known| known != digest);
            self.withdrawn.push(digest.clone());
            let excess = self.withdrawn.len().saturating_sub(REMEMBERED);
            self.withdrawn.drain(..excess);
            if let Some(entry) = self.entry_mut(digest) {
                entry.becomes(QueueStanding::WentBack { deployment, why: why.to_owned() }, at);
            }
        }
        self.forget();
    }

    fn entry_mut(&mut self, digest: &Digest) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.deliverable.digest == *digest)
    }

    fn waiting_entry(&mut self, digest: &Digest) -> Result<&mut Entry, Illegal> {
        let missing = || Illegal { what: format!("{} does not wait", digest.short()) };
        self.entry_mut(digest).filter(|entry| entry.waits()).ok_or_else(missing)
    }

    /// Keeps what is remembered within its bound. A file that is forgotten must not come again as if it were new.
    fn forget(&mut self) {
        let is_over =
            |entry: &Entry| !entry.waits() && !matches!(entry.standing, QueueStanding::Deploying { .. });
        let mut excess =
            self.entries.iter().filter(|entry| is_over(entry)).count().saturating_sub(REMEMBERED);
        let mut forgotten = self.forgotten;
        self.entries.retain(|entry| {
            let goes = excess > 0 && is_over(entry);
            excess -= usize::from(goes);
            if let (true, Origin::Folder { mark, .. }) = (goes, &entry.deliverable.origin) {
                forgotten = forgotten.max(mark.modified);
            }
            !goes
        });
        let excess = self.declined.len().saturating_sub(REMEMBERED);
        let marks = self.declined.drain(..excess).filter_map(|declined| declined.mark);
        self.forgotten = marks.fold(forgotten, |forgotten, mark| forgotten.max(mark.modified));
    }
}

impl Entry {
    /// Whether it waits to be deployed.
    pub fn waits(&self) -> bool {
        self.standing == QueueStanding::Waiting
    }

    fn becomes(&mut self, standing: QueueStanding, at: Timestamp) {
        (self.standing, self.since) = (standing, at);
    }
}

fn illegal<T>(what: impl Into<String>) -> Result<T, Illegal> {
    Err(Illegal { what: what.into() })
}

impl fmt::Display for QueueStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QueueStanding::Waiting => f.write_str("waiting"),
            QueueStanding::Superseded { by } => write!(f, "superseded by {by}"),
            QueueStanding::Refused { why } => write!(f, "refused: {why}"),
            QueueStanding::Deploying { deployment } => write!(f, "being deployed by {deployment}"),
            QueueStanding::Settled { deployment } => write!(f, "deployed by {deployment}"),
            QueueStanding::WentBack { deployment, why } => write!(f, "went back in {deployment}: {why}"),
        }
    }
}
