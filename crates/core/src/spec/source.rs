//! Deliverables that come by themselves: the checked values.
//!
//! Belongs to `service`, and holds the defaults of its part. Tested in `check/tests/source.rs` and in place.

use serde::{Deserialize, Serialize};

use super::text::{Wrong, quoted};
use super::window::Window;
use crate::base::Millis;

/// Where deliverables come from by themselves, and when they are deployed. `tandem deploy` is not held to any of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSpec {
    /// The folder in which they appear. None: they are only pushed.
    pub folder: Option<String>,
    /// A file that has not changed for so long is complete.
    pub settle: Millis,
    /// No deliverable is larger, in bytes.
    pub max_size: u64,
    /// Whether each must bring its SHA-256. One that is there is looked at in any case.
    pub checksum: bool,
    /// By which each must be signed: a public key of minisign. None: nobody looks at signatures.
    pub public_key: Option<String>,
    /// What those are called (label or file) that wait for no window and no interval; `*` stands for any text.
    pub hotfix: Option<String>,
    /// Only in these times a deployment begins by itself. Empty: at any time.
    pub windows: Vec<Window>,
    /// In these times none does.
    pub freezes: Vec<Window>,
    /// So long after the beginning of a deployment the next one begins at the earliest.
    pub interval: Millis,
    /// A command that must succeed before a deliverable is deployed.
    pub check: Option<Vec<String>>,
    /// How long it may take.
    pub check_within: Millis,
    /// Whether somebody must approve each.
    pub approve: bool,
}

impl Default for SourceSpec {
    fn default() -> SourceSpec {
        SourceSpec {
            folder: None,
            settle: Millis::from_secs(3),
            max_size: 1 << 30,
            checksum: false,
            public_key: None,
            hotfix: None,
            windows: Vec::new(),
            freezes: Vec::new(),
            interval: Millis::ZERO,
            check: None,
            check_within: Millis::from_secs(600),
            approve: false,
        }
    }
}

impl SourceSpec {
    /// Whether one of that name (a label, or that of a file) is a hotfix.
    pub fn is_hotfix(&self, name: &str) -> bool {
        self.hotfix.as_deref().is_some_and(|pattern| matches(pattern, name))
    }

    /// The time zones that its windows name.
    pub fn zones(&self) -> impl Iterator<Item = &str> {
        self.windows.iter().chain(&self.freezes).map(|window| window.zone.as_str())
    }
}

/// Whether a name is as a pattern says, in which `*` stands for any text.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    // Each part at the first place where it is found leaves the most for those after it.
    for part in parts {
        match name.split_once(part) {
            Some((_, after)) => name = after,
            None => return false,
        }
    }
    name.ends_with(last)
}

/// The length of a public key of minisign, in characters: 42 bytes.
const KEY: usize = 56;

/// A public key of minisign, as the second line of its file has it.
pub(super) fn public_key(text: &str) -> Result<String, Wrong> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
    match text.trim() {
        key if key.len() == KEY && key.starts_with("RW") && key.chars().all(fits) => Ok(key.to_owned()),
        _ => Err(Wrong::new(
            format!("is {}, which is not a public key of minisign", quoted(text)),
            "write what the second line of minisign.pub holds: it begins with RW and has 56 characters",
        )),
    }
}

/// What hotfixes are called.
pub(super) fn pattern(text: &str) -> Result<String, Wrong> {
    match text.trim() {
        "" => Err(Wrong::new("is empty, and fits no name", "write for example \"*-hotfix*\"")),
        "*" => Err(Wrong::new(
            "is \"*\", so every deliverable would be a hotfix",
            "write for example \"*-hotfix*\"; or leave out `windows`, `freezes` and `interval`",
        )),
        pattern => Ok(pattern.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, fits) in [
            ("*-hotfix*", "v7-hotfix", true),
            ("*-hotfix*", "v7-hotfix.2", true),
            ("*-hotfix*", "v7", false),
            ("hotfix/*", "hotfix/7", true),
            ("v*.*.*", "v1.2.3", true),
            ("v*.*.*", "v1.2", false),
            ("a*b", "ab", true),
            ("a*ab", "ab", false),
            ("exact", "exact", true),
            ("exact", "exactly", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }
}
