//! The program that is packed: built, and looked at for what it is linked to.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::machine;

/// A program and the libraries that it is linked to.
pub(super) struct Program {
    /// As the loader names them: the path that is asked for.
    pub(super) libraries: Vec<PathBuf>,
}

/// Builds it: in release, with glibc linked in, and without a word of the folders in which it was built.
///
/// What glibc needs to find names (files and DNS) is in it since 2.34; only other sources of names (`nss`) would need
/// the machine's own.
pub(super) fn build(root: &Path) -> Result<PathBuf, String> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let mut flags = format!("-C target-feature=+crt-static --remap-path-prefix={}=.", root.display());
    if let Some(home) = home {
        flags.push_str(&format!(" --remap-path-prefix={}=cargo", home.display()));
    }
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).env("RUSTFLAGS", flags).env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    machine::run(cargo.args(["build", "--release", "--locked", "--package", "tandem", "--target", &target]))?;
    Ok(machine::target(root).join(target).join("release/tandem"))
}

impl Program {
    pub(super) fn look_at(file: &Path) -> Result<Program, String> {
        // Fails for what is linked to nothing.
        let output = Command::new("ldd").arg(file).env("LC_ALL", "C").output();
        let output = output.map_err(|why| format!("can't run ldd: {why}"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let path = |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(PathBuf::from);
        let mut libraries: Vec<PathBuf> = said.lines().filter_map(path).collect();
        libraries.sort();
        Ok(Program { libraries })
    }

    /// In words.
    pub(super) fn linked(&self) -> String {
        match self.libraries.len() {
            0 => "with everything linked in".to_owned(),
            count => format!("linked to {count} libraries of this machine"),
        }
    }

    /// What Debian calls the packages that it needs.
    pub(super) fn depends(&self) -> Option<&'static str> {
        (!self.libraries.is_empty()).then_some("libc6, libgcc-s1")
    }
}
