//! A CHECK constraint is added or dropped.
//!
//! Added: the new side is held to it at once (by trigger); it becomes a rule of the table before contract, validated beside
//! the clients. Dropped: gone at expand, while the old side is still held to it. Locks: ACCESS EXCLUSIVE, short.

use crate::create;
use crate::draft::{Contract, Draft, Expand, Strength, Undo};
use crate::expression;
use crate::model::{Kind, Object};
use crate::name::ident;
use crate::placement::TablePlace;
use crate::plan::{RowCheck, Step, Weight, Work};
use crate::sync::SideRule;

use super::{Come, Touch, owned, rebuilt, touch};

/// Adds what new and dropped CHECKs need.
pub(super) fn add(draft: &mut Draft<'_>, table: &TablePlace) {
    let owned = owned(draft, table.oid, &[Kind::Check]);
    for come in &owned.come {
        let touch = touch(draft, table, come.physical);
        match touch {
            Touch::InPlace if rebuilt(&owned, come) => {}
            Touch::Exchanged if rebuilt(&owned, come) => late(draft, table, come, touch),
            _ => {
                bind(draft, table, come.physical, true);
                late(draft, table, come, touch);
                let object = format!("{} on {}", come.last.name.name, table.after.name);
                draft.explain(
                    "add check",
                    object,
                    "the new version is held to it",
                    "",
                    "a rule of the table",
                );
            }
        }
    }
    for (_, oid, gone) in &owned.gone {
        let again =
            owned.come.iter().find(|come| come.last.name.name == gone.name.name && rebuilt(&owned, come));
        if again.is_some_and(|come| touch(draft, table, come.physical) == Touch::InPlace) {
            continue;
        }
        let seen_by_both = gone
            .columns
            .iter()
            .all(|number| table.column(*number).is_some_and(|column| column.shared().is_some()));
        if seen_by_both && again.is_none() {
            loosen(draft, table, *oid, gone);
        } else if let Some(drop) = create::drop(draft.request.before, Kind::Check, gone) {
            draft.lock_at_contract(&table.before);
            draft.at_contract(Contract::Constraints, drop);
        }
    }
}

/// Holds one side to a condition.
fn bind(draft: &mut Draft<'_>, table: &TablePlace, object: &Object, new_side: bool) {
    let Some(condition) = expression::check_of(&object.definition) else { return };
    let names = [table.before.name.as_str()];
    let replace = |column: &str| Some(format!("NEW.{}", ident(column)));
    let (Ok(read), Ok(condition)) =
        (expression::columns(&condition, &names), expression::rewrite(&condition, &names, &replace))
    else {
        return;
    };
    let name = &object.name.name;
    let shown = name.strip_prefix(crate::placement::PREFIX).unwrap_or(name);
    let message = format!(
        "new row for relation \"{}\" violates check constraint \"{shown}\"",
        if new_side { &table.after.name } else { &table.before.name }
    );
    draft.lock(&table.before, Strength::Writers);
    draft.sync_of(table.oid).rules.push(SideRule {
        new_side,
        condition,
        sources: read,
        error: ("check_violation", message),
        constraint: shown.to_owned(),
    });
}

/// Makes it a rule of the table when the old side is gone.
fn late(draft: &mut Draft<'_>, table: &TablePlace, come: &Come<'_>, touch: Touch) {
    draft.lock_at_contract(&table.before);
    let unchecked = come.last.state.contains("not valid");
    if touch == Touch::None
        && !unchecked
        && let Some(condition) = expression::check_of(&come.physical.definition)
    {
        draft.checks.push(RowCheck {
            table: table.before.clone(),
            wrong: format!("({condition}) IS FALSE"),
            meaning: format!("{} breaks {}", table.after.name, come.last.name.name),
        });
    }
    let beside =
        matches!(touch, Touch::None | Touch::Exchanged) && !draft.is_small(&table.before) && !unchecked;
    if !beside {
        for statement in create::object(draft.request.after, Kind::Check, come.last).unwrap_or_default() {
            draft.at_contract(Contract::Create, statement);
        }
        return;
    }
    let (name, last) = (ident(&come.physical.name.name), ident(&come.last.name.name));
    let alter = format!("ALTER TABLE {}", table.before);
    let clear = format!("{alter} DROP CONSTRAINT IF EXISTS {name}");
    let title = format!("check {} on {}", come.last.name.name, table.after.name);
    let add = format!("{alter} ADD CONSTRAINT {name} {} NOT VALID", come.physical.definition);
    draft.settle(title.clone(), Some(clear.clone()), add, None);
    draft.settle(title, None, format!("{alter} VALIDATE CONSTRAINT {name}"), None);
    draft.at_undo(Undo::Sides, clear);
    if name != last {
        draft.at_contract(
            Contract::Objecting,
            format!("ALTER TABLE {} RENAME CONSTRAINT {name} TO {last}", table.after),
        );
    }
    if let Some(comment) = &come.last.comment {
        let spoken = create::spoken(Kind::Check, come.last, Some(&table.after));
        draft.at_contract(
            Contract::Attributes,
            format!("COMMENT ON {spoken} IS {}", crate::name::literal(comment)),
        );
    }
}

/// The new side is free of it at once; undo puts it back.
fn loosen(draft: &mut Draft<'_>, table: &TablePlace, _oid: u32, gone: &Object) {
    bind(draft, table, gone, false);
    draft.lock(&table.before, Strength::Everybody);
    let (name, alter) = (ident(&gone.name.name), format!("ALTER TABLE {}", table.before));
    draft.at_expand(Expand::Sides, format!("{alter} DROP CONSTRAINT IF EXISTS {name}"));
    let known = gone.state.contains("not valid");
    draft.at_undo(Undo::Restore, format!("{alter} DROP CONSTRAINT IF EXISTS {name}"));
    let bare = gone.definition.trim_end_matches(" NOT VALID");
    draft.at_undo(Undo::Restore, format!("{alter} ADD CONSTRAINT {name} {bare} NOT VALID"));
    if let Some(comment) = &gone.comment {
        let spoken = create::spoken(Kind::Check, gone, Some(&table.before));
        draft.at_undo(Undo::Restore, format!("COMMENT ON {spoken} IS {}", crate::name::literal(comment)));
    }
    if !known {
        // What the new version wrote against it stays: the rule then holds for what comes.
        let validate = crate::name::literal(&format!("{alter} VALIDATE CONSTRAINT {name}"));
        let statement =
            format!("DO $$ BEGIN EXECUTE {validate}; EXCEPTION WHEN check_violation THEN NULL; END $$");
        let title = format!("check {} on {} again", gone.name.name, table.before.name);
        draft.after_undo.push(Step { title, work: Work::Alone { clear: None, statement, done: None } });
    }
    draft.note(
        Weight::Hint,
        "wider-values",
        format!(
            "the old version may read rows that break {}; after an undo it is NOT VALID if there are any",
            gone.name.name
        ),
        "",
        draft.place_of(&[&gone.name.name]),
    );
    let object = format!("{} on {}", gone.name.name, table.before.name);
    draft.explain("drop check", object, "only the old version is held to it", "", "");
}
