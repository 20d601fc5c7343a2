//! A function or procedure is created, changed or dropped.
//!
//! A changed one stands beside the old one, in the new lens, until contract, so that each side calls its own. Locks: none.

use crate::create;
use crate::draft::{Contract, Draft, Expand, Undo};
use crate::model::{Kind, Object};
use crate::name::{Name, ident};

/// Adds what new, changed and dropped routines need.
pub(super) fn add(draft: &mut Draft<'_>) {
    let request = draft.request;
    for ((kind, oid), last) in request.after.objects.iter().filter(|((kind, _), _)| *kind == Kind::Routine) {
        let Some(physical) = request.physical.objects.get(&(*kind, *oid)) else { continue };
        match request.before.objects.get(&(*kind, *oid)) {
            None => {
                let waits = physical.needs.iter().any(|need| {
                    request.physical.relations.contains_key(need)
                        && !request.before.relations.contains_key(need)
                });
                let stage = if waits { Expand::Objects } else { Expand::Types };
                for statement in create::object(request.physical, *kind, physical).unwrap_or_default() {
                    draft.at_expand(stage, statement);
                }
                if let Some(drop) = create::drop(request.physical, *kind, physical) {
                    let stage = if waits { Undo::Sides } else { Undo::Types };
                    draft.undo.entry(stage).or_default().insert(0, drop);
                }
                if request.placement.in_lens.contains(oid) {
                    let home = ident(&last.name.schema);
                    draft.at_contract(
                        Contract::Home,
                        format!("ALTER ROUTINE {} SET SCHEMA {home}", physical.identity),
                    );
                }
                draft.explain("create routine", last.name.name.clone(), "made", "", "");
            }
            Some(before) if before.definition != last.definition => changed(draft, last),
            Some(_) => {}
        }
    }
    for ((kind, oid), gone) in request.before.objects.iter().filter(|((kind, _), _)| *kind == Kind::Routine) {
        if !request.after.objects.contains_key(&(*kind, *oid)) {
            if let Some(drop) = create::drop(request.before, *kind, gone) {
                draft.at_contract(Contract::Routines, drop);
            }
            draft.explain("drop routine", gone.name.name.clone(), "", "", "dropped");
        }
    }
}

fn changed(draft: &mut Draft<'_>, last: &Object) {
    if let Some(copy) = in_lens(draft, last) {
        draft.at_expand(Expand::Types, copy.definition.clone());
        let drop = format!("DROP ROUTINE IF EXISTS {}", copy.identity);
        draft.undo.entry(Undo::Types).or_default().insert(0, drop.clone());
        draft.at_contract(Contract::Routines, drop);
    }
    draft.at_contract(Contract::Create, last.definition.clone());
    draft.explain(
        "change routine",
        last.name.name.clone(),
        "the new one stands in the new version's lens",
        "",
        "replaced",
    );
}

/// The routine as it stands in the new lens.
pub(super) fn in_lens(draft: &Draft<'_>, routine: &Object) -> Option<Object> {
    let name = Name::new(draft.request.new_lens, &routine.name.name);
    let (head, rest) = routine.definition.split_once('(')?;
    let word = head.strip_prefix("CREATE OR REPLACE ")?.split(' ').next()?;
    let (_, arguments) = routine.identity.split_once('(')?;
    Some(Object {
        definition: format!("CREATE OR REPLACE {word} {name}({rest}"),
        identity: format!("{name}({arguments}"),
        name,
        ..routine.clone()
    })
}
