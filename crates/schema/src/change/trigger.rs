//! A trigger of the team's is created, changed or dropped on a table that both sides have.
//!
//! In mixed state each trigger fires for the side that it was written for: a new one for the new side only, one that goes
//! for everybody else. The same where a trigger stays and its function changes. Locks: ACCESS EXCLUSIVE at expand and
//! contract, short.

use crate::create;
use crate::draft::{Contract, Draft, Expand, Strength, Undo};
use crate::model::{Kind, Object};
use crate::name::{derived, ident};
use crate::placement::{PREFIX, TablePlace};
use crate::sync::side;

use super::owned;

/// Adds what new, changed and dropped triggers need.
pub(super) fn add(draft: &mut Draft<'_>, table: &TablePlace) {
    let owned = owned(draft, table.oid, &[Kind::Trigger]);
    for come in &owned.come {
        new_side(draft, table, come.physical);
        finally(draft, table, come.last);
        draft.explain(
            "create trigger",
            shown(table, come.last),
            "fires for the new version",
            "",
            "fires for all",
        );
    }
    for (_, _, gone) in &owned.gone {
        old_side(draft, table, gone);
        draft.explain("drop trigger", shown(table, gone), "fires for the old version only", "", "dropped");
    }
    for (_, _, before, physical, last) in &owned.kept {
        let function = changed_function(draft, last);
        if before.definition != physical.definition || function.is_some() {
            let renamed = before.name.name != last.name.name && function.is_none();
            if renamed && same_but_name(before, physical) {
                draft.lock_at_contract(&table.before);
                draft.at_contract(
                    Contract::Objecting,
                    format!(
                        "ALTER TRIGGER {} ON {} RENAME TO {}",
                        ident(&before.name.name),
                        table.after,
                        ident(&last.name.name)
                    ),
                );
                continue;
            }
            old_side(draft, table, before);
            let physical = match function {
                Some((from, to)) => {
                    Object { definition: physical.definition.replacen(&from, &to, 1), ..(*physical).clone() }
                }
                None => (*physical).clone(),
            };
            new_side(draft, table, &physical);
            finally(draft, table, last);
            draft.explain("change trigger", shown(table, last), "each version has its own", "", "changed");
        } else if before.state != last.state {
            draft.lock_at_contract(&table.before);
            let usual = format!("ALTER TABLE {} ENABLE TRIGGER {}", table.after, ident(&last.name.name));
            let firing = create::firing(&last.state, &table.after, &last.name.name).unwrap_or(usual);
            draft.at_contract(Contract::Attributes, firing);
        }
    }
}

fn shown(table: &TablePlace, trigger: &Object) -> String {
    format!("{} on {}", trigger.name.name, table.after.name)
}

fn same_but_name(before: &Object, physical: &Object) -> bool {
    let rest = |object: &Object| {
        let at = [" BEFORE ", " AFTER ", " INSTEAD OF "]
            .iter()
            .filter_map(|word| object.definition.find(word))
            .min();
        at.map(|at| object.definition[at..].to_owned())
    };
    rest(before) == rest(physical)
}

/// A trigger's function that stands in the new lens until contract: how it is called before and there.
pub(super) fn changed_function(draft: &Draft<'_>, trigger: &Object) -> Option<(String, String)> {
    let request = draft.request;
    trigger.needs.iter().find_map(|need| {
        let before = request.before.objects.get(&(Kind::Routine, *need))?;
        let last = request.after.objects.get(&(Kind::Routine, *need))?;
        if before.definition == last.definition {
            return None;
        }
        let copy = super::routine::in_lens(draft, last)?;
        let call = trigger.definition.rfind("EXECUTE FUNCTION ")? + "EXECUTE FUNCTION ".len();
        let name = trigger.definition[call..].split('(').next()?;
        Some((format!("EXECUTE FUNCTION {name}("), format!("EXECUTE FUNCTION {}(", copy.name)))
    })
}

fn new_side(draft: &mut Draft<'_>, table: &TablePlace, trigger: &Object) {
    let name = derived(PREFIX, &trigger.name.name);
    let bound = bound(trigger, &name, &side(draft.request.new_lens));
    draft.lock(&table.before, Strength::Everybody);
    draft.at_expand(Expand::Sides, bound);
    if let Some(firing) = create::firing(&trigger.state, &table.before, &name) {
        draft.at_expand(Expand::Sides, firing);
    }
    let drop = format!("DROP TRIGGER IF EXISTS {} ON {}", ident(&name), table.before);
    draft.at_undo(Undo::Sides, drop.clone());
    draft.lock_at_contract(&table.before);
    draft.at_contract(Contract::Sides, drop);
}

fn old_side(draft: &mut Draft<'_>, table: &TablePlace, trigger: &Object) {
    let name = &trigger.name.name;
    let everybody_else = format!("NOT ({})", side(draft.request.new_lens));
    let drop = format!("DROP TRIGGER IF EXISTS {} ON {}", ident(name), table.before);
    draft.lock(&table.before, Strength::Everybody);
    draft.at_expand(Expand::Sides, drop.clone());
    draft.at_expand(Expand::Sides, bound(trigger, name, &everybody_else));
    if let Some(firing) = create::firing(&trigger.state, &table.before, name) {
        draft.at_expand(Expand::Sides, firing);
    }
    draft.at_undo(Undo::Restore, drop.clone());
    for statement in create::object(draft.request.before, Kind::Trigger, trigger).unwrap_or_default() {
        draft.at_undo(Undo::Restore, statement);
    }
    draft.lock_at_contract(&table.before);
    draft.at_contract(Contract::Sides, drop);
}

fn finally(draft: &mut Draft<'_>, table: &TablePlace, trigger: &Object) {
    draft.lock_at_contract(&table.before);
    for statement in create::object(draft.request.after, Kind::Trigger, trigger).unwrap_or_default() {
        draft.at_contract(Contract::Create, statement);
    }
}

/// The trigger under a name, bound to a condition.
fn bound(trigger: &Object, name: &str, condition: &str) -> String {
    let text = &trigger.definition;
    let start =
        [" BEFORE ", " AFTER ", " INSTEAD OF "].iter().filter_map(|word| text.find(word)).min().unwrap_or(0);
    let head =
        if text.starts_with("CREATE CONSTRAINT") { "CREATE CONSTRAINT TRIGGER" } else { "CREATE TRIGGER" };
    let body = &text[start..];
    let call = body.rfind(" EXECUTE FUNCTION ").unwrap_or(body.len());
    let (before, call) = body.split_at(call);
    let (before, own) = match before.find(" WHEN (") {
        Some(at) => (
            &before[..at],
            before[at + " WHEN (".len()..].strip_suffix(')').map(|own| format!(" AND ({own})")),
        ),
        None => (before, None),
    };
    format!("{head} {}{before} WHEN (({condition}){}){call}", ident(name), own.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Name;
    use std::collections::BTreeSet;

    #[test]
    fn a_condition_is_joined_with_the_triggers_own() {
        let trigger = Object {
            name: Name::new("public", "touch"),
            on: None,
            columns: Vec::new(),
            references: None,
            definition: "CREATE TRIGGER touch BEFORE UPDATE ON public.t FOR EACH ROW WHEN ((old.a IS DISTINCT FROM new.a)) EXECUTE FUNCTION public.f('x')".to_owned(),
            identity: String::new(),
            word: String::new(),
            state: String::new(),
            owner: String::new(),
            privileges: None,
            comment: None,
            needs: BTreeSet::new(),
        };
        assert_eq!(
            bound(&trigger, "t2", "c"),
            "CREATE TRIGGER \"t2\" BEFORE UPDATE ON public.t FOR EACH ROW WHEN ((c) AND ((old.a IS DISTINCT FROM new.a))) EXECUTE FUNCTION public.f('x')"
        );
    }
}
