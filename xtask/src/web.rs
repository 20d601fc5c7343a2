//! `cargo xtask web`: builds the dashboard in `web/`, by the versions of its lock file. The suite also tries it in a browser.
//!
//! The next build of the program takes in what lies in `web/dist` (`crates/server/build.rs`).

use std::fs::{File, FileTimes};
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use crate::machine::{self, Need};

/// What it needs.
const NEEDS: &[Need] = &[("node", "nodejs"), ("npm", "npm")];
/// What looks whether there is a dashboard.
const LOOKS: &str = "crates/server/build.rs";

/// Builds it.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    build(root, "build")
}

/// Checks it, and builds it on the way.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    build(root, "check")
}

/// Tries it in a browser, as the program that was built last serves it. What takes too long is ended by the tests themselves.
pub(crate) fn try_in_browser(root: &Path) -> Result<(), String> {
    let program = machine::target(root).join("debug/tandem");
    let mut npm = Command::new("npm");
    npm.current_dir(root.join("web")).args(["run", "test:browser"]).env("TANDEM", program);
    // Standard output is for the count of the suite's own tests.
    machine::run(npm.stdout(std::io::stderr()))
}

fn build(root: &Path, script: &str) -> Result<(), String> {
    let folder = root.join("web");
    if !is_there(root) {
        return Err(format!("there is no package.json in {}", folder.display()));
    }
    machine::ensure(NEEDS)?;
    let is_first = !folder.join("dist").is_dir();
    for words in [&["ci", "--no-audit", "--no-fund"][..], &["run", script]] {
        machine::run(Command::new("npm").current_dir(&folder).args(words))?;
    }
    if !folder.join("dist/index.html").is_file() {
        return Err(format!("the build left no page in {}", folder.join("dist").display()));
    }
    // What was not there before, cargo does not watch yet.
    if is_first { touch(&root.join(LOOKS)) } else { Ok(()) }
}

fn is_there(root: &Path) -> bool {
    root.join("web/package.json").is_file()
}

fn touch(file: &Path) -> Result<(), String> {
    let now = FileTimes::new().set_modified(SystemTime::now());
    let touched = File::options().append(true).open(file).and_then(|open| open.set_times(now));
    touched.map_err(|why| format!("can't touch {}: {why}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_dashboard_there_is_nothing_to_build() {
        let root = tempfile::tempdir().expect("a folder");
        assert!(run(root.path()).is_err_and(|why| why.starts_with("there is no package.json in ")));
        // The file by which the next build notices is the one that looks.
        assert!(crate::root().join(LOOKS).is_file());
    }
}
