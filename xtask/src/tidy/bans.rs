//! Rules on what code may name: bans per package, banned text, `unsafe`.

use super::Finding;
use super::house::{BANNED_TEXT, BANS, MAY_BE_UNSAFE};
use super::tree::Tree;
use super::uses;

/// No package names what it is denied; no file holds what is banned everywhere.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        let bans: Vec<_> = BANS.iter().filter(|(names, ..)| names.contains(&package.name.as_str())).collect();
        for source in &package.sources {
            for named in uses::paths(source) {
                for (_, paths, why) in &bans {
                    if let Some(path) = paths.iter().find(|path| named.is_under(path)) {
                        let what = format!("{} may not name {path}", package.name);
                        findings.push(Finding::new(&source.path, named.line, what, format!("it {why}")));
                    }
                }
            }
        }
    }
    for source in tree.sources() {
        for line in source.code.lines() {
            for (text, instead) in BANNED_TEXT.iter().filter(|(text, _)| contains_word(line.text, text)) {
                findings.push(Finding::new(
                    &source.path,
                    line.number,
                    format!("`{text}` in the code"),
                    *instead,
                ));
            }
        }
    }
    findings
}

/// `unsafe` only in the files that are listed with a measured need.
pub(super) fn unsafe_code(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.sources().filter(|source| !MAY_BE_UNSAFE.iter().any(|(path, _)| *path == source.path))
    {
        for line in source.code.lines().filter(|line| contains_word(line.text, "unsafe")) {
            let instead = "use a safe interface (rustix, std), or list the file with the measured need in xtask/src/tidy/house.rs";
            findings.push(Finding::new(&source.path, line.number, "unsafe code", instead));
        }
    }
    findings
}

/// Whether `text` stands in `line` with no word character before it, nor after it.
pub(super) fn contains_word(line: &str, text: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(text).any(|(at, _)| {
        let before = line.get(..at).and_then(|start| start.chars().last());
        let after = line.get(at + text.len()..).and_then(|end| end.chars().next());
        let open = text.ends_with(|c: char| !word(c)) || text.starts_with('#');
        !before.is_some_and(word) && (open || !after.is_some_and(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_may_not_name_clocks_files_or_hash_maps() {
        let text = "//! X.\nuse std::collections::{BTreeMap, HashMap};\nfn f() { std::time::Instant::now(); }\nuse std::{fs, fmt};\nuse std::net::SocketAddr;\n#[cfg(test)]\nmod tests { use std::fs; }\n";
        let findings = check(&Tree::planted("tandem-core", "", &[("crates/core/src/a.rs", text)]));
        assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [2, 3, 4]);
        assert!(check(&Tree::planted("tandem-server", "", &[("crates/server/src/a.rs", text)])).is_empty());
    }

    #[test]
    fn unfinished_code_is_found_also_in_tests() {
        let text = "//! todo! in a doc is fine.\nfn f() { todo!() }\n#[cfg(test)]\nmod tests {\n#[test]\n#[ignore]\nfn x() { dbg!(1); }\n}\n";
        let findings = check(&Tree::planted("p", "", &[("p/src/a.rs", text)]));
        assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [2, 6, 7]);
    }

    #[test]
    fn unsafe_is_found_as_a_word() {
        let text = "#![deny(unsafe_code)]\nfn f() { unsafe { g() } }\n";
        let findings = unsafe_code(&Tree::planted("p", "", &[("p/src/a.rs", text)]));
        assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [2]);
    }
}
