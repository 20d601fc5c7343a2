//! Migrations that only a framework's own command can run: it runs against a scratch copy, and what it does is the migration.
//!
//! Tested end to end in `crates/cli/tests/e2e/command.rs`.

use std::path::PathBuf;

use tandem_postgres::connect;
use tandem_postgres::preparation::{self, NotRecorded, Recorded, Statements, Wanted};
use tandem_schema::name::bare;
use tandem_schema::plan::{Note, Premise, Weight};
use tandem_schema::recording;

use super::examination::{Examined, serves};
use super::folder::Folder;
use super::trouble::{Remark, Trouble, unprepared};
use super::{Site, adoption};

/// A framework's own command.
pub struct MigrationCommand<'a> {
    /// Its words, for messages.
    pub words: String,
    /// What the team wrote beside it: `-- @up` and `-- @down`.
    pub texts: String,
    /// Runs it to its end with the URL that it is to take.
    pub run: &'a dyn Fn(&str) -> Result<(), String>,
}

impl Site {
    /// Runs a command against a scratch copy, and prepares what it would do. `known` is the revision that the same deliverable
    /// was found to be written for before: while a change is under way, nothing else can be told of it.
    pub fn examine_command(
        &self,
        command: &MigrationCommand<'_>,
        known: Option<&str>,
    ) -> Result<Examined, Trouble> {
        let state = self.standing(None)?.state;
        if let Some(change) = &state.change {
            let known = known.filter(|known| serves(change, known));
            return Ok(known.map_or(Examined::Unsettled, |known| Examined::There(Some(known.to_owned()))));
        }
        let at = state.revision.map(|revision| revision.name);
        if at.is_some() && at.as_deref() == known {
            return Ok(Examined::There(at));
        }
        if at.is_none() {
            adoption::is_blank(&mut connect(&self.url)?)?;
        }
        let recorded = preparation::record(&self.url, self.scratch_url.as_deref(), &self.rows, command.run);
        let recorded = recorded.map_err(|why| match why {
            NotRecorded::Server(error) => Trouble::Server(error),
            other => Trouble::Unusable(other.to_string()),
        })?;
        if recorded.statements.is_empty() && recorded.books.is_empty() {
            return Ok(Examined::There(at));
        }
        self.plan_recorded(command, at.as_deref().unwrap_or(""), &recorded)
    }

    fn plan_recorded(
        &self,
        command: &MigrationCommand<'_>,
        from: &str,
        recorded: &Recorded,
    ) -> Result<Examined, Trouble> {
        let path = PathBuf::from(format!("what `{}` sends", command.words));
        let migration = recording::migration(&command.texts, &recorded.statements);
        let mut migration = migration.map_err(|errors| {
            let remark = |error: tandem_schema::source::SourceError| {
                let (place, text) = (error.place.as_ref(), Some(command.texts.as_str()));
                Remark::new("bad-text", error.message.clone(), error.help.clone(), place, &path, text)
            };
            Trouble::Sources(errors.into_iter().map(remark).collect())
        })?;
        let name = named(recorded.head.as_deref(), from, &migration.checksum);
        migration.name.clone_from(&name);
        let folder = Folder { path, migrations: vec![migration] };
        let old = tandem_postgres::statements(&mut connect(&self.url)?)?;
        let wanted = Wanted {
            url: &self.url,
            scratch_url: self.scratch_url.as_deref(),
            from,
            migrations: &folder.migrations,
            home: &self.home,
            qualified: self.qualified,
            books: Some(&recorded.books),
            statements: Statements { old, new: Vec::new() },
            options: tandem_schema::draft::Options::default(),
        };
        let mut prepared = preparation::prepare(&wanted).map_err(|why| unprepared(why, &folder))?;
        prepared.plan.notes.extend(note(&recorded.premises));
        prepared.plan.premises.clone_from(&recorded.premises);
        if prepared.broken.is_empty() {
            Ok(Examined::Pending(name, Box::new(prepared)))
        } else {
            Err(Trouble::Breaks(prepared.broken))
        }
    }
}

/// What the plan rests on, for people.
fn note(premises: &[Premise]) -> Option<Note> {
    let told = |premise: &Premise| {
        let s = if premise.rows == 1 { "" } else { "s" };
        format!("{} ({} row{s})", bare(&premise.table.to_string()), premise.rows)
    };
    let tables: Vec<String> = premises.iter().map(told).collect();
    (!tables.is_empty()).then(|| Note {
        weight: Weight::Hint,
        code: "rests-on-rows".to_owned(),
        message: format!("what the command does was decided by rows of {}", tables.join(", ")),
        help: Some("if they change before it begins, it is tried anew".to_owned()),
        place: None,
    })
}

/// The revision is called what the framework calls it; where it does not, or that is taken, its content tells it apart.
fn named(head: Option<&str>, from: &str, checksum: &str) -> String {
    let short = checksum.get(..8).unwrap_or(checksum);
    let head = head.map(|head| head.replace(char::is_control, "?")).filter(|head| !head.is_empty());
    match head {
        Some(head) if head != from => head,
        Some(head) => format!("{head}+{short}"),
        None => format!("recorded-{short}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_called_what_the_framework_calls_it() {
        assert_eq!(named(Some("shop.0002"), "shop.0001", "0123456789"), "shop.0002");
        assert_eq!(named(Some("shop.0002"), "shop.0002", "0123456789"), "shop.0002+01234567");
        assert_eq!(named(None, "x", "0123456789"), "recorded-01234567");
    }
}
