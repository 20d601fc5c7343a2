//! Names of database objects, and how they are written in SQL.
//!
//! Every name that goes into a statement passes through here: nothing from a migration or a catalog is pasted in bare.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The longest identifier that PostgreSQL keeps, in bytes; the rest would be cut off silently.
pub const LONGEST: usize = 63;

/// A name in a schema.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Name {
    /// The schema.
    pub schema: String,
    /// The name in it.
    pub name: String,
}

impl Name {
    /// A name in a schema.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Name {
        Name { schema: schema.into(), name: name.into() }
    }
}

/// As SQL: both parts quoted.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", ident(&self.schema), ident(&self.name))
    }
}

/// An identifier as SQL, always quoted: no keyword, capital or space surprises.
pub fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A list of identifiers as SQL.
pub fn idents<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(ident).collect::<Vec<_>>().join(", ")
}

/// SQL without the quotes around names that are plain words, for people: what stays quoted needs it.
pub fn bare(sql: &str) -> String {
    let plain = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let parts: Vec<&str> = sql.split('"').collect();
    if parts.len().is_multiple_of(2) {
        return sql.to_owned();
    }
    // Every second part stood in quotes; with nothing between two of them, a name has a quote within.
    let within =
        |at: usize| at > 1 && parts[at - 1].is_empty() || at + 2 < parts.len() && parts[at + 1].is_empty();
    let shown = |(at, part): (usize, &&str)| {
        let stays = at % 2 == 1 && (within(at) || !plain(part));
        if stays { format!("\"{part}\"") } else { (*part).to_owned() }
    };
    parts.iter().enumerate().map(shown).collect()
}

/// A text as an SQL literal, whatever `standard_conforming_strings` says.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// A name made of a prefix and a name, no longer than PostgreSQL keeps; what is too long ends in a digest of the whole.
pub fn derived(prefix: &str, name: &str) -> String {
    let whole = format!("{prefix}{name}");
    if whole.len() <= LONGEST {
        return whole;
    }
    let digest = digest(&whole);
    let mut end = LONGEST - 9;
    while !whole.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}_{}", &whole[..end], &digest[..8])
}

/// The schema that is the lens of a revision: made only of lower-case letters, digits and `_`, so that a word search in a
/// `search_path` finds exactly it. A revision whose name holds anything else, or is long, gets a digest at its end.
pub fn lens(revision: &str) -> String {
    let plain: String = revision
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
        .take(40)
        .collect();
    if plain == revision {
        format!("tandem_{plain}")
    } else {
        format!("tandem_{plain}_{}", &digest(revision)[..6])
    }
}

/// SHA-256 in hexadecimal digits.
pub fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_whatever_they_hold() {
        assert_eq!(Name::new("my schema", "a\"b").to_string(), "\"my schema\".\"a\"\"b\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\b"), "E'a\\\\b'");
    }

    #[test]
    fn only_quotes_that_are_needed_are_shown() {
        assert_eq!(bare("\"public\".\"users\""), "public.users");
        assert_eq!(
            bare("public.\"a\"\"b\".\"Odd\" on \"x y\".\"z\""),
            "public.\"a\"\"b\".\"Odd\" on \"x y\".z"
        );
        assert_eq!(bare("no \" end"), "no \" end");
    }

    #[test]
    fn derived_names_are_kept_whole_by_postgresql_and_stay_apart() {
        let (one, two) =
            (derived("__tandem_", &"ü".repeat(31)), derived("__tandem_", &format!("{}x", "ü".repeat(31))));
        assert!(one.len() <= LONGEST && two.len() <= LONGEST);
        assert_ne!(one, two);
        assert_eq!(derived("__tandem_", "email"), "__tandem_email");
    }

    #[test]
    fn a_lens_is_a_plain_word() {
        assert_eq!(lens("0042_add_phone"), "tandem_0042_add_phone");
        assert_ne!(lens("Änderung 1"), lens("änderung 1"));
        assert!(lens("V2.1__x").starts_with("tandem_v2_1__x_"));
        assert!(lens(&"x".repeat(100)).len() <= LONGEST);
    }
}
