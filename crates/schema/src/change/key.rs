//! A primary key, UNIQUE or EXCLUDE constraint is added or dropped.
//!
//! Added: its index is built concurrently after the backfill, and made a constraint at contract. Dropped: at contract, since
//! the old side may rely on it. Locks: ACCESS EXCLUSIVE at contract, short; EXCLUDE can't be built beside the clients.

use crate::create;
use crate::draft::{Contract, Draft};
use crate::model::{Kind, Object, RelationKind};
use crate::name::{Name, ident};
use crate::placement::TablePlace;
use crate::plan::Weight;

use super::index::{beside, binds_both, quoted, temporary};
use super::{Come, Touch, owned, rebuilt, touch};

const KINDS: [Kind; 3] = [Kind::PrimaryKey, Kind::Unique, Kind::Exclusion];

/// Adds what new and dropped keys need.
pub(super) fn add(draft: &mut Draft<'_>, table: &TablePlace) {
    let owned = owned(draft, table.oid, &KINDS);
    for come in &owned.come {
        let touch = touch(draft, table, come.physical);
        match touch {
            Touch::InPlace | Touch::Settled => {
                if let Some(index) = index_of(table, come.kind, come.physical) {
                    beside(draft, table, &temporary(&index), "used until the contract");
                }
                if !(touch == Touch::InPlace && rebuilt(&owned, come)) {
                    made_at_contract(draft, table, come);
                }
            }
            Touch::None | Touch::Exchanged => {
                built(draft, table, come);
                if touch == Touch::None {
                    binds_both(draft, table, come.last);
                }
            }
        }
        let object = format!("{} on {}", come.last.name.name, table.after.name);
        draft.explain("add key", object, "its index is built beside the clients", "", "made a constraint");
    }
    for (kind, _, gone) in &owned.gone {
        let again =
            owned.come.iter().find(|come| come.last.name.name == gone.name.name && rebuilt(&owned, come));
        if again.is_some_and(|come| touch(draft, table, come.physical) == Touch::InPlace) {
            continue;
        }
        if let Some(drop) = create::drop(draft.request.before, *kind, gone) {
            draft.lock_at_contract(&table.before);
            draft.at_contract(Contract::Constraints, drop);
        }
        let goes = gone
            .columns
            .iter()
            .any(|number| table.column(*number).is_some_and(|column| column.new.is_none()));
        if again.is_none() && !goes {
            draft.note(
                Weight::Warning,
                "kept-until-contract",
                format!("{} stays until the contract: what the new version writes against it is refused so long", gone.name.name),
                "if the new version does that from the beginning, drop the constraint in a migration of its own first",
                draft.place_of(&[&gone.name.name]),
            );
        }
        draft.explain("drop key", format!("{} on {}", gone.name.name, table.before.name), "", "", "dropped");
    }
    for (kind, _, before, physical, last) in &owned.kept {
        if before.name.name != last.name.name {
            draft.lock_at_contract(&table.before);
            draft.at_contract(
                Contract::Objecting,
                constraint_renamed(table, &before.name.name, &last.name.name),
            );
        }
        if touch(draft, table, physical) != Touch::None
            && let Some(index) = index_of(table, *kind, physical)
        {
            beside(draft, table, &temporary(&index), "used until the contract");
        }
    }
}

/// The statement that renames a constraint.
pub(super) fn constraint_renamed(table: &TablePlace, from: &str, to: &str) -> String {
    format!("ALTER TABLE {} RENAME CONSTRAINT {} TO {}", table.after, ident(from), ident(to))
}

fn built(draft: &mut Draft<'_>, table: &TablePlace, come: &Come<'_>) {
    let partitioned = draft
        .request
        .before
        .relations
        .get(&table.oid)
        .is_some_and(|found| found.kind == RelationKind::Partitioned);
    let index = index_of(table, come.kind, come.physical).filter(|_| !partitioned);
    let Some(index) = index else {
        if draft.is_small(&table.before) {
            made_at_contract(draft, table, come);
        } else {
            draft.refuse(
                "not-concurrent",
                format!("{} can't be built beside the clients of a large table", come.last.name.name),
                "mark the statement with `-- @contract` and a time when writers may wait",
                draft.place_of(&[&come.last.name.name]),
            );
        }
        return;
    };
    beside(draft, table, &index, "built beside the clients");
    draft.lock_at_contract(&table.before);
    let word = if come.kind == Kind::PrimaryKey { "PRIMARY KEY" } else { "UNIQUE" };
    let deferred = come.last.definition.find(" DEFERRABLE").map_or("", |at| &come.last.definition[at..]);
    draft.at_contract(
        Contract::Objecting,
        format!(
            "ALTER TABLE {} ADD CONSTRAINT {} {word} USING INDEX {}{deferred}",
            table.after,
            ident(&come.last.name.name),
            ident(&index.name.name)
        ),
    );
    if let Some(comment) = &come.last.comment {
        let spoken = create::spoken(come.kind, come.last, Some(&table.after));
        draft.at_contract(
            Contract::Attributes,
            format!("COMMENT ON {spoken} IS {}", crate::name::literal(comment)),
        );
    }
}

fn made_at_contract(draft: &mut Draft<'_>, table: &TablePlace, come: &Come<'_>) {
    draft.lock_at_contract(&table.before);
    for statement in create::object(draft.request.after, come.kind, come.last).unwrap_or_default() {
        draft.at_contract(Contract::Create, statement);
    }
}

/// The index that a UNIQUE or primary key constraint stands on: `UNIQUE [NULLS NOT DISTINCT] (a, b) [INCLUDE (c)] [DEFERRABLE …]`.
pub(super) fn index_of(table: &TablePlace, kind: Kind, object: &Object) -> Option<Object> {
    let rest = match kind {
        Kind::PrimaryKey => object.definition.strip_prefix("PRIMARY KEY")?,
        Kind::Unique => object.definition.strip_prefix("UNIQUE")?,
        _ => return None,
    };
    let (nulls, rest) = match rest.trim_start().strip_prefix("NULLS NOT DISTINCT") {
        Some(rest) => (" NULLS NOT DISTINCT", rest),
        None => ("", rest),
    };
    let columns = rest.split(" DEFERRABLE").next()?.trim();
    let name = Name::new(&table.before.schema, &object.name.name);
    let definition = format!(
        "CREATE UNIQUE INDEX {} ON {} USING btree {columns}{nulls}",
        quoted(&name.name),
        table.before
    );
    Some(Object { name, definition, ..object.clone() })
}
