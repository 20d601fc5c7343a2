//! Deployments: from what is wanted and what was observed to what is to be done.

/// Moved to [`crate::fleet`].
pub mod observed {
    pub use crate::fleet::*;
}
