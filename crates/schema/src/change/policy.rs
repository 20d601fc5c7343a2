//! Row-level security changes on a table that both sides have.
//!
//! Who may see which row is not a thing to guess: a change on a table whose policies are in force is refused unless the team
//! says when it is to happen. Where they are not in force, it happens at contract.

use crate::create;
use crate::draft::{Contract, Draft};
use crate::model::Kind;
use crate::name::ident;
use crate::placement::TablePlace;

use super::owned;

/// Adds what changed policies need.
pub(super) fn add(draft: &mut Draft<'_>, table: &TablePlace) {
    let owned = owned(draft, table.oid, &[Kind::Policy]);
    let (Some(before), Some(after)) =
        (draft.request.before.relations.get(&table.oid), draft.request.after.relations.get(&table.oid))
    else {
        return;
    };
    for (_, _, old, _, last) in
        owned.kept.iter().filter(|(_, _, old, _, last)| old.name.name != last.name.name)
    {
        let (from, to) = (ident(&old.name.name), ident(&last.name.name));
        draft.lock_at_contract(&table.before);
        draft.at_contract(
            Contract::Objecting,
            format!("ALTER POLICY {from} ON {} RENAME TO {to}", table.after),
        );
    }
    let changed: Vec<_> = owned
        .kept
        .iter()
        .filter(|(_, _, before, physical, _)| before.definition != physical.definition)
        .collect();
    let any = !owned.come.is_empty() || !owned.gone.is_empty() || !changed.is_empty();
    let switched = before.row_security != after.row_security;
    if !any && !switched {
        return;
    }
    if before.row_security.0 || after.row_security.0 {
        let word =
            owned.come.first().map(|come| come.last.name.name.as_str()).unwrap_or(table.after.name.as_str());
        draft.refuse(
            "row-security",
            format!("row-level security of {} changes for both revisions at once", table.after.name),
            "mark the statement with `-- @expand` if the old version can live with it, else with `-- @contract`",
            draft.place_of(&[word]),
        );
        return;
    }
    draft.lock_at_contract(&table.before);
    for (kind, _, gone) in owned
        .gone
        .iter()
        .copied()
        .chain(changed.iter().map(|(kind, oid, before, _, _)| (*kind, *oid, *before)))
    {
        if let Some(drop) = create::drop(draft.request.before, kind, gone) {
            draft.at_contract(Contract::Sides, drop);
        }
    }
    let last = owned
        .come
        .iter()
        .map(|come| (come.kind, come.last))
        .chain(changed.iter().map(|(kind, _, _, _, last)| (*kind, *last)));
    for (kind, last) in last {
        for statement in create::object(draft.request.after, kind, last).unwrap_or_default() {
            draft.at_contract(Contract::Create, statement);
        }
    }
}
