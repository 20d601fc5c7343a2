//! What the migrations of a deliverable ask of the database, before anything is touched.
//!
//! Tested in place, and end to end in `crates/cli/tests/e2e/schema.rs`.

use tandem_postgres::journal::ChangeState;
use tandem_postgres::preparation::{Broken, Prepared, Statements};
use tandem_postgres::{Phase, connect};
use tandem_schema::name::lens;

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
        let statements = Statements { old: self.collected()?, new: Vec::new() };
        match self.prepare(&folder, &standing, None, statements)? {
            Next::Nothing => Ok(Examined::There(standing.state.revision.map(|revision| revision.name))),
            Next::Plan(prepared) if prepared.broken.is_empty() => {
                Ok(Examined::Pending(prepared.plan.to.clone(), prepared))
            }
            Next::Plan(prepared) => Err(Trouble::Breaks(prepared.broken)),
        }
    }

    /// The statements that the database was really asked, as far as it has collected them.
    pub fn collected(&self) -> Result<Vec<String>, Trouble> {
        Ok(tandem_postgres::statements(&mut connect(&self.url)?)?)
    }

    /// Makes the lens of a revision whole, if it is the only one and its lens is not there yet. While a change is under
    /// way its plan sees to that.
    pub fn complete_lens(&self, revision: &str) -> Result<(), Trouble> {
        let standing = self.standing(None)?;
        let is_at = standing.state.revision.as_ref().is_some_and(|at| at.name == revision);
        if !is_at || standing.state.change.is_some() {
            return Ok(());
        }
        let mut client = connect(&self.url)?;
        Ok(tandem_postgres::lens::complete(&mut client, &self.home, &lens(revision))?)
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
    let edited = last == change.to && !change.migrations.iter().all(|one| same(&one.name, &one.checksum));
    if edited || !serves(change, last) {
        return Examined::Unsettled;
    }
    Examined::There((!last.is_empty()).then(|| last.to_owned()))
}

/// Whether a revision is served while a change is under way, or will be.
pub(super) fn serves(change: &ChangeState, revision: &str) -> bool {
    let comes = change.to == revision && matches!(change.phase, Phase::Starting | Phase::Mixed);
    comes || change.from == revision && change.phase != Phase::Contracting
}

/// Statements that would break, for people.
pub(super) fn broken(broken: &[Broken]) -> String {
    let told = broken.iter().map(|one| format!("{} ({}: {})", one.statement, one.state, one.why));
    told.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use tandem_schema::plan::MigrationRef;
    use tandem_schema::source::{File, read};

    use super::*;

    fn folder(files: &[(&str, &str)]) -> Folder {
        let of = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), text: (*text).to_owned() };
        let migrations = read(&files.iter().map(of).collect::<Vec<_>>()).unwrap();
        Folder { path: "db".into(), migrations }
    }

    #[test]
    fn a_folder_beside_a_change() {
        let new = folder(&[("1_a.sql", "select 1"), ("2_b.sql", "select 2")]);
        let mut change = ChangeState {
            id: 1,
            from: "1_a".to_owned(),
            to: "2_b".to_owned(),
            migrations: vec![MigrationRef {
                name: "2_b".to_owned(),
                checksum: new.migrations[1].checksum.clone(),
            }],
            phase: Phase::Mixed,
            step: None,
            paused: false,
            by: String::new(),
            begun: String::new(),
            notes: Vec::new(),
        };
        let there = |change: &ChangeState, files: &[(&str, &str)]| match beside(change, &folder(files)) {
            Examined::There(revision) => Some(revision.unwrap_or_default()),
            _ => None,
        };
        let (old, edited) = ([("1_a.sql", "select 1")], [("1_a.sql", "select 1"), ("2_b.sql", "select 3")]);
        let both = [("1_a.sql", "select 1"), ("2_b.sql", "select 2")];
        let more = [("1_a.sql", "select 1"), ("2_b.sql", "select 2"), ("3_c.sql", "select 3")];
        assert_eq!(there(&change, &both).as_deref(), Some("2_b"));
        assert_eq!(there(&change, &old).as_deref(), Some("1_a"));
        assert_eq!((there(&change, &edited), there(&change, &more)), (None, None));
        change.phase = Phase::Undoing;
        assert_eq!((there(&change, &both), there(&change, &old).as_deref()), (None, Some("1_a")));
        change.phase = Phase::Contracting;
        assert_eq!((there(&change, &both), there(&change, &old)), (None, None));
        (change.phase, change.from) = (Phase::Starting, String::new());
        assert_eq!(there(&change, &[]).as_deref(), Some(""));
    }
}
