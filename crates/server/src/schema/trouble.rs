//! Why `tandem schema` could not do what it should, as values: those that point into a file know where.

use std::io;
use std::path::{Path, PathBuf};

use tandem_postgres::preparation::{Broken, Unprepared};
use tandem_postgres::{Error, Failure};
use tandem_schema::source::Place;

use super::folder::Folder;

/// Why it could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// A file or folder can't be read.
    #[error("{} can't be read: {source}", path.display())]
    Unread {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file or folder is beyond a bound.
    #[error("{} {what}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Migrations that can't be understood.
    #[error("{}", told(.0))]
    Sources(Vec<Remark>),
    /// A migration fails, as it would in any tool.
    #[error("{}", told(std::slice::from_ref(.0)))]
    Migration(Box<Remark>),
    /// Changes that can't be made safe.
    #[error("{}", told(.0))]
    Refused(Vec<Remark>),
    /// No migration has this name.
    #[error("there is no migration `{name}` in {}", folder.display())]
    Unknown {
        /// The name.
        name: String,
        /// Where it was looked for.
        folder: PathBuf,
        /// The last one that is there.
        last: Option<String>,
    },
    /// It has run already.
    #[error("`{name}` has run already: the database is at `{at}`")]
    Ran {
        /// The migration.
        name: String,
        /// The revision.
        at: String,
    },
    /// Migrations that have run were changed since, or can't run any more.
    #[error("{}", .0.join("; "))]
    History(Vec<String>),
    /// The database has tables that Tandem knows nothing of.
    #[error(
        "the database has tables, but no journal of Tandem's: which migrations have run there is not known; take it over \
         once with `tandem schema adopt --at {}`", head.as_deref().unwrap_or("NAME")
    )]
    NotAdopted {
        /// The last migration that has run, by the framework's own book.
        head: Option<String>,
    },
    /// An older revision can't be adopted.
    #[error("the database is at `{at}` by Tandem's journal, and was at `{name}` before")]
    Backwards {
        /// What was asked for.
        name: String,
        /// Where it is.
        at: String,
    },
    /// Statements of the version that runs would not work any more.
    #[error("statements of the version that runs would break: {}", super::examination::broken(.0))]
    Breaks(Vec<Broken>),
    /// What instances of a revision would be given does not lead them to their schema.
    #[error("instances of {revision} could not use {url}: {why}; {help}")]
    NotAdmitted {
        /// The revision.
        revision: String,
        /// Without its password.
        url: String,
        /// What happened.
        why: String,
        /// What to do.
        help: String,
    },
    /// A deliverable, or its migration command, that can't be used as it is.
    #[error("{0}")]
    Unusable(String),
    /// A plan that was not made, for a reason that is nobody's file.
    #[error("{0}")]
    Unplanned(String),
    /// The database.
    #[error(transparent)]
    Server(#[from] Error),
    /// A change could not be begun or carried on.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl Trouble {
    /// Whether the same may succeed later, without anybody changing a file: the server was away, something was in the way.
    pub fn may_pass(&self) -> bool {
        match self {
            Trouble::Server(error) => error.may_pass(),
            Trouble::Failure(failure) => failure.may_pass(),
            _ => false,
        }
    }
}

/// Something to say about a place in a file, or about no place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// A stable short name.
    pub code: String,
    /// What is to be said.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Where.
    pub spot: Option<Spot>,
}

/// A place in a file, with the file's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The file.
    pub file: PathBuf,
    /// Its text.
    pub text: String,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Remark {
    /// A remark about a place in a file of a folder.
    pub fn new(
        code: &str,
        message: String,
        help: Option<String>,
        place: Option<&Place>,
        folder: &Path,
        text: Option<&str>,
    ) -> Remark {
        let spot = place.zip(text).map(|(place, text)| {
            let start = boundary(text, place.start);
            Spot {
                file: folder.join(&place.file),
                text: text.to_owned(),
                start,
                end: boundary(text, place.end).max(start),
            }
        });
        // A file that has no text to show still has a name.
        let message = match (place, &spot) {
            (Some(place), None) if !message.contains(&place.file) => format!("{}: {message}", place.file),
            _ => message,
        };
        Remark { code: code.to_owned(), message, help, spot }
    }

    /// A remark about a place in one of the folder's migrations.
    pub fn of(
        code: &str,
        message: String,
        help: Option<String>,
        place: Option<&Place>,
        folder: &Folder,
    ) -> Remark {
        let text = place.and_then(|place| folder.text(&place.file));
        Remark::new(code, message, help, place, &folder.path, text)
    }
}

/// The nearest place at or before `at` where a character begins.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn told(remarks: &[Remark]) -> String {
    remarks.iter().map(|remark| remark.message.as_str()).collect::<Vec<_>>().join("; ")
}

/// A plan that could not be made, with the places where that shows.
pub(super) fn unprepared(why: Unprepared, folder: &Folder) -> Trouble {
    match why {
        Unprepared::Server(error) => Trouble::Server(error),
        Unprepared::Migration { mut place, error } => {
            let Error::Server(refusal) = *error else { return Trouble::Server(*error) };
            if let (Some(position), Some(text)) = (refusal.position, folder.text(&place.file)) {
                let statement = text.get(place.start..place.end).unwrap_or_default();
                let skipped = usize::try_from(position).unwrap_or(1).saturating_sub(1);
                if let Some((at, character)) = statement.char_indices().nth(skipped) {
                    let word: usize = statement
                        .get(at..)
                        .unwrap_or_default()
                        .chars()
                        .take_while(|c| c.is_alphanumeric() || *c == '_')
                        .map(char::len_utf8)
                        .sum();
                    place.start += at;
                    place.end = place.start + word.max(character.len_utf8());
                }
            }
            let detail = refusal.detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
            let message = format!("{}{detail}", refusal.message);
            let help = refusal.hint.clone();
            Trouble::Migration(Box::new(Remark::of(&refusal.code, message, help, Some(&place), folder)))
        }
        Unprepared::Refused(refusals) => Trouble::Refused(
            refusals
                .into_iter()
                .map(|refusal| {
                    let place = refusal.place.as_ref();
                    Remark::of(&refusal.code, refusal.message, Some(refusal.help), place, folder)
                })
                .collect(),
        ),
        other @ (Unprepared::Unlike(_) | Unprepared::Rehearsal { .. }) => {
            Trouble::Unplanned(other.to_string())
        }
    }
}
