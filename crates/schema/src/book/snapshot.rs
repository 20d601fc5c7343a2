//! Books as a framework's own command has left them: every row that the new revision is to see.
//!
//! For the tables of any framework, known by their names alone.

use super::Book;
use crate::model::{Catalog, Relation};
use crate::name::{Name, ident, literal};
use crate::source::Framework;

/// Names of the tables in which frameworks write down what has run, beside those that end in [`MOSTLY`].
const BOOKS: &[&str] = &[
    "alembic_version",
    "ar_internal_metadata",
    "flyway_schema_history",
    "knex_migrations_lock",
    "SequelizeMeta",
    "__EFMigrationsHistory",
    "databasechangelog",
    "databasechangeloglock",
    "goose_db_version",
    "doctrine_migration_versions",
    "migrations",
    "pgmigrations",
];

/// How most of them are called: `schema_migrations`, `django_migrations`, `knex_migrations`, and those of applications that
/// bring a framework of their own.
const MOSTLY: &str = "_migrations";

/// An application's own table may be called so too; a book has no more rows than this.
const LARGEST: u64 = 10_000;

/// Names of the tables that frameworks fill by themselves whenever migrations have run, and read before; those that others
/// refer to come first.
const FILLED: &[&str] = &["django_content_type", "auth_permission", "django_site"];

/// The books of a database, whoever wrote them.
pub fn known(catalog: &Catalog) -> Vec<Name> {
    let so_called = |relation: &&Relation| {
        relation.is_table() && relation.name.name.ends_with(MOSTLY) && relation.rows <= LARGEST
    };
    let mostly = catalog.relations.values().filter(so_called).map(|relation| relation.name.clone());
    mostly.chain(tables(catalog, BOOKS)).collect()
}

/// Further tables whose rows a framework's command needs to find.
pub fn filled(catalog: &Catalog) -> Vec<Name> {
    tables(catalog, FILLED)
}

/// In the order of the names.
fn tables(catalog: &Catalog, known: &[&str]) -> Vec<Name> {
    let named = |name: &&str| {
        let tables = catalog.relations.values().filter(|relation| relation.is_table());
        let name = (*name).to_owned();
        tables.filter(move |relation| relation.name.name == name).map(|relation| relation.name.clone())
    };
    known.iter().flat_map(named).collect()
}

/// A book whose rows are to be `rows`, each with the texts of its columns in the table's order.
pub fn book(relation: &Relation, rows: &[Vec<Option<String>>]) -> Book {
    let table = &relation.name;
    let columns: Vec<String> = relation.columns.iter().map(|column| ident(&column.name)).collect();
    let columns = columns.join(", ");
    let (view, settle) = if rows.is_empty() {
        (format!("SELECT {columns} FROM {table} WHERE false"), vec![format!("DELETE FROM {table}")])
    } else {
        let values = values(relation, rows);
        let same: Vec<String> = relation
            .columns
            .iter()
            .map(|column| ident(&column.name))
            .map(|column| format!("b.{column} IS NOT DISTINCT FROM n.{column}"))
            .collect();
        let (same, wanted) = (same.join(" AND "), format!("(VALUES {values}) AS n ({columns})"));
        let mut settle = vec![
            format!("DELETE FROM {table} AS b WHERE NOT EXISTS (SELECT FROM {wanted} WHERE {same})"),
            format!(
                "INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {wanted} \
                 WHERE NOT EXISTS (SELECT FROM {table} AS b WHERE {same})"
            ),
        ];
        settle.extend(relation.columns.iter().filter_map(|column| counted(relation, column)));
        (format!("SELECT {columns} FROM {wanted}"), settle)
    };
    Book { table: table.clone(), framework: Framework::Plain, view, settle }
}

/// Statements that add rows to a table that a framework fills by itself. Their numbers are those of the copy in which they
/// were made: other rows refer to them. Both revisions can live with them.
pub fn added(relation: &Relation, rows: &[Vec<Option<String>>]) -> Vec<String> {
    let columns: Vec<String> = relation.columns.iter().map(|column| ident(&column.name)).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let mut statements = vec![format!(
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES {} ON CONFLICT DO NOTHING",
        relation.name,
        columns.join(", "),
        values(relation, rows)
    )];
    statements.extend(relation.columns.iter().filter_map(|column| counted(relation, column)));
    statements.iter().map(|statement| format!("-- @expand\n{statement}")).collect()
}

/// A statement that puts rows into a book that is new; none where there are no rows.
pub fn insert(relation: &Relation, rows: &[Vec<Option<String>>]) -> Option<String> {
    let columns: Vec<String> = relation.columns.iter().map(|column| ident(&column.name)).collect();
    let values = (!rows.is_empty()).then(|| values(relation, rows))?;
    Some(format!("INSERT INTO {} ({}) VALUES {values}", relation.name, columns.join(", ")))
}

fn values(relation: &Relation, rows: &[Vec<Option<String>>]) -> String {
    let row = |row: &Vec<Option<String>>| {
        let cells = relation.columns.iter().zip(row).map(|(column, cell)| match cell {
            Some(text) => format!("{}::{}", literal(text), column.type_name),
            None => format!("NULL::{}", column.type_name),
        });
        format!("({})", cells.collect::<Vec<_>>().join(", "))
    };
    rows.iter().map(row).collect::<Vec<_>>().join(", ")
}

/// The next row that the framework writes gets a number of its own.
fn counted(relation: &Relation, column: &crate::model::Column) -> Option<String> {
    let counts = column.identity.is_some() || column.default.as_ref()?.contains("nextval(");
    let (table, name) = (relation.name.to_string(), ident(&column.name));
    counts.then(|| {
        format!(
            "SELECT setval(pg_get_serial_sequence({}, {}), max({name})) FROM {table} HAVING max({name}) IS NOT NULL",
            literal(&table),
            literal(&column.name)
        )
    })
}
