//! Where a database stands beside its folder of migrations: what has run, what is pending, what does not fit.
//!
//! Tested in place.

use std::collections::BTreeMap;

use postgres::Client;
use serde::Serialize;
use tandem_postgres::journal::{Revision, State, revisions, state};
use tandem_schema::source::Migration;

use super::folder::Folder;
use super::trouble::Trouble;

/// Where a database stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// By its journal.
    #[serde(flatten)]
    pub state: State,
    /// Migrations that have not run, in order; None: there is no folder to compare with.
    pub pending: Option<Vec<String>>,
    /// What does not fit.
    pub odd: Vec<Odd>,
}

/// A migration that does not fit to what has run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "odd", rename_all = "snake_case")]
pub enum Odd {
    /// It has run, and its file was changed since.
    Edited {
        /// The migration.
        name: String,
        /// Its file.
        file: String,
    },
    /// It has run, and its file is gone.
    Missing {
        /// The migration.
        name: String,
    },
    /// It stands before the database's revision and never ran.
    Passed {
        /// The migration.
        name: String,
        /// Its file.
        file: String,
    },
    /// The database's own revision is not in the folder: what comes after it can't be told.
    Lost {
        /// The revision.
        name: String,
    },
}

impl std::fmt::Display for Odd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Odd::Edited { name, file } => write!(f, "{file} was changed after `{name}` had run"),
            Odd::Missing { name } => write!(f, "`{name}` has run, but its file is not in the folder"),
            Odd::Passed { name, file } => {
                write!(f, "{file} comes before the database's revision, but `{name}` never ran")
            }
            Odd::Lost { name } => write!(f, "the database is at `{name}`, which is not in the folder"),
        }
    }
}

impl Standing {
    /// Reads the journal, and compares.
    pub(super) fn read(client: &mut Client, folder: Option<&Folder>) -> Result<Standing, Trouble> {
        let state = state(client)?;
        let Some(folder) = folder else {
            return Ok(Standing { state, pending: None, odd: Vec::new() });
        };
        let history = revisions(client)?;
        let (pending, odd) = compare(&history, &folder.migrations);
        Ok(Standing { state, pending: Some(pending), odd })
    }

    /// The migrations of the step to `to`, else to the last one.
    pub(super) fn step<'f>(&self, folder: &'f Folder, to: Option<&str>) -> Result<&'f [Migration], Trouble> {
        let in_the_way: Vec<String> = self
            .odd
            .iter()
            .filter(|odd| !matches!(odd, Odd::Missing { .. }))
            .map(ToString::to_string)
            .collect();
        if !in_the_way.is_empty() {
            return Err(Trouble::History(in_the_way));
        }
        let count = self.pending.as_ref().map_or(0, Vec::len);
        let first = folder.migrations.len().saturating_sub(count);
        let end = match to {
            Some(name) => folder.find(name)? + 1,
            None => folder.migrations.len(),
        };
        match folder.migrations.get(first..end) {
            Some([]) | None if to.is_some() => Err(Trouble::Ran {
                name: to.unwrap_or_default().to_owned(),
                at: self.state.revision.as_ref().map(|revision| revision.name.clone()).unwrap_or_default(),
            }),
            step => Ok(step.unwrap_or_default()),
        }
    }
}

/// What is pending, and what does not fit.
fn compare(history: &[Revision], migrations: &[Migration]) -> (Vec<String>, Vec<Odd>) {
    let names = |migrations: &[Migration]| migrations.iter().map(|one| one.name.clone()).collect();
    let Some(last) = history.last() else { return (names(migrations), Vec::new()) };
    let mut odd = Vec::new();
    // Later ones count: adopting again takes an edited file for good.
    let ran: BTreeMap<&str, &str> = history
        .iter()
        .flat_map(|revision| &revision.migrations)
        .map(|one| (one.name.as_str(), one.checksum.as_str()))
        .collect();
    let place = migrations.iter().position(|migration| migration.name == last.name);
    let first = place.map_or(migrations.len(), |place| place + 1);
    for (name, checksum) in &ran {
        match migrations.iter().find(|migration| migration.name == **name) {
            Some(migration) if migration.checksum != **checksum => {
                odd.push(Odd::Edited { name: migration.name.clone(), file: migration.file.path.clone() });
            }
            None if **name != last.name => odd.push(Odd::Missing { name: (*name).to_owned() }),
            _ => {}
        }
    }
    if place.is_none() {
        odd.push(Odd::Lost { name: last.name.clone() });
        return (Vec::new(), odd);
    }
    for migration in migrations.iter().take(first) {
        if !ran.contains_key(migration.name.as_str()) {
            odd.push(Odd::Passed { name: migration.name.clone(), file: migration.file.path.clone() });
        }
    }
    (names(migrations.get(first..).unwrap_or_default()), odd)
}

#[cfg(test)]
mod tests {
    use tandem_schema::source::{File, read};

    use super::*;

    fn folder(files: &[(&str, &str)]) -> Vec<Migration> {
        let of = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), text: (*text).to_owned() };
        read(&files.iter().map(of).collect::<Vec<_>>()).unwrap()
    }

    fn revision(migrations: &[Migration]) -> Revision {
        let name = migrations.last().unwrap().name.clone();
        Revision { name, migrations: Folder::refs(migrations), adopted: false, at: String::new() }
    }

    #[test]
    fn what_does_not_fit_is_told_apart() {
        let old = folder(&[("1_a.sql", "select 1"), ("3_c.sql", "select 3")]);
        let history = [revision(&old[..1]), revision(&old)];
        assert_eq!(compare(&[], &old).0, ["1_a", "3_c"]);
        assert_eq!(compare(&history, &old), (vec![], vec![]));
        let more = folder(&[("1_a.sql", "select 1"), ("3_c.sql", "select 3"), ("4_d.sql", "select 4")]);
        assert_eq!(compare(&history, &more), (vec!["4_d".to_owned()], vec![]));
        let odd = |files: &[(&str, &str)]| compare(&history, &folder(files)).1;
        let (name, file) = ("1_a".to_owned(), "1_a.sql".to_owned());
        assert_eq!(
            odd(&[("1_a.sql", "select 2"), ("3_c.sql", "select 3")]),
            [Odd::Edited { name: name.clone(), file }]
        );
        assert_eq!(odd(&[("3_c.sql", "select 3")]), [Odd::Missing { name }]);
        assert_eq!(odd(&[("1_a.sql", "select 1")]), [Odd::Lost { name: "3_c".to_owned() }]);
        let passed = odd(&[("1_a.sql", "select 1"), ("2_b.sql", "select 2"), ("3_c.sql", "select 3")]);
        assert_eq!(passed, [Odd::Passed { name: "2_b".to_owned(), file: "2_b.sql".to_owned() }]);
    }
}
