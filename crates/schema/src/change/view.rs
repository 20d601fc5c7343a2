//! A view or materialised view of the team's is created, changed or dropped.
//!
//! A new one is made at expand; another query under the same name stands in the new lens until contract. What reads a
//! twin is made anew at contract, over the final columns. Locks: only on the views themselves.

use std::collections::BTreeSet;

use crate::create;
use crate::draft::{Contract, Draft, Expand, Undo};
use crate::model::{Catalog, Oid, Relation, RelationKind};
use crate::name::{Name, ident};

/// Adds what new, changed and dropped views need.
pub(super) fn add(draft: &mut Draft<'_>) {
    let request = draft.request;
    let twins: BTreeSet<Oid> =
        request.placement.tables.values().filter(|table| table.has_twins()).map(|table| table.oid).collect();
    for (oid, physical) in request.physical.relations.iter().filter(|(_, relation)| relation.is_view()) {
        let Some(last) = request.after.relations.get(oid) else { continue };
        match request.before.relations.get(oid) {
            None => {
                made(draft, *oid, physical);
                let anew = request.placement.in_lens.contains(oid) || reads(request.physical, *oid, &twins);
                if anew {
                    final_form(draft, *oid, physical, last);
                }
                draft.explain(
                    "create view",
                    last.name.name.clone(),
                    "made",
                    "",
                    if anew { "made anew" } else { "" },
                );
            }
            Some(before) if before.query != physical.query || before.name != last.name => {
                changed(draft, before, physical, last);
            }
            Some(_) => {}
        }
    }
    for (oid, gone) in request.before.relations.iter().rev().filter(|(_, relation)| relation.is_view()) {
        if !request.after.relations.contains_key(oid) {
            draft.at_contract(Contract::Views, format!("DROP {} IF EXISTS {}", gone.word(), gone.name));
            draft.explain("drop view", gone.name.name.clone(), "", "", "dropped");
        }
    }
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

fn changed(draft: &mut Draft<'_>, before: &Relation, physical: &Relation, last: &Relation) {
    if before.kind == RelationKind::View && last.name.schema == draft.request.home {
        let name = Name::new(draft.request.new_lens, &last.name.name);
        let in_lens = Relation { name: name.clone(), ..physical.clone() };
        for statement in create::relation(draft.request.physical, 0, &in_lens) {
            draft.at_expand(Expand::Lens, statement);
        }
        draft.undo.entry(Undo::Lens).or_default().insert(0, format!("DROP VIEW IF EXISTS {name}"));
        draft.contract.entry(Contract::Lens).or_default().insert(0, format!("DROP VIEW IF EXISTS {name}"));
    }
    if before.name != last.name {
        let rename = format!("ALTER {} {} RENAME TO {}", before.word(), before.name, ident(&last.name.name));
        draft.at_contract(Contract::Tables, rename);
    }
    if before.query != last.query && before.kind == RelationKind::View {
        let options = if last.options.is_empty() {
            String::new()
        } else {
            format!(" WITH ({})", last.options.join(", "))
        };
        draft.at_contract(
            Contract::Create,
            format!("CREATE OR REPLACE VIEW {}{options} AS {}", last.name, last.query),
        );
    }
    draft.explain(
        "change view",
        last.name.name.clone(),
        "the new query stands in the new version's lens",
        "",
        "changed",
    );
}
