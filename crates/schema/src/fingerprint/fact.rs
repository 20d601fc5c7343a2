//! What is known of a relation, a column, an object: facts by name, in words for people. What is as usual is left out.

use std::collections::BTreeMap;

use super::canonical::canonical;
use super::{KIND, PLACE};
use crate::model::{Catalog, Column, Kind, Object, Oid, Relation, RelationKind};
use crate::name::{bare, idents, literal};

/// Facts by name.
type Facts = BTreeMap<String, String>;

/// Letters of the catalog and what they mean.
const PERSISTENCE: [(&str, &str); 2] = [("p", "permanent"), ("u", "unlogged")];
const REPLICA_IDENTITY: [(&str, &str); 4] =
    [("d", "the default"), ("n", "nothing"), ("f", "full"), ("i", "an index")];
const IDENTITY: [(&str, &str); 2] = [("a", "always"), ("d", "by default")];

/// The privileges that everything of a kind has, as long as nobody grants or revokes.
const USUAL: &str = "the usual one";

/// What a relation is like.
pub(super) fn relation(catalog: &Catalog, relation: &Relation) -> Facts {
    let named =
        |oid: &Oid| catalog.relations.get(oid).map_or_else(|| "?".to_owned(), |found| found.name.to_string());
    let parent = |(oid, bound): &(Oid, String)| format!("{} {bound}", named(oid));
    let inherits: Vec<String> = relation.inherits.iter().map(named).collect();
    let options: Vec<String> = relation.options.iter().map(|option| apart(option)).collect();
    let security = match relation.row_security {
        (false, false) => "off",
        (true, false) => "on",
        (false, true) => "off, but forced",
        (true, true) => "on and forced",
    };
    let kind = match relation.kind {
        RelationKind::Partitioned => "partitioned table".to_owned(),
        _ => relation.word().to_lowercase(),
    };
    let usual = USUAL.to_owned();
    gathered([
        (KIND, Some(kind)),
        ("query", given(&canonical(&relation.query))),
        ("persistence", Some(meaning(&PERSISTENCE, &relation.persistence))),
        ("partition key", relation.partition_key.clone()),
        ("partition of", relation.partition_of.as_ref().map(parent)),
        ("list of parents", given(&inherits.join(", "))),
        ("list of options", given(&options.join(", "))),
        ("replica identity", Some(meaning(&REPLICA_IDENTITY, &relation.replica_identity))),
        ("row security", Some(security.to_owned())),
        ("owner", given(&relation.owner)),
        ("access", Some(access(relation.privileges.as_deref()).unwrap_or(usual))),
        ("comment", relation.comment.as_deref().map(literal)),
    ])
}

/// What a column is like.
pub(super) fn column(place: usize, column: &Column) -> Facts {
    let expression = if column.generated { "expression" } else { "default" };
    let null = if column.not_null { "refused" } else { "allowed" };
    gathered([
        (PLACE, Some(place.to_string())),
        ("type", Some(column.type_name.clone())),
        ("collation", column.collation.clone()),
        ("NULL", Some(null.to_owned())),
        (expression, column.default.as_deref().map(canonical)),
        ("identity", column.identity.as_deref().map(|letter| meaning(&IDENTITY, letter))),
        ("storage", given(&column.storage)),
        ("access", access(column.privileges.as_deref())),
        ("comment", column.comment.as_deref().map(literal)),
    ])
}

/// What an object is like, and on which relation it is.
pub(super) fn object(kind: Kind, object: &Object, on: Option<&Relation>) -> Facts {
    let name =
        |number: &i16| on.and_then(|found| found.column(*number)).map_or("?", |column| column.name.as_str());
    let columns = bare(&idents(object.columns.iter().map(name)));
    let class = words(&format!("{kind:?}"));
    let word = match kind {
        Kind::Other | Kind::Routine => object.word.clone(),
        Kind::Unique | Kind::Check | Kind::Exclusion => format!("{class} constraint"),
        _ => class,
    };
    // What has no owner of its own has no privileges either.
    let usual = given(&object.owner).map(|_| USUAL.to_owned());
    gathered([
        (KIND, Some(word)),
        ("definition", given(&canonical(&object.definition))),
        ("table", on.map(|relation| bare(&relation.name.to_string()))),
        ("list of columns", given(&columns)),
        ("state", given(&object.state)),
        ("owner", given(&object.owner)),
        ("access", access(object.privileges.as_deref()).or(usual)),
        ("comment", object.comment.as_deref().map(literal)),
    ])
}

/// The words of a name in capitals: `ForeignKey`.
pub(super) fn words(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

fn gathered<const N: usize>(facts: [(&str, Option<String>); N]) -> Facts {
    facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn meaning(words: &[(&str, &str)], letter: &str) -> String {
    words.iter().find(|(of, _)| *of == letter).map_or(letter, |(_, word)| word).to_owned()
}

/// Nobody's is not the same as the usual one.
fn access(list: Option<&[String]>) -> Option<String> {
    list.map(|list| if list.is_empty() { "nobody's".to_owned() } else { list.join(", ") })
}

/// A part of a list; one that holds the list's own comma is quoted.
fn apart(part: &str) -> String {
    if part.contains(", ") { literal(part) } else { part.to_owned() }
}
