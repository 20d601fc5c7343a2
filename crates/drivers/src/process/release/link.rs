//! Which symbolic links may stand in a release: only those that lead to a place inside it.
//!
//! Must not touch files. Tested in place.

use std::path::{Component, Path};

/// Checks the link at `at` (relative to the release, its folders being no links) that points to `target`.
///
/// The target may go up as far as the release's root, and then only down. So each link leads inside if those that it
/// passes through do; one that went down and up again could leave through another link.
pub(crate) fn check(at: &Path, target: &Path) -> Result<(), String> {
    let refuse = |why: &str| {
        let (at, target) = (at.display(), target.display());
        Err(format!("the link {at} to {target} {why}: let it point to a place in the deliverable"))
    };
    let mut depth = at.components().count().saturating_sub(1);
    let mut went_down = false;
    for component in target.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(_) => went_down = true,
            Component::ParentDir if went_down => return refuse("goes down and up again"),
            Component::ParentDir if depth == 0 => return refuse("leads out of the deliverable"),
            Component::ParentDir => depth -= 1,
            Component::RootDir | Component::Prefix(_) => return refuse("leads out of the deliverable"),
        }
    }
    if target.as_os_str().is_empty() { refuse("leads nowhere") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_inside_or_are_refused() {
        let check = |at: &str, target: &str| check(Path::new(at), Path::new(target)).is_ok();
        assert!(check("a", "b") && check("a/b/c", "../../x") && check("a/b", "./c") && check("a/b", ".."));
        for (at, target) in
            [("a", "/etc"), ("a", ".."), ("a/b", "../.."), ("a", "b/../../c"), ("a", "b/.."), ("a", "")]
        {
            assert!(!check(at, target), "{at} -> {target}");
        }
    }
}
