//! Rules on files as such: length, name, opening words.

use super::Finding;
use super::house::{EMPTY_NAMES, LONGEST_FILE};
use super::tree::Tree;

/// Files stay short enough to be read at once.
pub(super) fn length(tree: &Tree) -> Vec<Finding> {
    let long = |count: usize| format!("{count} lines are more than {LONGEST_FILE}");
    tree.sources()
        .map(|source| (source, source.text.lines().count()))
        .filter(|(_, count)| *count > LONGEST_FILE)
        .map(|(source, count)| Finding::new(&source.path, count, long(count), "split it by what it is about"))
        .collect()
}

/// File names are nouns of the field.
pub(super) fn names(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.sources() {
        let mut parts = source.path.rsplit('/');
        let stem = parts.next().and_then(|name| name.strip_suffix(".rs")).unwrap_or("");
        let folder = parts.next().unwrap_or("");
        if stem == "mod" {
            findings.push(Finding::new(
                &source.path,
                1,
                "a module file named mod.rs",
                "name it after the module, beside its folder",
            ));
        } else if let Some(name) = [stem, folder].into_iter().find(|name| EMPTY_NAMES.contains(name)) {
            let instead = "name it after the thing that it is about, and split it if it is about several";
            findings.push(Finding::new(&source.path, 1, format!("the name {name:?} says nothing"), instead));
        }
    }
    findings
}

/// A file opens with what it is for; the unit tests of a module, in a file of their own, say so by their name.
pub(super) fn documents(tree: &Tree) -> Vec<Finding> {
    let instead = "open with `//!`: what it is for, what it must not know, how it is tested";
    tree.sources()
        .filter(|source| !source.text.trim_start().starts_with("//!") && !source.path.ends_with("/tests.rs"))
        .map(|source| Finding::new(&source.path, 1, "no module doc", instead))
        .chain(
            tree.sources()
                .filter(|source| source.text.trim_start().starts_with("//! Placeholder"))
                .filter(|source| source.text.lines().count() > 5)
                .map(|source| Finding::new(&source.path, 1, "the module doc is a placeholder", instead)),
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_are_found() {
        let long = format!("//! Long.\n{}", "// x\n".repeat(LONGEST_FILE));
        assert_eq!(
            length(&Tree::planted("p", "", &[("p/src/a.rs", &long), ("p/src/b.rs", "//! Short.")])).len(),
            1
        );
    }

    #[test]
    fn empty_names_are_found() {
        let files =
            [("p/src/util.rs", ""), ("p/src/common/a.rs", ""), ("p/src/a/mod.rs", ""), ("p/src/port.rs", "")];
        assert_eq!(names(&Tree::planted("p", "", &files)).len(), 3);
    }

    #[test]
    fn missing_docs_are_found() {
        let files = [("p/src/a.rs", "use x;"), ("p/src/b.rs", "\n//! For that.\n")];
        assert_eq!(documents(&Tree::planted("p", "", &files)).len(), 1);
    }
}
