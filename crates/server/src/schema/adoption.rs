//! A database whose migrations were run by another tool before: what the tool's own book says, and taking it over.

use postgres::Client;
use tandem_postgres::{Execution, catalog, preparation};
use tandem_schema::book;
use tandem_schema::model::Catalog;
use tandem_schema::name::Name;

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
    if has_tables(&catalog, book.as_ref()) || !ran.is_empty() {
        return Err(Trouble::NotAdopted { head: ran.last().cloned() });
    }
    Ok(())
}

/// Whether nothing is there that a framework's command could have made.
pub(super) fn is_blank(client: &mut Client) -> Result<(), Trouble> {
    if has_tables(&catalog(client)?, None) {
        return Err(Trouble::NotAdopted { head: preparation::head(client)? });
    }
    Ok(())
}

/// Tables other than Tandem's own and an empty book.
fn has_tables(catalog: &Catalog, book: Option<&Name>) -> bool {
    let others = catalog.relations.values().filter(|relation| relation.is_table());
    let names = others.map(|relation| &relation.name);
    names.into_iter().any(|name| !name.schema.starts_with("tandem_") && Some(name) != book)
}

/// Takes a database as it is for the revision of that name, to which a framework's own command has brought it.
pub fn adopt_as(execution: &mut Execution<'_>, name: &str) -> Result<(), Trouble> {
    Ok(execution.adopt(name, &[])?)
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
