//! The database of the world, as a value. What happens to it is in `schema`.

use tandem_core::database::{Job, Standing, Work};

#[derive(Default)]
pub(crate) struct Database {
    pub(crate) standing: Standing,
    /// The job at work, when it ends, and whether it then fails.
    pub(crate) work: Option<(Job, u64, bool)>,
    pub(crate) failed: Option<Work>,
    /// A request was answered by an instance of the revision that comes.
    pub(crate) used: bool,
}
