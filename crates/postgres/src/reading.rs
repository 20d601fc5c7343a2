//! A database's catalog, read as the value that decisions are made on: a handful of queries over whole classes.
//!
//! `search_path` is empty while it reads, so that every definition names what it means in full. Left out: what PostgreSQL
//! and its extensions bring, temporary schemas, and the schema `tandem`; lenses (`tandem_…`) are read, callers leave them
//! out. Also left out: tablespaces, security labels, large objects, subscriptions. Judges nothing. Tested in
//! `tests/postgres/reading.rs`, and by the round trip in `tests/postgres/scratch.rs`.

mod belonging;
mod edge;
mod object;
mod other;
mod relation;
mod standing;

use std::collections::{BTreeMap, BTreeSet};

use postgres::GenericClient;
use tandem_schema::model::{Catalog, Kind, Oid};

use crate::error::Error;

/// Reads the whole catalog. For one state of everything call it in a `REPEATABLE READ` transaction.
pub fn catalog(client: &mut impl GenericClient) -> Result<Catalog, Error> {
    let row = client.query_one(
        "SELECT current_setting('server_version_num')::int4, current_setting('search_path')",
        &[],
    )?;
    let (version, path): (i32, String) = (row.try_get(0)?, row.try_get(1)?);
    if !path.is_empty() {
        client.execute("SELECT pg_catalog.set_config('search_path', '', false)", &[])?;
    }
    let catalog = read(client, u32::try_from(version).unwrap_or_default());
    if !path.is_empty() {
        // If this fails the session is broken, and the reading failed as well.
        let restored = client.execute("SELECT pg_catalog.set_config('search_path', $1, false)", &[&path]);
        if catalog.is_ok() {
            restored?;
        }
    }
    catalog
}

/// The catalog without lenses: the schema as the team's migrations made it.
pub fn schema(client: &mut impl GenericClient) -> Result<Catalog, Error> {
    let mut catalog = catalog(client)?;
    let lens = |schema: &str| schema.starts_with("tandem_");
    catalog.relations.retain(|_, relation| !lens(&relation.name.schema));
    catalog.objects.retain(|(kind, _), object| {
        !lens(if *kind == Kind::Schema { &object.name.name } else { &object.name.schema })
    });
    Ok(catalog)
}

fn read(client: &mut impl GenericClient, version: u32) -> Result<Catalog, Error> {
    let relations = relation::read(client, version)?;
    let mut catalog = Catalog { version, relations, objects: BTreeMap::new() };
    for query in
        standing::queries(version).iter().chain(&belonging::queries()).chain(&other::queries(version))
    {
        for row in client.query(query.as_str(), &[])? {
            let (kind, oid, found) = object::read(&row)?;
            catalog.objects.insert((kind, oid), found);
        }
    }
    let edges = edge::read(client)?;
    connect(&mut catalog, &edges);
    Ok(catalog)
}

/// Which system catalog an object's oid is of.
fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Schema => "pg_namespace",
        Kind::Extension => "pg_extension",
        Kind::Enum | Kind::Domain | Kind::Composite | Kind::Range => "pg_type",
        Kind::Sequence | Kind::Index => "pg_class",
        Kind::Routine => "pg_proc",
        Kind::PrimaryKey | Kind::Unique | Kind::Check | Kind::Exclusion | Kind::ForeignKey => "pg_constraint",
        Kind::Trigger => "pg_trigger",
        Kind::Rule => "pg_rewrite",
        Kind::Policy => "pg_policy",
        Kind::Statistics => "pg_statistic_ext",
        Kind::Other => "",
    }
}

/// Puts the edges on what has them; only to what the catalog holds.
fn connect(catalog: &mut Catalog, edges: &[edge::Edge]) {
    let known: BTreeSet<Oid> =
        catalog.relations.keys().copied().chain(catalog.objects.keys().map(|(_, oid)| *oid)).collect();
    let mut needed: BTreeMap<(&str, Oid), BTreeSet<Oid>> = BTreeMap::new();
    for edge in edges.iter().filter(|edge| known.contains(&edge.to) && edge.from != edge.to) {
        needed.entry((&edge.class, edge.from)).or_default().insert(edge.to);
    }
    for (oid, relation) in &mut catalog.relations {
        relation.needs = needed.remove(&("pg_class", *oid)).unwrap_or_default();
    }
    for ((kind, oid), object) in &mut catalog.objects {
        // Objects of other classes carry their class as the first word of what they are.
        let class = if *kind == Kind::Other { other::class(&object.word) } else { class(*kind) };
        object.needs = needed.remove(&(class, *oid)).unwrap_or_default();
        if *kind == Kind::Sequence
            && let Some(owner) = object.on
        {
            // Said by `on`; with the owner's default, which needs the sequence, it would be a circle.
            object.needs.remove(&owner);
        }
    }
}
