//! The order in which tables are locked: as most clients come, from a table that refers to others to those that it refers to.
//!
//! An INSERT locks its table first and then, for its foreign keys, the tables that they refer to. Whoever took them the
//! other way round would meet every such client in a deadlock.

use std::collections::{BTreeMap, BTreeSet};

use crate::draft::{Request, Strength};
use crate::model::Kind;
use crate::name::Name;
use crate::plan::Lock;

/// Locks of a transaction, in order.
pub(crate) fn locks(request: &Request<'_>, wanted: &BTreeMap<Name, Strength>) -> Vec<Lock> {
    let mode = |strength: Strength| match strength {
        Strength::Writers => "SHARE ROW EXCLUSIVE",
        Strength::Everybody => "ACCESS EXCLUSIVE",
    };
    let lock = |table: Name| {
        let strength = wanted.get(&table).copied().unwrap_or(Strength::Everybody);
        Lock { table, mode: mode(strength).to_owned() }
    };
    ordered(request, wanted.keys().cloned().collect()).into_iter().map(lock).collect()
}

/// Locks that shut everybody out.
pub(crate) fn exclusive<'a>(request: &Request<'_>, tables: impl IntoIterator<Item = &'a Name>) -> Vec<Lock> {
    let wanted = tables.into_iter().map(|table| (table.clone(), Strength::Everybody)).collect();
    locks(request, &wanted)
}

/// Tables that no other one refers to come first; of those that refer to each other in a circle, the first by name.
fn ordered(request: &Request<'_>, mut left: BTreeSet<Name>) -> Vec<Name> {
    let edges = edges(request);
    let mut order = Vec::new();
    while let Some(first) = left.first().cloned() {
        let referred = |table: &&Name| {
            edges.iter().any(|(from, to)| to == *table && from != *table && left.contains(from))
        };
        let next = left.iter().find(|table| !referred(table)).cloned().unwrap_or(first);
        left.remove(&next);
        order.push(next);
    }
    order
}

/// From a table to those that its foreign keys refer to, before and after, by names of before.
fn edges(request: &Request<'_>) -> BTreeSet<(Name, Name)> {
    let name = |oid| request.before.relations.get(&oid).map(|relation| relation.name.clone());
    let all = request.before.objects.iter().chain(&request.after.objects);
    let keys = all.filter(|((kind, _), _)| *kind == Kind::ForeignKey);
    keys.filter_map(|(_, key)| Some((name(key.on?)?, name(key.references?)?))).collect()
}
