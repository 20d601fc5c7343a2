//! Which files are migrations, in which order, by the naming of the tools that teams use.

use super::{Annotation, Place, Statement};

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

/// The migrations of a folder, in the order in which they are run.
///
/// # Errors
/// Names that can't be put in order, two of one version, SQL that does not parse, an annotation that is not one.
pub fn read(_files: &[File]) -> Result<Vec<Migration>, Vec<SourceError>> {
    Ok(Vec::new())
}
