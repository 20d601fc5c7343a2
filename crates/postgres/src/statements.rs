//! The statements that a database has really been asked, as `pg_stat_statements` has collected them.
//!
//! Tested in `tests/postgres/statements.rs`.

use postgres::Client;
use postgres::error::SqlState;
use tandem_schema::name::ident;

use crate::error::Error;

/// Stands before what Tandem itself asks of a team's tables: it is no statement of an app.
pub(crate) const OWN: &str = "/* tandem */ ";

/// So many of the statements that are used most are taken.
const MOST: i64 = 5000;

/// Statements of apps, parameters written `$1`, the most used first. Empty where the extension is not there or not loaded.
pub fn statements(client: &mut Client) -> Result<Vec<String>, Error> {
    let extension = client.query_opt(
        "SELECT n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
         WHERE e.extname = 'pg_stat_statements'",
        &[],
    )?;
    let Some(row) = extension else { return Ok(Vec::new()) };
    let schema: String = row.try_get(0)?;
    let query = format!(
        "SELECT s.query FROM {}.pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
         WHERE d.datname = current_database() AND length(s.query) < 100000
           AND s.query ~* '^\\s*(/\\*[^*]*\\*/\\s*)*(select|insert|update|delete|with|merge|values)\\M'
           AND NOT starts_with(s.query, '{OWN}')
           AND s.query !~ '\\m(pg_|information_schema\\.|tandem\\.)'
         GROUP BY s.query ORDER BY sum(s.calls) DESC, s.query LIMIT $1",
        ident(&schema)
    );
    match client.query(&query, &[&MOST]) {
        // The extension is there, and its library was not loaded at the server's start.
        Err(error) if error.code() == Some(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE) => Ok(Vec::new()),
        asked => asked?.iter().map(|row| Ok(row.try_get(0)?)).collect(),
    }
}
