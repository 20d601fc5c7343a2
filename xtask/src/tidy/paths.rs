//! The rule on places: no program holds a path of the machine on which it was written.

use super::Finding;
use super::tree::Tree;

/// Folders that belong to a machine or a person.
const PLACES: &[&str] = &["/work/", "/root/", "/home/", "/tmp/", "/Users/"];

/// No such path in a literal outside tests.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let own = |path: &str| path == "xtask/src/tidy/paths.rs";
    for source in tree.sources().filter(|source| !source.is_test() && !own(&source.path)) {
        for (line, text) in source.code.strings.iter().filter(|(line, _)| !source.code.is_test(*line)) {
            if let Some(place) = PLACES.iter().find(|place| text.contains(*place)) {
                let what = format!("a path of one machine ({place})");
                findings.push(Finding::new(
                    &source.path,
                    *line,
                    what,
                    "take it as an argument, or use a temporary folder",
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_paths_are_found_outside_tests() {
        let text = "fn f() { g(\"/tmp/x\"); }\n// \"/root/\"\n#[cfg(test)]\nmod tests { const A: &str = \"/tmp/y\"; }\n";
        let findings = check(&Tree::planted("p", "", &[("p/src/a.rs", text), ("p/tests/p/main.rs", text)]));
        assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [1]);
    }
}
