//! A table is created or dropped.
//!
//! Created at expand with all that belongs to it, in the new lens where its name is still taken; dropped at contract: until
//! then the old version uses it. Locks: writers of tables that its foreign keys refer to, short.

use std::collections::BTreeSet;

use crate::create;
use crate::draft::{Contract, Draft, Expand, Strength, Undo};
use crate::model::{Kind, Oid, Relation, RelationKind};
use crate::name::ident;

/// Adds what new and dropped tables need.
pub(super) fn add(draft: &mut Draft<'_>) {
    let request = draft.request;
    let new: Vec<(Oid, &Relation)> = request
        .physical
        .relations
        .iter()
        .filter(|(oid, relation)| !request.before.relations.contains_key(oid) && !relation.is_view())
        .map(|(oid, relation)| (*oid, relation))
        .collect();
    for (oid, relation) in &new {
        for statement in create::relation(request.physical, *oid, relation) {
            draft.at_expand(Expand::Objects, statement);
        }
        if let Some((parent, _)) = &relation.partition_of
            && let Some(parent) = request.before.relations.get(parent)
        {
            draft.lock(&parent.name, Strength::Everybody);
        }
        if request.placement.in_lens.contains(oid) {
            let last = request.after.relations.get(oid);
            if let Some(last) = last.filter(|last| last.name.schema != request.home) {
                draft.refuse(
                    "outside-home",
                    format!(
                        "{} takes the name of another, outside of the home schema {}",
                        last.name, request.home
                    ),
                    "give it a name of its own, or mark the statements with `-- @contract`",
                    draft.place_of(&[&last.name.name]),
                );
            }
            if let Some(last) = request.after.relations.get(oid) {
                let home = ident(&last.name.schema);
                draft.at_contract(
                    Contract::Home,
                    format!("ALTER {} {} SET SCHEMA {home}", relation.word(), relation.name),
                );
            }
        }
        draft.explain("create table", relation.name.name.clone(), "made", "", "");
    }
    for (oid, relation) in &new {
        belongings(draft, *oid, relation);
    }
    let tables = |kind: RelationKind| -> Vec<String> {
        let of_kind = new.iter().filter(|(_, relation)| {
            (relation.kind == RelationKind::Foreign) == (kind == RelationKind::Foreign)
        });
        of_kind.map(|(_, relation)| relation.name.to_string()).collect()
    };
    for (kind, word) in [(RelationKind::Table, "TABLE"), (RelationKind::Foreign, "FOREIGN TABLE")] {
        let names = tables(kind);
        if !names.is_empty() {
            draft.at_undo(Undo::Objects, format!("DROP {word} IF EXISTS {}", names.join(", ")));
        }
    }
    gone(draft);
    heirs(draft);
}

/// A table leaves its parent at contract: until then both versions see its rows there.
fn heirs(draft: &mut Draft<'_>) {
    let request = draft.request;
    let parents = |relation: &Relation| -> BTreeSet<Oid> {
        relation
            .inherits
            .iter()
            .chain(relation.partition_of.iter().map(|(parent, _)| parent))
            .copied()
            .collect()
    };
    for (oid, before) in &request.before.relations {
        let Some(after) = request.after.relations.get(oid) else { continue };
        let (old, new) = (parents(before), parents(after));
        let place = draft.place_of(&[&after.name.name]);
        if !new.is_subset(&old) || (old == new && before.partition_of != after.partition_of) {
            draft.refuse(
                "attached",
                format!("the rows of {} come under another table for both revisions at once", after.name.name),
                "mark the statement with `-- @expand` if the old version can live with it, else with `-- @contract`",
                place,
            );
            continue;
        }
        for oid in old.difference(&new) {
            let Some(parent) = request.before.relations.get(oid) else { continue };
            draft.lock_at_contract(&before.name);
            draft.lock_at_contract(&parent.name);
            // What happens to the parent's columns reaches it still; but with the parent it would go.
            let (stage, of, from) = match request.after.relations.get(oid) {
                Some(parent) => (Contract::Rules, &after.name, &parent.name),
                None => (Contract::ForeignKeys, &before.name, &parent.name),
            };
            let statement = match before.partition_of {
                Some(_) => format!("ALTER TABLE {from} DETACH PARTITION {of}"),
                None => format!("ALTER TABLE {of} NO INHERIT {from}"),
            };
            draft.at_contract(stage, statement);
            let object = format!("{} of {}", of.name, from.name);
            draft.explain("detach", object, "both versions see its rows in both", "", "detached");
        }
    }
}

/// Keys first, then what may need them.
fn belongings(draft: &mut Draft<'_>, oid: Oid, relation: &Relation) {
    let request = draft.request;
    let order = |kind: Kind| match kind {
        Kind::PrimaryKey | Kind::Unique => 0,
        Kind::ForeignKey => 2,
        Kind::Trigger | Kind::Policy | Kind::Rule => 3,
        _ => 1,
    };
    let mut owned: Vec<_> = request.physical.on(oid).filter(|(kind, _, _)| *kind != Kind::Sequence).collect();
    owned.sort_by_key(|(kind, oid, _)| (order(*kind), *oid));
    for (kind, _, object) in owned {
        let of_parent = relation.inherits()
            && object.needs.iter().any(|need| request.physical.objects.contains_key(&(kind, *need)));
        if of_parent {
            continue;
        }
        // Foreign keys wait until all tables and their keys are there; triggers until all routines are.
        let stage = if order(kind) >= 2 { Expand::Sides } else { Expand::Objects };
        if kind == Kind::ForeignKey
            && let Some(other) = object.references.and_then(|other| request.before.relations.get(&other))
        {
            let other = other.name.clone();
            draft.lock(&other, Strength::Writers);
        }
        for statement in create::object(request.physical, kind, object).unwrap_or_default() {
            draft.at_expand(stage, statement);
        }
    }
}

fn gone(draft: &mut Draft<'_>) {
    let request = draft.request;
    let gone: Vec<&Relation> = request
        .before
        .relations
        .iter()
        .filter(|(oid, relation)| !request.after.relations.contains_key(oid) && !relation.is_view())
        .map(|(_, relation)| relation)
        .collect();
    for relation in &gone {
        draft.lock_at_contract(&relation.name);
        draft.explain(
            "drop table",
            relation.name.name.clone(),
            "the old version goes on using it",
            "",
            "dropped",
        );
    }
    let tables: Vec<String> = gone
        .iter()
        .filter(|relation| relation.kind != RelationKind::Foreign)
        .map(|relation| relation.name.to_string())
        .collect();
    if !tables.is_empty() {
        draft.at_contract(Contract::Columns, format!("DROP TABLE IF EXISTS {}", tables.join(", ")));
    }
    for relation in gone.iter().filter(|relation| relation.kind == RelationKind::Foreign) {
        draft.at_contract(Contract::Columns, format!("DROP FOREIGN TABLE IF EXISTS {}", relation.name));
    }
}
