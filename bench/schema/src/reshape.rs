//! Reshape, the peer: its program, driven as its users do.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// Where clients of the new version find their views.
pub(crate) const NEW_PATH: &str = "migration_2_new";

/// One migration for a database.
pub(crate) struct Reshape {
    program: PathBuf,
    folder: TempDir,
    url: String,
}

/// The program: named by the variable RESHAPE, else in PATH.
pub(crate) fn program() -> Option<PathBuf> {
    let named = std::env::var_os("RESHAPE").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    named
        .into_iter()
        .chain(std::env::split_paths(&path).map(|folder| folder.join("reshape")))
        .find(|file| file.is_file())
}

impl Reshape {
    /// With a migration of these actions.
    pub(crate) fn new(program: PathBuf, url: String, actions: &str) -> Result<Reshape, String> {
        let folder = tempfile::tempdir().map_err(|why| why.to_string())?;
        std::fs::write(folder.path().join("2_new.toml"), actions).map_err(|why| why.to_string())?;
        Ok(Reshape { program, folder, url })
    }

    /// `start` or `complete`.
    pub(crate) fn migration(&self, verb: &str) -> Result<(), String> {
        let mut command = Command::new(&self.program);
        command.args(["migration", verb, "--url", &self.url]);
        if verb == "start" {
            command.arg("--dirs").arg(self.folder.path());
        }
        let output = command.output().map_err(|why| format!("reshape can't be run: {why}"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{verb} failed: {}", said.split_whitespace().collect::<Vec<_>>().join(" ")))
    }
}
