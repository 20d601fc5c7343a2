//! Which files are migrations, in which order, by the naming of the tools that teams use.

use std::cmp::Ordering;

use super::naming::{self, Named};
use super::script::Script;
use super::{Annotation, Place, Statement, annotation};
use crate::name;

/// A file of the folder of migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Relative to the folder, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Whose naming a folder follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framework {
    /// `0042_name.sql`, nothing more known.
    Plain,
    /// `20260101_name.sql` with `-- migrate:up`.
    Dbmate,
    /// `0042_name.sql` or `0042_name.up.sql`, with `_sqlx_migrations` as the book.
    Sqlx,
    /// `2026-01-01-000000_name/up.sql`.
    Diesel,
    /// `V2.1__name.sql`.
    Flyway,
    /// `0042_name.up.sql`.
    GolangMigrate,
    /// `20260101000000_name/migration.sql`.
    Prisma,
}

/// One migration.
#[derive(Debug, Clone, PartialEq)]
pub struct Migration {
    /// Its name, the revision's that it leads to (`0042_add_phone`).
    pub name: String,
    /// The version as the framework's book writes it (`42`, `20260101000000`).
    pub version: String,
    /// What comes after the version, as the framework's book writes it.
    pub description: String,
    /// Whose naming it follows.
    pub framework: Framework,
    /// Its file.
    pub file: File,
    /// SHA-256 of the file's bytes.
    pub checksum: String,
    /// The statements of its way up.
    pub statements: Vec<Statement>,
    /// The annotations in it.
    pub annotations: Vec<Annotation>,
}

/// A folder that can't be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Where; None: the folder as a whole.
    pub place: Option<Place>,
}

impl SourceError {
    /// About a file as a whole.
    pub(super) fn of(path: &str, message: impl Into<String>, help: &str) -> SourceError {
        let place = Place { file: path.to_owned(), start: 0, end: 0 };
        SourceError { message: message.into(), help: Some(help.to_owned()), place: Some(place) }
    }
}

/// The migrations of a folder, in the order in which they are run.
///
/// # Errors
/// Names that can't be put in order, two of one version, SQL that does not parse, an annotation that is not one.
pub fn read(files: &[File]) -> Result<Vec<Migration>, Vec<SourceError>> {
    let mut errors = Vec::new();
    let mut all: Vec<(&File, Named)> = Vec::new();
    for file in files {
        match naming::named(&file.path) {
            Ok(Some(mut named)) => {
                if named.framework == Framework::Plain && section(&file.text).is_some_and(|part| part.dbmate)
                {
                    named.framework = Framework::Dbmate;
                }
                all.push((file, named));
            }
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
    }
    // These tools look only at their folders' files of one name; what lies beside them never ran.
    if !all.is_empty() && all.iter().all(|(_, named)| is_by_folders(named.framework)) {
        errors.retain(|error| error.place.as_ref().is_some_and(|place| place.file.ends_with("/up.sql")));
    }
    all.sort_by(|left, right| order(&left.1, &right.1).then_with(|| left.0.path.cmp(&right.0.path)));
    errors.extend(mixed(&all));
    for pair in all.windows(2) {
        let [(first, one), (second, two)] = pair else { continue };
        if order(one, two) == Ordering::Equal {
            errors.push(SourceError::of(
                &second.path,
                format!("{} and {} have the same version {}", first.path, second.path, two.version),
                "give one of them a later version",
            ));
        }
    }
    let mut migrations = Vec::new();
    for (file, named) in all {
        match migration(file, named) {
            Ok(migration) => migrations.push(migration),
            Err(found) => errors.extend(found),
        }
    }
    if errors.is_empty() { Ok(migrations) } else { Err(errors) }
}

fn is_by_folders(framework: Framework) -> bool {
    matches!(framework, Framework::Diesel | Framework::Prisma)
}

/// As the framework itself orders them: by text where it does so, else by number.
fn order(left: &Named, right: &Named) -> Ordering {
    match (left.framework, right.framework) {
        (Framework::Prisma, Framework::Prisma) => left.name.cmp(&right.name),
        (Framework::Diesel, Framework::Diesel) => left.version.cmp(&right.version),
        _ => left.order.cmp(&right.order),
    }
}

/// Files named for different tools can't be put in one order. Plain names and `.up.sql` go together in sqlx.
fn mixed(all: &[(&File, Named)]) -> Option<SourceError> {
    let family = |named: &Named| match named.framework {
        Framework::GolangMigrate | Framework::Sqlx => Framework::Plain,
        other => other,
    };
    let (first, one) = all.first()?;
    let (other, _) = all.iter().find(|(_, two)| family(two) != family(one))?;
    let (path, message) = match family(one) {
        Framework::Plain | Framework::Dbmate if !other.path.contains('/') && !other.path.starts_with('V') => {
            let lacking = if one.framework == Framework::Dbmate { other } else { first };
            (&lacking.path, format!("{} has no `-- migrate:up`, but others have", lacking.path))
        }
        _ => (&other.path, format!("{} and {} are named in different ways", first.path, other.path)),
    };
    Some(SourceError::of(path, message, "name all migrations of a folder in the way of one tool"))
}

fn migration(file: &File, named: Named) -> Result<Migration, Vec<SourceError>> {
    let part = section(&file.text).unwrap_or(Section { start: 0, end: file.text.len(), dbmate: false });
    let text = file.text.get(part.start..part.end).unwrap_or_default();
    let script = Script::new(&file.path, text, part.start).map_err(|error| vec![error])?;
    let (annotations, mut errors) = annotation::annotations(&script);
    let statements = script.statements().map_err(|error| errors.push(error)).unwrap_or_default();
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Migration {
        name: named.name,
        version: named.version,
        description: named.description,
        framework: named.framework,
        checksum: name::digest(&file.text),
        file: file.clone(),
        statements,
        annotations,
    })
}

/// The part of a file that leads up, where both ways stand in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Section {
    start: usize,
    end: usize,
    dbmate: bool,
}

/// The way up of a file with `-- migrate:up` (dbmate), `-- +goose Up` or `-- +migrate Up`, and as many lines for down.
fn section(text: &str) -> Option<Section> {
    let mut found: Option<Section> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        match marker(line) {
            Some((dbmate, true)) if found.is_none() => {
                found = Some(Section { start: at + line.len(), end: text.len(), dbmate });
            }
            Some((_, false)) => {
                if let Some(section) = found.as_mut().filter(|section| section.end == text.len()) {
                    section.end = at;
                }
            }
            _ => {}
        }
        at += line.len();
    }
    found
}

/// Whether a line opens a section: of dbmate, and of the way up.
fn marker(line: &str) -> Option<(bool, bool)> {
    let mut words = line.trim_start_matches('\u{feff}').strip_prefix("--")?.split_whitespace();
    match (words.next()?, words.next()) {
        ("migrate:up", _) => Some((true, true)),
        ("migrate:down", _) => Some((true, false)),
        ("+goose" | "+migrate", Some(way)) if way.eq_ignore_ascii_case("up") => Some((false, true)),
        ("+goose" | "+migrate", Some(way)) if way.eq_ignore_ascii_case("down") => Some((false, false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> Vec<File> {
        files.iter().map(|(path, text)| File { path: (*path).to_owned(), text: (*text).to_owned() }).collect()
    }

    fn order_of(paths: &[&str]) -> Vec<(String, String)> {
        let files = folder(&paths.iter().map(|path| (*path, "select 1")).collect::<Vec<_>>());
        let read = read(&files).expect("it is a folder of migrations");
        read.into_iter().map(|one| (one.name, one.version)).collect()
    }

    fn wrong(files: &[(&str, &str)]) -> Vec<String> {
        read(&folder(files)).expect_err("it is wrong").into_iter().map(|error| error.message).collect()
    }

    fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect()
    }

    #[test]
    fn numbers_count_and_not_letters() {
        let found =
            order_of(&["10_c.sql", "2_b.sql", "0001_a.sql", "README.md", "99999999999999999999999_z.sql"]);
        let last = ("99999999999999999999999_z", "99999999999999999999999");
        assert_eq!(found, pairs(&[("0001_a", "1"), ("2_b", "2"), ("10_c", "10"), last]));
        assert_eq!(order_of(&["002-fa.sql", "001.sql"]), pairs(&[("001", "1"), ("002-fa", "2")]));
    }

    #[test]
    fn ways_down_are_left_out() {
        let found = order_of(&["2_b.up.sql", "2_b.down.sql", "1_a.up.sql", "1_a.down.sql"]);
        assert_eq!(found, pairs(&[("1_a", "1"), ("2_b", "2")]));
    }

    #[test]
    fn diesel_orders_its_versions_as_texts() {
        let found = order_of(&[
            "20170101_x/up.sql",
            "20170101_x/down.sql",
            "2016-12-31-193625_create/up.sql",
            "00000000000000_diesel_initial_setup/up.sql",
            "2016-12-31-193625_create/metadata.toml",
            "2017-10-08-193625_more/up.sql",
            "2017-10-08-193625_more/data.sql",
            "seed.sql",
        ]);
        let expected = [
            ("00000000000000_diesel_initial_setup", "00000000000000"),
            ("2016-12-31-193625_create", "20161231193625"),
            ("20170101_x", "20170101"),
            ("2017-10-08-193625_more", "20171008193625"),
        ];
        assert_eq!(found, pairs(&expected));
    }

    #[test]
    fn a_folder_without_a_version_is_no_stray() {
        assert_eq!(wrong(&[("2017_a/up.sql", ""), ("b/up.sql", "")]), ["b has no version at its start"]);
    }

    #[test]
    fn flyway_compares_part_by_part() {
        let found = order_of(&["V10__d.sql", "V2.10__c.sql", "V2_9__b.sql", "V1__a_b.sql", "U1__a_b.sql"]);
        assert_eq!(
            found,
            pairs(&[("V1__a_b", "1"), ("V2_9__b", "2.9"), ("V2.10__c", "2.10"), ("V10__d", "10")])
        );
        assert_eq!(wrong(&[("V2__a.sql", ""), ("V2.0__b.sql", "")]).len(), 1);
        assert!(wrong(&[("R__views.sql", "")])[0].contains("repeatable"));
    }

    #[test]
    fn prisma_is_by_folders() {
        let found =
            order_of(&["20240102_b/migration.sql", "20230101_a/migration.sql", "migration_lock.toml"]);
        assert_eq!(found, pairs(&[("20230101_a", "20230101"), ("20240102_b", "20240102")]));
    }

    #[test]
    fn all_errors_come_at_once() {
        let found = wrong(&[
            ("1_a.sql", "select 1"),
            ("01_b.sql", "selec 1"),
            ("seed.sql", ""),
            ("2_c.sql", "-- @upp t.c: 1\nselect '"),
        ]);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found[0].contains("seed.sql") && found[1].contains("01_b.sql and 1_a.sql"), "{found:?}");
        assert_eq!(
            wrong(&[("1_a.sql", ""), ("V2__b.sql", "")]),
            ["1_a.sql and V2__b.sql are named in different ways"]
        );
    }

    #[test]
    fn of_dbmate_only_the_way_up_counts() {
        let text = "-- ü\n-- migrate:up transaction:false\n\n-- @up t.c: 'ä'\nALTER TABLE t ADD c text;\n\n\
                    -- migrate:down\n-- @down t.c: 'no'\nDROP TABLE t;\n";
        let read = read(&folder(&[("20260101_x.sql", text)])).unwrap();
        let [only] = &read[..] else { panic!("{read:?}") };
        assert_eq!(
            (only.framework, only.statements.len(), only.annotations.len()),
            (Framework::Dbmate, 1, 1)
        );
        let place = &only.statements[0].place;
        assert_eq!(&text[place.start..place.end], "ALTER TABLE t ADD c text");
        let place = &only.annotations[0].place;
        assert_eq!(&text[place.start..place.end], "'ä'");
        let goose = "-- +goose Up\nselect 1;\n-- +goose Down\nselect 2;";
        assert_eq!(super::read(&folder(&[("1_x.sql", goose)])).unwrap()[0].statements.len(), 1);
        let mixed = [("1_a.sql", "select 1"), ("2_b.sql", "-- migrate:up\nselect 1")];
        assert_eq!(wrong(&mixed), ["1_a.sql has no `-- migrate:up`, but others have"]);
    }
}
