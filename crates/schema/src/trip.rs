//! The way there and back: whether the old values come out again when the new ones are made from them by `@up` and the old
//! ones from those by `@down`. Decided on the real rows, before anything is begun.
//!
//! Tested in `crates/postgres/tests/change/splits.rs`.

use crate::name::ident;
use crate::placement::TablePlace;
use crate::plan::Trip;
use crate::sync::{Sync, Value, distinct};

/// What is asked of a table whose columns are kept alike. None: nothing goes both ways.
pub(crate) fn of(table: &TablePlace, sync: &Sync, key: Vec<String>, rows: u64) -> Option<Trip> {
    let old: Vec<&str> = table.columns.iter().filter_map(|column| column.old_physical.as_deref()).collect();
    let is_old = |column: &str| old.contains(&column);
    let ups: Vec<_> = sync
        .up
        .iter()
        .filter(|up| up.sources.iter().all(|source| is_old(source)) && !is_old(&up.column))
        .collect();
    let is_made = |column: &str| ups.iter().any(|up| up.column == column);
    let downs: Vec<_> = sync
        .down
        .iter()
        .filter(|down| is_old(&down.column))
        .filter(|down| down.sources.iter().all(|source| is_old(source) || is_made(source)))
        .filter(|down| down.sources.iter().any(|source| is_made(source)))
        .collect();
    if downs.is_empty() {
        return None;
    }
    // `NEW.` in an expression is this row: an alias that is not quoted is written in small letters.
    let columns = downs.iter().map(|down| down.column.clone()).collect();
    let wrong =
        |down: &Value| distinct(&format!("new.{}", ident(&down.column)), &down.expression, &down.type_name);
    let wrong: Vec<String> = downs.into_iter().map(wrong).collect();
    Some(Trip {
        table: table.before.clone(),
        columns,
        made: ups.iter().map(|up| format!("({}) AS {}", up.expression, ident(&up.column))).collect(),
        wrong: wrong.join(" OR "),
        key,
        rows,
    })
}
