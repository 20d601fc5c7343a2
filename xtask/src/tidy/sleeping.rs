//! The rule on waiting: nothing sleeps instead of waiting for a condition.

use super::Finding;
use super::bans::contains_word;
use super::house::MAY_SLEEP;
use super::tree::Tree;

/// No sleep in `crates/`, tests included, but in the listed files.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let instead = "wait for the condition (readiness, long-poll, channel, poll with a deadline)";
    let mut findings = Vec::new();
    let listed = |path: &str| MAY_SLEEP.iter().any(|(file, _)| *file == path);
    for source in tree.sources().filter(|source| source.path.starts_with("crates/") && !listed(&source.path))
    {
        for line in source.code.lines() {
            let named =
                ["sleep", "sleep_ms", "nanosleep"].into_iter().any(|name| contains_word(line.text, name));
            if named {
                findings.push(Finding::new(&source.path, line.number, "sleeping", instead));
            }
        }
    }
    // An exception that is no longer needed goes; one for a file that has not landed yet may wait for it.
    for source in tree.sources().filter(|source| listed(&source.path)) {
        if !source.code.lines().any(|line| contains_word(line.text, "sleep")) {
            findings.push(Finding::new(
                &source.path,
                1,
                "does not sleep any more",
                "strike it from MAY_SLEEP in house.rs",
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeping_is_found_in_code_and_tests_of_crates_only() {
        let text = "//! May say sleep.\nuse std::thread::sleep;\nfn f() { tokio::time::sleep_until(x) }\n#[cfg(test)]\nmod tests { fn f() { tokio::time::sleep(d) } }\n";
        let files = [("crates/proxy/src/a.rs", text), ("bench/load/src/a.rs", text)];
        let findings = check(&Tree::planted("p", "", &files));
        assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [2, 5]);
    }
}
