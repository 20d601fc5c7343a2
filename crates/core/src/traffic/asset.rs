//! Files whose names tell their content: what such a name looks like, and where frameworks put them.
//!
//! Such a file may be taken from any version that has it. Knows names only. Tested in place.

/// From the path in the URL to the folder in the deliverable, where everything below has its content in its path: Next.js,
/// and SvelteKit with its adapters for Node and for static sites.
pub const CONVENTIONS: &[(&str, &str)] = &[
    ("/_next/static/", ".next/static"),
    ("/_app/immutable/", "build/client/_app/immutable"),
    ("/_app/immutable/", "build/_app/immutable"),
];

/// The shortest part of a name that is taken for a digest, in characters.
const SHORTEST: usize = 8;

/// Whether the name of a file holds a digest of its content, as bundlers and asset pipelines write it: `app-3f2a9c01.js`,
/// `index.BwZ1b3Qx.css`, `logo-6b86b273ff34fce19d6b804eff5a3f57.png`. A date or a word is none.
pub fn tells_content(name: &str) -> bool {
    let mut parts = name.split(['.', '-', '_', '~', '@']).filter(|part| part.len() >= SHORTEST);
    parts.any(|part| {
        let is = |test: fn(&char) -> bool| part.chars().filter(test).count();
        let (digits, lower, upper) =
            (is(char::is_ascii_digit), is(char::is_ascii_lowercase), is(char::is_ascii_uppercase));
        let plain = digits + lower + upper == part.len();
        // Letters of both kinds within a word: not `Dashboard`, nor `MainLayout`, whose words are longer.
        let turns = part
            .as_bytes()
            .windows(2)
            .filter(|pair| matches!(pair, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()));
        plain && (digits > 0 && lower + upper > 0 || digits == 0 && upper > 1 && turns.count() > 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_digests_are_known() {
        for name in [
            "app-3f2a9c01.js",
            "index.BwZ1b3Qx.css",
            "index-DiwRgTdA.js",
            "logo-6b86b273ff34fce19d6b804eff5a3f57747ada4eaa22f1d49c01e52ddb7875b4.png",
            "base.27e20196a850.css",
            "main.7e6da5f1.chunk.js.map",
            "2f0e6f1b-app.woff2",
            "app-1a2b3c4d5e.js.gz",
        ] {
            assert!(tells_content(name), "{name}");
        }
        for name in [
            "app.js",
            "logo.png",
            "20240131.json",
            "Dashboard.js",
            "application.css",
            "report-2024-01-31.pdf",
            "",
            "MainLayout.js",
        ] {
            assert!(!tells_content(name), "{name}");
        }
    }
}
