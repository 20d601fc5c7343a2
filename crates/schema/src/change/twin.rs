//! A column whose values differ between the revisions: another type, or other values of the same type.
//!
//! At expand it gets a twin for the new side, and triggers that keep both alike; backfill fills the twin. How they become
//! one again depends:
//!
//! - *settled*: same type. Before contract the column takes the twin's values, in batches; the twin goes.
//! - *in place*: another type on a small table, or one that PostgreSQL changes without looking at rows. The column changes
//!   its type at contract; the twin goes.
//! - *exchanged*: another type on a large table. The twin takes the column's name; it stands last from then on.

use crate::draft::{Contract, Draft, Expand, Strength, Undo};
use crate::model::{Column, Kind};
use crate::name::{ident, literal};
use crate::placement::{ColumnPlace, TablePlace};
use crate::plan::Weight;
use crate::sync::{Value, distinct};
use crate::text::Text;

/// How twins become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The column takes the twin's values.
    Settled,
    /// The column changes its type.
    InPlace,
    /// The twin takes the column's name.
    Exchanged,
}

/// How the twins of a column become one.
pub(crate) fn way(draft: &Draft<'_>, table: &TablePlace, column: &ColumnPlace) -> Way {
    let Some((old, new)) = column.retyped() else { return Way::Settled };
    let texts = draft.request.texts.wants_twin(table.oid, column.number);
    if draft.is_small(&table.before) && !has_large_neighbours(draft, table, column)
        || (!texts && is_instant(old, new))
    {
        Way::InPlace
    } else {
        Way::Exchanged
    }
}

/// A small table whose key is referred to by large ones can't change in place: their foreign keys would be checked anew.
fn has_large_neighbours(draft: &Draft<'_>, table: &TablePlace, column: &ColumnPlace) -> bool {
    let referring = draft.request.before.objects.iter().filter(|((kind, _), object)| {
        *kind == Kind::ForeignKey
            && (object.references == Some(table.oid) && is_key(draft, table, column)
                || object.on == Some(table.oid) && object.columns.contains(&column.number))
    });
    let mut others = referring.flat_map(|(_, object)| object.on.into_iter().chain(object.references));
    others
        .any(|oid| draft.request.before.relations.get(&oid).is_some_and(|other| !draft.is_small(&other.name)))
}

fn is_key(draft: &Draft<'_>, table: &TablePlace, column: &ColumnPlace) -> bool {
    draft.request.before.on(table.oid).any(|(kind, _, object)| {
        matches!(kind, Kind::PrimaryKey | Kind::Unique) && object.columns.contains(&column.number)
    })
}

/// Changed by PostgreSQL without looking at rows.
fn is_instant(old: &Column, new: &Column) -> bool {
    let (old_kind, new_kind) = (base(&old.type_name), base(&new.type_name));
    let text = |kind: &str| matches!(kind, "character varying" | "text");
    if old.collation != new.collation {
        return false;
    }
    match (limit(&old.type_name), limit(&new.type_name)) {
        (_, None) if text(old_kind) && text(new_kind) => true,
        (Some(old), Some(new)) if old_kind == "character varying" && new_kind == "character varying" => {
            old <= new
        }
        _ => false,
    }
}

fn base(type_name: &str) -> &str {
    type_name.split('(').next().unwrap_or(type_name).trim()
}

fn limit(type_name: &str) -> Option<u32> {
    type_name.split_once('(')?.1.split([')', ',']).next()?.trim().parse().ok()
}

/// What the twin holds, and what the column holds when the twin was written.
struct Texts {
    up: Text,
    down: Text,
}

/// Adds what the twins of a table need.
pub(super) fn add(draft: &mut Draft<'_>, table: &TablePlace) {
    for column in table.columns.iter().filter(|column| column.is_twin()) {
        let Some((old, new)) = column.both() else { continue };
        let object = format!("{}.{}", table.after.name, new.name);
        let Some(texts) = texts(draft, table, column, (old, new), &object) else { continue };
        let Some(physical) =
            draft.request.physical.relations.get(&table.oid).and_then(|found| found.column(column.number))
        else {
            continue;
        };
        let physical = physical.clone();
        expand(draft, table, &physical);
        if tie(draft, table, (old, &physical), &texts, &object) {
            let way = way(draft, table, column);
            end(draft, table, (old, new, &physical), way);
            let end = match way {
                Way::Settled => "the column takes the new values",
                Way::InPlace => "the column changes its type",
                Way::Exchanged => "the new column takes the old one's name, and stands last",
            };
            let kind = if old.differs_in_type(new) { "change type" } else { "change values" };
            let fill = format!("every row gets {}", texts.up.expression);
            draft.explain(kind, object, "a second column beside it, kept alike by triggers", &fill, end);
        }
    }
}

fn expand(draft: &mut Draft<'_>, table: &TablePlace, physical: &Column) {
    let (name, alter) = (ident(&physical.name), format!("ALTER TABLE {}", table.before));
    draft.lock(&table.before, Strength::Everybody);
    draft.at_expand(Expand::Objects, format!("{alter} ADD COLUMN {name} {}", crate::create::typed(physical)));
    if let Some(default) = &physical.default {
        draft.at_expand(Expand::Objects, format!("{alter} ALTER COLUMN {name} SET DEFAULT {default}"));
    }
    draft.at_undo(Undo::Columns, format!("{alter} DROP COLUMN IF EXISTS {name}"));
}

fn tie(
    draft: &mut Draft<'_>,
    table: &TablePlace,
    (old, physical): (&Column, &Column),
    texts: &Texts,
    object: &str,
) -> bool {
    let made = (|| {
        let (up, up_sources) = draft.physical_up(table, &texts.up, "NEW.")?;
        let (own, _) = draft.physical_up(table, &texts.up, "")?;
        let (down, down_sources) = draft.physical_down(table, &texts.down, "NEW.")?;
        Ok::<_, String>((up, up_sources, own, down, down_sources))
    })();
    let (up, up_sources, own, down, down_sources) = match made {
        Ok(made) => made,
        Err(why) => {
            super::column::wrong_text(
                draft,
                object,
                &why,
                texts.up.place.clone().or_else(|| texts.down.place.clone()),
            );
            return false;
        }
    };
    let value = |column: &Column, expression: String, sources| Value {
        column: column.name.clone(),
        type_name: column.type_name.clone(),
        expression,
        sources,
    };
    let sync = draft.sync_of(table.oid);
    sync.up.push(value(physical, up, up_sources));
    sync.down.push(value(old, down, down_sources));
    let needed = distinct(&ident(&physical.name), &own, &physical.type_name);
    draft.fill(table, &physical.name, own, needed);
    true
}

fn end(
    draft: &mut Draft<'_>,
    table: &TablePlace,
    (old, new, physical): (&Column, &Column, &Column),
    way: Way,
) {
    let (twin, column) = (ident(&physical.name), ident(&old.name));
    let alter = format!("ALTER TABLE {}", table.before);
    draft.lock_at_contract(&table.before);
    match way {
        Way::Settled => draft.at_contract(Contract::Columns, format!("{alter} DROP COLUMN IF EXISTS {twin}")),
        Way::InPlace => {
            let texts = draft.request.texts.wants_twin(table.oid, new.number);
            let using = if !texts && is_instant(old, new) { String::new() } else { format!(" USING {twin}") };
            if old.default.is_some() && old.identity.is_none() && !old.generated {
                draft.at_contract(Contract::Values, format!("{alter} ALTER COLUMN {column} DROP DEFAULT"));
            }
            let last =
                draft.request.after.relations.get(&table.oid).and_then(|found| found.column(new.number));
            let typed = last.map(crate::create::typed).unwrap_or_default();
            // A type that waits in the lens is there already when the column changes.
            let waits = draft.request.placement.in_lens.contains(&new.type_oid.0);
            let typed = if waits { crate::create::typed(physical) } else { typed };
            draft.at_contract(Contract::Values, format!("{alter} ALTER COLUMN {column} TYPE {typed}{using}"));
            draft.at_contract(Contract::Values, format!("{alter} DROP COLUMN {twin}"));
        }
        Way::Exchanged => {
            draft.at_contract(Contract::Columns, format!("{alter} DROP COLUMN IF EXISTS {column}"));
            let passing =
                ident(&crate::name::derived(crate::placement::PREFIX, &format!("pass_{}", new.number)));
            draft.at_contract(Contract::Passing, format!("{alter} RENAME COLUMN {twin} TO {passing}"));
            draft.at_contract(
                Contract::Names,
                format!("{alter} RENAME COLUMN {passing} TO {}", ident(&new.name)),
            );
            exchanged_settings(draft, table, new);
            draft.note(
                Weight::Warning,
                "column-order",
                format!("{}.{} stands last after the contract, since the table is large", table.after.name, new.name),
                "see to it that the new version names its columns (no SELECT * into positions, no INSERT without columns)",
                None,
            );
        }
    }
}

/// What belonged to the column that went.
fn exchanged_settings(draft: &mut Draft<'_>, table: &TablePlace, new: &Column) {
    let Some(relation) = draft.request.after.relations.get(&table.oid) else { return };
    for statement in crate::create::column_settings(relation, new) {
        draft.at_contract(Contract::Attributes, statement);
    }
    if new.default.as_deref().is_some_and(|default| default.starts_with("nextval(")) {
        for (kind, _, sequence) in draft.request.after.on(table.oid) {
            if kind == Kind::Sequence && sequence.columns == [new.number] {
                draft.at_contract(
                    Contract::ForeignKeys,
                    format!("ALTER SEQUENCE {} OWNED BY NONE", sequence.name),
                );
                if let Some(owned) = crate::create::ownership(draft.request.after, sequence) {
                    draft.at_contract(Contract::Create, owned);
                }
            }
        }
    }
    if new.identity.is_some() {
        draft.refuse(
            "identity-type",
            format!("{}.{} is an identity column of a large table", table.after.name, new.name),
            "change it to a default of nextval(…) first, in a migration of its own",
            draft.place_of(&[&table.after.name, &new.name]),
        );
    }
}

/// The texts of a twin: as written, or as they follow from the types.
fn texts(
    draft: &mut Draft<'_>,
    table: &TablePlace,
    column: &ColumnPlace,
    (old, new): (&Column, &Column),
    object: &str,
) -> Option<Texts> {
    let own = |name: &str| Text { expression: ident(name), alias: String::new(), place: None };
    let up = draft.request.texts.up(table.oid, column.number).cloned();
    let down = draft.request.texts.down(table.oid, column.number).cloned();
    if !old.differs_in_type(new) {
        return Some(Texts {
            up: up.unwrap_or_else(|| own(&old.name)),
            down: down.unwrap_or_else(|| own(&new.name)),
        });
    }
    let using = using(draft, table, old, new);
    let place = draft.place_of(&[&table.after.name, &new.name]);
    let up = match up.map(|up| labelled(draft, new, up)).or(using) {
        Some(up) => up,
        None if narrows(old, new) => {
            draft.refuse(
                "needs-up",
                format!(
                    "{object} becomes {}, which can't hold all that the old version may write ({})",
                    new.type_name, old.type_name
                ),
                format!("write `-- @up {object}: <expression over the old columns>` beside the statement"),
                place,
            );
            return None;
        }
        None => cast(draft, old, new),
    };
    let down = match down {
        Some(down) => down,
        None if returns(draft, old, new) => uncast(draft, old, new),
        None => {
            draft.refuse(
                "needs-down",
                format!("{object} changes from {} to {}: what does the old version see of what the new one writes?", old.type_name, new.type_name),
                format!("write `-- @down {object}: <expression over the new columns>` beside the statement"),
                place,
            );
            return None;
        }
    };
    Some(Texts { up, down })
}

/// A label is of the type as it is called in mixed state.
fn labelled(draft: &Draft<'_>, new: &Column, up: Text) -> Text {
    if !draft.request.physical.objects.contains_key(&(Kind::Enum, new.type_oid.0)) {
        return up;
    }
    Text { expression: format!("({})::{}", up.expression, physical_type(draft, new)), ..up }
}

/// The USING of the statement that changed the type.
fn using(draft: &Draft<'_>, table: &TablePlace, old: &Column, new: &Column) -> Option<Text> {
    let statements = draft.request.migrations.iter().flat_map(|migration| &migration.statements);
    let found = statements.flat_map(|statement| statement.using.iter().map(move |using| (statement, using)));
    let mut of_this = found.filter(|(_, (_, name, column, _))| {
        table.names().contains(&name.as_str()) && [&old.name, &new.name].contains(&column)
    });
    of_this.next_back().map(|(statement, (_, _, _, expression))| Text {
        expression: cast_chain(expression, old).map_or_else(
            || expression.clone(),
            |over_text| {
                let through = if over_text { "::text" } else { "" };
                format!("{}{through}::{}", ident(&old.name), physical_type(draft, new))
            },
        ),
        alias: String::new(),
        place: Some(statement.place.clone()),
    })
}

/// A column that is only cast, and whether over text: the type may be called otherwise in mixed state than in the file.
fn cast_chain(expression: &str, old: &Column) -> Option<bool> {
    let bare: String = expression.chars().filter(|c| !matches!(c, '(' | ')' | ' ' | '\n')).collect();
    let mut parts = bare.split("::");
    let column = parts.next()?.trim_matches('"');
    let rest: Vec<&str> = parts.collect();
    let plain = |part: &&str| part.chars().all(|c| c.is_alphanumeric() || "_.\"[]".contains(c));
    (column == old.name && !rest.is_empty() && rest.iter().all(plain))
        .then(|| rest.iter().any(|part| *part == "text" || part.starts_with("varchar")))
}

const INTEGERS: [&str; 4] = ["smallint", "integer", "bigint", "numeric"];

fn rank(type_name: &str) -> Option<usize> {
    INTEGERS.iter().position(|name| *name == type_name)
}

fn is_text(type_name: &str) -> bool {
    matches!(
        base(type_name),
        "text" | "character varying" | "citext" | "\"public\".\"citext\"" | "public.citext"
    )
}

/// Each value of the old type becomes the one of the new type that holds it, as a plain migration does it, and none is refused.
fn rounds(from: &str, to: &str) -> bool {
    from.starts_with("timestamp") && from.ends_with("without time zone") && to == "date"
}

/// Values of the old type may not fit into the new one.
fn narrows(old: &Column, new: &Column) -> bool {
    let (from, to) = (old.type_name.as_str(), new.type_name.as_str());
    if rounds(from, to) {
        return false;
    }
    match (rank(from), rank(to)) {
        (Some(from), Some(to)) => return to < from,
        (None, Some(_)) => return from != "boolean",
        _ => {}
    }
    if is_text(to) {
        return match (limit(from), limit(to)) {
            (_, None) => false,
            (Some(from), Some(to)) => to < from,
            (None, Some(to)) => {
                !(rank(old.type_name.as_str()).is_some() && to >= 20
                    || from == "uuid" && to >= 36
                    || from == "boolean" && to >= 5)
            }
        };
    }
    let wider = [
        ("real", "double precision"),
        ("integer", "double precision"),
        ("smallint", "double precision"),
        ("smallint", "real"),
        ("json", "jsonb"),
        ("jsonb", "json"),
        ("date", "timestamp without time zone"),
        ("date", "timestamp with time zone"),
        ("timestamp without time zone", "timestamp with time zone"),
        ("timestamp with time zone", "timestamp without time zone"),
    ];
    let times = |name: &str| name.starts_with("timestamp") || name.starts_with("numeric");
    let same_family = base(from) == base(to)
        && times(from)
        && (limit(to).is_none() || limit(from).is_some_and(|from| limit(to).is_some_and(|to| from <= to)));
    !(wider.contains(&(from, to)) || same_family || (base(to) == "numeric" && limit(to).is_none()))
}

/// What the new side writes can be shown to the old side as it is, or is refused by its type until contract: the values
/// that the old type does not have.
fn returns(draft: &Draft<'_>, old: &Column, new: &Column) -> bool {
    let (from, to) = (old.type_name.as_str(), new.type_name.as_str());
    let widened = !narrows(old, new) && (base(from) != "date");
    let labels = |oid| {
        draft
            .request
            .physical
            .objects
            .get(&(Kind::Enum, oid))
            .or_else(|| draft.request.before.objects.get(&(Kind::Enum, oid)))
    };
    let enums = labels(old.type_oid.0).is_some() && (labels(new.type_oid.0).is_some() || is_text(to));
    let domains = draft.request.before.objects.contains_key(&(Kind::Domain, old.type_oid.0))
        || draft.request.physical.objects.contains_key(&(Kind::Domain, new.type_oid.0));
    let to_text = is_text(from) && limit(from).is_none();
    widened
        || enums
        || to_text
        || domains
        || labels(new.type_oid.0).is_some() && is_text(from)
        || base(from) == base(to) && old.collation != new.collation
}

/// The cast of a type change without USING.
fn cast(draft: &Draft<'_>, old: &Column, new: &Column) -> Text {
    let zone = literal(&draft.request.options.time_zone);
    let column = ident(&old.name);
    let expression = if zoned(old) != zoned(new) && is_timestamp(old) && is_timestamp(new) {
        format!("{column} AT TIME ZONE {zone}")
    } else {
        format!("{column}::{}", physical_type(draft, new))
    };
    Text { expression, alias: String::new(), place: None }
}

/// And back. An assignment refuses what does not fit, where a cast would cut it off.
fn uncast(draft: &Draft<'_>, old: &Column, new: &Column) -> Text {
    let zone = literal(&draft.request.options.time_zone);
    let column = ident(&new.name);
    let expression = if zoned(old) != zoned(new) && is_timestamp(old) && is_timestamp(new) {
        format!("{column} AT TIME ZONE {zone}")
    } else {
        column
    };
    Text { expression, alias: String::new(), place: None }
}

/// The type as it is called in mixed state.
fn physical_type(draft: &Draft<'_>, new: &Column) -> String {
    let columns = draft.request.physical.relations.values().flat_map(|relation| &relation.columns);
    let found = columns
        .filter(|column| column.type_oid == new.type_oid)
        .map(|column| column.type_name.clone())
        .next();
    found.unwrap_or_else(|| new.type_name.clone())
}

fn is_timestamp(column: &Column) -> bool {
    column.type_name.starts_with("timestamp")
}

fn zoned(column: &Column) -> bool {
    column.type_name.ends_with("with time zone")
}
