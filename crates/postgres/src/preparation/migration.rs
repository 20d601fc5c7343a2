//! Migrations run in a scratch copy, statement by statement.

use postgres::Client;
use tandem_schema::name::ident;
use tandem_schema::source::{Mark, Migration, Statement};

use super::Unprepared;
use crate::error::Error;

/// Runs those statements whose mark is wanted, each by itself, as the framework would find them: at home.
pub(super) fn run(
    client: &mut Client,
    home: &str,
    migrations: &[Migration],
    wanted: impl Fn(Option<Mark>) -> bool,
) -> Result<(), Unprepared> {
    at_home(client, home)?;
    for migration in migrations {
        for statement in migration.statements.iter().filter(|statement| wanted(statement.mark)) {
            if statement.transaction_control || locks(statement) {
                continue;
            }
            client.batch_execute(&statement.text).map_err(|error| Unprepared::Migration {
                place: statement.place.clone(),
                error: Box::new(Error::from(error)),
            })?;
        }
    }
    // A migration may have set anything; catalogs are read as every connection of Tandem's reads them.
    client
        .batch_execute("SET \"TimeZone\" = 'UTC'; SET \"DateStyle\" = 'ISO, YMD'; SET search_path = ''")
        .map_err(Error::from)?;
    Ok(())
}

/// The path as a framework finds it, if unqualified names are made at home by it; else home alone.
fn at_home(client: &mut Client, home: &str) -> Result<(), Error> {
    client.batch_execute("RESET search_path; RESET \"TimeZone\"")?;
    let current: Option<String> =
        client.query_one("SELECT pg_catalog.current_schema()::text", &[])?.try_get(0)?;
    if current.as_deref() != Some(home) {
        client.batch_execute(&format!("SET search_path = {}", ident(home)))?;
    }
    Ok(())
}

/// A lock is for the transaction that a framework would wrap around; nobody else is here.
fn locks(statement: &Statement) -> bool {
    statement.text.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("lock "))
}
