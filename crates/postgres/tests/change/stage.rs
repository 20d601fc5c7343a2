//! One change taken through all phases, as its users would see it.
//!
//! expand → both revisions used → undo → nothing left → expand → contract → equal to the plain migration, with writers of
//! both sides at work throughout, their statements prepared once. Each phase is called twice.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use postgres::Client;
use tandem_database::{Database, Server};
use tandem_postgres::execution::shape;
use tandem_postgres::preparation::{Prepared, Statements, Unprepared, Wanted, prepare};
use tandem_postgres::{Execution, Options, Watch, lens};
use tandem_schema::draft;
use tandem_schema::name::ident;
use tandem_schema::plan::{Plan, Refusal};
use tandem_schema::source::{File, Migration, read};

use crate::clients::Clients;

/// Never stops.
static GO: AtomicBool = AtomicBool::new(false);

/// Nobody looks on.
struct Nobody;

impl Watch for Nobody {
    fn step(&mut self, _: &str, _: usize, _: usize) {}
    fn rows(&mut self, _: u64, _: u64, _: f64, _: Option<Duration>) {}
    fn waiting(&mut self, _: &str) {}
    fn note(&mut self, _: &str) {}
}

/// A change and how its two versions use the database.
///
/// Statements may hold `$n`, a number that is new for each run of the statement.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// The database before, with rows.
    pub before: &'a str,
    /// The migration.
    pub migration: &'a str,
    /// Statements of the old version, run again and again until the contract.
    pub old: &'a [&'a str],
    /// Statements of the new version, run again and again from the mixed state on.
    pub new: &'a [&'a str],
    /// After both versions' writes in mixed state: queries of the old side and what they must give, as text.
    pub old_sees: &'a [(&'a str, &'a str)],
    /// And of the new side; in the end as well.
    pub new_sees: &'a [(&'a str, &'a str)],
    /// What an undo may leave, as the only difference: the beginning of its description.
    pub left_by_undo: &'a str,
    /// After an undo, of the old side.
    pub undone_sees: &'a [(&'a str, &'a str)],
    /// The migration's file, where its name matters.
    pub file: &'a str,
    /// Every table counts as large.
    pub large: bool,
    /// Clients write the schema before each name: `@.` in their statements.
    pub qualified: bool,
}

/// A watcher that sees nothing.
pub fn quiet() -> impl Watch + Send {
    Nobody
}

/// A case without anything, for `..CASE`.
pub const CASE: Case<'static> = Case {
    before: "",
    migration: "",
    old: &[],
    new: &[],
    old_sees: &[],
    new_sees: &[],
    left_by_undo: "",
    undone_sees: &[],
    file: FILE,
    large: false,
    qualified: false,
};

/// The migration's file where its name does not matter.
const FILE: &str = "2_new.sql";

/// The migrations of a text in a file.
pub fn migrations(file: &str, text: &str) -> Vec<Migration> {
    let files = [File { path: file.to_owned(), text: text.to_owned() }];
    read(&files).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn options(large: bool) -> draft::Options {
    let small = draft::Options::default();
    if large { draft::Options { small_rows: 0, small_bytes: 0, ..small } } else { small }
}

/// The plan of a migration on a database.
pub fn planned(database: &Database<'_>, migration: &str, large: bool) -> Result<Prepared, Unprepared> {
    let case = Case { migration, large, ..CASE };
    case.planned(database)
}

/// What a migration is refused for.
pub fn refused(before: &str, migration: &str) -> Vec<Refusal> {
    let database = Server::shared().database();
    database.execute(before);
    match planned(&database, migration, false) {
        Err(Unprepared::Refused(refusals)) => refusals,
        Err(other) => panic!("{other}"),
        Ok(prepared) => panic!("planned: {:#?}", prepared.plan.changes),
    }
}

/// An operator at work on a database.
pub fn operator(database: &Database<'_>) -> Execution<'static> {
    Execution::open(&database.url(), Options::default(), &GO).unwrap_or_else(|failure| panic!("{failure}"))
}

/// A client of a side.
pub fn client(database: &Database<'_>, plan: &Plan, new: bool) -> Client {
    let mut client = database.client();
    client.batch_execute(&format!("SET search_path = {}", path(plan, new))).unwrap();
    client
}

/// Where a side's clients look for names: those that qualify them have nothing but their lens.
pub fn path(plan: &Plan, new: bool) -> String {
    let lens = ident(if new { &plan.new_lens } else { &plan.old_lens });
    if plan.qualified { lens } else { format!("{lens}, {}", ident(&plan.home)) }
}

impl Case<'_> {
    fn planned(&self, database: &Database<'_>) -> Result<Prepared, Unprepared> {
        prepare(&Wanted {
            url: &database.url(),
            scratch_url: None,
            from: "1_old",
            migrations: &migrations(self.file, self.migration),
            home: "public",
            qualified: self.qualified,
            statements: Statements::default(),
            books: None,
            options: options(self.large),
        })
    }

    /// Takes it through all phases.
    pub fn run(&self) {
        let plain = Server::shared().database();
        plain.execute(self.before);
        plain.execute(self.migration);
        let database = Server::shared().database();
        database.execute(self.before);
        let plan = self.planned(&database).unwrap_or_else(|why| panic!("{why}")).plan;
        let mut operator = operator(&database);
        operator.adopt("1_old", &[]).unwrap();
        if self.qualified {
            lens::complete(&mut database.client(), "public", &plan.old_lens).unwrap();
        }
        let clients = Clients::new(&database, &plan);

        let old = clients.begin(self.old, false);
        self.start(&mut operator, &plan);
        self.start(&mut operator, &plan);
        let new = clients.begin(self.new, true);
        clients.rounds(&[&old, &new]);
        new.end("the new version before the undo");
        operator.undo(&mut Nobody).unwrap_or_else(|why| panic!("undo: {why}"));
        clients.rounds(&[&old]);
        let mut left = plan.undone.differences(&shape(&mut database.client()).unwrap());
        left.retain(|difference| self.left_by_undo.is_empty() || !difference.starts_with(self.left_by_undo));
        self.compare("undo", &left);
        self.look(&database, &plan, false, self.undone_sees);

        let plan = self.planned(&database).unwrap_or_else(|why| panic!("again: {why}")).plan;
        self.start(&mut operator, &plan);
        let new = clients.begin(self.new, true);
        clients.rounds(&[&old, &new]);
        self.look(&database, &plan, false, self.old_sees);
        self.look(&database, &plan, true, self.new_sees);
        old.end("the old version");
        let differences =
            operator.contract(true, &mut Nobody).unwrap_or_else(|why| panic!("contract: {why}"));
        clients.rounds(&[&new]);
        new.end("the new version");
        self.compare("contract", &differences);
        self.look(&database, &plan, true, self.new_sees);
        if !self.large {
            let plainly = shape(&mut plain.client()).unwrap();
            self.compare("plain", &plainly.differences(&shape(&mut database.client()).unwrap()));
        }
    }

    fn start(&self, operator: &mut Execution<'_>, plan: &Plan) {
        operator.start(plan, &mut Nobody).unwrap_or_else(|why| panic!("start: {why}"));
    }

    fn compare(&self, when: &str, differences: &[String]) {
        assert!(differences.is_empty(), "after {when}:\n{}\nof {}", differences.join("\n"), self.migration);
    }

    fn look(&self, database: &Database<'_>, plan: &Plan, new: bool, sees: &[(&str, &str)]) {
        let mut client = client(database, plan, new);
        for (query, expected) in sees {
            let whole = format!(
                "SELECT coalesce(string_agg(line::text, ' ' ORDER BY line::text), '') FROM ({query}) line"
            );
            let whole = whole
                .replace("@.", &format!("{}.", ident(if new { &plan.new_lens } else { &plan.old_lens })));
            let row = client.query_one(&whole, &[]).unwrap_or_else(|why| panic!("{query}: {why:?}"));
            let found: String = row.get(0);
            assert_eq!(found, *expected, "{} of {query}", if new { "new" } else { "old" });
        }
    }
}
