//! The order in which tables are locked: as most clients come, from a table that refers to others to those that it refers to.
//!
//! An INSERT locks its table first and then, for its foreign keys, the tables that they refer to. Whoever took them the
//! other way round would meet every such client in a deadlock.

use std::collections::{BTreeMap, BTreeSet};

use crate::draft::{Request, Strength};
use crate::model::Kind;
use crate::name::Name;
use crate::plan::{Lock, Mode, Step, Work};

/// Locks of a transaction, in order.
pub(crate) fn locks(request: &Request<'_>, wanted: &BTreeMap<Name, Strength>) -> Vec<Lock> {
    let mode = |strength: Strength| match strength {
        Strength::Writers => Mode::ShareRowExclusive,
        Strength::Everybody => Mode::AccessExclusive,
    };
    let lock = |table: Name| {
        let strength = wanted.get(&table).copied().unwrap_or(Strength::Everybody);
        Lock { table, mode: mode(strength) }
    };
    ordered(request, wanted.keys().cloned().collect()).into_iter().map(lock).collect()
}

/// Locks that shut everybody out.
pub(crate) fn exclusive<'a>(request: &Request<'_>, tables: impl IntoIterator<Item = &'a Name>) -> Vec<Lock> {
    let wanted = tables.into_iter().map(|table| (table.clone(), Strength::Everybody)).collect();
    locks(request, &wanted)
}

/// Makes the transactions among some steps take first what they took on their way when they were rehearsed, one entry for
/// each: whoever asks for a lock while it holds others meets the clients that come the other way round in a deadlock.
pub fn complete(steps: &mut [Step], taken: Vec<Vec<Lock>>) {
    let transactions = steps.iter_mut().filter_map(|step| match &mut step.work {
        Work::Transaction { locks, .. } => Some(locks),
        _ => None,
    });
    for (locks, taken) in transactions.zip(taken) {
        for one in taken {
            match locks.iter_mut().find(|lock| lock.table == one.table) {
                Some(lock) => lock.mode = lock.mode.max(one.mode),
                None => locks.push(one),
            }
        }
    }
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
