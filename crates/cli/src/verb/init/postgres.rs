//! Whether anything here speaks of PostgreSQL: only then a database is more than a remark.

use super::finding::Finding;
use super::folder::Folder;

/// Files in which a project names what it is built on.
const FILES: &[&str] = &[
    "prisma/schema.prisma",
    "config/database.yml",
    "Gemfile",
    "package.json",
    "requirements.txt",
    "pyproject.toml",
    "Pipfile",
    "alembic.ini",
    "composer.json",
    "mix.exs",
    "go.mod",
    "Cargo.toml",
    "config/deploy.yml",
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
    ".env.example",
];

const SIGNS: &[&str] =
    &["postgres", "psycopg", "asyncpg", "\"pg\"", "'pg'", "postgrex", "/pgx", "DATABASE_URL"];

/// The file that names it.
pub(super) fn named_in(folder: &Folder) -> Option<String> {
    let settings = folder.names("").into_iter().map(|name| format!("{name}/settings.py"));
    let files = FILES.iter().map(|name| (*name).to_owned()).chain(settings);
    files.into_iter().find(|name| {
        let text = folder.text(name).unwrap_or_default();
        SIGNS.iter().any(|sign| text.contains(sign))
    })
}

/// Variables that name the database belong into `[database]`.
pub(super) fn without_url(finding: &mut Finding) -> bool {
    finding.environment.remove("DATABASE_URL").is_some()
}
