//! A foreign key is added, dropped or validated.
//!
//! Added: NOT VALID at expand, validated beside the clients after the backfill; it binds both sides. Dropped: at contract.
//! Locks: SHARE ROW EXCLUSIVE on both tables at expand, ACCESS EXCLUSIVE on both to drop it, all short.

use crate::create;
use crate::draft::{Contract, Draft, Expand, Order, Strength, Undo};
use crate::model::{Kind, Object};
use crate::name::ident;
use crate::placement::TablePlace;
use crate::plan::{Step, Weight, Work};

use super::{Come, Touch, owned, rebuilt, touch};

/// Adds what new and dropped foreign keys need.
pub(super) fn add(draft: &mut Draft<'_>, table: &TablePlace) {
    let owned = owned(draft, table.oid, &[Kind::ForeignKey]);
    for come in &owned.come {
        let touch = both_ends(draft, table, come.physical);
        let again = rebuilt(&owned, come);
        match touch {
            Touch::InPlace if again => {}
            Touch::InPlace | Touch::Settled => at_contract(draft, table, come),
            Touch::Exchanged => {
                beside(draft, table, come, true);
                named(draft, table, come);
            }
            Touch::None if stands_on_new_key(draft, come.last) => moved(draft, table, come),
            Touch::None => {
                beside(draft, table, come, needs_new_key(draft, come.physical));
                named(draft, table, come);
                binds(draft, table, come.last);
            }
        }
        if !again {
            let object = format!("{} on {}", come.last.name.name, table.after.name);
            draft.explain(
                "add foreign key",
                object,
                "added without looking at rows, then validated beside the clients",
                "",
                "",
            );
        }
    }
    for (kind, _, gone) in &owned.gone {
        let again =
            owned.come.iter().find(|come| come.last.name.name == gone.name.name && rebuilt(&owned, come));
        if again.is_some_and(|come| both_ends(draft, table, come.physical) == Touch::InPlace) {
            continue;
        }
        lock_both(draft, table, gone);
        if let Some(drop) = create::drop(draft.request.before, *kind, gone) {
            draft.at_contract(Contract::ForeignKeys, drop);
        }
        if again.is_none() {
            draft.explain(
                "drop foreign key",
                format!("{} on {}", gone.name.name, table.before.name),
                "",
                "",
                "dropped",
            );
        }
    }
    for (_, _, before, physical, last) in &owned.kept {
        if before.name.name != last.name.name {
            draft.lock_at_contract(&table.before);
            draft.at_contract(
                Contract::Objecting,
                super::key::constraint_renamed(table, &before.name.name, &last.name.name),
            );
        }
        changed(draft, table, before, physical, last);
    }
}

/// A kept one that is validated, or deferred in another way.
fn changed(draft: &mut Draft<'_>, table: &TablePlace, before: &Object, physical: &Object, last: &Object) {
    let valid = |object: &Object| !object.state.contains("not valid");
    if !valid(before) && valid(physical) {
        let statement =
            format!("ALTER TABLE {} VALIDATE CONSTRAINT {}", table.before, ident(&before.name.name));
        draft.build(Order::ForeignKey, format!("validate {}", before.name.name), None, statement, None);
        draft.note(
            Weight::Hint,
            "stays-valid",
            format!("{} stays validated after an undo", before.name.name),
            "",
            None,
        );
    }
    let tail = |object: &Object| {
        object
            .definition
            .find(" DEFERRABLE")
            .map(|at| object.definition[at..].replace(" NOT VALID", ""))
            .unwrap_or_default()
    };
    if tail(before) != tail(last) {
        let how = tail(last);
        let how = if how.is_empty() { " NOT DEFERRABLE" } else { &how };
        lock_both(draft, table, before);
        draft.at_contract(
            Contract::Rules,
            format!("ALTER TABLE {} ALTER CONSTRAINT {}{how}", table.after, ident(&last.name.name)),
        );
    }
}

/// How a key stands to the twins of its own table and of the one that it refers to.
fn both_ends(draft: &Draft<'_>, table: &TablePlace, object: &Object) -> Touch {
    let here = touch(draft, table, object);
    let there = object.references.and_then(|oid| draft.request.placement.tables.get(&oid));
    // The referred columns stand in the definition after REFERENCES.
    let there = there.map_or(Touch::None, |other| {
        let parts: Vec<&str> = object.definition.splitn(2, " REFERENCES ").collect();
        let only = Object {
            columns: Vec::new(),
            definition: parts.get(1).copied().unwrap_or("").to_owned(),
            ..object.clone()
        };
        touch(draft, other, &only)
    });
    match (here, there) {
        (Touch::InPlace, _) | (_, Touch::InPlace) => Touch::InPlace,
        (Touch::Exchanged, _) | (_, Touch::Exchanged) => Touch::Exchanged,
        (Touch::Settled, _) | (_, Touch::Settled) => Touch::Settled,
        _ => Touch::None,
    }
}

/// It refers to a key whose index is built only after expand.
fn needs_new_key(draft: &Draft<'_>, object: &Object) -> bool {
    let Some(other) = object.references else { return false };
    draft.request.before.relations.contains_key(&other)
        && draft.request.after.on(other).any(|(kind, oid, key)| {
            matches!(kind, Kind::PrimaryKey | Kind::Unique | Kind::Index)
                && !draft.request.before.objects.contains_key(&(kind, oid))
                && object.needs.contains(&oid)
                || matches!(kind, Kind::PrimaryKey | Kind::Unique)
                    && !draft.request.before.objects.contains_key(&(kind, oid))
                    && !key.name.name.is_empty()
        })
}

/// Gives it its final name at contract.
fn named(draft: &mut Draft<'_>, table: &TablePlace, come: &Come<'_>) {
    if come.physical.name.name != come.last.name.name {
        draft.lock_at_contract(&table.before);
        draft.at_contract(
            Contract::Objecting,
            super::key::constraint_renamed(table, &come.physical.name.name, &come.last.name.name),
        );
    }
}

/// In the end it stands on a key that comes with the same change. Until then PostgreSQL may tie it to one that goes.
fn stands_on_new_key(draft: &Draft<'_>, last: &Object) -> bool {
    let Some(other) = last.references.filter(|other| draft.request.before.relations.contains_key(other))
    else {
        return false;
    };
    draft.request.after.on(other).any(|(kind, oid, _)| {
        matches!(kind, Kind::PrimaryKey | Kind::Unique | Kind::Index)
            && last.needs.contains(&oid)
            && !draft.request.before.objects.contains_key(&(kind, oid))
    })
}

/// Made anew at contract over its final key, and validated after it.
fn moved(draft: &mut Draft<'_>, table: &TablePlace, come: &Come<'_>) {
    beside(draft, table, come, true);
    lock_both(draft, table, come.last);
    let drop =
        format!("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}", table.before, ident(&come.physical.name.name));
    draft.at_contract(Contract::ForeignKeys, drop);
    let (name, alter) = (ident(&come.last.name.name), format!("ALTER TABLE {}", table.after));
    let bare = come.last.definition.trim_end_matches(" NOT VALID");
    draft.at_contract(Contract::Create, format!("{alter} ADD CONSTRAINT {name} {bare} NOT VALID"));
    if !come.last.state.contains("not valid") {
        draft.after_contract.push(Step {
            title: format!("validate {} on {}", come.last.name.name, table.after.name),
            work: Work::Alone {
                clear: None,
                statement: format!("{alter} VALIDATE CONSTRAINT {name}"),
                done: None,
            },
        });
    }
}

fn lock_both(draft: &mut Draft<'_>, table: &TablePlace, object: &Object) {
    draft.lock_at_contract(&table.before);
    if let Some(other) = object.references.and_then(|oid| draft.request.before.relations.get(&oid)) {
        let name = other.name.clone();
        draft.lock_at_contract(&name);
    }
}

fn beside(draft: &mut Draft<'_>, table: &TablePlace, come: &Come<'_>, late: bool) {
    let (name, alter) = (ident(&come.physical.name.name), format!("ALTER TABLE {}", table.before));
    let unchecked = come.last.state.contains("not valid");
    let bare = come.physical.definition.trim_end_matches(" NOT VALID");
    let add = format!("{alter} ADD CONSTRAINT {name} {bare} NOT VALID");
    let drop = format!("{alter} DROP CONSTRAINT IF EXISTS {name}");
    draft.at_undo(Undo::Sides, drop.clone());
    let title = format!("foreign key {} on {}", come.last.name.name, table.after.name);
    if late {
        // For an undo: it is no part of the expand transaction.
        lock_both(draft, table, come.physical);
        draft.build(Order::ForeignKey, title.clone(), Some(drop), add, None);
    } else {
        draft.lock(&table.before, Strength::Writers);
        if let Some(other) = come.physical.references.and_then(|oid| draft.request.before.relations.get(&oid))
        {
            let other = other.name.clone();
            draft.lock(&other, Strength::Writers);
        }
        draft.at_expand(Expand::Sides, add);
    }
    if !unchecked {
        draft.build(
            Order::ForeignKey,
            format!("validate {title}"),
            None,
            format!("{alter} VALIDATE CONSTRAINT {name}"),
            None,
        );
    }
    if let Some(comment) = &come.last.comment {
        let spoken = create::spoken(Kind::ForeignKey, come.last, Some(&table.after));
        draft.at_contract(
            Contract::Attributes,
            format!("COMMENT ON {spoken} IS {}", crate::name::literal(comment)),
        );
    }
}

fn at_contract(draft: &mut Draft<'_>, table: &TablePlace, come: &Come<'_>) {
    lock_both(draft, table, come.last);
    for statement in create::object(draft.request.after, Kind::ForeignKey, come.last).unwrap_or_default() {
        draft.at_contract(Contract::Create, statement);
    }
}

/// Over columns that the old version writes it binds that one too.
fn binds(draft: &mut Draft<'_>, table: &TablePlace, object: &Object) {
    let shared =
        object.columns.iter().any(|number| table.column(*number).is_some_and(|column| column.old.is_some()));
    if shared {
        let place = draft
            .place_of(&[&object.name.name])
            .or_else(|| draft.place_of(&[&table.after.name, "REFERENCES"]));
        draft.note(
            Weight::Warning,
            "binds-both",
            format!("{} binds the old version too: what it writes against it is refused", object.name.name),
            "",
            place,
        );
    }
}
