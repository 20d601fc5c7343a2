//! Whether a database is as changes of schema need it, asked before anybody plans one. Changes nothing.
//!
//! Tested with the real program in `crates/cli/tests/cli/doctor.rs`.

use postgres::Client;
use tandem_core::base::Timestamp;
use tandem_postgres::{Error, connect};
use tandem_schema::name::ident;

use super::{Site, Trouble};

/// How a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkup {
    /// Its version, as the server says it.
    pub version: String,
    /// As whom we are known there.
    pub who: String,
    /// Its clock.
    pub clock: Timestamp,
    /// What is missing, each with what mends it.
    pub lacks: Vec<Lack>,
}

/// Something that the role may not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// What.
    pub what: String,
    /// What to do.
    pub help: String,
}

impl Site {
    /// Looks at the database, and at the server for scratch copies if there is another one.
    ///
    /// # Errors
    /// One of them does not answer, or is too old.
    pub fn checkup(&self) -> Result<Checkup, Trouble> {
        let mut client = connect(&self.url)?;
        let row = client
            .query_one(
                "SELECT current_setting('server_version'), current_user::text, current_database()::text,
                    (extract(epoch FROM clock_timestamp()) * 1000)::int8,
                    has_database_privilege(current_database(), 'CREATE'),
                    (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                     WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT pg_has_role(c.relowner, 'USAGE'))",
                &[&self.home],
            )
            .map_err(Error::from)?;
        let text = |place: usize| row.try_get::<_, String>(place).map_err(Error::from);
        let (version, who, database) = (text(0)?, text(1)?, text(2)?);
        let clock: i64 = row.try_get(3).map_err(Error::from)?;
        let (may_create, foreign): (bool, i64) =
            (row.try_get(4).map_err(Error::from)?, row.try_get(5).map_err(Error::from)?);
        let mut lacks = Vec::new();
        if !may_create {
            lacks.push(Lack {
                what: format!(
                    "{who} may not create schemas in {database}, where the journal and the views would be"
                ),
                help: format!("GRANT CREATE ON DATABASE {} TO {}", ident(&database), ident(&who)),
            });
        }
        if foreign > 0 {
            lacks.push(Lack {
                what: format!("{foreign} tables in {} belong to roles that {who} may not act as", self.home),
                help: format!(
                    "connect as their owner, or let {who} act as it: GRANT owner TO {}",
                    ident(&who)
                ),
            });
        }
        let copies = match &self.scratch_url {
            Some(url) => may_copy(&mut connect(url)?)?,
            None => may_copy(&mut client)?,
        };
        lacks.extend(copies);
        let clock = Timestamp(u64::try_from(clock).unwrap_or_default());
        Ok(Checkup { version, who, clock, lacks })
    }
}

/// What keeps a role from making scratch copies.
fn may_copy(client: &mut Client) -> Result<Option<Lack>, Error> {
    let row = client.query_one(
        "SELECT rolcreatedb OR rolsuper, rolname::text FROM pg_roles WHERE rolname = current_user",
        &[],
    )?;
    let (may, who): (bool, String) = (row.try_get(0)?, row.try_get(1)?);
    Ok((!may).then(|| Lack {
        what: format!("{who} may not create databases, and migrations are tried in a scratch copy first"),
        help: format!(
            "ALTER ROLE {} CREATEDB, or name a server of the same version with `scratch_url` in [database]",
            ident(&who)
        ),
    }))
}
