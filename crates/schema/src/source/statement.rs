//! What a statement does to rows.

/// What sort of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// INSERT.
    Insert,
    /// UPDATE.
    Update,
    /// DELETE.
    Delete,
    /// TRUNCATE.
    Truncate,
}

/// A statement that writes rows.
#[derive(Debug, Clone, PartialEq)]
pub struct DataStatement {
    /// What it does.
    pub verb: Verb,
    /// The table's schema, where written.
    pub schema: Option<String>,
    /// The table.
    pub table: String,
    /// The name by which expressions call the table: its alias, else its name.
    pub alias: String,
    /// Of UPDATE: column and expression as written, where each column is set by itself.
    pub set: Vec<(String, String)>,
    /// Of UPDATE and DELETE: the condition as written.
    pub condition: Option<String>,
    /// Reads no other table (no FROM, USING, WITH or sub-select over others).
    pub own_rows_only: bool,
    /// INSERT … VALUES of constants only.
    pub constant_rows: bool,
    /// INSERT … ON CONFLICT or has RETURNING.
    pub returning_or_conflict: bool,
}
