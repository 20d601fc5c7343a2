//! Folders of migrations in plain SQL.

use super::finding::{Finding, Migrations};
use super::folder::Folder;

/// Where tools keep them.
const FOLDERS: &[(&str, &str)] = &[
    ("prisma/migrations", "Prisma"),
    ("db/migrations", "dbmate, golang-migrate"),
    ("migrations", "sqlx, Diesel"),
    ("db/migration", "Flyway"),
    ("src/main/resources/db/migration", "Flyway"),
    ("sql/migrations", "plain SQL"),
];

pub(super) fn look(folder: &Folder) -> Option<Finding> {
    FOLDERS.iter().find_map(|(path, tool)| {
        let is_sql = |name: &String| name.ends_with(".sql");
        let inside = |name: &String| folder.names(&format!("{path}/{name}")).iter().any(is_sql);
        let names = folder.names(path);
        if !names.iter().any(|name| is_sql(name) || inside(name)) {
            return None;
        }
        let mut finding = Finding::of(format!("{path} (SQL, as of {tool})"));
        finding.migrations = Some(Migrations::Folder((*path).to_owned()));
        Some(finding)
    })
}
