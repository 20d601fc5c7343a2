//! A framework's own command, run against a scratch copy through a relay: what it does becomes a migration.
//!
//! The copy has the rows of the frameworks' books and of the tables that the team names, and no others: a command that looks
//! at other rows would do something else where they are, which is told. What rests on rows that the team may change meanwhile
//! comes with a premise. Tested in `tests/postgres/relay.rs`, with real frameworks in `cargo xtask trial frameworks`.

use std::collections::{BTreeMap, BTreeSet};

use postgres::Client;
use tandem_schema::book::{Book, snapshot};
use tandem_schema::fingerprint::Fingerprint;
use tandem_schema::model::{Catalog, Relation};
use tandem_schema::name::{Name, bare, ident};
use tandem_schema::plan::Premise;
use tandem_schema::recording::{self, Unrecorded};

use super::Unprepared;
use crate::connection::connect;
use crate::error::Error;
use crate::reading::schema;
use crate::relay::Relay;
use crate::rows::{self, Rows};
use crate::scratch::Scratch;

/// What a command has done to a scratch copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its statements, but for those that write books.
    pub statements: Vec<String>,
    /// The books as it left them.
    pub books: Vec<Book>,
    /// What the last new row of a book says, by which the command knows this revision. None: no book has grown.
    pub head: Option<String>,
    /// The rows that it looked at.
    pub premises: Vec<Premise>,
}

/// Why a command was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum NotRecorded {
    /// The copy, or the relay.
    #[error(transparent)]
    Server(#[from] Error),
    /// The command failed.
    #[error("{0}")]
    Command(String),
    /// What it sent can't be written down.
    #[error(transparent)]
    Unrecorded(#[from] Unrecorded),
    /// It reads rows that are not in the copy.
    #[error(
        "the migration reads rows of {table} to decide what it does, and the copy in which it is tried has none: {statement}; \
         name the table in `rows` of [database], if it is small and seldom written; else write what it does to rows as SQL that \
         says it by itself (UPDATE … SET … FROM …), or split it off and run it when the old version is gone"
    )]
    Reads {
        /// The table.
        table: String,
        /// A statement that reads it.
        statement: String,
    },
    /// A table whose rows it is to find can't be copied.
    #[error("the rows of {table}, which is named in `rows` of [database], can't be copied: {why}")]
    Uncopied {
        /// The table.
        table: String,
        /// Why, and what to do.
        why: String,
    },
}

/// Runs a command, which is given a URL, against a copy of the database, and writes down what it does. `named` are the tables
/// whose rows the copy has beside those of books.
pub fn record(
    url: &str,
    scratch_url: Option<&str>,
    named: &[Name],
    run: impl FnOnce(&str) -> Result<(), String>,
) -> Result<Recorded, NotRecorded> {
    let mut real = connect(url)?;
    let before = schema(&mut real)?;
    let scratch = Scratch::copy(url, scratch_url)?;
    let (books, filled) = (snapshot::known(&before), snapshot::filled(&before));
    let known: Vec<&Name> = books.iter().chain(&filled).collect();
    let premises = copy_rows(&mut real, &scratch, &before, (&known, named))?;
    let copied = Fingerprint::of(&schema(&mut scratch.connect()?)?);
    let relay = Relay::begin(&scratch.url())?;
    run(relay.url()).map_err(NotRecorded::Command)?;
    let mut client = scratch.connect()?;
    let done = schema(&mut client)?;
    let new = new_books(&done, &books);
    let apart: BTreeSet<String> = books.iter().chain(&filled).map(|table| table.name.clone()).collect();
    let mut recording = recording::recording(&relay.exchanges(), &apart)?;
    // Of a new book whose rows were also changed only the last state matters.
    let rewritten: Vec<&Relation> =
        new.values().filter(|book| recording.changed.contains(&book.name.name)).collect();
    if !rewritten.is_empty() {
        let names = rewritten.iter().map(|book| book.name.name.clone());
        recording = recording::recording(&relay.exchanges(), &apart.iter().cloned().chain(names).collect())?;
    }
    for relation in rewritten {
        let rows = rows(&mut client, &relation.name, &columns(relation))?;
        recording.statements.extend(snapshot::insert(relation, &rows));
    }
    let is_there = |table: &str| premises.iter().any(|premise| premise.table.name == table);
    let read = recording.reads.iter().find(|(table, _)| {
        let is_table = |relation: &Relation| relation.name.name == **table && relation.is_table();
        before.relations.values().any(is_table) && !is_there(table)
    });
    if let Some((table, statement)) = read {
        let (table, statement) = (table.clone(), statement.clone());
        return Err(NotRecorded::Reads { table, statement });
    }
    if copied.differences(&Fingerprint::of(&done)).is_empty() && !recording.touch_rows() {
        // `CREATE TABLE IF NOT EXISTS` and the like.
        recording.statements.clear();
    }
    let (mut after, mut head) = (Vec::new(), None);
    for table in &books {
        let Some((_, relation)) = before.relation(table) else { continue };
        let columns = columns(relation);
        let (was, is) = (rows(&mut real, table, &columns)?, rows(&mut client, table, &columns)?);
        if was != is {
            head = is.iter().rfind(|row| !was.contains(row)).map(said).or(head);
            after.push(snapshot::book(relation, &is));
        }
    }
    for table in &filled {
        let Some((_, relation)) = before.relation(table) else { continue };
        let (was, mut is) =
            (rows(&mut real, table, &columns(relation))?, rows(&mut client, table, &columns(relation))?);
        is.retain(|row| !was.contains(row));
        recording.statements.extend(snapshot::added(relation, &is));
    }
    for relation in new.values() {
        let is = rows(&mut client, &relation.name, &columns(relation))?;
        head = is.last().map(said).or(head);
    }
    let looked_at = |premise: &Premise| {
        let table = &premise.table.name;
        recording.reads.contains_key(table) || recording.returned.contains(table)
    };
    let premises = premises.into_iter().filter(looked_at).collect();
    Ok(Recorded { statements: recording.statements, books: after, head, premises })
}

/// Gives a copy the rows of the books and of the tables that are named, all of one moment. Tells what the latter were; a table
/// that is not there yet has none.
fn copy_rows(
    real: &mut Client,
    scratch: &Scratch,
    before: &Catalog,
    (books, named): (&[&Name], &[Name]),
) -> Result<Vec<Premise>, NotRecorded> {
    let mut moment = rows::moment(real)?;
    let (mut all, mut premises) = (Vec::new(), Vec::new());
    for table in books {
        all.push(Rows::read(&mut moment, table)?);
    }
    for table in named.iter().filter(|table| !books.contains(table)) {
        let Some((_, relation)) = before.relation(table) else { continue };
        let uncopied = |why: String| NotRecorded::Uncopied { table: bare(&table.to_string()), why };
        if !relation.is_table() {
            return Err(uncopied("it is no table; name those that it shows".to_owned()));
        }
        let rows = Rows::read(&mut moment, table).map_err(|why| match why {
            Error::TooMany { .. } => uncopied(format!("{why}; only small tables can be looked at")),
            why => NotRecorded::Server(why),
        })?;
        premises.push(rows.premise());
        all.push(rows);
    }
    drop(moment);
    match rows::write_all(&all, &mut scratch.connect()?) {
        Err(Error::Server(refusal)) if refusal.code == "23503" => {
            let table = refusal.about.0.clone().unwrap_or_default();
            let told = refusal.detail.clone().unwrap_or_else(|| refusal.message.clone());
            let why = format!("{}; name the table that it refers to as well", told.trim_end_matches('.'));
            Err(NotRecorded::Uncopied { table, why })
        }
        written => Ok(written.map(|()| premises)?),
    }
}

/// What the last row of a database's books says, by which a framework knows where it stands. None: there is no book, or it is
/// empty.
pub fn head(client: &mut Client) -> Result<Option<String>, Error> {
    let catalog = schema(client)?;
    let mut head = None;
    for table in snapshot::known(&catalog) {
        let Some((_, relation)) = catalog.relation(&table) else { continue };
        head = rows(client, &table, &columns(relation))?.last().map(said).or(head);
    }
    Ok(head)
}

/// Books that the command has made.
fn new_books(after: &Catalog, before: &[Name]) -> BTreeMap<String, Relation> {
    let made = snapshot::known(after).into_iter().filter(|table| !before.contains(table));
    let relations = made.filter_map(|table| after.relation(&table).map(|(_, relation)| relation.clone()));
    relations.map(|relation| (relation.name.name.clone(), relation)).collect()
}

fn columns(relation: &Relation) -> Vec<&str> {
    relation.columns.iter().map(|column| column.name.as_str()).collect()
}

type Row = Vec<Option<String>>;

/// All rows as texts, in the order in which they were written as far as that can be told.
fn rows(client: &mut Client, table: &Name, columns: &[&str]) -> Result<Vec<Row>, Error> {
    let texts: Vec<String> = columns.iter().map(|column| format!("{}::text", ident(column))).collect();
    let query = format!("SELECT {} FROM {table} ORDER BY ctid LIMIT 100000", texts.join(", "));
    let rows = client.query(&query, &[])?;
    let row = |row: &postgres::Row| (0..columns.len()).map(|at| row.try_get(at)).collect::<Result<Row, _>>();
    rows.iter().map(|one| row(one).map_err(Error::from)).collect()
}

/// The words of a row: its texts that are no numbers, truths or times, else its first number.
fn said(row: &Row) -> String {
    let is_word = |text: &&str| {
        let plain = text.bytes().all(|b| b.is_ascii_digit() || b"-:.+ Tt".contains(&b));
        !text.is_empty() && text.len() <= 100 && !plain && !matches!(*text, "t" | "f" | "true" | "false")
    };
    let texts = || row.iter().flatten().map(String::as_str);
    let words: Vec<&str> = texts().filter(is_word).take(2).collect();
    if words.is_empty() { texts().next().unwrap_or_default().to_owned() } else { words.join(".") }
}

impl From<Unprepared> for NotRecorded {
    fn from(why: Unprepared) -> NotRecorded {
        match why {
            Unprepared::Server(error) => NotRecorded::Server(error),
            other => NotRecorded::Command(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_where_a_framework_stands() {
        let row = |cells: &[&str]| said(&cells.iter().map(|cell| Some((*cell).to_owned())).collect());
        assert_eq!(row(&["7", "shop", "0002_names", "2026-11-29 10:00:00+00"]), "shop.0002_names");
        assert_eq!(row(&["ae1027a6acf"]), "ae1027a6acf");
        assert_eq!(row(&["20260101120000"]), "20260101120000");
    }
}
