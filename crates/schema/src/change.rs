//! The kinds of change, one file each: what is done at expand, backfill, contract and undo, and which locks that takes.
//!
//! Each looks at the whole change of one table (or object), takes what is its own, and adds to the draft. None knows
//! another; what is left unexplained in the end is refused. Tested on real PostgreSQL, kind by kind
//! (`crates/postgres/tests`).

mod attribute;
mod check;
mod column;
mod copy;
mod data;
mod default;
mod foreign_key;
mod index;
mod key;
mod not_null;
pub(crate) mod object;
mod policy;
mod rename;
mod routine;
mod table;
mod trigger;
pub(crate) mod twin;
mod view;

use crate::draft::Draft;
use crate::model::{Kind, Object, Oid};
use crate::placement::TablePlace;

/// Adds everything that a change of schema needs.
pub(crate) fn add(draft: &mut Draft<'_>) {
    let tables: Vec<TablePlace> = draft.request.placement.tables.values().cloned().collect();
    object::add(draft);
    table::add(draft);
    for table in &tables {
        // One that leaves its parent follows it until contract.
        let heir = [draft.request.before, draft.request.after]
            .iter()
            .any(|catalog| catalog.relations.get(&table.oid).is_some_and(crate::model::Relation::inherits));
        if !heir {
            column::add(draft, table);
            twin::add(draft, table);
            not_null::add(draft, table);
            default::add(draft, table);
        }
        rename::add(draft, table, heir);
        check::add(draft, table);
        index::add(draft, table);
        key::add(draft, table);
        foreign_key::add(draft, table);
        trigger::add(draft, table);
        policy::add(draft, table);
        attribute::add(draft, table);
    }
    routine::add(draft);
    view::add(draft);
    attribute::objects(draft);
    data::add(draft);
}

/// The objects of some kinds that a table has only before (`old`) or only after, or on both sides.
pub(crate) struct Owned<'a> {
    /// Before only.
    pub(crate) gone: Vec<(Kind, Oid, &'a Object)>,
    /// After only: physical and final.
    pub(crate) come: Vec<Come<'a>>,
    /// On both sides: before, physical, final.
    pub(crate) kept: Vec<(Kind, Oid, &'a Object, &'a Object, &'a Object)>,
}

/// An object that comes.
#[derive(Clone, Copy)]
pub(crate) struct Come<'a> {
    pub(crate) kind: Kind,
    /// With the names of the mixed state.
    pub(crate) physical: &'a Object,
    /// With its final ones.
    pub(crate) last: &'a Object,
}

/// What a table owns of some kinds. What a partition has of its parent is left out.
pub(crate) fn owned<'a>(draft: &Draft<'a>, table: Oid, kinds: &[Kind]) -> Owned<'a> {
    let request = draft.request;
    let of_parent = |kind: Kind, object: &Object, catalog: &crate::model::Catalog| {
        object
            .needs
            .iter()
            .any(|need| *need != 0 && catalog.objects.contains_key(&(kind, *need)) && object.on.is_some())
            && catalog.relations.get(&table).is_some_and(crate::model::Relation::inherits)
    };
    let mut owned = Owned { gone: Vec::new(), come: Vec::new(), kept: Vec::new() };
    for (kind, oid, object) in request.before.on(table) {
        if kinds.contains(&kind)
            && !request.after.objects.contains_key(&(kind, oid))
            && !of_parent(kind, object, request.before)
        {
            owned.gone.push((kind, oid, object));
        }
    }
    for (kind, oid, last) in request.after.on(table) {
        let Some(physical) = request.physical.objects.get(&(kind, oid)) else { continue };
        if !kinds.contains(&kind) || of_parent(kind, last, request.after) {
            continue;
        }
        match request.before.objects.get(&(kind, oid)) {
            Some(before) => owned.kept.push((kind, oid, before, physical, last)),
            None => owned.come.push(Come { kind, physical, last }),
        }
    }
    pair(&mut owned);
    owned
}

/// What was made anew as it was stays as it is.
fn pair(owned: &mut Owned<'_>) {
    let gone = std::mem::take(&mut owned.gone);
    for (kind, oid, before) in gone {
        let same = |come: &Come<'_>| {
            let definition = come.physical.definition.replace(&come.physical.name.name, &come.last.name.name);
            come.kind == kind
                && come.last.name == before.name
                && definition == before.definition
                && come.last.state == before.state
                // A foreign key stands on one index of the table that it refers to.
                && (kind != Kind::ForeignKey || come.last.needs == before.needs)
        };
        match owned.come.iter().position(same) {
            Some(at) => {
                let come = owned.come.remove(at);
                owned.kept.push((kind, oid, before, before, come.last));
            }
            None => owned.gone.push((kind, oid, before)),
        }
    }
}

/// How an object stands to the twins of its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touch {
    /// It reads none.
    None,
    /// It reads one that keeps its type, whose values move back into the column before contract.
    Settled,
    /// It reads one whose column changes in place.
    InPlace,
    /// It reads one that takes the column's place.
    Exchanged,
}

/// How an object that comes stands to the twins of its table. An object changed in place wins over the others, since it can
/// only be made at the end.
pub(crate) fn touch(draft: &Draft<'_>, table: &TablePlace, object: &Object) -> Touch {
    let mut touch = Touch::None;
    for column in &table.columns {
        let Some(physical) = column.new_physical.as_deref().filter(|_| column.is_twin()) else { continue };
        let reads = object.columns.contains(&column.number) || object.definition.contains(physical);
        if !reads {
            continue;
        }
        let this = match twin::way(draft, table, column) {
            twin::Way::Settled => Touch::Settled,
            twin::Way::InPlace => Touch::InPlace,
            twin::Way::Exchanged => Touch::Exchanged,
        };
        touch = match (touch, this) {
            (Touch::None, this) => this,
            (Touch::InPlace, _) | (_, Touch::InPlace) => Touch::InPlace,
            (Touch::Exchanged, _) | (_, Touch::Exchanged) => Touch::Exchanged,
            (Touch::Settled, Touch::Settled) => Touch::Settled,
            (_, Touch::None) => touch,
        };
    }
    touch
}

/// An object that comes only because a type changed: PostgreSQL made it anew from one of the same name, and will again.
pub(crate) fn rebuilt(owned: &Owned<'_>, come: &Come<'_>) -> bool {
    owned.gone.iter().any(|(kind, _, gone)| {
        *kind == come.kind
            && gone.name.name == come.last.name.name
            && bare(&gone.definition) == bare(&come.last.definition)
    })
}

/// A definition without the casts that depend on types.
fn bare(definition: &str) -> String {
    let mut text = String::new();
    let mut rest = definition;
    while let Some(at) = rest.find("::") {
        text.push_str(&rest[..at]);
        let after = &rest[at + 2..];
        let end =
            after.find(|c: char| !(c.is_alphanumeric() || "_ .\"[]".contains(c))).unwrap_or(after.len());
        rest = &after[end..];
    }
    text.push_str(rest);
    text.retain(|c| !"() ".contains(c));
    text
}
