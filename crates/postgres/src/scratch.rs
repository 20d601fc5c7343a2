//! A scratch copy: a database of the same schema without its rows, in which migrations are tried, gone at its end.
//!
//! The schema is taken by `pg_dump` and run here statement by statement, so that what a role may not repeat (owners, grants,
//! publications) is left out and told, and everything else fails with its statement. What a killed run leaves behind
//! is removed by the next one: each copy's owner is connected under the copy's name as its `application_name`, and a copy
//! whose owner is not there is nobody's. Decides nothing. Tested in `tests/postgres/scratch.rs`.

mod dump;
mod place;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use postgres::Client;
use tandem_schema::name::{Name, ident, literal};

use crate::address::{shown, with_database};
use crate::connection::connect;
use crate::error::Error;
use crate::rows::{self, Rows};

/// How the names of all copies begin.
const PREFIX: &str = "tandem_scratch_";

/// The comment by which a copy is known as one.
const MARK: &str = "tandem scratch";

/// How often a template that others are connected to is tried; the server itself waits five seconds each time.
const TRIES: usize = 3;

/// A scratch copy; dropped at its end with everybody in it thrown out.
pub struct Scratch {
    name: String,
    base: String,
    /// Connected elsewhere on the server under the copy's name: while it lives, the copy is somebody's.
    owner: Client,
    settings: Vec<String>,
    left_out: Vec<String>,
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scratch")
            .field("name", &self.name)
            .field("server", &shown(&self.base))
            .finish_non_exhaustive()
    }
}

impl Scratch {
    /// Copies the schema of a database to a new one on the same server, or on that of `scratch_url`, which must be of the
    /// same major version. Removes what dead runs have left there.
    pub fn copy(url: &str, scratch_url: Option<&str>) -> Result<Scratch, Error> {
        let mut source = connect(url)?;
        let base = scratch_url.unwrap_or(url).to_owned();
        let mut owner = connect(&base)?;
        place::same_version(&mut source, &mut owner)?;
        remove_leftovers(&mut owner)?;
        if scratch_url.is_some() {
            place::make_roles(&mut source, &mut owner)?;
        }
        let options = format!("TEMPLATE template0 {}", place::options(&mut source)?);
        let mut scratch = Scratch::make(base, owner, &options)?;
        scratch.settings = place::settings(&mut source, &scratch.name)?;
        let statements = dump::statements(url, &mut source)?;
        scratch.left_out = dump::run(&mut scratch.connect()?, &statements)?;
        if !place::has_public(&mut source)? {
            scratch.connect()?.batch_execute("DROP SCHEMA IF EXISTS public RESTRICT")?;
        }
        scratch.apply_settings();
        Ok(scratch)
    }

    /// A second copy of this one as it is now, without reading the schema again. Nobody may be connected to this one.
    pub fn again(&self) -> Result<Scratch, Error> {
        let owner = connect(&self.base)?;
        let options = format!("TEMPLATE {}", ident(&self.name));
        let mut scratch = Scratch::make(self.base.clone(), owner, &options)?;
        let renamed = |text: &String| text.replace(&ident(&self.name), &ident(&scratch.name));
        scratch.settings = self.settings.iter().map(renamed).collect();
        scratch.left_out.clone_from(&self.left_out);
        scratch.apply_settings();
        Ok(scratch)
    }

    /// Connects to the copy.
    pub fn connect(&self) -> Result<Client, Error> {
        let mut client = connect(&self.url())?;
        client.batch_execute("SET synchronous_commit = off")?;
        Ok(client)
    }

    /// Where the copy is.
    pub fn url(&self) -> String {
        with_database(&self.base, &self.name)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What could not be copied for lack of rights, in words.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// Copies the rows of a small table from the database to the copy, in place of those that are there.
    pub fn copy_rows(&mut self, from: &mut Client, table: &Name) -> Result<u64, Error> {
        let rows = Rows::read(&mut rows::moment(from)?, table)?;
        rows.write(&mut self.connect()?)
    }

    fn make(base: String, mut owner: Client, options: &str) -> Result<Scratch, Error> {
        let name = fresh_name();
        owner.batch_execute(&format!("SET application_name = {}", literal(&name)))?;
        let statement = format!("CREATE DATABASE {} {options}", ident(&name));
        let mut tries = 0;
        while let Err(why) = owner.batch_execute(&statement) {
            tries += 1;
            let why = Error::from(why);
            if why.code() == Some("55006") && tries < TRIES {
                continue;
            }
            return Err(refused(why, &mut owner, &statement));
        }
        let scratch = Scratch { name, base, owner, settings: Vec::new(), left_out: Vec::new() };
        scratch.mark()
    }

    fn mark(mut self) -> Result<Scratch, Error> {
        let statement = format!("COMMENT ON DATABASE {} IS {}", ident(&self.name), literal(MARK));
        self.owner.batch_execute(&statement)?;
        Ok(self)
    }

    fn apply_settings(&mut self) {
        for statement in &self.settings {
            if let Err(why) = self.owner.batch_execute(statement) {
                self.left_out.push(format!("{statement}: {}", Error::from(why)));
            }
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", ident(&self.name));
        if self.owner.batch_execute(&statement).is_ok() {
            return;
        }
        // The connection may have ended in between; what fails now as well is removed by the next copy.
        let again = connect(&self.base).and_then(|mut client| Ok(client.batch_execute(&statement)?));
        if let Err(why) = again {
            tracing::warn!(database = self.name, %why, "a scratch copy could not be dropped: the next one removes it");
        }
    }
}

/// Drops copies whose owners are gone. Those that can't be dropped (another role's) are let be.
fn remove_leftovers(client: &mut Client) -> Result<(), Error> {
    let rows = client.query(
        "SELECT d.datname::text FROM pg_database d
         WHERE starts_with(d.datname, $1) AND shobj_description(d.oid, 'pg_database') = $2
           AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid OR a.application_name = d.datname)
         LIMIT 100",
        &[&PREFIX, &MARK],
    )?;
    for row in rows {
        let name: String = row.try_get(0)?;
        if let Err(why) = client.batch_execute(&format!("DROP DATABASE IF EXISTS {}", ident(&name))) {
            tracing::debug!(database = name, why = %Error::from(why), "a leftover scratch copy stays");
        }
    }
    Ok(())
}

/// A name that no other run has: process, time, and a count within the process.
fn fresh_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map(|time| time.as_nanos()).unwrap_or_default();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{PREFIX}{}_{:x}_{count}", std::process::id(), nanos & 0xffff_ffff_ffff)
}

fn refused(why: Error, client: &mut Client, statement: &str) -> Error {
    if why.code() != Some("42501") {
        return why.in_statement(statement);
    }
    let row = client.query_one("SELECT current_user::text", &[]).and_then(|row| row.try_get(0));
    let who: String = row.unwrap_or_else(|_| "this role".to_owned());
    let help = format!(
        "migrations are tried in a scratch copy first; let it (ALTER ROLE {} CREATEDB), or name a server of the same version \
         where it may (--scratch-url)",
        ident(&who)
    );
    Error::MayNot { who, what: "create databases".to_owned(), help }
}
