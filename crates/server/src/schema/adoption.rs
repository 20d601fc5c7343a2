//! A database whose migrations were run by another tool before: what the tool's own book says, and taking it over.

use postgres::Client;
use tandem_postgres::{Execution, catalog};
use tandem_schema::book;

use super::folder::Folder;
use super::standing::Standing;
use super::trouble::Trouble;

/// The migrations that have run by the framework's book in the database, in order. None: there is no book.
fn ran(client: &mut Client, folder: &Folder, home: &str) -> Result<Option<Vec<String>>, Trouble> {
    let catalog = catalog(client)?;
    let Some((_, framework, query)) = book::applied(&catalog, home) else { return Ok(None) };
    let rows = client.query(query.as_str(), &[]).map_err(tandem_postgres::Error::from)?;
    let versions: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0)).collect();
    let versions = versions.map_err(tandem_postgres::Error::from)?;
    Ok(Some(book::names_applied(&folder.migrations, framework, &versions)))
}

/// The last migration that has run by the framework's book.
pub fn head(client: &mut Client, folder: &Folder, home: &str) -> Result<Option<String>, Trouble> {
    Ok(ran(client, folder, home)?.and_then(|mut names| names.pop()))
}

/// Whether nothing is there that migrations could have made; an empty book is nothing.
pub(super) fn is_empty(client: &mut Client, folder: &Folder, home: &str) -> Result<(), Trouble> {
    let catalog = catalog(client)?;
    let book = book::applied(&catalog, home).map(|(table, _, _)| table);
    let ran = ran(client, folder, home)?.unwrap_or_default();
    let ours = |relation: &tandem_schema::model::Relation| relation.name.schema.starts_with("tandem_");
    let is_book = |relation: &tandem_schema::model::Relation| book.as_ref() == Some(&relation.name);
    let tables = catalog
        .relations
        .values()
        .any(|relation| relation.is_table() && !ours(relation) && !is_book(relation));
    if tables || !ran.is_empty() {
        return Err(Trouble::NotAdopted { head: ran.last().cloned() });
    }
    Ok(())
}

/// Whether nothing is there that a framework's command could have made.
pub(super) fn is_blank(client: &mut Client) -> Result<(), Trouble> {
    let catalog = catalog(client)?;
    let ours = |relation: &tandem_schema::model::Relation| relation.name.schema.starts_with("tandem_");
    match catalog.relations.values().any(|relation| relation.is_table() && !ours(relation)) {
        true => Err(Trouble::NotAdopted { head: None }),
        false => Ok(()),
    }
}

/// Takes a database as it is for a revision.
pub fn adopt(
    execution: &mut Execution<'_>,
    folder: &Folder,
    standing: &Standing,
    at: usize,
) -> Result<String, Trouble> {
    let upto = folder.migrations.get(..=at).unwrap_or_default();
    let name = upto.last().map(|migration| migration.name.clone()).unwrap_or_default();
    if let Some(now) = standing.state.revision.as_ref().filter(|now| now.name != name) {
        let behind = folder.find(&now.name).is_ok_and(|place| place >= at);
        if behind {
            return Err(Trouble::Backwards { name, at: now.name.clone() });
        }
    }
    execution.adopt(&name, &Folder::refs(upto))?;
    Ok(name)
}
