//! Views by which each side sees its own shape of what both share.
//!
//! A side that finds the real table as it expects it gets no view. Columns stand in the order of the side's revision, so
//! that `SELECT *` and an INSERT without column names mean what they meant.

use crate::create;
use crate::draft::{Contract, Draft, Expand, Undo};
use crate::model::{Oid, Relation};
use crate::name::{Name, ident};
use crate::placement::{ColumnPlace, TablePlace};
use crate::plan::{Seen, Weight};
use crate::whole;

/// Adds the views that follow from the shapes, and those that kinds of change asked for.
pub fn add(draft: &mut Draft<'_>) -> Vec<Seen> {
    let mut seen = Vec::new();
    for table in draft.request.placement.tables.values() {
        let asked = draft.viewed.get(&table.oid).copied().unwrap_or_default();
        let (Some(before), Some(after)) =
            (draft.request.before.relations.get(&table.oid), draft.request.after.relations.get(&table.oid))
        else {
            continue;
        };
        let physical = physical_columns(table);
        let names = |relation: &Relation| {
            relation.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>()
        };
        let old = asked.0 || physical != names(before);
        let new = asked.1 || physical != names(after) || table.before != table.after;
        if !old && !new {
            continue;
        }
        // Who qualifies names can't fall through to the real table.
        let (old, new) = (old || draft.request.qualified, new || draft.request.qualified);
        if table.before.schema != draft.request.home || table.after.schema != draft.request.home {
            elsewhere(draft, table, old, new);
            continue;
        }
        if old {
            let name = Name::new(draft.request.old_lens, &table.before.name);
            view(draft, table, (name, before), true);
        }
        if new {
            let name = Name::new(draft.request.new_lens, &table.after.name);
            view(draft, table, (name, after), false);
        }
        seen.push(Seen { name: table.after.name.clone(), old_by_view: old, new_by_view: new });
    }
    seen
}

/// The columns of a table in mixed state, in order: the old ones, the added ones, the twins.
pub fn physical_columns(table: &TablePlace) -> Vec<String> {
    let old = table.columns.iter().filter_map(|column| column.old_physical.clone());
    let added = table.columns.iter().filter(|column| column.added().is_some());
    let twins = table.columns.iter().filter(|column| column.is_twin());
    let new = added.chain(twins).filter_map(|column| column.new_physical.clone());
    old.chain(new).collect()
}

/// Outside of the home schema names are written in full by clients: nothing can stand before them.
fn elsewhere(draft: &mut Draft<'_>, table: &TablePlace, old: bool, new: bool) {
    let same_columns = table.before == table.after
        && table
            .columns
            .iter()
            .all(|column| column.both().is_none_or(|(old, new)| old.name == new.name && !column.is_twin()));
    let own_defaults = draft.defaults.iter().any(|(oid, ..)| *oid == table.oid);
    if same_columns && !own_defaults && (old || new) {
        draft.note(
            Weight::Warning,
            "outside-home",
            format!("{} is outside of the home schema: both revisions see its old and new columns", table.before),
            "see to it that both versions name their columns (no SELECT * into positions, no INSERT without columns)",
            draft.place_of(&[&table.after.name]),
        );
        return;
    }
    draft.refuse(
        "outside-home",
        format!("{} is outside of the home schema {}, where no view can stand before it", table.before, draft.request.home),
        "keep tables whose shape both revisions need in the home schema, or mark the statement with `-- @contract`",
        draft.place_of(&[&table.after.name]),
    );
}

fn view(draft: &mut Draft<'_>, table: &TablePlace, (name, relation): (Name, &Relation), old: bool) {
    let version = draft.request.before.version;
    if relation.row_security.0 && !create::has_invokers(version) {
        draft.refuse(
            "row-security",
            format!("{} has row-level security, which views pass over before PostgreSQL 15", table.before),
            "upgrade the server to 15, or mark the statement with `-- @contract`",
            draft.place_of(&[&table.after.name]),
        );
    }
    let place = |number: i16| table.column(number);
    let physical =
        |column: &ColumnPlace| if old { column.old_physical.clone() } else { column.new_physical.clone() };
    let columns: Vec<String> = relation
        .columns
        .iter()
        .filter_map(|column| {
            let physical = place(column.number).and_then(physical)?;
            Some(format!("{} AS {}", ident(&physical), ident(&column.name)))
        })
        .collect();
    let select = format!("SELECT {} FROM {}", columns.join(", "), table.before);
    let create = create::seen(&name, relation, &select, version);
    draft.at_contract(Contract::Lens, format!("DROP VIEW IF EXISTS {name}"));
    if draft.request.qualified && old {
        // A whole lens has this view already: until contract the real columns have the names that the old side knows.
        draft.at_expand(Expand::Lens, whole::unless(&name, "class", &create));
    } else {
        for statement in create {
            draft.at_expand(Expand::Lens, statement);
        }
        draft.at_undo(Undo::Lens, format!("DROP VIEW IF EXISTS {name}"));
    }
    defaults(draft, table, &name, relation, old);
}

/// Where the table's own default is not the side's.
fn defaults(draft: &mut Draft<'_>, table: &TablePlace, name: &Name, relation: &Relation, old: bool) {
    let own: Vec<(Oid, i16, bool, String)> = draft
        .defaults
        .iter()
        .filter(|(oid, _, side, _)| *oid == table.oid && *side == old)
        .cloned()
        .collect();
    for (_, number, _, expression) in own {
        if let Some(column) = relation.column(number) {
            let alter = format!("ALTER VIEW {name} ALTER COLUMN {}", ident(&column.name));
            draft.at_expand(Expand::Access, format!("{alter} SET DEFAULT {expression}"));
            if draft.request.qualified && old {
                draft.at_undo(Undo::Lens, format!("{alter} DROP DEFAULT"));
                draft.expand_views.push(name.clone());
            }
        }
    }
}
