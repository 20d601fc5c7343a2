//! Comments, privileges, owners and storage options of what both sides have.
//!
//! A privilege that comes is given at expand, since the new version may need it; one that goes is taken at contract. All
//! else changes at contract. Locks: SHARE UPDATE EXCLUSIVE at most, which nobody waits for.

use crate::create;
use crate::draft::{Contract, Draft, Expand, Undo};
use crate::model::Relation;
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
    relation(draft, before, after);
    for place in &table.columns {
        let Some((old, new)) = place.both() else { continue };
        if old.comment != new.comment {
            let comment = new.comment.as_deref().map_or_else(|| "NULL".to_owned(), literal);
            draft.at_contract(
                Contract::Attributes,
                format!("COMMENT ON COLUMN {}.{} IS {comment}", after.name, ident(&new.name)),
            );
        }
    }
}

fn relation(draft: &mut Draft<'_>, before: &Relation, after: &Relation) {
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
        let how = match after.replica_identity.as_str() {
            "f" => "FULL",
            "n" => "NOTHING",
            _ => "DEFAULT",
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
    let own = |relation: &Relation| {
        relation.privileges.clone().unwrap_or_else(|| vec![default_of(&relation.owner)])
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
fn default_of(owner: &str) -> String {
    format!("{}=arwdDxt/{}", quoted(owner), quoted(owner))
}

fn quoted(role: &str) -> String {
    let plain = role.chars().all(|c| c.is_alphanumeric() || c == '_');
    if plain { role.to_owned() } else { ident(role) }
}

/// Comments and privileges of everything that is no table.
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
            relation(draft, before, last);
        }
    }
}
