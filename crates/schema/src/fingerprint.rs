//! A catalog without identities: what is compared when two databases must have the same schema.
//!
//! Two catalogs have equal fingerprints if and only if nobody who uses the schema could tell them apart: names, shapes,
//! rules, order of columns, privileges, comments; not oids, not column numbers, not statistics.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::{Catalog, Column, Kind, Object, Oid, Relation};

/// What there is (`table "public"."users"`), and what it is like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint(pub BTreeMap<String, String>);

impl Fingerprint {
    /// The fingerprint of a catalog.
    pub fn of(catalog: &Catalog) -> Fingerprint {
        let mut entries = BTreeMap::new();
        for relation in catalog.relations.values() {
            entries.insert(format!("relation {}", relation.name), described(catalog, relation));
            for (place, column) in relation.columns.iter().enumerate() {
                entries.insert(
                    format!("column {}.{}", relation.name, crate::name::ident(&column.name)),
                    column_described(place + 1, column),
                );
            }
        }
        for ((kind, _), object) in &catalog.objects {
            let on = object.on.and_then(|oid| catalog.relations.get(&oid));
            let key = match on {
                Some(relation) if *kind != Kind::Sequence => {
                    format!("{kind:?} {} on {}", object.identity, relation.name)
                }
                _ => format!("{kind:?} {}", object.identity),
            };
            entries.insert(key, object_described(catalog, object));
        }
        Fingerprint(entries)
    }

    /// What differs, in words, from this one to another; bounded.
    pub fn differences(&self, other: &Fingerprint) -> Vec<String> {
        let keys: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let told = |key: &&String| match (self.0.get(*key), other.0.get(*key)) {
            (Some(here), Some(there)) if here == there => None,
            (Some(here), Some(there)) => Some(format!("{key}: {here} ≠ {there}")),
            (Some(_), None) => Some(format!("{key} is missing")),
            (None, _) => Some(format!("{key} is too much")),
        };
        keys.iter().filter_map(told).take(50).collect()
    }
}

fn described(catalog: &Catalog, relation: &Relation) -> String {
    let named =
        |oid: &Oid| catalog.relations.get(oid).map_or_else(|| "?".to_owned(), |found| found.name.to_string());
    let parent = relation.partition_of.as_ref().map(|(oid, bound)| (named(oid), bound));
    let inherits: Vec<String> = relation.inherits.iter().map(named).collect();
    format!(
        "{:?}",
        (
            relation.kind,
            &relation.query,
            &relation.persistence,
            &relation.partition_key,
            parent,
            inherits,
            &relation.options,
            (&relation.replica_identity, relation.row_security, &relation.owner),
            &relation.privileges,
            &relation.comment,
        )
    )
}

fn column_described(place: usize, column: &Column) -> String {
    format!(
        "{:?}",
        (
            place,
            &column.type_name,
            &column.collation,
            column.not_null,
            &column.default,
            &column.identity,
            column.generated,
            &column.storage,
            &column.privileges,
            &column.comment,
        )
    )
}

fn object_described(catalog: &Catalog, object: &Object) -> String {
    let relation = object.on.and_then(|oid| catalog.relations.get(&oid));
    let columns: Vec<String> = object
        .columns
        .iter()
        .map(|number| {
            relation.and_then(|found| found.column(*number)).map_or("?", |column| &column.name).to_owned()
        })
        .collect();
    format!(
        "{:?}",
        (
            &object.definition,
            relation.map(|found| found.name.to_string()),
            columns,
            &object.state,
            &object.owner,
            &object.privileges,
            &object.comment,
        )
    )
}
