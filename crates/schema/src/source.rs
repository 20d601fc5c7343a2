//! Migrations as the team wrote them: which there are, in which order, and what they say.
//!
//! Knows files only by name and text; who reads them from disk is `tandem-postgres`. Tested in place.

mod annotation;
mod folder;
mod manner;
mod naming;
mod script;
mod statement;

use serde::{Deserialize, Serialize};

pub use annotation::{Annotation, Mark};
pub use folder::{File, Framework, Migration, SourceError, read};
pub use script::{Statement, split};
pub use statement::{CopiedRows, DataStatement, Verb};

/// Where something stands in a migration's file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The file, relative to the folder of migrations.
    pub file: String,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}
