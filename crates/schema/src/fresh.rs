//! A first step into an empty database, run as it is written: where no version lives that could be in the way, whole
//! histories of migrations need no detour.
//!
//! The ordinary plan comes first; this one is for histories that it can't make safe for clients that there are none of.
//! Tested in `crates/postgres/tests/change/fresh.rs`.

use crate::book::Book;
use crate::create;
use crate::fingerprint::Fingerprint;
use crate::model::{Catalog, Kind};
use crate::name::{ident, literal};
use crate::plan::{Change, MigrationRef, Plan, Step, Work};
use crate::source::{Migration, Statement};
use crate::whole;

/// What the plan is made from.
#[derive(Debug, Clone)]
pub struct Fresh<'a> {
    /// The migrations, in order.
    pub migrations: &'a [Migration],
    /// The schema where the tables are to live.
    pub home: &'a str,
    /// The lenses of nothing and of the last migration.
    pub lenses: (&'a str, &'a str),
    /// Clients write the schema before each name.
    pub qualified: bool,
    /// The database as it is.
    pub first: &'a Catalog,
    /// A copy before and after the migrations, of one identity.
    pub copy: (&'a Catalog, &'a Catalog),
    /// Bookkeeping tables that are there.
    pub books: &'a [Book],
}

/// The plan. What an undo leaves is not known here: `undone` is what there was.
pub fn plan(fresh: &Fresh<'_>) -> Plan {
    let (old_lens, new_lens) = fresh.lenses;
    let to = fresh.migrations.last().map_or("", |migration| migration.name.as_str());
    let mut start: Vec<Step> =
        fresh.migrations.iter().flat_map(|migration| steps(fresh.home, migration)).collect();
    start.push(transaction("expand", settled(fresh, new_lens)));
    let contract = if fresh.qualified { Vec::new() } else { vec![drop_schema(new_lens)] };
    let migration = |one: &Migration| MigrationRef { name: one.name.clone(), checksum: one.checksum.clone() };
    Plan {
        from: String::new(),
        to: to.to_owned(),
        migrations: fresh.migrations.iter().map(migration).collect(),
        home: fresh.home.to_owned(),
        old_lens: old_lens.to_owned(),
        new_lens: new_lens.to_owned(),
        qualified: fresh.qualified,
        start,
        contract: vec![transaction("contract", contract)],
        undo: vec![transaction("undo", undo(fresh, new_lens))],
        changes: vec![Change {
            kind: "first migrations".to_owned(),
            object: format!("{} of them", fresh.migrations.len()),
            expand: Some("run as they are: nobody uses the database yet".to_owned()),
            backfill: None,
            contract: None,
        }],
        notes: Vec::new(),
        before: Fingerprint::of(fresh.first),
        after: Fingerprint::of(fresh.copy.1),
        undone: Fingerprint::of(fresh.first),
        no_return: 0,
        checks: Vec::new(),
        trips: Vec::new(),
        views: Vec::new(),
        premises: Vec::new(),
    }
}

fn transaction(title: &str, statements: Vec<String>) -> Step {
    Step { title: title.to_owned(), work: Work::Transaction { locks: Vec::new(), statements } }
}

fn drop_schema(name: &str) -> String {
    format!("DROP SCHEMA IF EXISTS {} CASCADE", ident(name))
}

/// A migration in one transaction, or statement by statement where it has one that can't be in a transaction with others.
fn steps(home: &str, migration: &Migration) -> Vec<Step> {
    let wanted = |one: &&Statement| !one.transaction_control && !one.locks() && !one.vacuums();
    let statements: Vec<&Statement> = migration.statements.iter().filter(wanted).collect();
    let divided = statements.iter().any(|one| one.adds_value());
    let title = format!("run {}", migration.name);
    let groups: Vec<Vec<&Statement>> =
        if divided { statements.into_iter().map(|one| vec![one]).collect() } else { vec![statements] };
    let texts = |group: Vec<&Statement>| {
        let mut texts = vec![at_home(home)];
        texts.extend(group.into_iter().map(plainly));
        texts
    };
    groups.into_iter().map(|group| transaction(&title, texts(group))).collect()
}

/// Names without a schema are made at home, as any tool would, whatever an earlier migration has set.
fn at_home(home: &str) -> String {
    format!(
        "SELECT pg_catalog.set_config('search_path', pg_catalog.quote_ident({}) || coalesce(', ' || nullif(reset_val, ''), ''), false) \
         FROM pg_catalog.pg_settings WHERE name = 'search_path'",
        literal(home)
    )
}

/// Nobody is there whom building an index could block.
fn plainly(statement: &Statement) -> String {
    let lower = statement.text.to_ascii_lowercase();
    match lower.find(" concurrently") {
        Some(at) if statement.alone => {
            let (before, after) = statement.text.split_at(at);
            format!("{before}{}", after.get(" concurrently".len()..).unwrap_or_default())
        }
        _ => statement.text.clone(),
    }
}

/// The new lens, and what the framework's book is to say.
fn settled(fresh: &Fresh<'_>, new_lens: &str) -> Vec<String> {
    let mut statements = whole::schema(new_lens);
    if fresh.qualified {
        statements = whole::complete(fresh.copy.1, fresh.home, new_lens);
    }
    statements.extend(fresh.books.iter().flat_map(|book| book.settle.iter().cloned()));
    statements
}

/// Everything that came goes; what depends on it goes along.
fn undo(fresh: &Fresh<'_>, new_lens: &str) -> Vec<String> {
    let (before, after) = fresh.copy;
    let mut statements = vec![drop_schema(new_lens)];
    statements.extend(fresh.books.iter().map(|book| format!("DELETE FROM {}", book.table)));
    for relation in
        after.relations.iter().filter(|(oid, _)| !before.relations.contains_key(oid)).map(|(_, r)| r)
    {
        statements.push(format!("DROP {} IF EXISTS {} CASCADE", relation.word(), relation.name));
    }
    let new = |kinds: &'static [Kind]| {
        let objects = after.objects.iter().filter(move |(key, object)| {
            kinds.contains(&key.0) && object.on.is_none() && !before.objects.contains_key(*key)
        });
        objects.filter_map(|((kind, _), object)| create::drop(after, *kind, object))
    };
    let order: [&[Kind]; 4] = [
        &[Kind::Other, Kind::Routine, Kind::Sequence],
        &[Kind::Domain, Kind::Range, Kind::Composite, Kind::Enum],
        &[Kind::Extension],
        &[Kind::Schema],
    ];
    statements.extend(order.into_iter().flat_map(new).map(|drop| format!("{drop} CASCADE")));
    statements
}
