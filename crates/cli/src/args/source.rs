//! `tandem source` and `tandem approve`: what may be said.

use clap::{Args, Subcommand};
use tandem_core::base::VersionLabel;

const EXAMPLES: &str = "\
Examples:
  tandem source pause --why 'the sale has begun'
  tandem source resume

What comes meanwhile waits in the queue. `tandem deploy` is not held up by it, and ends it.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Source {
    #[command(subcommand)]
    pub(crate) verb: SourceVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SourceVerb {
    /// Begin nothing by itself
    #[command(after_help = "Example:\n  tandem source pause --why 'the sale has begun'")]
    Pause {
        /// Why, for the others
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
    /// Begin what waits by itself again
    #[command(after_help = "Example:\n  tandem source resume")]
    Resume,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tandem approve v42\n\nWhich ones wait for it: tandem queue")]
pub(crate) struct Approve {
    /// The version; it must be waiting in the queue
    pub(crate) version: VersionLabel,
}
