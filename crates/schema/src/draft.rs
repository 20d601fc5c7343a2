//! A plan while it is being made: each kind of change puts its statements into the stages of the phases.
//!
//! The order within a phase is the order of the stages, not of the calls, so that no kind of change has to know another.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Catalog, Oid, Relation};
use crate::name::Name;
use crate::placement::{Placement, TablePlace};
use crate::plan::{Change, Fill, Note, Refusal, RowCheck, Step, Weight, Work};
use crate::source::{Migration, Place};
use crate::sync::Sync;
use crate::text::{Text, Texts};

/// What a plan is made from.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The revision that is alive.
    pub from: &'a str,
    /// The revision that comes.
    pub to: &'a str,
    /// The schema where the real tables live.
    pub home: &'a str,
    /// The lens of `from`.
    pub old_lens: &'a str,
    /// The lens of `to`.
    pub new_lens: &'a str,
    /// Clients write the schema before each name: both lenses are whole.
    pub qualified: bool,
    /// The migrations of the step.
    pub migrations: &'a [Migration],
    /// Before the migrations (statements marked `@expand` have been run).
    pub before: &'a Catalog,
    /// After them (statements marked `@contract` have not been run).
    pub after: &'a Catalog,
    /// After them, with the names of the mixed state.
    pub physical: &'a Catalog,
    /// Where everything lives.
    pub placement: &'a Placement,
    /// What values are on the other side.
    pub texts: &'a Texts,
    /// How large the real tables are: rows and bytes.
    pub sizes: &'a BTreeMap<Name, (u64, u64)>,
    /// What counts as small, and the like.
    pub options: &'a Options,
}

/// What a plan is made by.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// A table of at most so many rows may be rewritten while it is locked.
    pub small_rows: u64,
    /// And of at most so many bytes.
    pub small_bytes: u64,
    /// A data statement outside of new columns may touch so many rows at once.
    pub data_rows: u64,
    /// The server's default time zone, in which plain migrations convert times.
    pub time_zone: String,
    /// The revision was begun before and undone: what an undo does not take back may be there.
    pub again: bool,
}

impl Default for Options {
    /// 10 000 rows and 8 MiB: some ten milliseconds.
    fn default() -> Self {
        Options {
            small_rows: 10_000,
            small_bytes: 8 << 20,
            data_rows: 10_000,
            time_zone: "UTC".to_owned(),
            again: false,
        }
    }
}

/// Stages of the expand transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expand {
    /// Statements marked `@expand`, as they are.
    Marked,
    /// Schemas, the lenses among them.
    Schemas,
    /// Extensions, types, sequences, routines without tables.
    Types,
    /// New columns of old tables.
    Columns,
    /// New tables and everything else that is new, in the order in which it came to be.
    Objects,
    /// What only one side may be bound by.
    Sides,
    /// Trigger functions and triggers.
    Sync,
    /// Views of the lenses.
    Lens,
    /// Privileges and defaults of views.
    Access,
    /// Rows.
    Data,
}

/// Stages of the contract transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contract {
    /// Views of the lenses.
    Lens,
    /// Triggers that keep both sides alike.
    Sync,
    /// Triggers, rules and policies that go, and those that were bound to a side.
    Sides,
    /// Views that go or are made anew, the youngest first.
    Views,
    /// Foreign keys that go.
    ForeignKeys,
    /// Other constraints and indexes that go.
    Constraints,
    /// Columns and tables that go.
    Columns,
    /// Routines that go.
    Routines,
    /// Sequences and the like that go.
    Objects,
    /// Values changed in place.
    Values,
    /// Types that go, which values may have had until now.
    Types,
    /// Names on their way over a passing name.
    Passing,
    /// Final names of columns.
    Names,
    /// Final names of tables: from here on everything is called by its final name.
    Tables,
    /// New objects leave the lens.
    Home,
    /// Final names of constraints, indexes, sequences.
    Objecting,
    /// Rules on columns: NOT NULL, defaults, identity.
    Rules,
    /// What is made anew, in the order in which it came to be.
    Create,
    /// Comments, privileges, options.
    Attributes,
    /// Bookkeeping tables.
    Books,
    /// Statements marked `@contract`, as they are.
    Marked,
    /// The lenses.
    Schemas,
    /// What makes the lens of the new revision whole again, for clients that qualify names.
    Whole,
}

/// Stages of the undo transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Undo {
    /// Views of the lenses.
    Lens,
    /// Triggers that keep both sides alike.
    Sync,
    /// Rows that data statements changed.
    Data,
    /// What was bound to a side.
    Sides,
    /// What was new, the youngest first.
    Objects,
    /// New columns.
    Columns,
    /// Types, sequences, routines that were new.
    Types,
    /// What was taken away.
    Restore,
    /// The lenses and new schemas.
    Schemas,
}

/// The plan in the making.
pub struct Draft<'a> {
    /// What it is made from.
    pub request: &'a Request<'a>,
    /// Steps before the expand transaction.
    pub first: Vec<Step>,
    /// The expand transaction.
    pub expand: BTreeMap<Expand, Vec<String>>,
    /// What it locks.
    pub expand_locks: BTreeMap<Name, Strength>,
    /// Views that clients of the old side use and that it alters: locked before tables.
    pub expand_views: Vec<Name>,
    /// Rows written after expand.
    pub fills: BTreeMap<Oid, Fill>,
    /// Rows copied into new tables after that, in order.
    pub copies: Vec<Fill>,
    /// Steps after the fills, by order.
    pub builds: Vec<(Order, Step)>,
    /// Steps before the contract transaction.
    pub settle: Vec<Step>,
    /// The contract transaction.
    pub contract: BTreeMap<Contract, Vec<String>>,
    /// What it locks.
    pub contract_locks: BTreeSet<Name>,
    /// Views of the team's that go or change at contract, each after those that it reads: locked before tables.
    pub contract_views: Vec<Name>,
    /// New tables whose writers go on to old ones: at contract they are locked before those.
    pub contract_first: Vec<Name>,
    /// The same of views that an undo takes away.
    pub undo_views: Vec<Name>,
    /// Steps after the contract transaction.
    pub after_contract: Vec<Step>,
    /// The undo transaction.
    pub undo: BTreeMap<Undo, Vec<String>>,
    /// Steps after the undo transaction.
    pub after_undo: Vec<Step>,
    /// What keeps both sides alike, by table.
    pub sync: BTreeMap<Oid, Sync>,
    /// Relations that a side can't see as they are: (old side, new side).
    pub viewed: BTreeMap<Oid, (bool, bool)>,
    /// Defaults that a side's view has for itself: table, column number, old side, expression.
    pub defaults: Vec<(Oid, i16, bool, String)>,
    /// Conditions on rows before contract.
    pub checks: Vec<RowCheck>,
    /// Explained.
    pub changes: Vec<Change>,
    /// What a person should know.
    pub notes: Vec<Note>,
    /// What can't be made safe.
    pub refusals: Vec<Refusal>,
}

/// The order of steps after expand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// Indexes, which foreign keys may need.
    Index,
    /// Foreign keys and their validation.
    ForeignKey,
}

/// How strong a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Writers wait, readers do not.
    Writers,
    /// Everybody waits.
    Everybody,
}

impl<'a> Draft<'a> {
    /// An empty one.
    pub fn new(request: &'a Request<'a>) -> Draft<'a> {
        Draft {
            request,
            first: Vec::new(),
            expand: BTreeMap::new(),
            expand_locks: BTreeMap::new(),
            expand_views: Vec::new(),
            fills: BTreeMap::new(),
            copies: Vec::new(),
            builds: Vec::new(),
            settle: Vec::new(),
            contract: BTreeMap::new(),
            contract_locks: BTreeSet::new(),
            contract_views: Vec::new(),
            contract_first: Vec::new(),
            undo_views: Vec::new(),
            after_contract: Vec::new(),
            undo: BTreeMap::new(),
            after_undo: Vec::new(),
            sync: BTreeMap::new(),
            viewed: BTreeMap::new(),
            defaults: Vec::new(),
            checks: Vec::new(),
            changes: Vec::new(),
            notes: Vec::new(),
            refusals: request.texts.refusals.clone(),
        }
    }

    /// Puts a statement into the expand transaction.
    pub fn at_expand(&mut self, stage: Expand, statement: impl Into<String>) {
        self.expand.entry(stage).or_default().push(statement.into());
    }

    /// Puts a statement into the contract transaction.
    pub fn at_contract(&mut self, stage: Contract, statement: impl Into<String>) {
        self.contract.entry(stage).or_default().push(statement.into());
    }

    /// Puts a statement into the undo transaction.
    pub fn at_undo(&mut self, stage: Undo, statement: impl Into<String>) {
        self.undo.entry(stage).or_default().push(statement.into());
    }

    /// Locks a table at expand.
    pub fn lock(&mut self, table: &Name, strength: Strength) {
        let entry = self.expand_locks.entry(table.clone()).or_insert(strength);
        *entry = (*entry).max(strength);
    }

    /// Locks a table, for everybody, at contract.
    pub fn lock_at_contract(&mut self, table: &Name) {
        self.contract_locks.insert(table.clone());
    }

    /// A step after the expand and its fills that works beside the clients.
    pub fn build(
        &mut self,
        order: Order,
        title: impl Into<String>,
        clear: Option<String>,
        statement: String,
        done: Option<String>,
    ) {
        self.builds.push((order, Step { title: title.into(), work: Work::Alone { clear, statement, done } }));
    }

    /// A step before the contract transaction that works beside the clients.
    pub fn settle(
        &mut self,
        title: impl Into<String>,
        clear: Option<String>,
        statement: String,
        done: Option<String>,
    ) {
        self.settle.push(Step { title: title.into(), work: Work::Alone { clear, statement, done } });
    }

    /// The rules of a table that both sides live by.
    pub fn sync_of(&mut self, table: Oid) -> &mut Sync {
        self.sync.entry(table).or_default()
    }

    /// The side of the old (or new) clients needs a view of this relation.
    pub fn view(&mut self, relation: Oid, old: bool, new: bool) {
        let entry = self.viewed.entry(relation).or_default();
        *entry = (entry.0 || old, entry.1 || new);
    }

    /// Adds a column to what is written to a table's rows.
    pub fn fill(&mut self, table: &TablePlace, column: &str, value: String, needed: String) {
        let rows = self.size(&table.before).0;
        let key = self
            .request
            .before
            .relations
            .get(&table.oid)
            .map(|relation| key_of(self.request.before, table.oid, relation));
        let fill = self.fills.entry(table.oid).or_insert_with(|| Fill {
            table: table.before.clone(),
            key: key.unwrap_or_default(),
            into: None,
            set: Vec::new(),
            needed: String::new(),
            rows,
        });
        fill.set.push((column.to_owned(), value));
        fill.needed = if fill.needed.is_empty() { needed } else { format!("{} OR {needed}", fill.needed) };
    }

    /// Explains a change.
    pub fn explain(
        &mut self,
        kind: &str,
        object: impl Into<String>,
        expand: &str,
        backfill: &str,
        contract: &str,
    ) {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        self.changes.push(Change {
            kind: kind.to_owned(),
            object: object.into(),
            expand: some(expand),
            backfill: some(backfill),
            contract: some(contract),
        });
    }

    /// Tells a person something.
    pub fn note(
        &mut self,
        weight: Weight,
        code: &str,
        message: impl Into<String>,
        help: &str,
        place: Option<Place>,
    ) {
        let help = (!help.is_empty()).then(|| help.to_owned());
        self.notes.push(Note { weight, code: code.to_owned(), message: message.into(), help, place });
    }

    /// Refuses.
    pub fn refuse(
        &mut self,
        code: &str,
        message: impl Into<String>,
        help: impl Into<String>,
        place: Option<Place>,
    ) {
        self.refusals.push(Refusal {
            code: code.to_owned(),
            message: message.into(),
            help: help.into(),
            place,
        });
    }

    /// Rows and bytes of a real table; of one that is not known, none.
    pub fn size(&self, table: &Name) -> (u64, u64) {
        self.request.sizes.get(table).copied().unwrap_or_default()
    }

    /// Whether a table may be rewritten while it is locked.
    pub fn is_small(&self, table: &Name) -> bool {
        let (rows, bytes) = self.size(table);
        rows <= self.request.options.small_rows && bytes <= self.request.options.small_bytes
    }

    /// Where a statement stands that speaks of a table, and of one of the words (a column, a constraint): for messages.
    pub fn place_of(&self, names: &[&str]) -> Option<Place> {
        self.statement_of(names).map(|statement| statement.place.clone())
    }

    /// The last statement that speaks of all these names.
    pub fn statement_of(&self, names: &[&str]) -> Option<&'a crate::source::Statement> {
        let mut statements = self.request.migrations.iter().flat_map(|migration| &migration.statements);
        statements.rfind(|statement| names.iter().all(|name| mentions(&statement.text, name)))
    }

    /// A text over old columns, in physical names as `prefix` introduces them (`NEW.`, or nothing for the table's own).
    pub fn physical_up(
        &self,
        table: &TablePlace,
        text: &Text,
        prefix: &str,
    ) -> Result<(String, BTreeSet<String>), String> {
        physical(table, text, prefix, &|name| self.old_name(table, name).map(str::to_owned))
    }

    /// The physical column that a data statement means: it may speak of one by a name that it got earlier in its migration.
    pub(crate) fn old_name<'t>(&self, table: &'t TablePlace, name: &str) -> Option<&'t str> {
        table.old_physical(name).or_else(|| table.new_physical(name))
    }

    /// A text over new columns, in physical names.
    pub fn physical_down(
        &self,
        table: &TablePlace,
        text: &Text,
        prefix: &str,
    ) -> Result<(String, BTreeSet<String>), String> {
        let resolve = |name: &str| table.new_physical(name).map(str::to_owned);
        physical(table, text, prefix, &resolve)
    }
}

fn physical(
    table: &TablePlace,
    text: &Text,
    prefix: &str,
    resolve: &dyn Fn(&str) -> Option<String>,
) -> Result<(String, BTreeSet<String>), String> {
    let mut names = table.names();
    if !text.alias.is_empty() {
        names.push(&text.alias);
    }
    let read = crate::expression::columns(&text.expression, &names).map_err(|error| error.to_string())?;
    let unknown = read.iter().find(|name| resolve(name).is_none());
    if let Some(unknown) = unknown {
        return Err(format!("there is no column {unknown} on that side"));
    }
    let sources = read.iter().filter_map(|name| resolve(name)).collect();
    let replace = |name: &str| resolve(name).map(|column| format!("{prefix}{}", crate::name::ident(&column)));
    let written =
        crate::expression::rewrite(&text.expression, &names, &replace).map_err(|error| error.to_string())?;
    Ok((written, sources))
}

/// Whether a text holds a name as a word.
pub(crate) fn mentions(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        !text[..at].ends_with(word) && !text[at + name.len()..].starts_with(word)
    })
}

/// The columns by which rows are walked: of the primary key, else of a unique constraint over NOT NULL columns.
pub(crate) fn key_of(catalog: &Catalog, oid: Oid, relation: &Relation) -> Vec<String> {
    use crate::model::Kind;
    let of = |wanted: Kind| {
        catalog.on(oid).filter(|(kind, _, _)| *kind == wanted).find_map(|(_, _, object)| {
            let columns: Option<Vec<_>> =
                object.columns.iter().map(|number| relation.column(*number)).collect();
            columns.filter(|columns| !columns.is_empty() && columns.iter().all(|column| column.not_null))
        })
    };
    let key = of(Kind::PrimaryKey).or_else(|| of(Kind::Unique)).unwrap_or_default();
    key.into_iter().map(|column| column.name.clone()).collect()
}
