//! The lens of a revision whose clients write the schema before each name, made whole in a database in which nothing is
//! going on. Tested in `tests/change/qualified.rs`.

use postgres::Client;
use tandem_schema::whole;

use crate::error::Error;
use crate::reading::schema;

/// Makes a lens whole; one that is there stays as it is.
///
/// # Errors
/// The database can't be read, or the role may not make it.
pub fn complete(client: &mut Client, home: &str, lens: &str) -> Result<(), Error> {
    // It is made in one transaction: if there is any of it, there is all.
    if client
        .query_one("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", &[&lens])?
        .try_get(0)?
    {
        return Ok(());
    }
    let mut transaction = client.transaction()?;
    let catalog = schema(&mut transaction)?;
    for statement in whole::complete(&catalog, home, lens) {
        transaction.batch_execute(&statement)?;
    }
    Ok(transaction.commit()?)
}
