//! Privileges, as PostgreSQL prints them (`reader=r*w/owner`) and as GRANT and REVOKE say them.
//!
//! Source of the letters: PostgreSQL's documentation, "Privileges", table "ACL Privilege Abbreviations".

use std::collections::BTreeSet;

use crate::name::ident;

/// A right of a role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// As GRANT calls it.
    pub word: &'static str,
    /// May be passed on.
    pub grantable: bool,
}

/// One item of an access list: the rights, and who has them as GRANT names them.
pub fn parse(item: &str) -> Option<(Vec<Right>, String)> {
    let (grantee, rest) = divided(item)?;
    let letters = rest.split('/').next()?;
    let mut rights: Vec<Right> = Vec::new();
    for letter in letters.chars() {
        if letter == '*' {
            rights.last_mut()?.grantable = true;
        } else {
            rights.push(Right { word: word(letter)?, grantable: false });
        }
    }
    let grantee = if grantee.is_empty() { "PUBLIC".to_owned() } else { ident(&grantee) };
    Some((rights, grantee))
}

/// The role's name, which may be quoted and hold `=`, and what follows the `=`.
fn divided(item: &str) -> Option<(String, &str)> {
    if let Some(quoted) = item.strip_prefix('"') {
        let mut name = String::new();
        let mut rest = quoted;
        loop {
            let at = rest.find('"')?;
            name.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            match rest.strip_prefix('"') {
                Some(more) => {
                    name.push('"');
                    rest = more;
                }
                None => return Some((name, rest.strip_prefix('=')?)),
            }
        }
    }
    let (name, rest) = item.split_once('=')?;
    Some((name.to_owned(), rest))
}

fn word(letter: char) -> Option<&'static str> {
    Some(match letter {
        'r' => "SELECT",
        'a' => "INSERT",
        'w' => "UPDATE",
        'd' => "DELETE",
        'D' => "TRUNCATE",
        'x' => "REFERENCES",
        't' => "TRIGGER",
        'm' => "MAINTAIN",
        'X' => "EXECUTE",
        'U' => "USAGE",
        'C' => "CREATE",
        'c' => "CONNECT",
        'T' => "TEMPORARY",
        's' => "SET",
        'A' => "ALTER SYSTEM",
        _ => return None,
    })
}

/// Gives a new object its privileges: those of `owner` and PUBLIC that come by themselves are taken away first.
pub fn grants(word: &str, object: &str, items: Option<&[String]>, owner: &str) -> Vec<String> {
    let Some(items) = items else { return Vec::new() };
    let mut statements = vec![format!("REVOKE ALL ON {word} {object} FROM PUBLIC")];
    if !owner.is_empty() {
        statements.push(format!("REVOKE ALL ON {word} {object} FROM {}", ident(owner)));
    }
    for (rights, grantee) in items.iter().filter_map(|item| parse(item)) {
        statements.extend(rights.iter().map(|right| granted(word, object, right, &grantee)));
    }
    statements
}

fn granted(word: &str, object: &str, right: &Right, grantee: &str) -> String {
    let option = if right.grantable { " WITH GRANT OPTION" } else { "" };
    format!("GRANT {} ON {word} {object} TO {grantee}{option}", right.word)
}

/// What leads from one list to another: what is granted more, and what is taken away. A default list is the owner's
/// (and, for what PUBLIC may use by default, PUBLIC's) and is given in full by the caller.
pub fn difference(
    word: &str,
    object: &str,
    before: &[String],
    after: &[String],
) -> (Vec<String>, Vec<String>) {
    let flat = |items: &[String]| -> BTreeSet<(String, Right)> {
        let parsed = items.iter().filter_map(|item| parse(item));
        parsed
            .flat_map(|(rights, grantee)| rights.into_iter().map(move |right| (grantee.clone(), right)))
            .collect()
    };
    let (before, after) = (flat(before), flat(after));
    let more =
        after.difference(&before).map(|(grantee, right)| granted(word, object, right, grantee)).collect();
    let less = before
        .difference(&after)
        .map(|(grantee, right)| {
            let weaker = Right { word: right.word, grantable: false };
            let option = if right.grantable && after.contains(&(grantee.clone(), weaker)) {
                "GRANT OPTION FOR "
            } else {
                ""
            };
            format!("REVOKE {option}{} ON {word} {object} FROM {grantee}", right.word)
        })
        .collect();
    (more, less)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_read_with_quoted_roles_and_grant_options() {
        let (rights, grantee) = parse("\"a=\"\"b\"=r*w/postgres").unwrap_or_default();
        assert_eq!(grantee, "\"a=\"\"b\"");
        assert_eq!(
            rights,
            [Right { word: "SELECT", grantable: true }, Right { word: "UPDATE", grantable: false }]
        );
        assert_eq!(parse("=r/postgres").map(|(_, grantee)| grantee).as_deref(), Some("PUBLIC"));
        assert_eq!(parse("x"), None);
    }

    #[test]
    fn a_lost_grant_option_is_revoked_alone() {
        let (more, less) =
            difference("TABLE", "t", &["a=r*/o".to_owned()], &["a=r/o".to_owned(), "b=w/o".to_owned()]);
        assert_eq!(more, ["GRANT SELECT ON TABLE t TO \"a\"", "GRANT UPDATE ON TABLE t TO \"b\""]);
        assert_eq!(less, ["REVOKE GRANT OPTION FOR SELECT ON TABLE t FROM \"a\""]);
    }
}
