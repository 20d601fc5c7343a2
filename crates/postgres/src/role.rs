//! Roles of revisions at the server: made, tried, removed. Which statements make one, and which are of use, is the caller's to say.
//!
//! Tested in `tests/postgres/role.rs`.

use postgres::{Client, SimpleQueryMessage};
use tandem_schema::name::{ident, literal};

use crate::address::{Address, shown};
use crate::encryption::Failed;
use crate::error::Error;

/// A role that owns something, or is named in somebody's rights, can't be dropped.
const NEEDED: &str = "2BP01";

/// As whom a URL connects. None: it does not say.
pub fn user(url: &str) -> Result<Option<String>, Error> {
    Ok(Address::parse(url)?.config.get_user().map(ToOwned::to_owned))
}

/// Runs the statements that make a role, all or none.
pub fn make(client: &mut Client, statements: &[String]) -> Result<(), Error> {
    let mut transaction = client.transaction()?;
    statements.iter().try_for_each(|statement| transaction.batch_execute(statement))?;
    Ok(transaction.commit()?)
}

/// What a client finds behind a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// As whom it is at the server, which a pooler may have chosen.
    pub user: String,
    /// Where its names are looked up.
    pub path: String,
}

/// Connects as a client would, without any settings of Tandem's. Nothing is prepared: a pooler that shares sessions may
/// be in between.
pub fn find(url: &str) -> Result<Found, Error> {
    let address = Address::parse(url)?;
    let mut client = address.encryption.connect(&address.config).map_err(|why| match why {
        Failed::Files(why) => Error::Address { url: shown(url), why },
        Failed::Connect(why) => Error::connecting(shown(url), &why),
    })?;
    let answers = client.simple_query("SELECT session_user, current_setting('search_path')")?;
    let found = answers.iter().find_map(|answer| match answer {
        SimpleQueryMessage::Row(row) => {
            Some(Found { user: row.get(0)?.to_owned(), path: row.get(1)?.to_owned() })
        }
        _ => None,
    });
    found.ok_or_else(|| Error::Answer { why: "no row for a session's own role".to_owned() })
}

/// The roles that end in a mark and have no sessions but Tandem's.
pub fn unused(client: &mut Client, mark: &str) -> Result<Vec<String>, Error> {
    let rows = client.query(
        "SELECT r.rolname::text FROM pg_roles r WHERE right(r.rolname, length($1) + 1) = '_' || $1
           AND NOT EXISTS (SELECT FROM pg_stat_activity a
                           WHERE a.usesysid = r.oid AND coalesce(a.application_name, '') <> 'tandem')
         ORDER BY 1",
        &[&mark],
    )?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// Removes a role; what it owns in this database becomes its heir's.
pub fn remove(client: &mut Client, role: &str, heir: &str) -> Result<(), Error> {
    let (quoted, heir) = (ident(role), ident(heir));
    let drop = format!("DROP ROLE IF EXISTS {quoted}");
    let dropped = client.batch_execute(&drop).map_err(Error::from);
    if !matches!(&dropped, Err(error) if error.code() == Some(NEEDED)) {
        return dropped;
    }
    // To act for a role takes membership, which whoever made it may give itself.
    let mut transaction = client.transaction()?;
    transaction.batch_execute(&format!(
        "DO $tandem$ BEGIN IF NOT pg_has_role({}, 'USAGE') THEN GRANT {quoted} TO CURRENT_USER; END IF; END $tandem$; \
         REASSIGN OWNED BY {quoted} TO {heir}; DROP OWNED BY {quoted}; {drop}",
        literal(role)
    ))?;
    Ok(transaction.commit()?)
}
