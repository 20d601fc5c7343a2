//! The rule on waiting: nothing sleeps instead of waiting for a condition.

use super::Finding;
use super::bans::contains_word;
use super::house::MAY_SLEEP;
use super::tree::Tree;

/// What shows, in the lines before a sleep, that a test does not wait for ever.
const DEADLINE: &[&str] = &["Instant::now()", "elapsed()", "deadline"];
/// So many lines.
const AROUND: usize = 10;

/// No sleep in `crates/` but in the listed files, and, in tests, between two looks at a condition with a deadline.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let instead = "wait for the condition (readiness, long-poll, channel, poll with a deadline)";
    let mut findings = Vec::new();
    let listed = |path: &str| MAY_SLEEP.iter().any(|(file, _)| *file == path);
    for source in tree.sources().filter(|source| source.path.starts_with("crates/") && !listed(&source.path))
    {
        let lines: Vec<_> = source.code.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let named =
                ["sleep", "sleep_ms", "nanosleep"].into_iter().any(|name| contains_word(line.text, name));
            let before = lines.get(index.saturating_sub(AROUND)..index).unwrap_or_default();
            let has_deadline = before.iter().any(|line| DEADLINE.iter().any(|sign| line.text.contains(sign)));
            let polls = (source.is_test() || line.test) && has_deadline;
            let imports = line.text.trim_start().starts_with("use ");
            if named && !polls && !imports {
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
        let text = "//! May say sleep.\nuse std::thread::sleep;\nfn f() { tokio::time::sleep_until(x) }\nfn g() { sleep(x) }\n#[cfg(test)]\nmod tests { fn f() { tokio::time::sleep(d) } }\n";
        let files = [("crates/proxy/src/a.rs", text), ("bench/load/src/a.rs", text)];
        let findings = check(&Tree::planted("p", "", &files));
        assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [4, 6]);
    }

    #[test]
    fn a_test_may_look_again_and_again_until_a_deadline() {
        let text = "//! X.\nfn f() {\nloop {\nassert!(Instant::now() < until);\nsleep(x);\n}\n}\n";
        let files = [("crates/a/src/a.rs", text), ("crates/a/tests/a/main.rs", text)];
        assert_eq!(check(&Tree::planted("p", "", &files)).len(), 1);
    }
}
