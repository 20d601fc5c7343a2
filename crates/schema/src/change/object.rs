//! Types, sequences, schemas, extensions, statistics and rules.
//!
//! New ones are made at expand (in the new lens where their name is still taken), old ones dropped at contract. An enum's
//! new value is added before the expand transaction and stays after an undo: PostgreSQL can't take one away. Locks: none on tables.

use crate::create;
use crate::draft::{Contract, Draft, Expand, Undo};
use crate::model::{Kind, Object, Oid};
use crate::name::{ident, literal};
use crate::plan::{Step, Weight, Work};
use crate::source::Statement;

const KINDS: [Kind; 10] = [
    Kind::Schema,
    Kind::Extension,
    Kind::Enum,
    Kind::Domain,
    Kind::Composite,
    Kind::Range,
    Kind::Sequence,
    Kind::Statistics,
    Kind::Rule,
    Kind::Other,
];

/// Adds what they need.
pub(super) fn add(draft: &mut Draft<'_>) {
    let request = draft.request;
    for ((kind, oid), last) in request.after.objects.iter().filter(|((kind, _), _)| KINDS.contains(kind)) {
        let Some(physical) = request.physical.objects.get(&(*kind, *oid)) else { continue };
        match request.before.objects.get(&(*kind, *oid)) {
            None => come(draft, *kind, *oid, physical, last),
            Some(before) => kept(draft, *kind, before, last),
        }
    }
    for ((kind, oid), gone) in
        request.before.objects.iter().rev().filter(|((kind, _), _)| KINDS.contains(kind))
    {
        if request.after.objects.contains_key(&(*kind, *oid)) {
            continue;
        }
        if let Some(drop) = create::drop(request.before, *kind, gone) {
            let stage = match kind {
                Kind::Rule => Contract::Sides,
                Kind::Schema => Contract::Schemas,
                Kind::Statistics => Contract::Constraints,
                Kind::Enum | Kind::Domain | Kind::Composite | Kind::Range => Contract::Types,
                _ => Contract::Objects,
            };
            draft.at_contract(stage, drop);
            draft.explain(&format!("drop {}", word(*kind)), gone.name.name.clone(), "", "", "dropped");
        }
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Schema => "schema",
        Kind::Extension => "extension",
        Kind::Enum | Kind::Composite | Kind::Range => "type",
        Kind::Domain => "domain",
        Kind::Sequence => "sequence",
        Kind::Statistics => "statistics",
        Kind::Rule => "rule",
        _ => "object",
    }
}

fn come(draft: &mut Draft<'_>, kind: Kind, oid: Oid, physical: &Object, last: &Object) {
    let on_new = last.on.is_some_and(|on| !draft.request.before.relations.contains_key(&on));
    if on_new && matches!(kind, Kind::Statistics | Kind::Rule) {
        return;
    }
    // What stands for itself may be needed by columns; the rest needs routines or tables.
    let early = ["collation", "server", "foreign-data wrapper", "language", "text search"];
    let early = kind != Kind::Other || early.iter().any(|word| last.word.starts_with(word));
    let (stage, undo) = match kind {
        Kind::Schema => (Expand::Schemas, Undo::Schemas),
        Kind::Statistics | Kind::Rule => (Expand::Objects, Undo::Sides),
        _ if early => (Expand::Types, Undo::Types),
        _ => (Expand::Sides, Undo::Sides),
    };
    let made = create::object(draft.request.physical, kind, physical).or_else(|| as_written(draft, last));
    let Some(made) = made else {
        draft.refuse(
            "unknown-object",
            format!("{} {} can't be made from what the catalog says", physical.word, physical.identity),
            "mark its statement with `-- @expand` (run for both revisions at expand) or `-- @contract`",
            draft
                .place_of(&[&last.name.name])
                .or_else(|| created(draft, last).map(|found| found.place.clone())),
        );
        return;
    };
    for statement in made {
        draft.at_expand(stage, statement);
    }
    if let Some(drop) = create::drop(draft.request.physical, kind, physical) {
        draft.undo.entry(undo).or_default().insert(0, drop);
    }
    if kind == Kind::Sequence {
        if let Some(owned) = create::ownership(draft.request.physical, physical) {
            draft.at_expand(Expand::Access, owned);
        }
        if physical.name.name != last.name.name && physical.name.schema == last.name.schema {
            let to = ident(&last.name.name);
            draft
                .at_contract(Contract::Objecting, format!("ALTER SEQUENCE {} RENAME TO {to}", physical.name));
        }
        if physical.state.contains("identity") {
            return;
        }
    }
    if draft.request.placement.in_lens.contains(&oid) {
        let word = if kind == Kind::Domain { "DOMAIN" } else { "TYPE" };
        let home = ident(&last.name.schema);
        draft.at_contract(Contract::Home, format!("ALTER {word} {} SET SCHEMA {home}", physical.name));
    }
    draft.explain(&format!("create {}", word(kind)), last.name.name.clone(), "made", "", "");
}

/// The team's own statement, for what can't be made from a catalog.
fn as_written(draft: &Draft<'_>, last: &Object) -> Option<Vec<String>> {
    if last.word.starts_with("default acl") {
        return None;
    }
    let statement = created(draft, last)?;
    let home = ident(draft.request.home);
    let mut all = vec![
        format!("SET LOCAL search_path = {home}, {}", ident(draft.request.new_lens)),
        statement.text.clone(),
        format!("SET LOCAL search_path = {home}"),
    ];
    if let Some(comment) = &last.comment {
        all.push(format!("COMMENT ON {} IS {}", create::spoken(Kind::Other, last, None), literal(comment)));
    }
    Some(all)
}

/// The statement that made an object: by its name, else the only one that makes one of its sort.
fn created<'a>(draft: &Draft<'a>, last: &Object) -> Option<&'a Statement> {
    let statements = draft.request.migrations.iter().flat_map(|migration| &migration.statements);
    let makes = |statement: &&Statement| {
        let text = statement.text.to_lowercase();
        let word = if last.word.starts_with("default acl") { "default privileges" } else { &last.word };
        let text: Vec<&str> = text.split_whitespace().take(5).collect();
        text.join(" ").contains(word)
    };
    let all: Vec<&Statement> = statements.filter(makes).collect();
    let named = all.iter().filter(|statement| statement.text.contains(&last.name.name));
    match (named.clone().next(), all.as_slice()) {
        (Some(statement), _) if !last.name.name.is_empty() => Some(statement),
        (_, [only]) => Some(only),
        _ => None,
    }
}

fn kept(draft: &mut Draft<'_>, kind: Kind, before: &Object, last: &Object) {
    match kind {
        Kind::Enum if before.definition != last.definition => labels(draft, before, last),
        Kind::Sequence => {
            if before.definition != last.definition && !last.state.contains("identity") {
                draft.at_contract(
                    Contract::Rules,
                    format!("ALTER SEQUENCE {} {}", last.name, last.definition),
                );
                draft.explain("change sequence", last.name.name.clone(), "", "", "changed");
            }
            if (before.on, &before.columns) != (last.on, &last.columns) && !last.state.contains("identity") {
                let owned = create::ownership(draft.request.after, last);
                let owned = owned.unwrap_or_else(|| format!("ALTER SEQUENCE {} OWNED BY NONE", last.name));
                // Before a column that owned it goes.
                draft.at_contract(
                    Contract::ForeignKeys,
                    format!("ALTER SEQUENCE {} OWNED BY NONE", before.name),
                );
                draft.at_contract(Contract::Create, owned);
            }
        }
        _ if before.definition != last.definition => {
            draft.refuse(
                "changed-object",
                format!("{} {} changes for both revisions at once", last.word, last.identity),
                "mark its statement with `-- @expand` if the old version can live with that, else with `-- @contract`",
                draft.place_of(&[&last.name.name]),
            );
        }
        _ => {}
    }
    if before.name == last.name {
        return;
    }
    let word = match kind {
        Kind::Domain => "DOMAIN",
        Kind::Enum | Kind::Composite | Kind::Range => "TYPE",
        Kind::Sequence => "SEQUENCE",
        Kind::Schema => "SCHEMA",
        Kind::Statistics => "STATISTICS",
        _ => return,
    };
    if before.name.schema == last.name.schema {
        draft.at_contract(
            Contract::Objecting,
            format!("ALTER {word} {} RENAME TO {}", before.name, ident(&last.name.name)),
        );
    }
    if kind != Kind::Statistics {
        draft.note(
            Weight::Warning,
            "renamed-late",
            format!(
                "{} is called {} only from the contract on: nothing can stand for it before",
                before.name.name, last.name.name
            ),
            "see to it that the new version does not name it (in casts, in nextval)",
            draft.place_of(&[&last.name.name]),
        );
    }
}

/// An enum's values: more of them are added; another name for one is refused.
fn labels(draft: &mut Draft<'_>, before: &Object, last: &Object) {
    let (old, new) = (listed(&before.definition), listed(&last.definition));
    if old.iter().any(|label| !new.contains(label)) {
        draft.refuse(
            "enum-value",
            format!("a value of {} is called otherwise, for both revisions at once", last.name.name),
            "add the new value beside the old one, move the rows, and drop nothing; or mark the statement with `-- @contract`",
            draft.place_of(&[&last.name.name]),
        );
        return;
    }
    let mut previous: Option<&str> = None;
    for label in &new {
        if !old.contains(label) {
            let place = match previous {
                Some(previous) => format!(" AFTER {previous}"),
                None => old.first().map(|first| format!(" BEFORE {first}")).unwrap_or_default(),
            };
            let statement = format!("ALTER TYPE {} ADD VALUE IF NOT EXISTS {label}{place}", before.name);
            let title = format!("add {label} to {}", before.name.name);
            draft.first.push(Step { title, work: Work::Alone { clear: None, statement, done: None } });
        }
        previous = Some(label);
    }
    draft.explain("add enum value", last.name.name.clone(), "added", "", "");
    draft.note(
        Weight::Hint,
        "enum-value-stays",
        format!(
            "the new value of {} stays after an undo; the old version may read it once the new one wrote it",
            last.name.name
        ),
        "",
        draft.place_of(&[&last.name.name]),
    );
}

/// Literals joined by `, `.
fn listed(definition: &str) -> Vec<String> {
    let mut labels = Vec::new();
    let mut rest = definition.trim();
    while let Some(start) = rest.find('\'') {
        let mut end = start + 1;
        let bytes = rest.as_bytes();
        while end < bytes.len() {
            if bytes[end] == b'\'' {
                if bytes.get(end + 1) == Some(&b'\'') {
                    end += 1;
                } else {
                    break;
                }
            }
            end += 1;
        }
        let Some(label) = rest.get(start..=end) else { break };
        labels.push(label.to_owned());
        rest = &rest[end + 1..];
    }
    labels
}

/// Labels as they are after an undo: PostgreSQL keeps those that were added.
pub(crate) fn grown(before: &Object, last: &Object) -> Option<String> {
    let (old, new) = (listed(&before.definition), listed(&last.definition));
    (old != new && old.iter().all(|label| new.contains(label))).then(|| last.definition.clone())
}

#[cfg(test)]
mod tests {
    #[test]
    fn labels_may_hold_commas_and_quotes() {
        assert_eq!(super::listed("'a, b', 'it''s', 'c'"), ["'a, b'", "'it''s'", "'c'"]);
    }
}
