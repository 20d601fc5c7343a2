//! Schema changes: where the folder of migrations, the database's journal and the planner meet.
//!
//! Decides only what is pending; what a change means is `tandem-schema`'s, how it is carried out `tandem-postgres`'s. Needs
//! no daemon. Tested with the real program in `crates/cli/tests/cli/schema`.

mod access;
mod adoption;
mod checkup;
mod deliverable;
mod examination;
mod folder;
mod interrupt;
mod recorded;
mod roles;
mod standing;
mod statements;
mod trouble;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use tandem_postgres::execution::may_change;
use tandem_postgres::preparation::{self, Wanted};
use tandem_postgres::{Error, connect, role};

pub use self::access::{Form, url};
pub use self::adoption::{adopt, adopt_as};
pub use self::checkup::{Checkup, Lack};
pub use self::deliverable::{Source, Unpacked, tables};
pub use self::examination::Examined;
pub use self::folder::{Folder, text};
pub use self::interrupt::interrupted;
pub use self::recorded::MigrationCommand;
pub(crate) use self::roles::Roles;
pub use self::standing::{Odd, Standing};
pub use self::statements::statements;
pub use self::trouble::{Remark, Trouble};

pub use tandem_postgres::clients::{Client, Clients, connected};
pub use tandem_postgres::execution::{clients, verify};
pub use tandem_postgres::journal::{Active, ChangeState, Revision, State, StepState};
pub use tandem_postgres::preparation::{Broken, Prepared, Statements};
pub use tandem_postgres::session::Session;
pub use tandem_postgres::{Error as DatabaseError, Execution, Failure, Finding, Phase, Watch, shown};
pub use tandem_schema::name::{Name, lens};
pub use tandem_schema::plan::{Change, Lock, Note, Plan, Seen, Step, Weight, Work};
pub use tandem_schema::source::Migration;

/// A database, and where its migrations are.
#[derive(Debug, Clone)]
pub struct Site {
    /// The database, as the owner of its tables.
    pub url: String,
    /// Another server for scratch copies.
    pub scratch_url: Option<String>,
    /// The schema where the tables live.
    pub home: String,
    /// Clients write the schema before each name.
    pub qualified: bool,
    /// How many bytes of write-ahead log may be written in a second while rows are filled. None: as many as come.
    pub wal: Option<u64>,
    /// The folder of migrations.
    pub migrations: PathBuf,
    /// Tables whose rows a migration command finds in the copy in which it is tried.
    pub rows: Vec<Name>,
}

/// A step that could be begun.
#[derive(Debug)]
pub enum Next {
    /// Nothing is pending.
    Nothing,
    /// A plan, rehearsed.
    Plan(Box<Prepared>),
}

impl Site {
    /// Where the database stands, beside the folder if there is one.
    pub fn standing(&self, folder: Option<&Folder>) -> Result<Standing, Trouble> {
        Standing::read(&mut connect(&self.url)?, folder)
    }

    /// Prepares the step to `to`, else to the last migration. Changes nothing in the database.
    pub fn prepare(
        &self,
        folder: &Folder,
        standing: &Standing,
        to: Option<&str>,
        statements: Statements,
    ) -> Result<Next, Trouble> {
        let pending = standing.step(folder, to)?;
        if pending.is_empty() {
            return Ok(Next::Nothing);
        }
        if standing.state.revision.is_none() {
            adoption::is_empty(&mut connect(&self.url)?, folder, &self.home)?;
        }
        let from = standing.state.revision.as_ref().map_or("", |revision| revision.name.as_str());
        let wanted = Wanted {
            url: &self.url,
            scratch_url: self.scratch_url.as_deref(),
            from,
            migrations: pending,
            home: &self.home,
            qualified: self.qualified,
            statements,
            books: None,
            options: tandem_schema::draft::Options::default(),
        };
        let prepared = preparation::prepare(&wanted).map_err(|why| trouble::unprepared(why, folder))?;
        may_change(&mut connect(&self.url)?, &prepared.plan)?;
        Ok(Next::Plan(Box::new(prepared)))
    }

    /// Becomes the one operator. `stop` is set by whoever wants a clean end.
    pub fn operate<'a>(&self, stop: &'a AtomicBool) -> Result<Execution<'a>, Trouble> {
        let options =
            tandem_postgres::Options { by: operator(), wal: self.wal, ..tandem_postgres::Options::default() };
        Ok(Execution::open(&self.url, options, stop)?)
    }

    /// Asks the operator at work, in whatever process, to let fills wait.
    pub fn pause(&self) -> Result<(), Trouble> {
        let mut client = connect(&self.url)?;
        if Standing::read(&mut client, None)?.state.change.is_none() {
            return Err(Failure::Nothing("pause").into());
        }
        Ok(tandem_postgres::pause(&mut client, true)?)
    }

    /// The last migration that has run by the framework's own book; without a folder, in the framework's own words.
    pub fn head(&self, folder: Option<&Folder>) -> Result<Option<String>, Trouble> {
        let mut client = connect(&self.url)?;
        match folder {
            Some(folder) => adoption::head(&mut client, folder, &self.home),
            None => Ok(preparation::head(&mut client)?),
        }
    }

    /// Makes a role for the apps of a revision, or only says how.
    pub fn role(
        &self,
        revision: &str,
        member_of: Option<&str>,
        login: bool,
        make: bool,
    ) -> Result<Vec<String>, Trouble> {
        let mut client = connect(&self.url)?;
        let row = client.query_one("SELECT current_database()::text", &[]).map_err(Error::from)?;
        let database: String = row.try_get(0).map_err(Error::from)?;
        let name = lens(revision);
        let (home, verifier) = (&self.home, None);
        let role =
            access::Role { name: &name, revision, home, database: &database, member_of, login, verifier };
        let statements = access::role(&role);
        if make {
            role::make(&mut client, &statements)?;
        }
        Ok(statements)
    }

    /// The clients of a revision that are seen at this moment.
    pub fn clients(&self, lens: &str) -> Result<Vec<Session>, Trouble> {
        Ok(clients(&mut connect(&self.url)?, lens)?)
    }

    /// All clients that are seen at this moment, and of which revision each is.
    pub(crate) fn connected(&self, revisions: &[&str]) -> Result<Clients, Trouble> {
        let lenses: Vec<String> = revisions.iter().map(|revision| lens(revision)).collect();
        let lenses: Vec<&str> = lenses.iter().map(String::as_str).collect();
        Ok(connected(&mut connect(&self.url)?, &lenses)?)
    }
}

/// Who works, for the journal: `ada@host`.
fn operator() -> String {
    let user = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let name = rustix::system::uname();
    format!("{}@{}", user.as_deref().unwrap_or("tandem"), name.nodename().to_string_lossy())
}
