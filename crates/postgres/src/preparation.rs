//! A plan prepared: the migrations are run in a scratch copy, the catalogs compared, and the whole plan is rehearsed.
//!
//! Nothing is changed on the real database. The rehearsal carries the plan out on an empty copy (start, undo, start, contract)
//! and compares the catalog at each end, so that a plan that would not end where the plain migrations end is never begun.
//! What a change means is decided by `tandem-schema`. Tested in `tests/postgres/change`.

mod command;
mod migration;
mod proof;
mod rehearsal;
mod trip;

use std::collections::BTreeMap;

use postgres::Client;
use tandem_schema::book::{self, Book, snapshot};
use tandem_schema::draft::{Options, Request};
use tandem_schema::fingerprint::Fingerprint;
use tandem_schema::fresh::Fresh;
use tandem_schema::model::{Catalog, Kind};
use tandem_schema::name::{self, Name, ident};
use tandem_schema::plan::{Plan, Refusal};
use tandem_schema::planner::{self, Ends};
use tandem_schema::source::{Mark, Migration, Place, Statement};
use tandem_schema::{placement, text};

use self::rehearsal::{Undone, rehearse};
use crate::connection::connect;
use crate::error::Error;
use crate::reading::schema;
use crate::scratch::Scratch;

pub use command::{NotRecorded, Recorded, head, record};
pub use proof::{Broken, Statements};

/// What is to be prepared.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The database.
    pub url: &'a str,
    /// Another server for the scratch copies.
    pub scratch_url: Option<&'a str>,
    /// The revision that the database is at; empty before the first.
    pub from: &'a str,
    /// The migrations to run, in order.
    pub migrations: &'a [Migration],
    /// The schema where the tables live.
    pub home: &'a str,
    /// Clients write the schema before each name.
    pub qualified: bool,
    /// The books as the new revision is to see them, where a framework's own command has said that. None: by the names of
    /// the migrations.
    pub books: Option<&'a [Book]>,
    /// Statements that the versions use.
    pub statements: Statements,
    /// What counts as small, and the like. The time zone is the server's, whatever stands here.
    pub options: Options,
}

/// A plan that was rehearsed.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The plan.
    pub plan: Plan,
    /// What the scratch copy could not repeat for lack of rights.
    pub left_out: Vec<String>,
    /// Statements that would not work (as they did) in some state.
    pub broken: Vec<Broken>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum Unprepared {
    /// A connection, or the server.
    #[error(transparent)]
    Server(#[from] Error),
    /// A statement of a migration fails, as it would in any tool.
    #[error("the migration fails: {error}")]
    Migration {
        /// Where.
        place: Place,
        /// What the server said.
        error: Box<Error>,
    },
    /// Changes that can't be made safe.
    #[error("{}", refused(.0))]
    Refused(Vec<Refusal>),
    /// The scratch copy is not like the database.
    #[error("the scratch copy differs from the database: {}", .0.join("; "))]
    Unlike(Vec<String>),
    /// The plan did not end where it should; a case that Tandem does not know yet.
    #[error("the plan was tried on a scratch copy and {what}: {}", .why.join("; "))]
    Rehearsal {
        /// What did not work.
        what: String,
        /// How it showed.
        why: Vec<String>,
    },
}

fn refused(refusals: &[Refusal]) -> String {
    refusals
        .iter()
        .map(|refusal| format!("{} ({})", refusal.message, refusal.help))
        .collect::<Vec<_>>()
        .join("; ")
}

/// Prepares a step.
pub fn prepare(wanted: &Wanted<'_>) -> Result<Prepared, Unprepared> {
    let mut real = connect(wanted.url)?;
    let first = schema(&mut real)?;
    let mut pristine = Scratch::copy(wanted.url, wanted.scratch_url)?;
    for table in books_of(&first, wanted) {
        pristine.copy_rows(&mut real, &table)?;
    }
    let copied = schema(&mut pristine.connect()?)?;
    let differences = Fingerprint::of(&first).differences(&Fingerprint::of(&copied));
    if !differences.is_empty() && pristine.left_out().is_empty() {
        return Err(Unprepared::Unlike(differences));
    }
    let sizes: BTreeMap<Name, (u64, u64)> = first
        .relations
        .values()
        .map(|relation| (relation.name.clone(), (relation.rows, relation.bytes)))
        .collect();
    let mut options = wanted.options.clone();
    options.time_zone = real
        .query_one("SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'TimeZone'", &[])
        .and_then(|row| row.try_get(0))
        .map_err(Error::from)?;
    let to = wanted.migrations.last().map_or(wanted.from, |migration| migration.name.as_str());
    options.again = migration::was_undone(&mut real, to)?;
    let planned = plan(wanted, &pristine, (&copied, &first), &sizes, &options)
        .and_then(|plan| rehearse(&pristine, plan, Undone::Known, &wanted.statements));
    let (mut plan, broken) = match planned {
        Err(Unprepared::Refused(_) | Unprepared::Rehearsal { .. }) if is_blank(&first, wanted) => {
            fresh(wanted, &pristine, &first)?
        }
        planned => planned?,
    };
    let looked = plan.trips.iter().map(|trip| trip::look(&mut real, &plan.home, trip)).collect::<Vec<_>>();
    plan.notes.extend(looked);
    Ok(Prepared { plan, left_out: pristine.left_out().to_vec(), broken })
}

/// Whether nobody can be using the database: it has no revision, and no table but books.
fn is_blank(first: &Catalog, wanted: &Wanted<'_>) -> bool {
    let books = books_of(first, wanted);
    wanted.from.is_empty() && first.relations.values().all(|relation| books.contains(&relation.name))
}

/// The plan of migrations that run as they are.
fn fresh(
    wanted: &Wanted<'_>,
    pristine: &Scratch,
    first: &Catalog,
) -> Result<(Plan, Vec<Broken>), Unprepared> {
    let to = wanted.migrations.last().map_or("", |migration| migration.name.as_str());
    let (old_lens, new_lens) = (name::lens(wanted.from), name::lens(to));
    let scratch = pristine.again()?;
    let mut client = scratch.connect()?;
    let before = schema(&mut client)?;
    migration::run(&mut client, wanted.home, wanted.migrations, |_| true, false)?;
    let after = schema(&mut client)?;
    let books = match wanted.books {
        Some(books) => books.to_vec(),
        None => book::books(&before, wanted.home, wanted.migrations),
    };
    let plan = tandem_schema::fresh::plan(&Fresh {
        migrations: wanted.migrations,
        home: wanted.home,
        lenses: (&old_lens, &new_lens),
        qualified: wanted.qualified,
        first,
        copy: (&before, &after),
        books: &books,
    });
    rehearse(pristine, plan, Undone::Found, &wanted.statements)
}

/// Runs the migrations in a copy and lets the plan be made from the catalogs on the way.
fn plan(
    wanted: &Wanted<'_>,
    pristine: &Scratch,
    (copied, first): (&Catalog, &Catalog),
    sizes: &BTreeMap<Name, (u64, u64)>,
    options: &Options,
) -> Result<Plan, Unprepared> {
    let to = wanted.migrations.last().map_or(wanted.from, |migration| migration.name.as_str());
    let (old_lens, new_lens) = (name::lens(wanted.from), name::lens(to));
    let scratch = pristine.again()?;
    let mut client = scratch.connect()?;
    let first_of_all =
        |statement: &Statement| statement.mark == Some(Mark::Expand) && statement.data.is_none();
    migration::run(&mut client, wanted.home, wanted.migrations, first_of_all, options.again)?;
    let before = schema(&mut client)?;
    // Marked rows may be those of new tables: they come in their turn.
    let in_turn = |statement: &Statement| statement.mark != Some(Mark::Contract) && !first_of_all(statement);
    migration::run(&mut client, wanted.home, wanted.migrations, in_turn, options.again)?;
    let after = schema(&mut client)?;
    let texts = text::gather(&before, &after, wanted.home, wanted.migrations);
    let placement = placement::place(&before, &after, &texts, wanted.home, &new_lens);
    let physical = physical(&mut client, &placement.statements, &new_lens)?;
    let at_last = |statement: &Statement| statement.mark == Some(Mark::Contract);
    migration::run(&mut client, wanted.home, wanted.migrations, at_last, false)?;
    let last = schema(&mut client)?;
    let books = match wanted.books {
        Some(books) => books.to_vec(),
        None => book::books(copied, wanted.home, wanted.migrations),
    };
    let request = Request {
        from: wanted.from,
        to,
        home: wanted.home,
        old_lens: &old_lens,
        new_lens: &new_lens,
        qualified: wanted.qualified,
        migrations: wanted.migrations,
        before: &before,
        after: &after,
        physical: &physical,
        placement: &placement,
        texts: &texts,
        sizes,
        options,
    };
    let ends = Ends { first, last: &last, books: &books };
    planner::plan(&request, &ends).map_err(Unprepared::Refused)
}

/// The catalog with the names of the mixed state; the copy stays as it is.
fn physical(client: &mut Client, statements: &[String], new_lens: &str) -> Result<Catalog, Unprepared> {
    let mut transaction = client.transaction().map_err(Error::from)?;
    transaction.batch_execute(&format!("CREATE SCHEMA {}", ident(new_lens))).map_err(Error::from)?;
    for statement in statements {
        transaction.batch_execute(statement).map_err(|error| Unprepared::Rehearsal {
            what: "its names could not be told apart".to_owned(),
            why: vec![format!("{}: {statement}", Error::from(error))],
        })?;
    }
    let mut catalog = crate::reading::catalog(&mut transaction)?;
    catalog.objects.retain(|(kind, _), object| *kind != Kind::Schema || object.name.name != new_lens);
    transaction.rollback().map_err(Error::from)?;
    Ok(catalog)
}

/// Bookkeeping tables, whose rows migrations (and frameworks) look at.
fn books_of(catalog: &Catalog, wanted: &Wanted<'_>) -> Vec<Name> {
    match wanted.books {
        Some(_) => snapshot::known(catalog).into_iter().chain(snapshot::filled(catalog)).collect(),
        None => book::applied(catalog, wanted.home).map(|(table, _, _)| table).into_iter().collect(),
    }
}
