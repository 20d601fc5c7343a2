//! Migrations run in a scratch copy, statement by statement.

use postgres::Client;
use postgres::error::SqlState;
use tandem_schema::name::ident;
use tandem_schema::source::{Mark, Migration, Statement};

use super::Unprepared;
use crate::error::Error;

/// Runs those statements that are wanted, each by itself, as the framework would find them: at home. After an undo, what that
/// did not take back may have been run before, and no transaction may fail of it; else those that the file names are kept, as
/// what is there only while they last may be used in them.
pub(super) fn run(
    client: &mut Client,
    home: &str,
    migrations: &[Migration],
    wanted: impl Fn(&Statement) -> bool,
    again: bool,
) -> Result<(), Unprepared> {
    at_home(client, home)?;
    for migration in migrations {
        let wanted = |statement: &&Statement| {
            if statement.transaction_control { !again } else { wanted(statement) }
        };
        // Nobody else is here to lock out.
        for statement in migration.statements.iter().filter(wanted).filter(|one| !one.locks()) {
            match client.batch_execute(&statement.text) {
                Err(error) if !(again && stays(statement) && was_run(&error)) => {
                    let error = Box::new(Error::from(error));
                    return Err(Unprepared::Migration { place: statement.place.clone(), error });
                }
                _ => {}
            }
        }
    }
    // Whatever was left open ends here: outside of a transaction this is a warning.
    client.batch_execute("COMMIT").map_err(Error::from)?;
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

/// What an undo does not take back: what is marked, and values of enums.
fn stays(statement: &Statement) -> bool {
    statement.mark == Some(Mark::Expand) || statement.adds_value()
}

/// A statement fails because of what it did before.
fn was_run(error: &postgres::Error) -> bool {
    let known = [
        SqlState::DUPLICATE_OBJECT,
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_COLUMN,
        SqlState::DUPLICATE_FUNCTION,
        SqlState::DUPLICATE_SCHEMA,
        SqlState::UNDEFINED_OBJECT,
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_COLUMN,
        SqlState::UNDEFINED_FUNCTION,
        SqlState::INVALID_SCHEMA_NAME,
    ];
    error.code().is_some_and(|code| known.contains(code))
}

/// Whether a revision was begun and undone in this database.
pub(super) fn was_undone(client: &mut Client, to: &str) -> Result<bool, Error> {
    let journal = client.query_one("SELECT pg_catalog.to_regclass('tandem.change') IS NOT NULL", &[])?;
    if !journal.try_get::<_, bool>(0)? {
        return Ok(false);
    }
    let query = "SELECT EXISTS (SELECT FROM tandem.change WHERE phase = 'undone' AND plan->>'to' = $1)";
    Ok(client.query_one(query, &[&to])?.try_get(0)?)
}
