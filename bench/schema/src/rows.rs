//! Some rows in every table, the same in two databases, whatever the schema is.
//!
//! A value for each column that needs one, by its type; a foreign key takes what its table has. What a table refuses is left
//! out of both.

use postgres::Client;
use tandem_schema::model::{Catalog, Column, Kind, Oid, Relation};
use tandem_schema::name::ident;

/// Tries to put a row into each table; each statement is run on both databases or on none.
pub(crate) fn sow(catalog: &Catalog, both: (&mut Client, &mut Client), round: usize) {
    let (one, two) = both;
    for (oid, relation) in catalog.relations.iter().filter(|(_, relation)| relation.is_table()) {
        let statement = insert(catalog, *oid, relation, round);
        let done = one.batch_execute(&format!("BEGIN; {statement}"));
        let other = done.is_ok() && two.batch_execute(&format!("BEGIN; {statement}")).is_ok();
        let end = if other { "COMMIT" } else { "ROLLBACK" };
        let _ = one.batch_execute(end);
        let _ = two.batch_execute(end);
    }
}

fn insert(catalog: &Catalog, oid: Oid, relation: &Relation, round: usize) -> String {
    let wanted = |column: &&Column| {
        !column.generated
            && column.identity.is_none()
            && (column.default.is_none() || round.is_multiple_of(2) || volatile(column))
    };
    let columns: Vec<&Column> = relation.columns.iter().filter(wanted).collect();
    if columns.is_empty() {
        return format!("INSERT INTO {} DEFAULT VALUES", relation.name);
    }
    let names: Vec<String> = columns.iter().map(|column| ident(&column.name)).collect();
    let values: Vec<String> = columns
        .iter()
        .map(|column| referred(catalog, oid, column).unwrap_or_else(|| value(catalog, column, round)))
        .collect();
    format!("INSERT INTO {} ({}) VALUES ({})", relation.name, names.join(", "), values.join(", "))
}

fn volatile(column: &Column) -> bool {
    column.default.as_deref().is_some_and(|default| default.contains("nextval("))
}

/// A value that a foreign key's table has.
fn referred(catalog: &Catalog, oid: Oid, column: &Column) -> Option<String> {
    let key = catalog
        .on(oid)
        .find(|(kind, _, object)| *kind == Kind::ForeignKey && object.columns == [column.number])?;
    let other = catalog.relations.get(&key.2.references?)?;
    let referred =
        key.2.definition.split(" REFERENCES ").nth(1)?.split('(').nth(1)?.split(')').next()?.to_owned();
    Some(format!("(SELECT {referred} FROM {} ORDER BY 1 DESC LIMIT 1)", other.name))
}

fn value(catalog: &Catalog, column: &Column, round: usize) -> String {
    let kind = column.type_name.as_str();
    // Numbers of its own where the two databases' sequences might go apart.
    let number = if volatile(column) { 100_000 + round } else { round + 1 };
    if let Some(labels) = catalog.objects.get(&(Kind::Enum, column.type_oid.0)) {
        return format!("{}::{kind}", labels.definition.split(", ").next().unwrap_or("NULL"));
    }
    match kind.split('(').next().unwrap_or(kind).trim() {
        "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision" => number.to_string(),
        "boolean" => (number % 2 == 0).to_string(),
        "uuid" => format!("'00000000-0000-0000-0000-{number:012}'"),
        "json" | "jsonb" => "'{}'".to_owned(),
        "bytea" => format!("'\\x{number:04x}'::bytea"),
        "date" => "'2026-01-01'".to_owned(),
        "inet" => format!("'10.0.0.{}'", number % 250),
        "tsvector" => "'a'::tsvector".to_owned(),
        "interval" => "'1 day'::interval".to_owned(),
        kind if kind.starts_with("timestamp") => format!("'2026-01-{:02} 00:00:00'", 1 + number % 28),
        _ if kind.ends_with("[]") => "'{}'".to_owned(),
        _ => format!("'v{number}'"),
    }
}
