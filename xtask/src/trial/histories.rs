//! Whole histories of migrations replayed: by Tandem on one database, plainly on another.
//!
//! The work is done by the package `tandem-bench-schema`, which knows the schema engine; here is only its command.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::machine;

/// What is replayed.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Folders of migrations, each a project's whole history
    #[arg(required = true)]
    folders: Vec<PathBuf>,
}

/// Replays each.
pub(super) fn run(root: &Path, options: &Options) -> Result<(), String> {
    for folder in &options.folders {
        let folder = folder.canonicalize().map_err(|why| format!("{}: {why}", folder.display()))?;
        println!("── {}", folder.display());
        let mut cargo = Command::new("cargo");
        cargo.current_dir(root).args([
            "run",
            "--quiet",
            "--package",
            "tandem-bench-schema",
            "--",
            "histories",
        ]);
        machine::run(cargo.arg(folder))?;
    }
    Ok(())
}
