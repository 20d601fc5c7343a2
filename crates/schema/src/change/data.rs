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
                Some(Mark::Expand) if statement.data.is_some() => marked_rows(draft, statement),
                Some(mark) => marked(draft, mark, statement),
                None if request.texts.absorbed.contains(&(at, number)) => {}
                None => {
                    if let Some(data) = statement.data.as_ref().or(statement.filled.as_ref()) {
                        written(draft, statement, data);
                    } else if statement.opaque {
                        opaque(draft, statement);
                    }
                }
            }
        }
    }
}

/// Rows of old or new tables, as the new version would write them; given back by an undo where they are few.
fn marked_rows(draft: &mut Draft<'_>, statement: &Statement) {
    let request = draft.request;
    let Some(data) = &statement.data else { return };
    let name = Name::new(data.schema.as_deref().unwrap_or(request.home), &data.table);
    let after = request.after.relation(&name).map(|(oid, _)| oid);
    let kept = after.and_then(|oid| request.before.relations.get(&oid));
    let rows = kept.map_or(0, |table| draft.size(&table.name).0);
    let few = kept.filter(|_| rows <= request.options.data_rows && data.verb != Verb::Truncate);
    if kept.is_some() && few.is_none() {
        not_undone(draft, statement);
    }
    let table = few.cloned();
    through_lens(draft, statement, table.as_ref());
}

fn not_undone(draft: &mut Draft<'_>, statement: &Statement) {
    draft.note(
        Weight::Hint,
        "not-undone",
        "a statement marked `@expand` is run for both revisions, and not taken back by an undo",
        "",
        Some(statement.place.clone()),
    );
}

/// Run as it is, when the team said so.
fn marked(draft: &mut Draft<'_>, mark: Mark, statement: &Statement) {
    let path = format!("SET LOCAL search_path = {}", ident(draft.request.home));
    match mark {
        Mark::Expand => {
            let tolerant = again(draft, &statement.text);
            [path.clone(), tolerant, path].into_iter().for_each(|text| draft.at_expand(Expand::Marked, text));
            not_undone(draft, statement);
        }
        Mark::Contract => {
            let all = [path.clone(), statement.text.clone(), path];
            all.into_iter().for_each(|text| draft.at_contract(Contract::Marked, text));
        }
    }
}

/// What is not taken back by an undo may be there already when the same revision is begun again.
fn again(draft: &Draft<'_>, text: &str) -> String {
    let request = draft.request;
    let known = format!(
        "{} OR EXISTS (SELECT FROM tandem.change WHERE phase = 'undone' AND plan->>'to' = {})",
        request.options.again,
        literal(request.to)
    );
    let block = format!(
        "BEGIN EXECUTE {}; EXCEPTION WHEN {REPEATED} THEN \
         IF NOT ({known}) THEN RAISE; END IF; END",
        literal(text)
    );
    format!("DO {}", literal(&block))
}

/// Conditions by which a statement tells that it was run before.
const REPEATED: &str = "duplicate_object OR duplicate_table OR duplicate_column OR duplicate_function OR duplicate_schema \
     OR undefined_object OR undefined_table OR undefined_column OR undefined_function OR invalid_schema_name";

fn written(draft: &mut Draft<'_>, statement: &Statement, data: &DataStatement) {
    let request = draft.request;
    let name = Name::new(data.schema.as_deref().unwrap_or(request.home), &data.table);
    let place = Some(statement.place.clone());
    let all = request.migrations.iter().flat_map(|migration| &migration.statements);
    let mut temporary = all.filter_map(|other| other.temporary.as_deref());
    if let Some(table) = temporary.find(|table| crate::draft::mentions(&statement.text, table)) {
        passing(draft, table, place);
        return;
    }
    let after = request.after.relation(&name);
    let kept = after
        .and_then(|(oid, _)| request.before.relations.get(&oid))
        .or_else(|| request.before.relation(&name).map(|(_, relation)| relation));
    match (after, kept) {
        (Some(_), None) if data.constant_rows => through_lens(draft, &insert(draft, statement, data), None),
        (Some((oid, _)), None) => {
            if let Err(why) = super::copy::add(draft, (statement, data), oid) {
                not_in_step(draft, &name, &why, place);
            }
        }
        (_, Some(table)) => {
            let gone = request.after.relations.iter().all(|(_, relation)| relation.name != name)
                && after.is_none()
                && request
                    .before
                    .relation(&name)
                    .is_some_and(|(oid, _)| !request.after.relations.contains_key(&oid));
            if gone {
                return;
            }
            if let Some(column) = retyped(draft, &table.name, data) {
                changes_its_type(draft, &name, column, place);
                return;
            }
            let rows = draft.size(&table.name).0;
            let small = data.constant_rows && data.verb == Verb::Insert || rows <= request.options.data_rows;
            if data.verb == Verb::Truncate || !small {
                large(draft, &name, statement, rows);
            } else {
                if !data.own_rows_only && !data.constant_rows {
                    only_once(draft, &name, place);
                }
                let table = table.clone();
                through_lens(draft, statement, Some(&table));
            }
        }
        (None, None) => passing(draft, &name.name, place),
    }
}

fn passing(draft: &mut Draft<'_>, table: &str, place: Option<crate::source::Place>) {
    draft.refuse(
        "passing-table",
        format!("{table} is there only while the migration runs"),
        "write the statement without it, or mark all statements that use it with `-- @expand`",
        place,
    );
}

/// The statement as one that writes rows of a table that is there.
fn insert(draft: &Draft<'_>, statement: &Statement, data: &DataStatement) -> Statement {
    let Some(query) = &data.query else { return statement.clone() };
    let schema = data.schema.as_ref().filter(|schema| **schema != draft.request.home);
    let schema = schema.map(|schema| format!("{}.", ident(schema))).unwrap_or_default();
    Statement { text: format!("INSERT INTO {schema}{} {query}", ident(&data.table)), ..statement.clone() }
}

fn not_in_step(draft: &mut Draft<'_>, name: &Name, why: &str, place: Option<crate::source::Place>) {
    draft.refuse(
        "copied-rows",
        format!("{} is filled from other tables, and rows that the old version writes later would be missing in it: {why}", name.name),
        "mark the statement with `-- @expand` if that does not matter, or with `-- @contract` to fill it when the old version is gone",
        place,
    );
}

/// A column that the statement sets and whose type changes in the same step: every row would get the old value over it.
fn retyped<'d>(draft: &Draft<'_>, table: &Name, data: &'d DataStatement) -> Option<&'d str> {
    let place = draft.request.placement.tables.values().find(|place| place.before == *table)?;
    let is = |column: &&str| {
        let found = place.new_column(column).or_else(|| place.old_column(column));
        found.is_some_and(|found| found.is_twin() && found.retyped().is_some())
    };
    data.set.iter().map(|(column, _)| column.as_str()).find(is)
}

fn changes_its_type(draft: &mut Draft<'_>, name: &Name, column: &str, place: Option<crate::source::Place>) {
    draft.refuse(
        "data-in-place",
        format!("{}.{column} is written while it changes its type", name.name),
        "put the statement into a migration of its own, or mark it with `-- @contract` to run it when the old version is gone",
        place,
    );
}

/// What follows from another table's rows does not follow them later.
fn only_once(draft: &mut Draft<'_>, name: &Name, place: Option<crate::source::Place>) {
    draft.note(
        Weight::Warning,
        "only-once",
        format!("rows of {} are written from other tables once, at expand: rows that the old version writes later are not", name.name),
        "write `-- @up` for the column if it must hold for those too, or mark the statement with `-- @contract`",
        place,
    );
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
    let starts = |word: &str| text.starts_with(word);
    // Measures, and looks.
    let harmless = starts("analyze") || starts("vacuum") || starts("select") && !text.contains('(');
    let settings = starts("select") && !text.contains("setval") && text.contains("set_config");
    // A block that writes nothing can only have changed the schema, which the catalogs show.
    if harmless || settings || starts("do") && !writes(&text) {
        return;
    }
    draft.refuse(
        "opaque",
        "what this statement does to rows can't be told",
        "mark it with `-- @expand` (run at expand, for both revisions) or `-- @contract` (run when the old version is gone)",
        Some(statement.place.clone()),
    );
}

/// Whether a block holds a word that writes, where that word is not part of a definition (`ON DELETE`, `BEFORE UPDATE`).
fn writes(text: &str) -> bool {
    const WRITE: [&str; 10] =
        ["insert", "update", "delete", "truncate", "copy", "call", "perform", "execute", "setval", "merge"];
    const DEFINE: [&str; 9] = ["on", "before", "after", "or", "of", "for", "grant", "revoke", "instead"];
    let words: Vec<&str> =
        text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).collect();
    words.iter().enumerate().any(|(at, word)| {
        let before = at.checked_sub(1).and_then(|at| words.get(at));
        let after = words.get(at + 1);
        let defines = before.is_some_and(|word| DEFINE.contains(word));
        let calls = *word == "execute" && after.is_some_and(|word| matches!(*word, "function" | "procedure"));
        WRITE.contains(word) && !defines && !calls
    })
}

#[cfg(test)]
mod tests {
    use super::writes;

    #[test]
    fn definitions_are_told_from_writes() {
        assert!(!writes(
            "do $$ begin alter table a add foreign key (b) references c on delete no action on update cascade; end $$"
        ));
        assert!(!writes(
            "do $$ begin create trigger t before insert or update on a execute function f(); end $$"
        ));
        assert!(writes("do $$ begin update a set b = 1; end $$"));
        assert!(writes("do $$ begin execute 'delete from a'; end $$"));
    }
}
