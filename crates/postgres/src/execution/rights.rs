//! Whether the role may do what a plan does, asked before anything is begun.
//!
//! Tested in `tests/postgres/rights.rs`.

use std::collections::BTreeSet;

use postgres::Client;
use tandem_schema::name::ident;
use tandem_schema::plan::{Plan, Work};

use crate::error::Error;

/// Fails with what is missing where the role may not create schemas in the database: its journal and its lenses are some.
pub(super) fn may_create(client: &mut Client) -> Result<(), Error> {
    let row = client.query_one(
        "SELECT has_database_privilege(current_database(), 'CREATE'), current_user::text, current_database()::text",
        &[],
    )?;
    if row.try_get(0)? {
        return Ok(());
    }
    let (who, database): (String, String) = (row.try_get(1)?, row.try_get(2)?);
    let help = format!(
        "its journal and the views of each revision are in schemas of their own; \
         GRANT CREATE ON DATABASE {} TO {}, or connect as the database's owner",
        ident(&database),
        ident(&who)
    );
    Err(Error::MayNot { who, what: format!("create schemas in {database}"), help })
}

/// Fails with what is missing where the journal is another role's.
pub(super) fn may_write(client: &mut Client) -> Result<(), Error> {
    let row = client.query_one(
        "SELECT has_table_privilege(oid, 'UPDATE'), current_user::text, pg_get_userbyid(relowner)::text
         FROM pg_class WHERE oid = 'tandem.change'::regclass",
        &[],
    )?;
    if row.try_get(0)? {
        return Ok(());
    }
    let (who, owner): (String, String) = (row.try_get(1)?, row.try_get(2)?);
    let help = format!(
        "{owner} made it: connect as that role, or let this one act as it (GRANT {} TO {})",
        ident(&owner),
        ident(&who)
    );
    Err(Error::MayNot {
        who,
        what: "write the journal of this database (the schema tandem)".to_owned(),
        help,
    })
}

/// Fails with what is missing where a plan changes tables that belong to somebody else.
pub fn may_change(client: &mut Client, plan: &Plan) -> Result<(), Error> {
    let steps = plan.start.iter().chain(&plan.contract);
    let mut tables = BTreeSet::new();
    for step in steps {
        match &step.work {
            Work::Transaction { locks, .. } => {
                tables.extend(locks.iter().map(|lock| lock.table.to_string()));
            }
            Work::Fill(fill) => drop(tables.insert(fill.table.to_string())),
            Work::Alone { .. } => {}
        }
    }
    let tables: Vec<String> = tables.into_iter().collect();
    let others = client.query(
        "SELECT c.oid::regclass::text, pg_get_userbyid(c.relowner)::text, current_user::text
         FROM unnest($1::text[]) t JOIN pg_class c ON c.oid = to_regclass(t)
         WHERE c.relkind IN ('r', 'p') AND NOT pg_has_role(c.relowner, 'USAGE') ORDER BY 1",
        &[&tables],
    )?;
    let Some(first) = others.first() else { return Ok(()) };
    let (owner, who): (String, String) = (first.try_get(1)?, first.try_get(2)?);
    let names: Vec<String> = others.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let help = format!(
        "connect as {owner}, or let it act as that role (GRANT {} TO {})",
        ident(&owner),
        ident(&who)
    );
    Err(Error::MayNot { who, what: format!("change {}, which it does not own", names.join(", ")), help })
}
