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
    client.batch_execute(&format!("SET search_path = {}", ident(home))).map_err(Error::from)?;
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
    Ok(())
}

/// A lock is for the transaction that a framework would wrap around; nobody else is here.
fn locks(statement: &Statement) -> bool {
    statement.text.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("lock "))
}
