//! An index (of no constraint) is created or dropped.
//!
//! Created: concurrently, after the backfill. Dropped: at contract, since the old side may need it. A unique one binds both
//! sides from the moment it is built. Locks: none that anybody waits for, but on partitioned tables.

use crate::create;
use crate::draft::{Contract, Draft, Expand, Order, Strength, Undo};
use crate::model::{Kind, Object, RelationKind};
use crate::name::{Name, derived, ident, literal};
use crate::placement::{PREFIX, TablePlace};
use crate::plan::Weight;

use super::{Come, Touch, owned, rebuilt, touch};

/// Adds what new and dropped indexes need.
pub(super) fn add(draft: &mut Draft<'_>, table: &TablePlace) {
    let owned = owned(draft, table.oid, &[Kind::Index]);
    for come in &owned.come {
        let touch = touch(draft, table, come.physical);
        if touch == Touch::InPlace || touch == Touch::Settled {
            if is_unique(come.physical) {
                beside(draft, table, &temporary(come.physical), "used until the contract");
            }
            let again = touch == Touch::InPlace && rebuilt(&owned, come);
            if !again {
                at_the_end(draft, table, come, touch);
            }
            continue;
        }
        beside(draft, table, come.physical, "built beside the clients");
        renamed(draft, &come.physical.name, &come.last.name);
        comment(draft, come.last);
        if is_unique(come.physical) && touch == Touch::None {
            binds_both(draft, table, come.last);
        }
        let object = format!("{} on {}", come.last.name.name, table.after.name);
        draft.explain("create index", object, "built beside the clients", "", "");
    }
    for (kind, _, gone) in &owned.gone {
        let again = owned.come.iter().any(|come| {
            come.last.name.name == gone.name.name
                && rebuilt(&owned, come)
                && touch(draft, table, come.physical) == Touch::InPlace
        });
        if let Some(drop) = create::drop(draft.request.before, *kind, gone).filter(|_| !again) {
            draft.lock_at_contract(&table.before);
            draft.at_contract(Contract::Constraints, drop);
        }
    }
    for (_, _, before, physical, last) in &owned.kept {
        renamed(draft, &before.name, &last.name);
        if is_unique(before) && touch(draft, table, physical) != Touch::None {
            beside(draft, table, &temporary(physical), "used until the contract");
        }
    }
}

fn is_unique(object: &Object) -> bool {
    object.definition.starts_with("CREATE UNIQUE")
}

/// Under a name of Tandem's own, which goes with the twin that it is on.
pub(super) fn temporary(object: &Object) -> Object {
    let name = derived(PREFIX, object.name.name.strip_prefix(PREFIX).unwrap_or(&object.name.name));
    let definition = object.definition.replacen(
        &format!(" {} ON ", quoted(&object.name.name)),
        &format!(" {} ON ", ident(&name)),
        1,
    );
    Object { name: Name::new(&object.name.schema, name), definition, ..object.clone() }
}

/// As PostgreSQL prints a name: quoted only where it must be.
pub(super) fn quoted(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain { name.to_owned() } else { ident(name) }
}

/// Builds an index without stopping anybody.
pub(super) fn beside(draft: &mut Draft<'_>, table: &TablePlace, index: &Object, _why: &str) {
    let partitioned = draft
        .request
        .before
        .relations
        .get(&table.oid)
        .is_some_and(|found| found.kind == RelationKind::Partitioned);
    let drop = format!("DROP INDEX IF EXISTS {}", index.name);
    draft.at_undo(Undo::Sides, drop);
    if partitioned {
        draft.lock(&table.before, Strength::Writers);
        if !draft.is_small(&table.before) {
            draft.note(
                Weight::Warning,
                "partitioned-index",
                format!("{} is built on a partitioned table, whose writers wait meanwhile", index.name.name),
                "build it on each partition concurrently first, then on the parent",
                draft.place_of(&[&index.name.name]),
            );
        }
        draft.at_expand(Expand::Objects, index.definition.replacen(" ON ONLY ", " ON ", 1));
        return;
    }
    let concurrent = index.definition.replacen(" INDEX ", " INDEX CONCURRENTLY ", 1);
    draft.build(
        Order::Index,
        format!("build index {} on {}", index.name.name, table.after.name),
        Some(format!("DROP INDEX CONCURRENTLY IF EXISTS {}", index.name)),
        concurrent,
        Some(valid(&index.name)),
    );
}

/// A query that tells whether an index is there and usable.
pub(super) fn valid(index: &Name) -> String {
    format!(
        "SELECT coalesce((SELECT indisvalid FROM pg_catalog.pg_index WHERE indexrelid = pg_catalog.to_regclass({})), false)",
        literal(&index.to_string())
    )
}

/// On a column that gets its final values only before or at contract.
fn at_the_end(draft: &mut Draft<'_>, table: &TablePlace, come: &Come<'_>, touch: Touch) {
    let settled = touch == Touch::Settled && !draft.is_small(&table.before);
    let same_names = table.before == table.after
        && table.columns.iter().all(|column| column.both().is_none_or(|(old, new)| old.name == new.name));
    draft.lock_at_contract(&table.before);
    let taken = draft.request.before.is_taken(&come.last.name);
    if settled && same_names && !taken {
        let drop = format!("DROP INDEX CONCURRENTLY IF EXISTS {}", come.last.name);
        let concurrent = come.last.definition.replacen(" INDEX ", " INDEX CONCURRENTLY ", 1);
        let title = format!("build index {} on {}", come.last.name.name, table.after.name);
        draft.settle(title, Some(drop), concurrent, Some(valid(&come.last.name)));
        draft.at_undo(Undo::Sides, format!("DROP INDEX IF EXISTS {}", come.last.name));
        return;
    }
    for statement in create::object(draft.request.after, Kind::Index, come.last).unwrap_or_default() {
        draft.at_contract(Contract::Create, statement);
    }
}

/// Gives an index its final name at contract.
pub(super) fn renamed(draft: &mut Draft<'_>, from: &Name, to: &Name) {
    if from.name != to.name {
        draft.at_contract(Contract::Objecting, format!("ALTER INDEX {from} RENAME TO {}", ident(&to.name)));
    }
}

fn comment(draft: &mut Draft<'_>, index: &Object) {
    if let Some(comment) = &index.comment {
        draft.at_contract(
            Contract::Attributes,
            format!("COMMENT ON INDEX {} IS {}", index.name, literal(comment)),
        );
    }
}

/// A unique rule over columns that the old version writes binds it too.
pub(super) fn binds_both(draft: &mut Draft<'_>, table: &TablePlace, object: &Object) {
    let shared =
        object.columns.iter().any(|number| table.column(*number).is_some_and(|column| column.old.is_some()));
    if shared {
        let place = draft.place_of(&[&object.name.name]);
        draft.note(
            Weight::Warning,
            "binds-both",
            format!("{} binds the old version too: what it writes against it is refused", object.name.name),
            "if the old version may do that, write `-- @up` for the column so that each version has values of its own",
            place,
        );
    }
}
