//! A catalog without identities: what is compared when two databases must have the same schema.
//!
//! Two catalogs have equal fingerprints if and only if nobody who uses the schema could tell them apart: names, shapes,
//! rules, order of columns, privileges, comments; not oids, not column numbers, not statistics. What a thing is like is
//! kept as named facts, so that a difference can be told to people without knowing what it is about. Tested in place.

mod canonical;
mod fact;

use std::collections::{BTreeMap, BTreeSet};

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::model::{Catalog, Kind};
use crate::name::{bare, ident};

/// How many differences are told.
const TOLD: usize = 50;

/// How many characters of a value are shown, and how many of them stand before the place where it differs.
const SHOWN: (usize, usize) = (80, 20);

/// The fact that says what sort of thing it is.
const KIND: &str = "kind";

/// The fact that says where a column stands.
const PLACE: &str = "place";

/// What there is (`relation "public"."users"`), and what it is like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint(pub BTreeMap<String, Item>);

/// What a thing is like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct Item {
    /// The relation that it is a part of, as it stands in the fingerprint; empty for what stands alone.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub of: String,
    /// What is known of it by name, without what is as usual. Empty where an older Tandem wrote it.
    pub facts: BTreeMap<String, String>,
}

/// An item as journals hold it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    /// As it is written now.
    Facts {
        #[serde(default)]
        of: String,
        facts: BTreeMap<String, String>,
    },
    /// One text of an older Tandem: of it is known that it was there.
    Text(IgnoredAny),
}

impl From<Written> for Item {
    fn from(written: Written) -> Item {
        match written {
            Written::Text(_) => Item::default(),
            Written::Facts { of, facts } => Item { of, facts },
        }
    }
}

impl Fingerprint {
    /// The fingerprint of a catalog.
    pub fn of(catalog: &Catalog) -> Fingerprint {
        let mut entries = BTreeMap::new();
        for relation in catalog.relations.values() {
            let whole = format!("relation {}", relation.name);
            for (place, column) in relation.columns.iter().enumerate() {
                let key = format!("column {}.{}", relation.name, ident(&column.name));
                entries.insert(key, Item { of: whole.clone(), facts: fact::column(place + 1, column) });
            }
            entries.insert(whole, Item { of: String::new(), facts: fact::relation(catalog, relation) });
        }
        for ((kind, _), object) in &catalog.objects {
            let on = object.on.and_then(|oid| catalog.relations.get(&oid));
            let key = match on {
                Some(relation) if *kind != Kind::Sequence => {
                    format!("{kind:?} {} on {}", object.identity, relation.name)
                }
                _ => format!("{kind:?} {}", object.identity),
            };
            let of = on.map(|relation| format!("relation {}", relation.name)).unwrap_or_default();
            entries.insert(key, Item { of, facts: fact::object(*kind, object, on) });
        }
        Fingerprint(entries)
    }

    /// What of another one is not as it is here, in words for people; bounded. What is a part of something that is not
    /// there is not told as well.
    pub fn differences(&self, found: &Fingerprint) -> Vec<String> {
        let keys: BTreeSet<&String> = self.0.keys().chain(found.0.keys()).collect();
        let alone = |key: &str| self.0.contains_key(key) != found.0.contains_key(key);
        let item = |key: &String| self.0.get(key).or_else(|| found.0.get(key));
        // Where a column is not there, all that follow it stand elsewhere.
        let uneven: BTreeSet<&str> = keys
            .iter()
            .filter(|key| key.starts_with("column ") && alone(key))
            .filter_map(|key| Some(item(key)?.of.as_str()))
            .collect();
        let told = |key: &&String| match (self.0.get(*key), found.0.get(*key)) {
            (Some(here), Some(there)) => different(key, here, there, uneven.contains(here.of.as_str())),
            (Some(item), None) | (None, Some(item)) if !item.of.is_empty() && alone(&item.of) => Vec::new(),
            (Some(here), None) => vec![format!("{} is missing", named(key, here))],
            (None, Some(there)) => vec![format!("{} is there, and should not be", named(key, there))],
            (None, None) => Vec::new(),
        };
        keys.iter().flat_map(told).take(TOLD).collect()
    }
}

/// The facts that differ, one by one.
fn different(key: &str, here: &Item, there: &Item, uneven: bool) -> Vec<String> {
    if here.facts.is_empty() || there.facts.is_empty() {
        return Vec::new();
    }
    let names: BTreeSet<&String> = here.facts.keys().chain(there.facts.keys()).collect();
    let told = |name: &String| {
        let (wanted, found) = (here.facts.get(name), there.facts.get(name));
        if wanted == found || uneven && name == PLACE {
            return None;
        }
        let none = || "none".to_owned();
        let (wanted, found) = match (wanted, found) {
            (Some(wanted), Some(found)) => (excerpt(wanted, found), excerpt(found, wanted)),
            (wanted, found) => (
                wanted.map_or_else(none, |text| excerpt(text, "")),
                found.map_or_else(none, |text| excerpt(text, "")),
            ),
        };
        Some(format!("{}: {name} is {found}, should be {wanted}", named(key, here)))
    };
    names.into_iter().filter_map(told).collect()
}

/// A thing by what it is and its name.
fn named(key: &str, item: &Item) -> String {
    let (class, name) = key.split_once(' ').unwrap_or((key, ""));
    let kind = item.facts.get(KIND).map_or_else(|| fact::words(class), String::clone);
    format!("{kind} {}", bare(name))
}

/// As much of a text as is needed to see where it is not like another one.
fn excerpt(text: &str, other: &str) -> String {
    // What has many lines is told in one.
    let shown = |text: &str| text.replace('\n', "\\n").replace('\t', "\\t");
    let count = text.chars().count();
    if count <= SHOWN.0 {
        return shown(text);
    }
    let alike = text.chars().zip(other.chars()).take_while(|(one, two)| one == two).count();
    let begin = alike.saturating_sub(SHOWN.1).min(count - SHOWN.0);
    let part: String = text.chars().skip(begin).take(SHOWN.0).collect();
    let (before, after) = (if begin > 0 { "…" } else { "" }, if begin + SHOWN.0 < count { "…" } else { "" });
    format!("{before}{}{after}", shown(&part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Column, Object, Relation, RelationKind};
    use crate::name::Name;

    fn column(name: &str, type_name: &str) -> Column {
        Column {
            number: 0,
            name: name.to_owned(),
            type_name: type_name.to_owned(),
            type_oid: (0, 0),
            collation: None,
            not_null: false,
            default: None,
            given: None,
            identity: None,
            generated: false,
            storage: String::new(),
            privileges: None,
            comment: None,
        }
    }

    fn table(name: &str, columns: Vec<Column>) -> Relation {
        Relation {
            kind: RelationKind::Table,
            name: Name::new("public", name),
            columns,
            query: String::new(),
            persistence: "p".to_owned(),
            partition_key: None,
            partition_of: None,
            inherits: Vec::new(),
            options: Vec::new(),
            replica_identity: "d".to_owned(),
            row_security: (false, false),
            owner: "app".to_owned(),
            privileges: None,
            comment: None,
            needs: BTreeSet::new(),
            storage: 0,
            rows: 0,
            bytes: 0,
        }
    }

    fn object(identity: &str, on: u32, definition: &str) -> Object {
        Object {
            name: Name::new("public", identity.trim_matches('"')),
            on: (on > 0).then_some(on),
            columns: Vec::new(),
            references: None,
            definition: definition.to_owned(),
            identity: identity.to_owned(),
            word: "function".to_owned(),
            state: String::new(),
            owner: String::new(),
            privileges: None,
            comment: None,
            needs: BTreeSet::new(),
        }
    }

    /// Users and orders, with a rule, a key and a function.
    fn catalog() -> Catalog {
        let mut catalog = Catalog::default();
        let columns = vec![column("id", "bigint"), column("age", "integer"), column("name", "text")];
        catalog.relations.insert(1, table("users", columns));
        catalog.relations.insert(2, table("orders", vec![column("id", "bigint")]));
        let mut objects = |kind: Kind, oid: u32, object: Object| catalog.objects.insert((kind, oid), object);
        objects(Kind::Check, 3, object("\"aged\"", 1, "CHECK ((age > 0))"));
        objects(
            Kind::ForeignKey,
            4,
            object("\"of_user\"", 2, "FOREIGN KEY (id) REFERENCES public.users(id)"),
        );
        objects(
            Kind::Routine,
            5,
            object("public.shout(text)", 0, &format!("BEGIN\n{}END", "x;\n".repeat(60))),
        );
        catalog
    }

    /// What is told of a catalog that was changed by hand.
    fn told(change: impl FnOnce(&mut Catalog)) -> Vec<String> {
        let mut found = catalog();
        change(&mut found);
        Fingerprint::of(&catalog()).differences(&Fingerprint::of(&found))
    }

    fn users(catalog: &mut Catalog) -> &mut Relation {
        catalog.relations.get_mut(&1).unwrap()
    }

    #[test]
    fn what_is_alike_has_no_difference() {
        assert_eq!(told(|_| ()), Vec::<String>::new());
        assert_eq!(
            told(|catalog| users(catalog).columns.iter_mut().for_each(|column| column.number += 7)),
            Vec::<String>::new()
        );
    }

    #[test]
    fn columns_are_told_by_name_and_by_what_differs() {
        assert_eq!(
            told(|catalog| users(catalog).columns.push(column("Odd", "text"))),
            ["column public.users.\"Odd\" is there, and should not be"]
        );
        // Those that follow it are not told: their places say nothing of their own.
        assert_eq!(
            told(|catalog| drop(users(catalog).columns.remove(1))),
            ["column public.users.age is missing"]
        );
        assert_eq!(
            told(|catalog| {
                let name = &mut users(catalog).columns[2];
                (name.type_name, name.not_null) = ("character varying(20)".to_owned(), true);
                (name.default, name.comment) = (Some("''::text".to_owned()), Some("none".to_owned()));
            }),
            [
                "column public.users.name: NULL is refused, should be allowed",
                "column public.users.name: comment is 'none', should be none",
                "column public.users.name: default is ''::text, should be none",
                "column public.users.name: type is character varying(20), should be text",
            ]
        );
        assert_eq!(
            told(|catalog| users(catalog).columns.swap(0, 1)),
            [
                "column public.users.age: place is 1, should be 2",
                "column public.users.id: place is 2, should be 1",
            ]
        );
    }

    #[test]
    fn a_table_that_is_gone_is_one_difference() {
        assert_eq!(
            told(|catalog| {
                catalog.relations.remove(&2);
                catalog.objects.remove(&(Kind::ForeignKey, 4));
            }),
            ["table public.orders is missing"]
        );
        assert_eq!(
            told(|catalog| {
                let users = users(catalog);
                (users.owner, users.row_security) = ("admin".to_owned(), (true, false));
                users.privileges = Some(Vec::new());
            }),
            [
                "table public.users: access is nobody's, should be the usual one",
                "table public.users: owner is admin, should be app",
                "table public.users: row security is on, should be off",
            ]
        );
    }

    #[test]
    fn rules_and_code_are_told_where_they_differ() {
        assert_eq!(
            told(|catalog| drop(catalog.objects.remove(&(Kind::ForeignKey, 4)))),
            ["foreign key of_user on public.orders is missing"]
        );
        assert_eq!(
            told(|catalog| {
                let aged = catalog.objects.get_mut(&(Kind::Check, 3)).unwrap();
                (aged.definition, aged.state) = ("CHECK ((age > 17))".to_owned(), "not valid".to_owned());
            }),
            [
                "check constraint aged on public.users: definition is CHECK ((age > 17)), should be CHECK ((age > 0))",
                "check constraint aged on public.users: state is not valid, should be none",
            ]
        );
        let code = told(|catalog| {
            let shout = catalog.objects.get_mut(&(Kind::Routine, 5)).unwrap();
            shout.definition = shout.definition.replace("END", "y; END");
        });
        let alike = "x;\\n".repeat(6);
        assert!(
            matches!(&code[..], [line] if line.starts_with("function public.shout(text): definition is …")
                && line.contains(&format!("{alike}y; END, should be …")) && line.ends_with(&format!("{alike}END"))),
            "{code:?}"
        );
    }

    /// A change that an older Tandem began is contracted by this one.
    #[test]
    fn what_an_older_tandem_wrote_is_held_against_what_is_there() {
        let found = Fingerprint::of(&catalog());
        let mut texts: BTreeMap<&str, &str> =
            found.0.keys().map(|key| (key.as_str(), "(Table, …)")).collect();
        texts.remove("Check \"aged\" on \"public\".\"users\"");
        let older: Fingerprint = serde_json::from_str(&serde_json::to_string(&texts).unwrap()).unwrap();
        assert_eq!(
            older.differences(&found),
            ["check constraint aged on public.users is there, and should not be"]
        );
        let again: Fingerprint = serde_json::from_str(&serde_json::to_string(&found).unwrap()).unwrap();
        assert_eq!(again, found);
    }
}
