//! The label of a version, from the name of its deliverable.
//!
//! Tested in place.

use super::VersionLabel;

/// Longer ones are no fun to type, in characters; labels may have 64.
const LONGEST: usize = 64;

/// The label of a version that is handed over as a file or folder of that name: `shop-v42.tar.gz` is `v42`, `shop-1.4.0` is
/// `1.4.0`, `build` is `build`. None: nothing usable is in the name.
pub fn label_of(name: &str) -> Option<VersionLabel> {
    let stem = [".tar.gz", ".tgz", ".tar"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    // The first dash after which all that follows looks like a version: `shop-1.4.0-rc.1` is `1.4.0-rc.1`.
    let rests = stem.match_indices(['-', '_']).filter_map(|(at, _)| stem.get(at + 1..));
    let part = rests.into_iter().find(|rest| looks_like_a_version(rest)).unwrap_or(stem);
    let safe =
        |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+') { c } else { '-' };
    let label: String = part.chars().map(safe).collect();
    let label = label.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let label: String = label.chars().take(LONGEST).collect();
    label.trim_end_matches(['-', '.', '_']).parse().ok()
}

fn looks_like_a_version(text: &str) -> bool {
    let number = text.strip_prefix(['v', 'r', 'V']).unwrap_or(text);
    let first = number.split(['.', '-', '_', '+']).next().unwrap_or(number);
    let counts = !first.is_empty() && first.bytes().all(|b| b.is_ascii_digit());
    let hash = text.len() >= 7
        && text.bytes().all(|b| b.is_ascii_hexdigit())
        && text.bytes().any(|b| b.is_ascii_digit());
    counts || hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_come_from_names() {
        for (name, label) in [
            ("shop-v42.tar.gz", "v42"),
            ("shop-1.4.0-rc.1.tgz", "1.4.0-rc.1"),
            ("shop_2026.11.23.tar", "2026.11.23"),
            ("web-shop-3f9c2ab.tar.gz", "3f9c2ab"),
            ("build", "build"),
            ("my shop", "my-shop"),
            (".hidden", "hidden"),
            ("shop-cafebabe", "shop-cafebabe"),
        ] {
            assert_eq!(label_of(name).unwrap().as_str(), label, "{name}");
        }
        assert_eq!(label_of(".."), None);
        assert_eq!(label_of(""), None);
        assert_eq!(label_of("…"), None);
    }
}
