//! The tables in which frameworks keep which migrations have run, and what each revision is to see in them.
//!
//! An app that refuses to start when the database is not at its own head must start on either side: clients of the new
//! revision see the rows of its migrations before they are there for good. Tested in place for texts; that each
//! framework accepts what it sees is tested by `tandem-postgres`.

mod checksum;
mod row;
pub mod snapshot;

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::model::{Catalog, Relation};
use crate::name::{Name, ident};
use crate::source::{Framework, Migration};
use row::Row;

/// A framework's table with what changes in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Book {
    /// The table.
    pub table: Name,
    /// Whose it is. Rails writes the same table as dbmate.
    pub framework: Framework,
    /// The query by which clients of the new revision see it while two revisions are alive.
    pub view: String,
    /// Statements that put the rows in for good, run with the contract; they can be repeated.
    pub settle: Vec<String>,
}

/// A known table, the columns without which it is not that, and whether it may have others.
struct Known {
    framework: Framework,
    table: &'static str,
    columns: &'static [&'static str],
    exact: bool,
}

const KNOWN: &[Known] = &[
    Known {
        framework: Framework::Sqlx,
        table: "_sqlx_migrations",
        columns: &["version", "description", "installed_on", "success", "checksum", "execution_time"],
        exact: false,
    },
    Known {
        framework: Framework::Diesel,
        table: "__diesel_schema_migrations",
        columns: &["version", "run_on"],
        exact: false,
    },
    Known {
        framework: Framework::Flyway,
        table: "flyway_schema_history",
        columns: &[
            "installed_rank",
            "version",
            "description",
            "type",
            "script",
            "checksum",
            "installed_by",
            "installed_on",
            "execution_time",
            "success",
        ],
        exact: false,
    },
    Known {
        framework: Framework::Prisma,
        table: "_prisma_migrations",
        columns: &[
            "id",
            "checksum",
            "finished_at",
            "migration_name",
            "logs",
            "rolled_back_at",
            "started_at",
            "applied_steps_count",
        ],
        exact: false,
    },
    Known {
        framework: Framework::GolangMigrate,
        table: "schema_migrations",
        columns: &["version", "dirty"],
        exact: true,
    },
    Known { framework: Framework::Dbmate, table: "schema_migrations", columns: &["version"], exact: true },
];

/// The books in a schema.
fn found<'a>(catalog: &'a Catalog, home: &str) -> Vec<(&'static Known, &'a Relation)> {
    let is = |known: &Known, relation: &Relation| {
        relation.is_table()
            && relation.name.schema == home
            && relation.name.name == known.table
            && known.columns.iter().all(|column| relation.named(column).is_some())
            && (!known.exact || relation.columns.len() == known.columns.len())
    };
    let all = |known: &'static Known| {
        catalog
            .relations
            .values()
            .filter(move |relation| is(known, relation))
            .map(move |relation| (known, relation))
    };
    KNOWN.iter().flat_map(all).collect()
}

/// Whether migrations named in the way of one tool can be those of a book.
fn writes(book: Framework, naming: Framework) -> bool {
    match book {
        Framework::Sqlx => matches!(naming, Framework::Plain | Framework::GolangMigrate | Framework::Sqlx),
        Framework::GolangMigrate => matches!(naming, Framework::Plain | Framework::GolangMigrate),
        Framework::Dbmate => matches!(naming, Framework::Plain | Framework::Dbmate),
        Framework::Plain => false,
        Framework::Diesel | Framework::Flyway | Framework::Prisma => book == naming,
    }
}

/// The books in the schema `home` that the frameworks of these migrations (in order) would have written to.
pub fn books(catalog: &Catalog, home: &str, migrations: &[Migration]) -> Vec<Book> {
    let of = |(known, relation): (&Known, &Relation)| {
        let own: Vec<&Migration> =
            migrations.iter().filter(|migration| writes(known.framework, migration.framework)).collect();
        book(known.framework, relation, &own)
    };
    found(catalog, home).into_iter().filter_map(of).collect()
}

fn book(framework: Framework, relation: &Relation, migrations: &[&Migration]) -> Option<Book> {
    let table = &relation.name;
    let last = migrations.last()?;
    let columns: Vec<String> = relation.columns.iter().map(|column| ident(&column.name)).collect();
    if framework == Framework::GolangMigrate {
        // One row, which is where the database stands.
        let row = row::of(framework, table, last, 1);
        let version = row.value("version").unwrap_or_default();
        let elsewhere = format!("{} <> {version} OR {}", ident("version"), ident("dirty"));
        return Some(Book {
            table: table.clone(),
            framework,
            view: format!(
                "SELECT * FROM (SELECT {}) AS b ({})",
                row.list(relation, true).1,
                columns.join(", ")
            ),
            settle: vec![format!("DELETE FROM {table} WHERE {elsewhere}"), insert(relation, &row)],
        });
    }
    let rows: Vec<Row> =
        (1..).zip(migrations).map(|(rank, migration)| row::of(framework, table, migration, rank)).collect();
    let mut view = format!("SELECT {} FROM {table}", columns.join(", "));
    for row in &rows {
        view.push_str(&format!(
            "\nUNION ALL SELECT {} WHERE NOT EXISTS (SELECT FROM {table} WHERE {})",
            row.list(relation, true).1,
            row.present
        ));
    }
    let settle = (1..).zip(migrations).map(|(rank, migration)| {
        // Ranks count from what is there, and each statement adds a row.
        let rank = if framework == Framework::Flyway { 1 } else { rank };
        insert(relation, &row::of(framework, table, migration, rank))
    });
    Some(Book { table: table.clone(), framework, view, settle: settle.collect() })
}

fn insert(relation: &Relation, row: &Row) -> String {
    let table = &relation.name;
    let (columns, values) = row.list(relation, false);
    format!(
        "INSERT INTO {table} ({columns}) SELECT {values} WHERE NOT EXISTS (SELECT FROM {table} WHERE {})",
        row.present
    )
}

/// The book in the schema `home`, and the query (one column of texts, in order) of what has run by it, for
/// [`names_applied`]. Of several the first of sqlx, Diesel, Flyway, Prisma, golang-migrate, dbmate.
pub fn applied(catalog: &Catalog, home: &str) -> Option<(Name, Framework, String)> {
    let (known, relation) = found(catalog, home).into_iter().next()?;
    let table = &relation.name;
    let query = match known.framework {
        Framework::Sqlx => {
            format!("SELECT \"version\"::text FROM {table} WHERE \"success\" ORDER BY {table}.\"version\"")
        }
        // A dirty version is one that has failed: only those before it have run.
        Framework::GolangMigrate => {
            format!("SELECT CASE WHEN \"dirty\" THEN '<' ELSE '<=' END || \"version\"::text FROM {table}")
        }
        // A baseline stands for everything up to it. What was undone has run no more.
        Framework::Flyway => format!(
            "SELECT CASE WHEN b.\"type\" LIKE '%BASELINE' THEN '<=' ELSE '' END || b.\"version\"::text FROM {table} AS b \
             WHERE b.\"success\" AND b.\"version\" IS NOT NULL AND b.\"type\" NOT LIKE 'UNDO%' AND b.\"type\" <> 'DELETE' \
             AND NOT EXISTS (SELECT FROM {table} AS u WHERE u.\"version\" = b.\"version\" AND u.\"success\" \
             AND (u.\"type\" LIKE 'UNDO%' OR u.\"type\" = 'DELETE') AND u.\"installed_rank\" > b.\"installed_rank\") \
             ORDER BY b.\"installed_rank\""
        ),
        Framework::Prisma => format!(
            "SELECT \"migration_name\"::text FROM {table} WHERE \"finished_at\" IS NOT NULL \
             AND \"rolled_back_at\" IS NULL ORDER BY \"started_at\", {table}.\"migration_name\""
        ),
        Framework::Diesel | Framework::Dbmate | Framework::Plain => {
            format!("SELECT \"version\"::text FROM {table} ORDER BY {table}.\"version\"")
        }
    };
    Some((table.clone(), known.framework, query))
}

/// The names of the migrations that have run, in their order, by what the query of [`applied`] gave.
pub fn names_applied(migrations: &[Migration], framework: Framework, versions: &[String]) -> Vec<String> {
    let exact: BTreeSet<&str> = versions.iter().map(String::as_str).collect();
    let ran = |migration: &Migration| match framework {
        Framework::Prisma => exact.contains(migration.name.as_str()),
        Framework::Diesel => exact.contains(migration.version.as_str()),
        _ => versions.iter().any(|version| {
            let (upto, equal, version) = match version.strip_prefix('<') {
                Some(rest) => (true, rest.starts_with('='), rest.trim_start_matches('=')),
                None => (false, true, version.as_str()),
            };
            match by_parts(&migration.version, version) {
                Ordering::Equal => equal,
                Ordering::Less => upto,
                Ordering::Greater => false,
            }
        }),
    };
    migrations.iter().filter(|migration| ran(migration)).map(|migration| migration.name.clone()).collect()
}

/// Versions compared number by number: `2.0` is `2`, `0042` is `42`.
fn by_parts(left: &str, right: &str) -> Ordering {
    let parts = |version: &str| {
        let number = |part: &str| {
            let short = part.trim_start_matches('0').to_owned();
            (short.len(), short)
        };
        let mut parts: Vec<(usize, String)> = version.split(['.', '_']).map(number).collect();
        while parts.last().is_some_and(|(length, _)| *length == 0) {
            parts.pop();
        }
        parts
    };
    parts(left).cmp(&parts(right))
}

#[cfg(test)]
mod tests;
