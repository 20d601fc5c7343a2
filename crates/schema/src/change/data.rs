//! Statements that write rows, where they do not define columns of their own rows.
//!
//! They are run at expand as the new version would run them, through its lens; what they did to rows of old tables is kept
//! for undo. Large ones, and those whose effect would go stale while the old version writes, are refused. Locks: ACCESS
//! EXCLUSIVE on the table that is written, for as long as the statement takes.

use crate::draft::{Contract, Draft, Expand, Strength, Undo};
use crate::model::Relation;
use crate::name::{Name, ident, literal};
use crate::plan::Weight;
use crate::source::{DataStatement, Mark, Statement, Verb};

/// Adds the data statements, and those that were marked by the team.
pub(super) fn add(draft: &mut Draft<'_>) {
    let request = draft.request;
    for (at, migration) in request.migrations.iter().enumerate() {
        for (number, statement) in migration.statements.iter().enumerate() {
            match statement.mark {
                Some(mark) => marked(draft, mark, statement),
                None if request.texts.absorbed.contains(&(at, number)) => {}
                None => {
                    if let Some(data) = &statement.data {
                        written(draft, statement, data);
                    } else if statement.opaque {
                        opaque(draft, statement);
                    }
                }
            }
        }
    }
}

/// Run as it is, when the team said so.
fn marked(draft: &mut Draft<'_>, mark: Mark, statement: &Statement) {
    let path = format!("SET LOCAL search_path = {}", ident(draft.request.home));
    let all =
        [path, statement.text.clone(), format!("SET LOCAL search_path = {}", ident(draft.request.home))];
    match mark {
        Mark::Expand => {
            all.into_iter().for_each(|statement| draft.at_expand(Expand::Marked, statement));
            draft.note(
                Weight::Hint,
                "not-undone",
                "a statement marked `@expand` is run for both revisions, and not taken back by an undo",
                "",
                Some(statement.place.clone()),
            );
        }
        Mark::Contract => {
            all.into_iter().for_each(|statement| draft.at_contract(Contract::Marked, statement));
        }
    }
}

fn written(draft: &mut Draft<'_>, statement: &Statement, data: &DataStatement) {
    let request = draft.request;
    let name = Name::new(data.schema.as_deref().unwrap_or(request.home), &data.table);
    let place = Some(statement.place.clone());
    let after = request.after.relation(&name);
    let kept = after
        .and_then(|(oid, _)| request.before.relations.get(&oid))
        .or_else(|| request.before.relation(&name).map(|(_, relation)| relation));
    match (after, kept) {
        (Some(_), None) if data.constant_rows => through_lens(draft, statement, None),
        (Some(_), None) => draft.refuse(
            "copied-rows",
            format!("{} is filled from other tables: rows that the old version writes later would be missing in it", name.name),
            "mark the statement with `-- @expand` if that does not matter, or with `-- @contract` to fill it when the old version is gone",
            place,
        ),
        (_, Some(table)) => {
            let gone = request.after.relations.iter().all(|(_, relation)| relation.name != name) && after.is_none()
                && request.before.relation(&name).is_some_and(|(oid, _)| !request.after.relations.contains_key(&oid));
            if gone {
                return;
            }
            let rows = draft.size(&table.name).0;
            let small = data.constant_rows && data.verb == Verb::Insert || rows <= request.options.data_rows;
            if data.verb == Verb::Truncate || !small {
                large(draft, &name, statement, rows);
            } else {
                let table = table.clone();
                through_lens(draft, statement, Some(&table));
            }
        }
        (None, None) => draft.refuse(
            "passing-table",
            format!("{} is there only while the migration runs", name.name),
            "write the statement without it, or mark all statements that use it with `-- @expand`",
            place,
        ),
    }
}

fn large(draft: &mut Draft<'_>, name: &Name, statement: &Statement, rows: u64) {
    draft.refuse(
        "data-in-place",
        format!("rows of {} ({rows} by the planner's estimate) are changed under the old version's feet, all at once", name.name),
        "mark the statement with `-- @contract` to run it when the old version is gone, with `-- @expand` if the old version can live with it, or write `-- @up` for the column",
        Some(statement.place.clone()),
    );
}

/// As the new version would run it; what happens to rows of an old table is kept.
fn through_lens(draft: &mut Draft<'_>, statement: &Statement, table: Option<&Relation>) {
    let hold = ident("~tandem_hold");
    if let Some(table) = table {
        draft.lock(&table.name, Strength::Everybody);
        draft.at_expand(
            Expand::Data,
            format!("CREATE TRIGGER {hold} AFTER INSERT OR UPDATE OR DELETE ON {} FOR EACH ROW EXECUTE FUNCTION tandem.hold()", table.name),
        );
    }
    let request = draft.request;
    draft.at_expand(
        Expand::Data,
        format!("SET LOCAL search_path = {}, {}", ident(request.new_lens), ident(request.home)),
    );
    draft.at_expand(Expand::Data, statement.text.clone());
    draft.at_expand(Expand::Data, format!("SET LOCAL search_path = {}", ident(request.home)));
    if let Some(table) = table {
        // What the statement deferred must have fired before the table can be altered again.
        draft.at_expand(Expand::Data, "SET CONSTRAINTS ALL IMMEDIATE");
        draft.at_expand(Expand::Data, format!("DROP TRIGGER {hold} ON {}", table.name));
        let back = format!("SELECT tandem.give_back({}::regclass)", literal(&table.name.to_string()));
        draft.undo.entry(Undo::Data).or_default().insert(0, back);
        draft.explain(
            "data",
            table.name.name.clone(),
            "written through the new version's lens; kept for undo",
            "",
            "",
        );
    }
}

/// What the catalogs do not show.
fn opaque(draft: &mut Draft<'_>, statement: &Statement) {
    let text = statement.text.to_lowercase();
    let writes =
        ["insert", "update", "delete", "truncate", "copy", "call", "perform", "execute", "setval", "merge"];
    let word =
        |word: &&str| text.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|found| found == *word);
    if text.starts_with("select") && !text.contains("setval") && text.contains("set_config") {
        return;
    }
    // A block without any of these words can only have changed the schema, which the catalogs show.
    if text.starts_with("do") && !writes.iter().any(word) {
        return;
    }
    draft.refuse(
        "opaque",
        "what this statement does to rows can't be told",
        "mark it with `-- @expand` (run at expand, for both revisions) or `-- @contract` (run when the old version is gone)",
        Some(statement.place.clone()),
    );
}
