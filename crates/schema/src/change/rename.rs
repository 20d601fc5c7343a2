//! A table or column is renamed.
//!
//! The new name stands in the new side's view only, which takes no lock; the real rename happens at contract, under a short
//! ACCESS EXCLUSIVE. Names that are exchanged go over a passing one.

use std::collections::BTreeSet;

use crate::draft::{Contract, Draft};
use crate::name::{derived, ident};
use crate::placement::{PREFIX, TablePlace};

use super::twin::{Way, way};

/// Adds the renames of a table and its columns.
pub(super) fn add(draft: &mut Draft<'_>, table: &TablePlace, heir: bool) {
    let alter = format!("ALTER TABLE {}", table.before);
    if !heir {
        let leaving: BTreeSet<&str> = table
            .columns
            .iter()
            .filter_map(|column| Some((column.both()?, column)))
            .filter(|((old, new), _)| old.name != new.name)
            .map(|((old, _), _)| old.name.as_str())
            .collect();
        for column in &table.columns {
            let Some((old, new)) = column.both() else { continue };
            let exchanged = column.is_twin() && way(draft, table, column) == Way::Exchanged;
            if old.name == new.name || exchanged {
                continue;
            }
            draft.lock_at_contract(&table.before);
            let (from, to) = (ident(&old.name), ident(&new.name));
            if leaving.contains(new.name.as_str()) {
                let passing = ident(&derived(PREFIX, &format!("pass_{}", column.number)));
                draft.at_contract(Contract::Passing, format!("{alter} RENAME COLUMN {from} TO {passing}"));
                draft.at_contract(Contract::Names, format!("{alter} RENAME COLUMN {passing} TO {to}"));
            } else {
                draft.at_contract(Contract::Names, format!("{alter} RENAME COLUMN {from} TO {to}"));
            }
            let object = format!("{}.{}", table.before.name, old.name);
            draft.explain("rename column", object, &format!("{to} in the new version's view"), "", "renamed");
        }
    }
    if table.before == table.after {
        return;
    }
    draft.lock_at_contract(&table.before);
    if table.before.schema != table.after.schema {
        draft.refuse(
            "moved-schema",
            format!("{} moves to another schema, where no view can stand for it", table.before),
            "mark the statement with `-- @contract`, and let the new version use both names",
            draft.place_of(&[&table.after.name]),
        );
        return;
    }
    let to = ident(&table.after.name);
    if draft.request.placement.tables.values().any(|other| other.before == table.after) {
        draft.refuse(
            "exchanged-tables",
            format!("{} takes the name that another table has before", table.after),
            "rename in two steps, each a migration of its own",
            draft.place_of(&[&table.after.name]),
        );
        return;
    }
    draft.at_contract(Contract::Tables, format!("{alter} RENAME TO {to}"));
    let object = table.before.name.clone();
    draft.explain("rename table", object, &format!("{to} in the new version's lens"), "", "renamed");
}
