//! The plan of a step, put together from what each kind of change adds.

use std::collections::BTreeMap;

use crate::book::Book;
use crate::change::{self, twin};
use crate::draft::{Contract, Draft, Expand, Request, Strength, Undo};
use crate::fingerprint::Fingerprint;
use crate::lens;
use crate::locking;
use crate::model::{Catalog, Kind, Oid};
use crate::name::{Name, derived, ident};
use crate::placement::{PREFIX, TablePlace};
use crate::plan::{Fill, Lock, MigrationRef, Mode, Plan, Refusal, Seen, Step, Trip, Weight, Work};
use crate::sync::{Sync, distinct};
use crate::trip;
use crate::whole;

/// The catalogs at both ends, and the books of frameworks.
#[derive(Debug, Clone)]
pub struct Ends<'a> {
    /// The database as it is.
    pub first: &'a Catalog,
    /// As the plain migrations leave it.
    pub last: &'a Catalog,
    /// Bookkeeping tables.
    pub books: &'a [Book],
}

/// The plan of a step.
///
/// # Errors
/// All changes that can't be made safe.
pub fn plan(request: &Request<'_>, ends: &Ends<'_>) -> Result<Plan, Vec<Refusal>> {
    let mut draft = Draft::new(request);
    schemas(&mut draft);
    change::add(&mut draft);
    let syncs = syncs(&mut draft);
    let mut views = lens::add(&mut draft);
    if request.qualified {
        let tables = request.placement.tables.values();
        let seen = tables
            .filter(|table| views.iter().any(|seen| seen.name == table.after.name))
            .map(|table| table.oid);
        whole::add(&mut draft, ends.last, &seen.collect(), ends.books);
    }
    books(&mut draft, ends.books, &mut views);
    advice(&mut draft);
    if !draft.refusals.is_empty() {
        draft.refusals.dedup();
        return Err(draft.refusals);
    }
    let trips = trips(&draft, &syncs);
    let (settling, no_return) = settling(&mut draft, &syncs);
    let views_first = view_locks(&draft, &views);
    let start = start(&mut draft);
    let outer = |views: &[Name]| {
        views.iter().rev().map(exclusive).chain(views_first.iter().cloned()).collect::<Vec<_>>()
    };
    let first = outer(&draft.contract_first.iter().chain(&draft.contract_views).cloned().collect::<Vec<_>>());
    let (at_contract, at_undo) = (first, outer(&draft.undo_views));
    let contract = contract(&mut draft, settling, &at_contract);
    let no_return = no_return.unwrap_or_else(|| last_transaction(&contract));
    Ok(Plan {
        from: request.from.to_owned(),
        to: request.to.to_owned(),
        migrations: request
            .migrations
            .iter()
            .map(|migration| MigrationRef {
                name: migration.name.clone(),
                checksum: migration.checksum.clone(),
            })
            .collect(),
        home: request.home.to_owned(),
        old_lens: request.old_lens.to_owned(),
        new_lens: request.new_lens.to_owned(),
        qualified: request.qualified,
        start,
        contract,
        undo: undo(&mut draft, &at_undo),
        before: Fingerprint::of(ends.first),
        after: Fingerprint::of(&reordered(&draft, ends.last)),
        undone: Fingerprint::of(&undone(request)),
        no_return,
        changes: draft.changes,
        notes: draft.notes,
        checks: draft.checks,
        trips,
        views,
        premises: Vec::new(),
    })
}

/// The step that makes the new revision the only one.
fn last_transaction(steps: &[Step]) -> usize {
    let last = steps.iter().rposition(|step| matches!(step.work, Work::Transaction { .. }));
    last.unwrap_or(steps.len().saturating_sub(1))
}

/// The lenses come first and go last.
fn schemas(draft: &mut Draft<'_>) {
    for lens in [draft.request.old_lens, draft.request.new_lens] {
        let name = ident(lens);
        if draft.request.qualified {
            for statement in whole::schema(lens) {
                draft.at_expand(Expand::Schemas, statement);
            }
            if lens == draft.request.new_lens {
                draft.at_undo(Undo::Schemas, format!("DROP SCHEMA IF EXISTS {name}"));
            }
            continue;
        }
        draft.at_expand(Expand::Schemas, format!("CREATE SCHEMA {name}"));
        draft.at_expand(Expand::Schemas, format!("GRANT USAGE ON SCHEMA {name} TO PUBLIC"));
        draft.at_contract(Contract::Schemas, format!("DROP SCHEMA IF EXISTS {name}"));
        draft.at_undo(Undo::Schemas, format!("DROP SCHEMA IF EXISTS {name}"));
    }
}

/// The trigger functions, by table.
fn syncs(draft: &mut Draft<'_>) -> BTreeMap<Oid, (TablePlace, Sync)> {
    let mut syncs = BTreeMap::new();
    for (oid, sync) in std::mem::take(&mut draft.sync) {
        let Some(table) = draft.request.placement.tables.get(&oid).filter(|_| !sync.is_empty()) else {
            continue;
        };
        let (create, drop) = made(draft, table, &sync);
        draft.lock(&table.before, Strength::Writers);
        draft.lock_at_contract(&table.before);
        for statement in create {
            draft.at_expand(Expand::Sync, statement);
        }
        for statement in drop {
            draft.at_contract(Contract::Sync, statement.clone());
            draft.at_undo(Undo::Sync, statement);
        }
        syncs.insert(oid, (table.clone(), sync));
    }
    syncs
}

fn made(draft: &Draft<'_>, table: &TablePlace, sync: &Sync) -> (Vec<String>, Vec<String>) {
    let request = draft.request;
    let relations = [request.physical.relations.get(&table.oid), request.before.relations.get(&table.oid)];
    let types = |column: &str| {
        let found = relations.iter().flatten().find_map(|relation| relation.named(column));
        found.map(|column| column.type_name.clone()).unwrap_or_default()
    };
    let function = Name::new(request.new_lens, derived(PREFIX, &format!("sync_{}", table.before.name)));
    sync.statements(&table.before, &function, (request.old_lens, request.new_lens), &types)
}

/// What goes there and back.
fn trips(draft: &Draft<'_>, syncs: &BTreeMap<Oid, (TablePlace, Sync)>) -> Vec<Trip> {
    let trip = |(oid, (table, sync)): (&Oid, &(TablePlace, Sync))| {
        let key = draft.fills.get(oid).map(|fill| fill.key.clone()).unwrap_or_default();
        trip::of(table, sync, key, draft.size(&table.before).0)
    };
    syncs.iter().filter_map(trip).collect()
}

/// Frameworks look up in their books what has run: each revision sees its own state.
fn books(draft: &mut Draft<'_>, books: &[Book], views: &mut Vec<Seen>) {
    for book in books {
        let name = Name::new(draft.request.new_lens, &book.table.name);
        let found = draft.request.before.relation(&book.table).map(|(_, relation)| relation);
        let Some(relation) = found else { continue };
        let relation = crate::model::Relation {
            name: name.clone(),
            kind: crate::model::RelationKind::View,
            query: book.view.clone(),
            options: Vec::new(),
            comment: None,
            row_security: (false, false),
            replica_identity: "d".to_owned(),
            columns: Vec::new(),
            ..relation.clone()
        };
        for statement in crate::create::relation(draft.request.before, 0, &relation) {
            draft.at_expand(Expand::Lens, statement);
        }
        draft.at_contract(Contract::Lens, format!("DROP VIEW IF EXISTS {name}"));
        draft.at_undo(Undo::Lens, format!("DROP VIEW IF EXISTS {name}"));
        for statement in &book.settle {
            draft.at_contract(Contract::Books, statement.clone());
        }
        views.push(Seen { name: book.table.name.clone(), old_by_view: false, new_by_view: true });
    }
}

/// What is dangerous even with all this.
fn advice(draft: &mut Draft<'_>) {
    let long: Vec<(String, u64)> = draft
        .fills
        .values()
        .filter(|fill| fill.rows > 10_000_000)
        .map(|fill| (fill.table.name.clone(), fill.rows))
        .collect();
    for (table, rows) in long {
        draft.note(
            Weight::Warning,
            "long-backfill",
            format!("{table} has about {rows} rows to write: minutes to hours, at the pace of the disk"),
            "start at a quiet time; it can be paused and resumed",
            None,
        );
    }
    let locked = draft.expand_locks.values().filter(|strength| **strength == Strength::Everybody).count();
    if locked > 3 {
        draft.note(
            Weight::Hint,
            "many-locks",
            format!(
                "{locked} tables are locked for everybody at the same moment, if only for some milliseconds"
            ),
            "several migrations, each of its own step, lock fewer at a time",
            None,
        );
    }
}

/// A column takes its twin's values before contract, when nobody reads the old ones any more.
fn settling(draft: &mut Draft<'_>, syncs: &BTreeMap<Oid, (TablePlace, Sync)>) -> (Vec<Step>, Option<usize>) {
    let mut statements = Vec::new();
    let mut locks = BTreeMap::new();
    let mut fills = Vec::new();
    for (table, sync) in syncs.values() {
        let settled: Vec<_> = table
            .columns
            .iter()
            .filter(|column| column.is_twin() && twin::way(draft, table, column) == twin::Way::Settled)
            .collect();
        if settled.is_empty() {
            continue;
        }
        let mut sync = sync.clone();
        let mut set = Vec::new();
        let mut needed = Vec::new();
        for column in &settled {
            let (Some(old), Some(new), Some(twin)) = (&column.old, &column.new, &column.new_physical) else {
                continue;
            };
            for down in sync.down.iter_mut().filter(|down| down.column == old.name) {
                down.expression = format!("NEW.{}", ident(twin));
            }
            if old.not_null && !new.not_null {
                statements.push(format!(
                    "ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL",
                    table.before,
                    ident(&old.name)
                ));
            }
            set.push((old.name.clone(), ident(twin)));
            needed.push(distinct(&ident(&old.name), &ident(twin), &old.type_name));
        }
        statements.extend(old_rules(draft, table));
        let (create, _) = made(draft, table, &sync);
        statements.extend(
            create
                .into_iter()
                .take(1)
                .map(|function| function.replacen("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)),
        );
        locks.insert(table.before.clone(), Strength::Everybody);
        let key = draft.fills.get(&table.oid).map(|fill| fill.key.clone()).unwrap_or_default();
        let rows = draft.size(&table.before).0;
        let needed = needed.join(" OR ");
        let fill = Fill { table: table.before.clone(), key, into: None, set, needed, rows };
        fills.push(Step { title: format!("settle {}", table.after.name), work: Work::Fill(fill) });
    }
    if statements.is_empty() {
        return (Vec::new(), None);
    }
    let title = "the new values become the only ones".to_owned();
    let mut steps = vec![Step {
        title,
        work: Work::Transaction { locks: locking::locks(draft.request, &locks), statements },
    }];
    steps.extend(fills);
    (steps, Some(0))
}

/// Constraints that only the old revision had and that the new values may break.
fn old_rules(draft: &Draft<'_>, table: &TablePlace) -> Vec<String> {
    let request = draft.request;
    let twins: Vec<i16> =
        table.columns.iter().filter(|column| column.is_twin()).map(|column| column.number).collect();
    let gone = request.before.on(table.oid).filter(|(kind, oid, object)| {
        matches!(kind, Kind::Check | Kind::Unique | Kind::ForeignKey | Kind::Exclusion)
            && !request.after.objects.contains_key(&(*kind, *oid))
            && object.columns.iter().any(|number| twins.contains(number))
    });
    gone.filter_map(|(kind, _, object)| crate::create::drop(request.before, kind, object)).collect()
}

fn exclusive(relation: &Name) -> Lock {
    Lock { table: relation.clone(), mode: Mode::AccessExclusive }
}

/// Views are locked before tables, as their readers do.
fn view_locks(draft: &Draft<'_>, views: &[Seen]) -> Vec<Lock> {
    let request = draft.request;
    let lock = |schema: &str, name: &str| exclusive(&Name::new(schema, name));
    let mut locks = Vec::new();
    for seen in views {
        if seen.old_by_view {
            let before = request.placement.tables.values().find(|table| table.after.name == seen.name);
            locks.push(lock(request.old_lens, before.map_or(seen.name.as_str(), |table| &table.before.name)));
        }
        if seen.new_by_view {
            locks.push(lock(request.new_lens, &seen.name));
        }
    }
    locks
}

fn start(draft: &mut Draft<'_>) -> Vec<Step> {
    let mut steps = std::mem::take(&mut draft.first);
    let mut statements = vec!["SET LOCAL check_function_bodies = off".to_owned()];
    statements.extend(std::mem::take(&mut draft.expand).into_values().flatten());
    let mut locks: Vec<Lock> = draft.expand_views.iter().map(exclusive).collect();
    locks.extend(locking::locks(draft.request, &draft.expand_locks));
    steps.push(Step { title: "expand".to_owned(), work: Work::Transaction { locks, statements } });
    for fill in draft.fills.values() {
        steps.push(Step { title: format!("fill {}", fill.table.name), work: Work::Fill(fill.clone()) });
    }
    for copy in &draft.copies {
        let into = copy.into.as_ref().map_or("", |(into, _)| &into.name);
        let title = format!("copy {} to {into}", copy.table.name);
        steps.push(Step { title, work: Work::Fill(copy.clone()) });
    }
    let mut builds = std::mem::take(&mut draft.builds);
    builds.sort_by_key(|(order, _)| *order);
    steps.extend(builds.into_iter().map(|(_, step)| step));
    steps
}

fn contract(draft: &mut Draft<'_>, settling: Vec<Step>, views: &[Lock]) -> Vec<Step> {
    let mut steps = settling;
    steps.append(&mut draft.settle);
    let mut statements = vec!["SET LOCAL check_function_bodies = off".to_owned()];
    statements.extend(std::mem::take(&mut draft.contract).into_values().flatten());
    let tables = locking::exclusive(draft.request, &draft.contract_locks);
    let locks = views.iter().cloned().chain(tables).collect();
    steps.push(Step { title: "contract".to_owned(), work: Work::Transaction { locks, statements } });
    steps.append(&mut draft.after_contract);
    steps
}

fn undo(draft: &mut Draft<'_>, views: &[Lock]) -> Vec<Step> {
    let statements = std::mem::take(&mut draft.undo).into_values().flatten().collect();
    let tables = locking::exclusive(draft.request, draft.expand_locks.keys().chain(&draft.contract_locks));
    let locks = views.iter().cloned().chain(tables).collect();
    let mut steps = vec![Step { title: "undo".to_owned(), work: Work::Transaction { locks, statements } }];
    steps.append(&mut draft.after_undo);
    steps
}

/// The final catalog, with columns that took a twin's place where they really stand: last.
fn reordered(draft: &Draft<'_>, last: &Catalog) -> Catalog {
    let mut catalog = last.clone();
    for table in draft.request.placement.tables.values() {
        let exchanged: Vec<i16> = table
            .columns
            .iter()
            .filter(|column| column.is_twin() && twin::way(draft, table, column) == twin::Way::Exchanged)
            .map(|column| column.number)
            .collect();
        if let Some(relation) = catalog.relations.get_mut(&table.oid).filter(|_| !exchanged.is_empty()) {
            relation.columns.sort_by_key(|column| (exchanged.contains(&column.number), column.number));
        }
    }
    catalog
}

/// What an undo leaves.
fn undone(request: &Request<'_>) -> Catalog {
    let mut catalog = request.before.clone();
    for ((kind, oid), object) in &mut catalog.objects {
        let Some(last) = request.after.objects.get(&(*kind, *oid)) else { continue };
        if *kind == Kind::Enum
            && let Some(grown) = change::object::grown(object, last)
        {
            object.definition = grown;
        }
        if *kind == Kind::ForeignKey
            && object.state.contains("not valid")
            && !last.state.contains("not valid")
        {
            object.definition = object.definition.replace(" NOT VALID", "");
            object.state = last.state.clone();
        }
    }
    catalog
}
