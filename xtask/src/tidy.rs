//! `cargo xtask tidy`: the house rules that a program can check.
//!
//! Each rule is a function from the whole tree to findings, in a file of its own, beside a test that shows it red on
//! a planted violation. What the rules allow (arrows, bans, exceptions) stands in `house`, nowhere else.
//! Must not know what the packages do.

mod arrows;
mod bans;
mod code;
mod files;
mod house;
mod manifests;
mod modules;
mod paths;
mod sleeping;
mod tree;
mod uses;

use std::fmt;
use std::path::Path;

use tree::Tree;

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// The file, from the workspace's folder.
    file: String,
    /// The line, from 1.
    line: usize,
    /// What is wrong.
    what: String,
    /// What to do instead.
    instead: String,
}

impl Finding {
    fn new(file: &str, line: usize, what: impl Into<String>, instead: impl Into<String>) -> Self {
        Finding { file: file.to_owned(), line, what: what.into(), instead: instead.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.what, self.instead)
    }
}

/// Checks the workspace at `root`; prints what is wrong and fails if anything is.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let tree = Tree::read(root).map_err(|why| format!("can't read the sources: {why}"))?;
    let findings = check(&tree);
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!(
                "tidy: {} files of {} packages keep the house rules",
                tree.sources().count(),
                tree.packages.len()
            );
            Ok(())
        }
        count => Err(format!("tidy: {count} findings; the rules stand in CONTRIBUTING.md")),
    }
}

/// All findings, sorted by place.
fn check(tree: &Tree) -> Vec<Finding> {
    let rules = [
        files::length,
        files::names,
        files::documents,
        arrows::packages,
        bans::check,
        bans::unsafe_code,
        modules::order,
        modules::circles,
        sleeping::check,
        paths::check,
        manifests::workspace_dependencies,
    ];
    let mut findings: Vec<Finding> = rules.iter().flat_map(|rule| rule(tree)).collect();
    findings.sort();
    findings.dedup();
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_workspace_is_tidy() {
        let tree = Tree::read(&crate::root()).expect("the sources can be read");
        let findings: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "{}", findings.join("\n"));
    }
}
