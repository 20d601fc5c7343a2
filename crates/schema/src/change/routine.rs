//! A function or procedure is created, changed or dropped.
//!
//! A changed one stands beside the old one, in the new lens, until contract, so that each side calls its own. Locks: none.

use crate::create;
use crate::draft::{Contract, Draft, Expand, Undo};
use crate::model::{Kind, Object};
use crate::name::{Name, ident};
use crate::plan::Weight;

/// Adds what new, changed and dropped routines need.
pub(super) fn add(draft: &mut Draft<'_>) {
    let request = draft.request;
    for ((kind, oid), last) in request.after.objects.iter().filter(|((kind, _), _)| *kind == Kind::Routine) {
        let Some(physical) = request.physical.objects.get(&(*kind, *oid)) else { continue };
        match request.before.objects.get(&(*kind, *oid)) {
            None => {
                let waits = waits(draft, physical);
                let stage = if waits { Expand::Objects } else { Expand::Types };
                for statement in create::object(request.physical, *kind, physical).unwrap_or_default() {
                    draft.at_expand(stage, statement);
                }
                if let Some(drop) = create::drop(request.physical, *kind, physical) {
                    let stage = if waits { Undo::Sides } else { Undo::Types };
                    draft.undo.entry(stage).or_default().insert(0, drop);
                }
                if follows_columns(physical, last) {
                    // Over columns that go at contract: made anew over the final ones.
                    if let Some(drop) = create::drop(request.physical, *kind, physical) {
                        draft.contract.entry(Contract::Views).or_default().insert(0, drop);
                    }
                    for statement in create::object(request.after, *kind, last).unwrap_or_default() {
                        draft.at_contract(Contract::Create, statement);
                    }
                } else if request.placement.in_lens.contains(oid) {
                    let home = ident(&last.name.schema);
                    draft.at_contract(
                        Contract::Home,
                        format!("ALTER ROUTINE {} SET SCHEMA {home}", physical.identity),
                    );
                }
                draft.explain("create routine", last.name.name.clone(), "made", "", "");
            }
            Some(before) if before.definition != physical.definition => {
                changed(draft, before, physical, last);
            }
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

/// Whether a routine reads tables by itself (`BEGIN ATOMIC`), or speaks of new ones.
fn waits(draft: &Draft<'_>, physical: &Object) -> bool {
    let request = draft.request;
    physical.needs.iter().any(|need| {
        request.physical.relations.contains_key(need)
            && (!request.before.relations.contains_key(need) || physical.definition.contains("BEGIN ATOMIC"))
    })
}

/// Whether its text knows columns or relations by names of the mixed state.
fn follows_columns(physical: &Object, last: &Object) -> bool {
    let body =
        |object: &Object| object.definition.split_once("BEGIN ATOMIC").map(|(_, body)| body.to_owned());
    body(physical) != body(last)
}

fn changed(draft: &mut Draft<'_>, before: &Object, physical: &Object, last: &Object) {
    let stage = if waits(draft, physical) { Expand::Objects } else { Expand::Types };
    if let Some(copy) = in_lens(draft, physical) {
        for statement in create::object(draft.request.physical, Kind::Routine, &copy).unwrap_or_default() {
            draft.at_expand(stage, statement);
        }
        let drop = format!("DROP ROUTINE IF EXISTS {}", copy.identity);
        let undo = if stage == Expand::Types { Undo::Types } else { Undo::Sides };
        draft.undo.entry(undo).or_default().insert(0, drop.clone());
        draft.at_contract(if stage == Expand::Types { Contract::Routines } else { Contract::Views }, drop);
    }
    if before.name.schema == last.name.schema && before.name != last.name {
        let rename = format!("ALTER ROUTINE {} RENAME TO {}", before.identity, ident(&last.name.name));
        draft.at_contract(Contract::Objecting, rename);
    }
    if last.name.schema != draft.request.home {
        draft.note(
            Weight::Warning,
            "outside-home",
            format!(
                "{} is outside of the home schema: who writes it in full has the old one until contract",
                last.identity
            ),
            "see to it that the new version can live with the old one until then",
            draft.place_of(&[&last.name.name]),
        );
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
