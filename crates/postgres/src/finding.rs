//! What a look at every row found.
//!
//! Tested in `tests/postgres/execution.rs`.

use serde::{Deserialize, Serialize};

/// Rows that break what must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it means, for people.
    pub meaning: String,
    /// How many there are.
    pub rows: u64,
    /// Some of them, by key (or by place, where there is none).
    pub examples: Vec<String>,
}
