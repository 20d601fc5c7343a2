//! What the migrations of a deliverable ask of the database, before anything is touched.
//!
//! Tested end to end in `crates/cli/tests/cli/release`.

use tandem_postgres::journal::ChangeState;
use tandem_postgres::preparation::{Broken, Prepared, Statements};
use tandem_postgres::{Phase, connect};

use super::folder::Folder;
use super::trouble::Trouble;
use super::{Next, Site};

/// What a deliverable's migrations ask for.
#[derive(Debug)]
pub enum Examined {
    /// They have run, or their change is under way: the version finds this revision. None: there is none at all.
    There(Option<String>),
    /// They lead to this revision by this plan.
    Pending(String, Box<Prepared>),
    /// A change to another revision is under way, and must be over first.
    Unsettled,
}

impl Site {
    /// Compares the folder of a deliverable with the database, and prepares what is pending.
    pub fn examine(&self) -> Result<Examined, Trouble> {
        let folder = Folder::read(&self.migrations)?;
        let standing = self.standing(Some(&folder))?;
        if let Some(change) = &standing.state.change {
            return Ok(beside(change, &folder));
        }
        let statements =
            Statements { old: tandem_postgres::statements(&mut connect(&self.url)?)?, new: Vec::new() };
        match self.prepare(&folder, &standing, None, statements)? {
            Next::Nothing => Ok(Examined::There(standing.state.revision.map(|revision| revision.name))),
            Next::Plan(prepared) if prepared.broken.is_empty() => {
                Ok(Examined::Pending(prepared.plan.to.clone(), prepared))
            }
            Next::Plan(prepared) => Err(Trouble::Breaks(prepared.broken)),
        }
    }

    /// The revision that the database is at.
    pub fn revision(&self) -> Result<Option<String>, Trouble> {
        Ok(self.standing(None)?.state.revision.map(|revision| revision.name))
    }
}

/// What a folder asks for while a change is under way.
fn beside(change: &ChangeState, folder: &Folder) -> Examined {
    let last = folder.migrations.last().map_or("", |migration| migration.name.as_str());
    let same = |name: &str, checksum: &str| {
        folder.migrations.iter().any(|one| one.name == name && one.checksum == checksum)
    };
    let comes = last == change.to
        && matches!(change.phase, Phase::Starting | Phase::Mixed)
        && change.migrations.iter().all(|one| same(&one.name, &one.checksum));
    let was = last == change.from && change.phase != Phase::Contracting;
    if comes || was { Examined::There(Some(last.to_owned())) } else { Examined::Unsettled }
}

/// Statements that would break, for people.
pub(super) fn broken(broken: &[Broken]) -> String {
    let told = broken.iter().map(|one| format!("{} ({}: {})", one.statement, one.state, one.why));
    told.collect::<Vec<_>>().join("; ")
}
