//! A view or materialised view of the team's is created, changed or dropped.
//!
//! A new one is made at expand; another query under the same name stands in the new lens until contract. What reads a
//! twin is made anew at contract, over the final columns. Locks: only on the views themselves.

use std::collections::BTreeSet;

use crate::create;
use crate::draft::{Contract, Draft, Expand, Undo};
use crate::model::{Catalog, Kind, Object, Oid, Relation, RelationKind};
use crate::name::{Name, ident};
use crate::placement::TablePlace;
use crate::plan::Weight;

/// Adds what new, changed and dropped views need.
pub(super) fn add(draft: &mut Draft<'_>) {
    let request = draft.request;
    // What is not in its final place until contract.
    let mut passing: BTreeSet<Oid> = request.placement.views.clone();
    passing.extend(request.placement.in_lens.iter().copied());
    passing
        .extend(request.placement.tables.values().filter(|table| table.has_twins()).map(|table| table.oid));
    for (oid, physical) in &ordered(request.physical) {
        let Some(last) = request.after.relations.get(oid) else { continue };
        match request.before.relations.get(oid) {
            None => {
                made(draft, *oid, physical);
                locked(&mut draft.undo_views, physical);
                let anew = request.placement.in_lens.contains(oid) || reads(request.physical, *oid, &passing);
                if anew {
                    final_form(draft, *oid, physical, last);
                    locked(&mut draft.contract_views, physical);
                }
                draft.explain(
                    "create view",
                    last.name.name.clone(),
                    "made",
                    "",
                    if anew { "made anew" } else { "" },
                );
            }
            Some(before) if request.placement.views.contains(oid) => {
                changed(draft, *oid, before, physical, last);
                locked(&mut draft.undo_views, physical);
                locked(&mut draft.contract_views, physical);
                locked(&mut draft.contract_views, before);
            }
            Some(before) => elsewhere(draft, *oid, before, last),
        }
    }
    for (oid, gone) in ordered(request.before) {
        if !request.after.relations.contains_key(&oid) {
            locked(&mut draft.contract_views, gone);
        }
    }
    for (oid, gone) in request.before.relations.iter().rev().filter(|(_, relation)| relation.is_view()) {
        if !request.after.relations.contains_key(oid) {
            draft.at_contract(Contract::Views, format!("DROP {} IF EXISTS {}", gone.word(), gone.name));
            draft.explain("drop view", gone.name.name.clone(), "", "", "dropped");
        }
    }
}

/// A materialised view can't be locked by itself, and its readers do not go on to its tables.
fn locked(views: &mut Vec<Name>, view: &Relation) {
    if view.kind == RelationKind::View {
        views.push(view.name.clone());
    }
}

/// The views, each after those that it reads.
fn ordered(catalog: &Catalog) -> Vec<(Oid, &Relation)> {
    let mut rest: Vec<(Oid, &Relation)> = catalog
        .relations
        .iter()
        .filter(|(_, relation)| relation.is_view())
        .map(|(oid, relation)| (*oid, relation))
        .collect();
    let mut ordered = Vec::new();
    while !rest.is_empty() {
        let waiting: BTreeSet<Oid> = rest.iter().map(|(oid, _)| *oid).collect();
        let waits =
            |oid: Oid, view: &Relation| view.needs.iter().any(|need| *need != oid && waiting.contains(need));
        let (later, mut now): (Vec<_>, Vec<_>) = rest.iter().partition(|(oid, view)| waits(*oid, view));
        rest = later;
        if now.is_empty() {
            now.append(&mut rest);
        }
        ordered.append(&mut now);
    }
    ordered
}

/// Whether a view reads one of these tables, directly or through others.
fn reads(catalog: &Catalog, view: Oid, tables: &BTreeSet<Oid>) -> bool {
    let Some(relation) = catalog.relations.get(&view) else { return false };
    relation
        .needs
        .iter()
        .any(|need| *need != view && (tables.contains(need) || reads(catalog, *need, tables)))
}

fn made(draft: &mut Draft<'_>, oid: Oid, physical: &Relation) {
    let request = draft.request;
    for statement in create::relation(request.physical, oid, physical) {
        draft.at_expand(Expand::Objects, statement);
    }
    for (kind, _, object) in request.physical.on(oid) {
        for statement in create::object(request.physical, kind, object).unwrap_or_default() {
            draft.at_expand(Expand::Sides, statement);
        }
    }
    let drop = format!("DROP {} IF EXISTS {}", physical.word(), physical.name);
    draft.undo.entry(Undo::Sides).or_default().insert(0, drop);
}

/// Drops the one of the mixed state and makes the final one.
fn final_form(draft: &mut Draft<'_>, oid: Oid, physical: &Relation, last: &Relation) {
    let request = draft.request;
    let drop = format!("DROP {} IF EXISTS {}", physical.word(), physical.name);
    draft.contract.entry(Contract::Views).or_default().insert(0, drop);
    for statement in create::relation(request.after, oid, last) {
        draft.at_contract(Contract::Create, statement);
    }
    for (kind, _, object) in request.after.on(oid) {
        for statement in create::object(request.after, kind, object).unwrap_or_default() {
            draft.at_contract(Contract::Create, statement);
        }
    }
}

fn changed(draft: &mut Draft<'_>, oid: Oid, before: &Relation, physical: &Relation, last: &Relation) {
    let request = draft.request;
    for statement in create::relation(request.physical, oid, physical) {
        draft.at_expand(Expand::Objects, statement);
    }
    for (kind, _, object) in request.physical.on(oid) {
        let own = match super::trigger::changed_function(draft, object) {
            Some((from, to)) => {
                Object { definition: object.definition.replacen(&from, &to, 1), ..object.clone() }
            }
            None => object.clone(),
        };
        for statement in create::object(request.physical, kind, &own).unwrap_or_default() {
            draft.at_expand(Expand::Sides, statement);
        }
    }
    let drop = format!("DROP VIEW IF EXISTS {}", physical.name);
    draft.undo.entry(Undo::Sides).or_default().insert(0, drop.clone());
    draft.contract.entry(Contract::Views).or_default().insert(0, drop);
    if before.name != last.name {
        let rename = format!("ALTER VIEW {} RENAME TO {}", before.name, ident(&last.name.name));
        draft.at_contract(Contract::Tables, rename);
    }
    finally(draft, before, last);
    triggers(draft, oid);
    draft.explain(
        "change view",
        last.name.name.clone(),
        "the new query stands in the new version's lens",
        "",
        "changed",
    );
}

/// The view that the old version knows becomes the new one.
fn finally(draft: &mut Draft<'_>, before: &Relation, last: &Relation) {
    for (old, new) in before.columns.iter().filter_map(|old| Some((old, last.column(old.number)?))) {
        let alter = format!("ALTER VIEW {}", last.name);
        if old.name != new.name {
            let (from, to) = (ident(&old.name), ident(&new.name));
            draft.at_contract(Contract::Objecting, format!("{alter} RENAME COLUMN {from} TO {to}"));
        }
        if old.default != new.default {
            let how = match &new.default {
                Some(default) => format!("SET DEFAULT {default}"),
                None => "DROP DEFAULT".to_owned(),
            };
            let column = ident(&new.name);
            draft.at_contract(Contract::Attributes, format!("{alter} ALTER COLUMN {column} {how}"));
        }
    }
    if before.query != last.query {
        let options = create::options(last);
        let create = format!("CREATE OR REPLACE VIEW {}{options} AS {}", last.name, last.query);
        draft.at_contract(Contract::Create, create);
    }
}

/// A kept view's triggers at contract; until then each side's view has its own.
fn triggers(draft: &mut Draft<'_>, oid: Oid) {
    let request = draft.request;
    let owned = super::owned(draft, oid, &[Kind::Trigger, Kind::Rule]);
    let changed: Vec<_> =
        owned.kept.iter().filter(|(_, _, before, _, last)| before.definition != last.definition).collect();
    let gone = owned.gone.iter().map(|(kind, _, gone)| (*kind, *gone));
    for (kind, gone) in gone.chain(changed.iter().map(|(kind, _, before, _, _)| (*kind, *before))) {
        if let Some(drop) = create::drop(request.before, kind, gone) {
            draft.at_contract(Contract::Sides, drop);
        }
    }
    let come = owned.come.iter().map(|come| (come.kind, come.last));
    for (kind, last) in come.chain(changed.iter().map(|(kind, _, _, _, last)| (*kind, *last))) {
        for statement in create::object(request.after, kind, last).unwrap_or_default() {
            draft.at_contract(Contract::Create, statement);
        }
    }
}

/// A materialised view, or one outside of the home schema: both sides have the same one until contract.
fn elsewhere(draft: &mut Draft<'_>, oid: Oid, before: &Relation, last: &Relation) {
    if before.name != last.name && before.name.schema == last.name.schema {
        let rename = format!("ALTER {} {} RENAME TO {}", before.word(), before.name, ident(&last.name.name));
        draft.at_contract(Contract::Tables, rename);
    }
    if last.kind == RelationKind::View {
        if before.query != last.query {
            draft.note(
                Weight::Warning,
                "outside-home",
                format!("{} is outside of the home schema: it changes at contract for everybody", last.name),
                "see to it that the new version can live with the old view until then",
                draft.place_of(&[&last.name.name]),
            );
        }
        finally(draft, before, last);
        triggers(draft, oid);
        return;
    }
    let owned = super::owned(draft, oid, &[Kind::Index]);
    for (kind, _, gone) in &owned.gone {
        if let Some(drop) = create::drop(draft.request.before, *kind, gone) {
            draft.at_contract(Contract::Constraints, drop);
        }
    }
    let (before, after) = (before.name.clone(), last.name.clone());
    let place = TablePlace { oid, before, after, columns: Vec::new() };
    for come in &owned.come {
        super::index::beside(draft, &place, come.physical, "built beside the readers");
        super::index::renamed(draft, &come.physical.name, &come.last.name);
    }
    for (_, _, before, _, last) in &owned.kept {
        super::index::renamed(draft, &before.name, &last.name);
    }
}
