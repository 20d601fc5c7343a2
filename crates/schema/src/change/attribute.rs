//! Comments, privileges, owners and storage options of what both sides have.
//!
//! A privilege that comes is given at expand, since the new version may need it; one that goes is taken at contract. All
//! else changes at contract. Locks: SHARE UPDATE EXCLUSIVE at most, which nobody waits for.

use crate::create;
use crate::draft::{Contract, Draft, Expand, Undo};
use crate::model::{Catalog, Column, Kind, Object, Oid, Relation};
use crate::name::{ident, literal};
use crate::placement::TablePlace;
use crate::privilege;

/// Adds what changed attributes of a table need.
pub(super) fn add(draft: &mut Draft<'_>, table: &TablePlace) {
    let (Some(before), Some(after)) =
        (draft.request.before.relations.get(&table.oid), draft.request.after.relations.get(&table.oid))
    else {
        return;
    };
    relation(draft, table.oid, before, after);
    for place in &table.columns {
        let Some((old, new)) = place.both() else { continue };
        column(draft, before, after, (old, new));
        let (Some(physical), false) = (&place.old_physical, place.is_twin()) else { continue };
        column_privileges(draft, (before, physical), after, (old, new));
    }
    kept_by_hand(draft, table, before, after);
}

fn column(draft: &mut Draft<'_>, before: &Relation, after: &Relation, (old, new): (&Column, &Column)) {
    if old.comment != new.comment {
        let comment = new.comment.as_deref().map_or_else(|| "NULL".to_owned(), literal);
        draft.at_contract(
            Contract::Attributes,
            format!("COMMENT ON COLUMN {}.{} IS {comment}", after.name, ident(&new.name)),
        );
    }
    if old.storage != new.storage && !old.differs_in_type(new) {
        draft.lock_at_contract(&before.name);
        let usual = |word: &str| old.storage.contains(word) && !new.storage.contains(word);
        let alter = format!("ALTER TABLE {} ALTER COLUMN {}", after.name, ident(&new.name));
        if usual("STATISTICS") {
            draft.at_contract(Contract::Attributes, format!("{alter} SET STATISTICS -1"));
        }
        if usual("COMPRESSION") {
            draft.at_contract(Contract::Attributes, format!("{alter} SET COMPRESSION DEFAULT"));
        }
        for statement in create::storage(&after.name, new) {
            draft.at_contract(Contract::Attributes, statement);
        }
    }
}

/// Given at expand to the column as it is called then, taken at contract from what it is called in the end.
fn column_privileges(
    draft: &mut Draft<'_>,
    (before, physical): (&Relation, &str),
    after: &Relation,
    (old, new): (&Column, &Column),
) {
    if old.privileges == new.privileges {
        return;
    }
    let (had, has) = (old.privileges.clone().unwrap_or_default(), new.privileges.clone().unwrap_or_default());
    let on_column = |statement: String, column: &str| {
        statement.replacen(" ON TABLE ", &format!(" ({}) ON TABLE ", ident(column)), 1)
    };
    let (first, last) = (before.name.to_string(), after.name.to_string());
    for statement in privilege::difference("TABLE", &first, &had, &has).0 {
        draft.at_expand(Expand::Access, on_column(statement, physical));
    }
    for statement in privilege::difference("TABLE", &first, &has, &had).1 {
        draft.at_undo(Undo::Restore, on_column(statement, physical));
    }
    for statement in privilege::difference("TABLE", &last, &had, &has).1 {
        draft.at_contract(Contract::Attributes, on_column(statement, &new.name));
    }
}

/// Whether the table is logged, and the order that it was brought into.
fn kept_by_hand(draft: &mut Draft<'_>, table: &TablePlace, before: &Relation, after: &Relation) {
    let clustered =
        |catalog: &Catalog| catalog.on(table.oid).any(|(_, _, object)| object.state.contains("clustered"));
    if clustered(draft.request.before) && !clustered(draft.request.after) {
        draft.lock_at_contract(&before.name);
        draft.at_contract(Contract::Attributes, format!("ALTER TABLE {} SET WITHOUT CLUSTER", after.name));
    }
    if before.persistence == after.persistence {
        return;
    }
    if draft.is_small(&before.name) {
        let word = if after.persistence == "u" { "UNLOGGED" } else { "LOGGED" };
        draft.lock_at_contract(&before.name);
        draft.at_contract(Contract::Attributes, format!("ALTER TABLE {} SET {word}", after.name));
    } else {
        draft.refuse(
            "rewritten",
            format!("{} is written anew, while everybody waits", after.name.name),
            "mark the statement with `-- @contract` if that is short enough",
            draft.place_of(&[&after.name.name]),
        );
    }
}

fn relation(draft: &mut Draft<'_>, oid: Oid, before: &Relation, after: &Relation) {
    let word = after.word();
    if before.comment != after.comment {
        let comment = after.comment.as_deref().map_or_else(|| "NULL".to_owned(), literal);
        draft.at_contract(Contract::Attributes, format!("COMMENT ON {word} {} IS {comment}", after.name));
        draft.explain("comment", after.name.name.clone(), "", "", "changed");
    }
    if before.options != after.options {
        options(draft, before, after);
    }
    if before.replica_identity != after.replica_identity {
        let index =
            draft.request.after.on(oid).find(|(_, _, object)| object.state.contains("replica identity"));
        let how = match (after.replica_identity.as_str(), index) {
            ("f", _) => "FULL".to_owned(),
            ("n", _) => "NOTHING".to_owned(),
            ("i", Some((_, _, index))) => format!("USING INDEX {}", ident(&index.name.name)),
            _ => "DEFAULT".to_owned(),
        };
        draft.lock_at_contract(&before.name);
        draft.at_contract(Contract::Attributes, format!("ALTER TABLE {} REPLICA IDENTITY {how}", after.name));
    }
    if before.owner != after.owner {
        draft.at_contract(
            Contract::Attributes,
            format!("ALTER {word} {} OWNER TO {}", after.name, ident(&after.owner)),
        );
    }
    if before.privileges != after.privileges {
        privileges(draft, before, after);
    }
}

fn options(draft: &mut Draft<'_>, before: &Relation, after: &Relation) {
    let word = after.word();
    let gone = before.options.iter().filter(|option| !after.options.contains(option));
    let keys: Vec<&str> = gone.filter_map(|option| option.split('=').next()).collect();
    if !keys.is_empty() {
        draft.at_contract(
            Contract::Attributes,
            format!("ALTER {word} {} RESET ({})", after.name, keys.join(", ")),
        );
    }
    if !after.options.is_empty() {
        draft.at_contract(
            Contract::Attributes,
            format!("ALTER {word} {} SET ({})", after.name, after.options.join(", ")),
        );
    }
}

fn privileges(draft: &mut Draft<'_>, before: &Relation, after: &Relation) {
    let version = draft.request.after.version;
    let own = |relation: &Relation| {
        relation.privileges.clone().unwrap_or_else(|| vec![default_of(&relation.owner, version)])
    };
    let (old, new) = (own(before), own(after));
    let (more, _) = privilege::difference("TABLE", &before.name.to_string(), &old, &new);
    let (_, taken) = privilege::difference("TABLE", &after.name.to_string(), &old, &new);
    let (_, returned) = privilege::difference("TABLE", &before.name.to_string(), &new, &old);
    for statement in more {
        draft.at_expand(Expand::Access, statement);
    }
    for statement in returned {
        draft.at_undo(Undo::Restore, statement);
    }
    for statement in taken {
        draft.at_contract(Contract::Attributes, statement);
    }
    draft.explain(
        "privileges",
        after.name.name.clone(),
        "what is granted is granted",
        "",
        "what is revoked is revoked",
    );
}

/// What an owner has where nothing was granted.
fn default_of(owner: &str, version: u32) -> String {
    let maintain = if version >= 170_000 { "m" } else { "" };
    format!("{}=arwdDxt{maintain}/{}", quoted(owner), quoted(owner))
}

fn quoted(role: &str) -> String {
    let plain = role.chars().all(|c| c.is_alphanumeric() || c == '_');
    if plain { role.to_owned() } else { ident(role) }
}

/// Storage parameters of an index, and whether the table is ordered by it.
fn index(draft: &mut Draft<'_>, before: &Object, last: &Object) {
    let table = last.on.and_then(|on| {
        Some((draft.request.before.relations.get(&on)?, draft.request.after.relations.get(&on)?))
    });
    let Some((old_table, table)) = table else { return };
    let (old, new) = (parameters(&before.definition), parameters(&last.definition));
    let alter = format!("ALTER INDEX {}", last.name);
    let gone: Vec<&str> = old
        .iter()
        .filter_map(|option| option.split('=').next())
        .filter(|key| !new.iter().any(|option| option.split('=').next() == Some(key)))
        .collect();
    if !gone.is_empty() {
        draft.at_contract(Contract::Attributes, format!("{alter} RESET ({})", gone.join(", ")));
    }
    if old != new && !new.is_empty() {
        draft.at_contract(Contract::Attributes, format!("{alter} SET ({})", new.join(", ")));
    }
    if last.state.contains("clustered") && !before.state.contains("clustered") {
        draft.lock_at_contract(&old_table.name);
        let cluster = format!("ALTER TABLE {} CLUSTER ON {}", table.name, ident(&last.name.name));
        draft.at_contract(Contract::Attributes, cluster);
    }
}

/// What stands in an index's WITH.
fn parameters(definition: &str) -> Vec<String> {
    let Some((_, rest)) = definition.rsplit_once(" WITH (") else { return Vec::new() };
    let Some((inner, _)) = rest.split_once(')') else { return Vec::new() };
    inner.split(", ").map(str::to_owned).collect()
}

/// Comments, owners and privileges of everything that is no table.
pub(super) fn objects(draft: &mut Draft<'_>) {
    let request = draft.request;
    for ((kind, oid), last) in &request.after.objects {
        let Some(before) = request.before.objects.get(&(*kind, *oid)) else { continue };
        if before.comment != last.comment {
            let on = last.on.and_then(|on| request.after.relations.get(&on)).map(|relation| &relation.name);
            let comment = last.comment.as_deref().map_or_else(|| "NULL".to_owned(), literal);
            let spoken = create::spoken(*kind, last, on);
            draft.at_contract(Contract::Attributes, format!("COMMENT ON {spoken} IS {comment}"));
        }
        if before.owner != last.owner {
            let (word, owner) = (last.word.to_uppercase(), ident(&last.owner));
            draft.at_contract(
                Contract::Attributes,
                format!("ALTER {word} {} OWNER TO {owner}", last.identity),
            );
        }
        let indexed = matches!(kind, Kind::Index | Kind::PrimaryKey | Kind::Unique | Kind::Exclusion);
        if indexed && (&before.definition, &before.state) != (&last.definition, &last.state) {
            index(draft, before, last);
        }
        if before.privileges != last.privileges {
            let word = last.word.to_uppercase();
            let old = before.privileges.clone().unwrap_or_default();
            let new = last.privileges.clone().unwrap_or_default();
            let (more, less) = privilege::difference(&word, &last.identity, &old, &new);
            if before.privileges.is_some() && last.privileges.is_some() {
                more.into_iter()
                    .chain(less)
                    .for_each(|statement| draft.at_contract(Contract::Attributes, statement));
            } else {
                privilege::grants(&word, &last.identity, last.privileges.as_deref(), &last.owner)
                    .into_iter()
                    .for_each(|statement| draft.at_contract(Contract::Attributes, statement));
            }
        }
    }
    for (oid, last) in request.after.relations.iter().filter(|(_, relation)| relation.is_view()) {
        if let Some(before) = request.before.relations.get(oid) {
            relation(draft, *oid, before, last);
            for new in &last.columns {
                let Some(old) = before.column(new.number) else { continue };
                column(draft, before, last, (old, new));
                column_privileges(draft, (before, &old.name), last, (old, new));
            }
        }
    }
}
