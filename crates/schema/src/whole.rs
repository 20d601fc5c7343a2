//! A whole lens: something behind every name of the home schema, for clients that write the schema before each name.
//!
//! Prisma does that with the schema of its URL (`?schema=`). Such clients can't fall through to the real tables, so their
//! lens has a view of every relation and a domain over every type, also when nothing is going on. Views of what a change
//! leaves alone stay as they are through all of its phases; the others are made anew with the final names. Routines and
//! sequences are not in it. Tested in `crates/postgres/tests/change/qualified.rs`.

use std::collections::BTreeSet;

use crate::book::Book;
use crate::create;
use crate::draft::{Contract, Draft, Expand, Request, Undo};
use crate::model::{Catalog, Kind, Object, Oid, Relation};
use crate::name::{Name, ident, literal};

/// Types that a client can name in a cast.
const TYPES: [Kind; 4] = [Kind::Enum, Kind::Domain, Kind::Composite, Kind::Range];

/// Functions that compare an enum with the domain over it, and their operators.
const COMPARISONS: [(&str, &str); 6] = [
    ("tandem_eq", "="),
    ("tandem_ne", "<>"),
    ("tandem_lt", "<"),
    ("tandem_le", "<="),
    ("tandem_gt", ">"),
    ("tandem_ge", ">="),
];

/// Statements that make a lens whole for a database in which nothing is going on. They can be repeated.
pub fn complete(catalog: &Catalog, home: &str, lens: &str) -> Vec<String> {
    let mut statements = schema(lens);
    statements.extend(parts(catalog, home, lens, |_| true));
    statements
}

/// The schema of a lens.
pub(crate) fn schema(lens: &str) -> Vec<String> {
    let name = ident(lens);
    vec![format!("CREATE SCHEMA IF NOT EXISTS {name}"), format!("GRANT USAGE ON SCHEMA {name} TO PUBLIC")]
}

/// The views (of the wanted relations) and domains of a lens.
fn parts(catalog: &Catalog, home: &str, lens: &str, wanted: impl Fn(Oid) -> bool) -> Vec<String> {
    let mut statements = Vec::new();
    for (_, relation) in at_home(catalog, home).filter(|(oid, _)| wanted(*oid)) {
        let name = Name::new(lens, &relation.name.name);
        statements.push(unless(&name, "class", &view(catalog, relation, &name)));
    }
    let domains = types(catalog, home);
    statements
        .extend(domains.map(|(kind, _, object)| domain(kind, object, &Name::new(lens, &object.name.name))));
    statements
}

fn at_home<'c>(catalog: &'c Catalog, home: &'c str) -> impl Iterator<Item = (Oid, &'c Relation)> {
    let all = catalog.relations.iter().map(|(oid, relation)| (*oid, relation));
    all.filter(move |(_, relation)| relation.name.schema == home)
}

fn types<'c>(catalog: &'c Catalog, home: &'c str) -> impl Iterator<Item = (Kind, Oid, &'c Object)> {
    let all = catalog.objects.iter().map(|((kind, oid), object)| (*kind, *oid, object));
    all.filter(move |(kind, _, object)| TYPES.contains(kind) && object.name.schema == home)
}

/// A view with the columns, the owner and the privileges of a relation.
pub(crate) fn view(catalog: &Catalog, relation: &Relation, name: &Name) -> Vec<String> {
    let columns: Vec<String> = relation.columns.iter().map(|column| ident(&column.name)).collect();
    let select = format!("SELECT {} FROM {}", columns.join(", "), relation.name);
    create::seen(name, relation, &select, catalog.version)
}

/// A domain over a type; of an enum, values can be compared with it as with the enum itself, which PostgreSQL does not do by
/// itself. Each pair of types has operators of its own: between those that fit halfway none would be chosen. Their functions
/// are so plain that they are inlined, and indexes are used, though not for lists (`IN`).
fn domain(kind: Kind, object: &Object, name: &Name) -> String {
    let mut statements = vec![format!("CREATE DOMAIN {name} AS {}", object.name)];
    let types = [&object.name, name];
    let pairs = types.map(|left| types.map(|right| (left, right)));
    for (word, operator) in COMPARISONS.iter().filter(|_| kind == Kind::Enum) {
        let function = Name::new(&name.schema, *word);
        for (left, right) in pairs.into_iter().flatten() {
            let body =
                format!("SELECT $1::{base} OPERATOR(pg_catalog.{operator}) $2::{base}", base = object.name);
            statements.push(format!(
                "CREATE FUNCTION {function}({left}, {right}) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS {}",
                literal(&body)
            ));
            statements.push(format!(
                "CREATE OPERATOR {}.{operator} (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = {function})",
                ident(&name.schema)
            ));
        }
    }
    unless(name, "type", &statements)
}

/// Statements that are run unless something of that name is there: clients may be using it.
pub(crate) fn unless(name: &Name, class: &str, statements: &[String]) -> String {
    let (name, statements) = (literal(&name.to_string()), statements.join("; "));
    let block = format!("BEGIN IF to_reg{class}({name}) IS NULL THEN {statements}; END IF; END");
    format!("DO {}", literal(&block))
}

/// Adds what makes both lenses whole, beside the views of tables that the sides see differently (`seen`).
pub(crate) fn add(draft: &mut Draft<'_>, last: &Catalog, seen: &BTreeSet<Oid>, books: &[Book]) {
    let request = draft.request;
    let (home, old, new) = (request.home, request.old_lens, request.new_lens);
    for statement in parts(request.before, home, old, |oid| !seen.contains(&oid)) {
        draft.at_expand(Expand::Lens, statement);
    }
    // Everything there is of the old side goes at once.
    let gone = format!("DROP SCHEMA IF EXISTS {} CASCADE", ident(old));
    draft.contract.entry(Contract::Lens).or_default().insert(0, gone);

    let is_book = |relation: &Relation| books.iter().any(|book| book.table == relation.name);
    let mut stays = BTreeSet::new();
    for (oid, after) in at_home(request.after, home).filter(|(oid, _)| !seen.contains(oid)) {
        let Some(physical) = request.physical.relations.get(&oid) else { continue };
        // What waits in the lens for its place is there under its own name; a book has a view of its own.
        if physical.name.schema == new || is_book(after) {
            continue;
        }
        let name = Name::new(new, &after.name.name);
        let shown = Relation { name: physical.name.clone(), ..after.clone() };
        for statement in view(request.physical, &shown, &name) {
            draft.at_expand(Expand::Access, statement);
        }
        let drop = format!("DROP VIEW IF EXISTS {name}");
        draft.at_undo(Undo::Lens, drop.clone());
        if is_untouched(request, last, oid) {
            stays.insert(oid);
        } else {
            draft.at_contract(Contract::Lens, drop);
            draft.contract_views.push(name);
        }
    }
    domains(draft);
    for statement in parts(last, home, new, |oid| !stays.contains(&oid)) {
        draft.at_contract(Contract::Whole, statement);
    }
}

/// A table that the change leaves alone keeps its view through all phases.
fn is_untouched(request: &Request<'_>, last: &Catalog, oid: Oid) -> bool {
    let in_all =
        [request.before, request.after, request.physical, last].map(|catalog| catalog.relations.get(&oid));
    match in_all {
        [Some(before), Some(after), Some(physical), Some(last)] => {
            !before.is_view() && before == after && before.name == physical.name && before.name == last.name
        }
        _ => false,
    }
}

/// The types of the new side; they are made anew when everything has its final name.
fn domains(draft: &mut Draft<'_>) {
    let request = draft.request;
    for (kind, oid, after) in types(request.after, request.home) {
        let Some(physical) = request.physical.objects.get(&(kind, oid)) else { continue };
        if physical.name.schema == request.new_lens {
            continue;
        }
        let name = Name::new(request.new_lens, &after.name.name);
        draft.at_expand(Expand::Access, domain(kind, physical, &name));
        for drop in drop_domain(kind, physical, &name) {
            draft.at_undo(Undo::Lens, drop.clone());
            draft.at_contract(Contract::Lens, drop);
        }
    }
}

/// A domain goes with all that was made for it; what compares an enum with itself does not depend on the domain.
fn drop_domain(kind: Kind, object: &Object, name: &Name) -> Vec<String> {
    let own = COMPARISONS.iter().filter(|_| kind == Kind::Enum).map(|(word, _)| {
        let function = Name::new(&name.schema, *word);
        format!("DROP FUNCTION IF EXISTS {function}({base}, {base}) CASCADE", base = object.name)
    });
    own.chain([format!("DROP DOMAIN IF EXISTS {name} CASCADE")]).collect()
}
