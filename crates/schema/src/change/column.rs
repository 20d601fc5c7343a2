//! A column is added or dropped.
//!
//! | | expand | backfill | contract |
//! | --- | --- | --- | --- |
//! | nullable, or with a constant default | added as it is | | |
//! | volatile default, identity | added plain, default set | per row | NOT NULL, identity |
//! | with `@up` | added plain, trigger | `@up` of each row | NOT NULL |
//! | dropped | hidden from the new side; NOT NULL without a default: `@down` by trigger | | dropped |
//!
//! Locks: ACCESS EXCLUSIVE at expand and contract, both short.

use crate::create;
use crate::draft::{Contract, Draft, Expand, Strength, Undo};
use crate::model::{Column, Kind};
use crate::name::ident;
use crate::placement::{ColumnPlace, TablePlace};
use crate::plan::Weight;
use crate::sync::Value;

/// Adds what added and dropped columns need.
pub(super) fn add(draft: &mut Draft<'_>, table: &TablePlace) {
    for column in &table.columns {
        if let Some(new) = column.added() {
            added(draft, table, column, new);
        } else if let Some(old) = column.dropped() {
            dropped(draft, table, column, old);
        }
    }
}

fn added(draft: &mut Draft<'_>, table: &TablePlace, place: &ColumnPlace, new: &Column) {
    let request = draft.request;
    let found = request.physical.relations.get(&table.oid).and_then(|relation| relation.column(place.number));
    let (Some(physical), Some(relation)) = (found, request.physical.relations.get(&table.oid)) else {
        return;
    };
    let object = format!("{}.{}", table.after.name, new.name);
    let name = ident(&physical.name);
    draft.lock(&table.before, Strength::Everybody);
    let up = request.texts.up(table.oid, place.number).cloned();
    let rewrites = physical.generated
        || physical.identity.is_some()
        || physical.default.is_some() && physical.given.is_none();
    let small = draft.is_small(&table.before);
    if let Some(up) = up.filter(|_| !physical.generated && physical.identity.is_none()) {
        plain(draft, table, physical);
        match (draft.physical_up(table, &up, "NEW."), draft.physical_up(table, &up, "")) {
            (Ok((trigger, sources)), Ok((own, _))) => {
                draft.sync_of(table.oid).up.push(Value {
                    column: physical.name.clone(),
                    type_name: physical.type_name.clone(),
                    expression: trigger,
                    sources,
                });
                let needed = crate::sync::distinct(&name, &own, &physical.type_name);
                draft.fill(table, &physical.name, own, needed);
                let fill = format!("every row gets {}", up.expression);
                draft.explain(
                    "add column",
                    object,
                    "added without its rules",
                    &fill,
                    if new.not_null { "NOT NULL set" } else { "" },
                );
            }
            (Err(why), _) | (_, Err(why)) => wrong_text(draft, &object, &why, up.place),
        }
    } else if rewrites && !small && physical.generated {
        draft.refuse(
            "rewrite",
            format!("{object} is generated, for which PostgreSQL rewrites the whole of a large table under a lock"),
            "add a plain column with `-- @up`, or mark the statement with `-- @contract` to rewrite the table then",
            draft.place_of(&[&table.after.name, &new.name]),
        );
    } else if rewrites && !small {
        volatile(draft, table, (physical, new), &object);
    } else if new.not_null && new.default.is_none() && new.identity.is_none() && physical.given.is_some() {
        passing_default(draft, table, (physical, new), &object);
    } else if new.not_null && new.default.is_none() && new.identity.is_none() {
        draft.refuse(
            "needs-up",
            format!("{object} is NOT NULL without a default: what is its value in rows that the old version writes?"),
            format!("write `-- @up {object}: <expression over the old columns>` beside the statement, or give it a DEFAULT"),
            draft.place_of(&[&table.after.name, &new.name]),
        );
    } else {
        let definition = create::defined(request.physical, table.oid, physical);
        draft.at_expand(Expand::Columns, format!("ALTER TABLE {} ADD COLUMN {definition}", table.before));
        draft.explain("add column", object, "added as it is", "", "");
    }
    for statement in create::column_settings(relation, physical) {
        draft.at_expand(Expand::Objects, statement);
    }
    undo_and_name(draft, table, new, &physical.name);
}

/// Added with a constant default that the same migration drops again, as some frameworks do for the rows that are there: it
/// stands for the rows of the old version until the contract.
fn passing_default(
    draft: &mut Draft<'_>,
    table: &TablePlace,
    (physical, new): (&Column, &Column),
    object: &str,
) {
    let value = physical.given.as_ref().map(|given| format!("{given}::{}", physical.type_name));
    let column = Column { default: value, ..physical.clone() };
    let definition = create::defined(draft.request.physical, table.oid, &column);
    draft.at_expand(Expand::Columns, format!("ALTER TABLE {} ADD COLUMN {definition}", table.before));
    draft.lock_at_contract(&table.before);
    let (alter, name) = (format!("ALTER TABLE {}", table.after), ident(&new.name));
    draft.at_contract(Contract::Rules, format!("{alter} ALTER COLUMN {name} DROP DEFAULT"));
    draft.explain(
        "add column",
        object,
        "added with a default, for the old version's rows",
        "",
        "its default goes",
    );
}

/// The column without rules, so that nothing is written: its default counts from now on.
fn plain(draft: &mut Draft<'_>, table: &TablePlace, physical: &Column) {
    let name = ident(&physical.name);
    let alter = format!("ALTER TABLE {}", table.before);
    draft.at_expand(Expand::Columns, format!("{alter} ADD COLUMN {name} {}", create::typed(physical)));
    if let Some(default) = &physical.default {
        draft.at_expand(Expand::Columns, format!("{alter} ALTER COLUMN {name} SET DEFAULT {default}"));
    }
}

/// A default that differs from row to row, or an identity, on a large table.
fn volatile(draft: &mut Draft<'_>, table: &TablePlace, (physical, new): (&Column, &Column), object: &str) {
    let name = ident(&physical.name);
    let alter = format!("ALTER TABLE {} ALTER COLUMN {}", table.after, ident(&new.name));
    let value = match &physical.identity {
        None => physical.default.clone().unwrap_or_else(|| "NULL".to_owned()),
        Some(kind) => {
            let own = crate::placement::PREFIX.to_owned();
            let sequence = crate::name::Name::new(
                &table.before.schema,
                crate::name::derived(&own, &format!("{}_{}", table.before.name, physical.name)),
            );
            let value = format!("nextval({}::regclass)", crate::name::literal(&sequence.to_string()));
            draft.at_expand(Expand::Types, format!("CREATE SEQUENCE {sequence}"));
            draft.at_undo(Undo::Types, format!("DROP SEQUENCE IF EXISTS {sequence}"));
            let when = if kind == "a" { "ALWAYS" } else { "BY DEFAULT" };
            let found = create::identity_sequence(draft.request.after, table.oid, physical.number);
            let named = found.map(|found| format!(" (SEQUENCE NAME {})", found.name)).unwrap_or_default();
            draft.at_contract(Contract::Rules, format!("{alter} DROP DEFAULT"));
            draft.at_contract(Contract::Create, format!("{alter} ADD GENERATED {when} AS IDENTITY{named}"));
            draft.at_contract(
                Contract::Create,
                format!(
                    "SELECT setval(pg_get_serial_sequence({}, {}), nextval({}), false)",
                    crate::name::literal(&table.after.to_string()),
                    crate::name::literal(&new.name),
                    crate::name::literal(&sequence.to_string()),
                ),
            );
            draft.at_contract(Contract::Create, format!("DROP SEQUENCE IF EXISTS {sequence}"));
            value
        }
    };
    let bare = Column { default: Some(value.clone()), identity: None, ..physical.clone() };
    plain(draft, table, &bare);
    draft.fill(table, &physical.name, value, format!("{name} IS NULL"));
    draft.explain(
        "add column",
        object,
        "added without its rules",
        "every row gets a value of its own",
        "its rules set",
    );
}

fn undo_and_name(draft: &mut Draft<'_>, table: &TablePlace, new: &Column, physical: &str) {
    let name = ident(physical);
    draft.at_undo(Undo::Columns, format!("ALTER TABLE {} DROP COLUMN IF EXISTS {name}", table.before));
    if new.name != physical {
        draft.lock_at_contract(&table.before);
        draft.at_contract(
            Contract::Names,
            format!("ALTER TABLE {} RENAME COLUMN {name} TO {}", table.before, ident(&new.name)),
        );
    }
}

pub(super) fn wrong_text(
    draft: &mut Draft<'_>,
    object: &str,
    why: &str,
    place: Option<crate::source::Place>,
) {
    draft.refuse(
        "wrong-expression",
        format!("the value of {object} can't be computed: {why}"),
        "@up reads the columns as they were before the migration, @down those that it leaves",
        place,
    );
}

fn dropped(draft: &mut Draft<'_>, table: &TablePlace, place: &ColumnPlace, old: &Column) {
    let object = format!("{}.{}", table.before.name, old.name);
    draft.lock_at_contract(&table.before);
    draft.at_contract(
        Contract::Columns,
        format!("ALTER TABLE {} DROP COLUMN IF EXISTS {}", table.before, ident(&old.name)),
    );
    let down = draft.request.texts.down(table.oid, place.number).cloned();
    let down = down.or_else(|| moved(draft, table, old)).or_else(|| super::copy::returned(draft, table, old));
    if let Some(down) = down {
        match draft.physical_down(table, &down, "NEW.") {
            Ok((expression, sources)) => draft.sync_of(table.oid).down.push(Value {
                column: old.name.clone(),
                type_name: old.type_name.clone(),
                expression,
                sources,
            }),
            Err(why) => wrong_text(draft, &object, &why, down.place),
        }
    } else if old.not_null && old.default.is_none() && old.identity.is_none() && !old.generated {
        draft.refuse(
            "needs-down",
            format!("{object} is NOT NULL without a default: what does the old version see in rows that the new one writes?"),
            format!("write `-- @down {object}: <expression over the new columns>` beside the statement"),
            draft.place_of(&[&table.before.name, &old.name]),
        );
    } else if let Some(reader) = reader(draft, table, old) {
        draft.refuse(
            "needs-down",
            format!("{object} goes and {reader} is computed from it: what does the old version see in rows that the new one writes?"),
            format!("write `-- @down {object}: <expression over the new columns>` beside the statement"),
            draft.place_of(&[&table.before.name, &old.name]),
        );
    }
    unique_gone(draft, table, place, &object);
    draft.explain("drop column", object, "hidden from the new version", "", "dropped");
}

/// A column that was only copied into another one is copied back.
fn moved(draft: &Draft<'_>, table: &TablePlace, old: &Column) -> Option<crate::text::Text> {
    table.columns.iter().find_map(|column| {
        let new = column.added()?;
        let up = draft.request.texts.up(table.oid, column.number)?;
        let copy = [old.name.clone(), ident(&old.name)].contains(&up.expression.trim().to_owned());
        (copy && new.type_name == old.type_name).then(|| crate::text::Text {
            expression: ident(&new.name),
            alias: String::new(),
            place: None,
        })
    })
}

/// A new column whose value is made of the one that goes.
fn reader(draft: &Draft<'_>, table: &TablePlace, old: &Column) -> Option<String> {
    table.columns.iter().find_map(|column| {
        let new = column.added()?;
        let up = draft.request.texts.up(table.oid, column.number)?;
        let (_, sources) = draft.physical_up(table, up, "").ok()?;
        sources.contains(&old.name).then(|| new.name.clone())
    })
}

/// A key over a column that the new side does not know: rows of the new side would all be alike in it.
fn unique_gone(draft: &mut Draft<'_>, table: &TablePlace, place: &ColumnPlace, object: &str) {
    let keyed = draft.request.before.on(table.oid).any(|(kind, _, key)| {
        matches!(kind, Kind::PrimaryKey | Kind::Unique) && key.columns == [place.number]
    });
    let defaulted = place
        .old
        .as_ref()
        .is_some_and(|old| old.default.as_deref().is_some_and(crate::expression::is_constant));
    if keyed && defaulted {
        draft.note(
            Weight::Warning,
            "unique-default",
            format!("{object} is unique with a constant default: the new version can write only one row before contract"),
            "write `-- @down` with an expression that differs from row to row",
            None,
        );
    }
}
