//! The row that a framework would have written for a migration.

use super::checksum;
use crate::model::Relation;
use crate::name::{self, Name, ident, literal};
use crate::source::{Framework, Migration};

/// A row of a book.
pub(super) struct Row {
    values: Vec<(&'static str, String)>,
    /// The condition on the book's rows by which this one is there already.
    pub(super) present: String,
}

impl Row {
    pub(super) fn value(&self, column: &str) -> Option<&str> {
        self.values.iter().find(|(name, _)| *name == column).map(|(_, value)| value.as_str())
    }

    /// Columns and values, each of its column's type. A query shows all columns; an INSERT leaves those that the framework doesn't
    /// know to their defaults.
    pub(super) fn list(&self, relation: &Relation, all: bool) -> (String, String) {
        let mut columns = Vec::new();
        let mut values = Vec::new();
        for column in &relation.columns {
            let value = self.value(&column.name).or(all.then_some("NULL"));
            if let Some(value) = value {
                columns.push(ident(&column.name));
                values.push(format!("CAST({value} AS {})", column.type_name));
            }
        }
        (columns.join(", "), values.join(", "))
    }
}

/// The row of a migration; it is the `rank`th new one.
pub(super) fn of(framework: Framework, table: &Name, migration: &Migration, rank: usize) -> Row {
    let now = || "CURRENT_TIMESTAMP".to_owned();
    match framework {
        Framework::Sqlx => Row {
            present: format!("\"version\" = {}", number(migration)),
            values: vec![
                ("version", number(migration)),
                ("description", literal(&migration.description.replace('_', " "))),
                ("installed_on", now()),
                ("success", "true".to_owned()),
                ("checksum", format!("decode('{}', 'hex')", checksum::sqlx(&migration.file.text))),
                ("execution_time", "0".to_owned()),
            ],
        },
        Framework::Diesel => Row {
            present: format!("\"version\" = {}", literal(&migration.version)),
            values: vec![("version", literal(&migration.version)), ("run_on", now())],
        },
        Framework::GolangMigrate => Row {
            present: format!("\"version\" = {}", number(migration)),
            values: vec![("version", number(migration)), ("dirty", "false".to_owned())],
        },
        Framework::Flyway => flyway(table, migration, rank),
        Framework::Prisma => prisma(migration),
        Framework::Dbmate | Framework::Plain => {
            // The digits as they stand in the file's name, and not the number.
            let digits: String = migration.name.chars().take_while(char::is_ascii_digit).collect();
            // Rails has texts here, too; who made it a number can still be compared with.
            Row {
                present: format!("\"version\"::text = {}", literal(&digits)),
                values: vec![("version", literal(&digits))],
            }
        }
    }
}

/// The version as a number: it consists of digits, or it would not have been read.
fn number(migration: &Migration) -> String {
    let digits: String = migration.version.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() { "0".to_owned() } else { digits }
}

fn flyway(table: &Name, migration: &Migration, rank: usize) -> Row {
    let version = literal(&migration.version);
    Row {
        present: format!("\"version\" = {version} AND \"success\""),
        values: vec![
            (
                "installed_rank",
                format!("(SELECT coalesce(max(\"installed_rank\"), 0) FROM {table}) + {rank}"),
            ),
            ("version", version),
            ("description", literal(&migration.description)),
            ("type", "'SQL'".to_owned()),
            ("script", literal(&migration.file.path)),
            ("checksum", checksum::flyway(&migration.file.text).to_string()),
            ("installed_by", "CURRENT_USER".to_owned()),
            ("installed_on", "CURRENT_TIMESTAMP".to_owned()),
            ("execution_time", "0".to_owned()),
            ("success", "true".to_owned()),
        ],
    }
}

fn prisma(migration: &Migration) -> Row {
    let name = literal(&migration.name);
    let now = || "CURRENT_TIMESTAMP".to_owned();
    Row {
        present: format!(
            "\"migration_name\" = {name} AND \"finished_at\" IS NOT NULL AND \"rolled_back_at\" IS NULL"
        ),
        values: vec![
            ("id", literal(&id(migration))),
            ("checksum", literal(&migration.checksum)),
            ("finished_at", now()),
            ("migration_name", name),
            ("started_at", now()),
            ("applied_steps_count", "1".to_owned()),
        ],
    }
}

/// Prisma draws a random one; here nothing is random, so it comes from the migration (a UUID of version 8).
fn id(migration: &Migration) -> String {
    let digest = name::digest(&format!("{} {}", migration.name, migration.checksum));
    let part = |from: usize, to: usize| digest.get(from..to).unwrap_or_default();
    format!("{}-{}-8{}-a{}-{}", part(0, 8), part(8, 12), part(12, 15), part(15, 18), part(18, 30))
}
