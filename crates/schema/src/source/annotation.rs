//! What a team adds to its migrations in comments, so that the file stays plain SQL for every other tool.

use super::Place;

/// `-- @up table.column: expression` or `-- @down table.column: expression`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// `@up` (else `@down`).
    pub up: bool,
    /// The table's schema where it was written.
    pub schema: Option<String>,
    /// The table: of `@up` by its new name, of `@down` by its old one.
    pub table: String,
    /// The column: of `@up` a new one, of `@down` an old one.
    pub column: String,
    /// The value: of `@up` over the old columns, of `@down` over the new ones.
    pub expression: String,
    /// Where the expression stands.
    pub place: Place,
}

/// `-- @expand` or `-- @contract` before a statement: when it is to be run, as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// At expand, for both revisions.
    Expand,
    /// At contract, when the old revision is gone.
    Contract,
}
