//! The phases of a change, from its beginning to one of its two ends.
//!
//! Says nothing of how one leads to the next. Tested in `tests/postgres/interruption.rs`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How far a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Steps of `start` are being done.
    Starting,
    /// Both revisions are served.
    Mixed,
    /// Steps of `contract` are being done.
    Contracting,
    /// Steps of `undo` are being done.
    Undoing,
    /// The new revision is the only one.
    Settled,
    /// The old revision is the only one again.
    Undone,
}

impl Phase {
    /// Its name in the journal.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Starting => "starting",
            Phase::Mixed => "mixed",
            Phase::Contracting => "contracting",
            Phase::Undoing => "undoing",
            Phase::Settled => "settled",
            Phase::Undone => "undone",
        }
    }

    /// The list whose steps are done in it.
    pub fn list(self) -> Option<&'static str> {
        match self {
            Phase::Starting => Some("start"),
            Phase::Contracting => Some("contract"),
            Phase::Undoing => Some("undo"),
            Phase::Mixed | Phase::Settled | Phase::Undone => None,
        }
    }

    /// Whether nothing comes after it.
    pub(crate) fn ends(self) -> bool {
        matches!(self, Phase::Settled | Phase::Undone)
    }

    /// The phase of a name in the journal.
    pub(crate) fn named(name: &str) -> Option<Phase> {
        use Phase::{Contracting, Mixed, Settled, Starting, Undoing, Undone};
        [Starting, Mixed, Contracting, Undoing, Settled, Undone]
            .into_iter()
            .find(|phase| phase.name() == name)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
