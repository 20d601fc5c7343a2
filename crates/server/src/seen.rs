//! What the engine has seen, for all who look on.

use tandem_engine::View;

/// How things stood after the last pass.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) view: View,
    /// What went wrong in it.
    pub(crate) trouble: Option<String>,
}
