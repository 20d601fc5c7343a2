//! NOT NULL is set or dropped.
//!
//! Set: the new side is held to it at once (by trigger); validated beside the clients and made a rule of the table at
//! contract. Dropped: what the old side sees instead of NULL must be known (`@down`, or a constant default); then the column
//! has twins. Locks: ACCESS EXCLUSIVE at contract, without a scan on large tables.

use crate::draft::{Contract, Draft, Strength, Undo};
use crate::model::Column;
use crate::name::{derived, ident};
use crate::placement::{ColumnPlace, PREFIX, TablePlace};
use crate::plan::RowCheck;
use crate::sync::SideRule;

use super::twin::{Way, way};

/// Adds what new and dropped NOT NULLs need.
pub(super) fn add(draft: &mut Draft<'_>, table: &TablePlace) {
    for column in &table.columns {
        let Some(new) = &column.new else { continue };
        let Some(physical) = column.new_physical.clone() else { continue };
        match (&column.old, new.not_null) {
            (Some(old), false) if old.not_null && !column.is_twin() => loosened(draft, table, old, new),
            (Some(old), false) if old.not_null => twin_loosened(draft, table, column, old),
            (Some(old), true) if column.is_twin() => {
                bind(draft, table, new, &physical);
                match way(draft, table, column) {
                    // Until it settles only the twin is ready.
                    Way::Settled if !old.not_null => set(draft, table, new, (&old.name, &physical)),
                    Way::InPlace if !old.not_null => rule(draft, table, new),
                    Way::Exchanged => set(draft, table, new, (&physical, &physical)),
                    _ => {}
                }
            }
            (Some(old), true) if !old.not_null => {
                bind(draft, table, new, &physical);
                set(draft, table, new, (&physical, &physical));
                draft.explain(
                    "set not null",
                    format!("{}.{}", table.after.name, new.name),
                    "the new version is held to it",
                    "",
                    "set",
                );
            }
            (None, true) if is_plain(draft, table, column) => {
                bind(draft, table, new, &physical);
                set(draft, table, new, (&physical, &physical));
            }
            _ => {}
        }
    }
}

/// An added column that came without its rules.
fn is_plain(draft: &Draft<'_>, table: &TablePlace, column: &ColumnPlace) -> bool {
    let filled = draft.fills.get(&table.oid);
    filled.is_some_and(|fill| fill.set.iter().any(|(name, _)| Some(name) == column.new_physical.as_ref()))
}

/// The new side's writes are refused as the table will refuse them. For a column that both share the old side goes free.
fn bind(draft: &mut Draft<'_>, table: &TablePlace, new: &Column, physical: &str) {
    let message = format!(
        "null value in column \"{}\" of relation \"{}\" violates not-null constraint",
        new.name, table.after.name
    );
    draft.lock(&table.before, Strength::Writers);
    draft.sync_of(table.oid).rules.push(SideRule {
        new_side: true,
        condition: format!("NEW.{} IS NOT NULL", ident(physical)),
        sources: [physical.to_owned()].into(),
        error: ("not_null_violation", message),
        constraint: String::new(),
    });
}

/// The rule is validated before contract beside the clients, and set in it.
fn set(draft: &mut Draft<'_>, table: &TablePlace, new: &Column, (physical, ready): (&str, &str)) {
    let column = ident(physical);
    draft.checks.push(RowCheck {
        table: table.before.clone(),
        wrong: format!("{} IS NULL", ident(ready)),
        meaning: format!("{}.{} holds NULL", table.after.name, new.name),
    });
    if !draft.is_small(&table.before) {
        let constraint = ident(&derived(PREFIX, &format!("not_null_{}", new.name)));
        let alter = format!("ALTER TABLE {}", table.before);
        let clear = format!("{alter} DROP CONSTRAINT IF EXISTS {constraint}");
        let title = format!("check that {}.{} holds no NULL", table.after.name, new.name);
        let added = format!("{alter} ADD CONSTRAINT {constraint} CHECK ({column} IS NOT NULL) NOT VALID");
        draft.settle(title.clone(), Some(clear.clone()), added, None);
        draft.settle(title, None, format!("{alter} VALIDATE CONSTRAINT {constraint}"), None);
        draft.at_undo(Undo::Sides, clear);
        draft.at_contract(
            Contract::Create,
            format!("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {constraint}", table.after),
        );
    }
    rule(draft, table, new);
}

fn rule(draft: &mut Draft<'_>, table: &TablePlace, new: &Column) {
    draft.lock_at_contract(&table.before);
    draft.at_contract(
        Contract::Rules,
        format!("ALTER TABLE {} ALTER COLUMN {} SET NOT NULL", table.after, ident(&new.name)),
    );
}

fn loosened(draft: &mut Draft<'_>, table: &TablePlace, old: &Column, new: &Column) {
    let object = format!("{}.{}", table.before.name, old.name);
    draft.refuse(
        "needs-down",
        format!("{object} takes NULL from now on: what does the old version see instead?"),
        format!("write `-- @down {object}: coalesce({}, <value>)` beside the statement", new.name),
        draft.place_of(&[&table.after.name, &new.name]),
    );
}

/// The column takes the twin's NULLs when it settles.
fn twin_loosened(draft: &mut Draft<'_>, table: &TablePlace, column: &ColumnPlace, old: &Column) {
    let dropped = format!("ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL", table.before, ident(&old.name));
    match way(draft, table, column) {
        // Done together with the change of direction (`plan::settling`).
        Way::Settled => {}
        Way::InPlace => draft.at_contract(Contract::Constraints, dropped),
        Way::Exchanged => {}
    }
}
