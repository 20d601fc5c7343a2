//! What a framework's own command has sent to the server, made into a migration: the statements that took effect, their
//! parameters written into them, in their order.
//!
//! What was rolled back never happened. What only reads leaves nothing, but what it read matters: a command that looks at rows
//! to decide what to write would do something else where the rows are. The frameworks' own books are handled apart.
//! Tested in place; with a real relay in `tandem-postgres`.

mod parameter;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::source::{self, File, Migration, SourceError, Statement, Verb};
use crate::syntax;

pub use parameter::Parameter;

/// The name under which places in recorded statements are told.
pub const FILE: &str = "1_recorded.sql";

/// What was sent and answered up to the server's being ready again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exchange {
    /// On which connection.
    pub connection: u32,
    /// What was executed, in order.
    pub executed: Vec<Executed>,
    /// Whether something failed in it.
    pub failed: bool,
    /// Whether a transaction block is open after it.
    pub open: bool,
    /// Whether rows were sent by COPY.
    pub copied: bool,
}

/// A text that was executed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Executed {
    /// The text: one statement with parameters, or several without.
    pub text: String,
    /// Its parameters, `$1` first. None: NULL.
    pub parameters: Vec<Option<Parameter>>,
    /// What the server said of each statement that it came to the end of (`CREATE TABLE`, `INSERT 0 1`).
    pub tags: Vec<String>,
}

/// What a command amounts to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recording {
    /// The statements that took effect, but for those that write books.
    pub statements: Vec<String>,
    /// Tables whose rows were read, with a statement that did.
    pub reads: BTreeMap<String, String>,
    /// Tables of whose rows something was told by a statement that writes them (`RETURNING`).
    pub returned: BTreeSet<String>,
    /// Tables, books included, in which rows were changed or removed and not only added.
    pub changed: BTreeSet<String>,
}

impl Recording {
    /// Whether a statement does something that the catalog does not show.
    pub fn touch_rows(&self) -> bool {
        let does = |statement: &Statement| statement.data.is_some() || statement.opaque;
        self.statements
            .iter()
            .any(|text| source::split(FILE, text, 0).map_or(true, |all| all.iter().any(does)))
    }
}

/// A recording that can't be made into a migration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unrecorded {
    /// Rows came by COPY.
    #[error("the command sends rows by COPY, which can't be written down as a statement")]
    Copied,
    /// A parameter in a form that is not known.
    #[error("the command sends a parameter of the type with oid {oid} in binary form: {text}")]
    Parameter {
        /// The type.
        oid: u32,
        /// The statement.
        text: String,
    },
    /// A statement that PostgreSQL took and its parser does not.
    #[error("{0}")]
    Source(#[from] SourceError),
}

/// Makes a recording of exchanges, in the order in which they ended. `books` are names of tables that are handled apart.
///
/// # Errors
/// Something can't be written down.
pub fn recording(exchanges: &[Exchange], books: &BTreeSet<String>) -> Result<Recording, Unrecorded> {
    let mut lines: BTreeMap<u32, Line> = BTreeMap::new();
    let mut done = Vec::new();
    for exchange in exchanges {
        if exchange.copied {
            return Err(Unrecorded::Copied);
        }
        lines.entry(exchange.connection).or_default().take(exchange, &mut done)?;
    }
    let mut recording = Recording::default();
    for statement in done {
        sort(statement, books, &mut recording);
    }
    Ok(recording)
}

/// A connection: what is not certain yet.
#[derive(Default)]
struct Line {
    pending: Vec<Statement>,
    savepoints: Vec<(String, usize)>,
    in_block: bool,
}

impl Line {
    fn take(&mut self, exchange: &Exchange, done: &mut Vec<Statement>) -> Result<(), Unrecorded> {
        let (was_in_block, before) = (self.in_block, self.pending.len());
        for executed in &exchange.executed {
            let text = parameter::filled(&executed.text, &executed.parameters)?;
            let statements = source::split(FILE, &text, 0)?;
            for (statement, tag) in statements.into_iter().zip(&executed.tags) {
                self.one(statement, tag, done);
            }
        }
        if exchange.failed && !was_in_block && !self.in_block {
            // Without a block the whole exchange is one transaction.
            self.pending.truncate(before);
        }
        self.in_block = exchange.open;
        if !exchange.open {
            done.append(&mut self.pending);
            self.savepoints.clear();
        }
        Ok(())
    }

    fn one(&mut self, statement: Statement, tag: &str, done: &mut Vec<Statement>) {
        if !statement.transaction_control {
            self.pending.push(statement);
            return;
        }
        match (tag, savepoint(&statement.text)) {
            ("SAVEPOINT", Some(name)) => self.savepoints.push((name, self.pending.len())),
            ("ROLLBACK", Some(name)) => {
                let place = self.savepoints.iter().rposition(|(known, _)| *known == name);
                if let Some((_, length)) = place.and_then(|place| self.savepoints.get(place)) {
                    self.pending.truncate(*length);
                }
            }
            ("ROLLBACK", None) => {
                self.pending.clear();
                self.in_block = false;
            }
            ("BEGIN" | "START TRANSACTION", _) => self.in_block = true,
            ("COMMIT", _) => {
                done.append(&mut self.pending);
                self.in_block = false;
            }
            _ => {}
        }
    }
}

/// Of SAVEPOINT and ROLLBACK TO: its name.
fn savepoint(text: &str) -> Option<String> {
    let tokens = syntax::tokens(text).ok()?;
    let words: Vec<&str> =
        tokens.iter().filter(|token| !token.is_comment()).map(|token| token.text(text)).collect();
    let has = |wanted: &str| words.iter().any(|word| word.eq_ignore_ascii_case(wanted));
    let names = has("savepoint") || has("to");
    words.last().filter(|_| names).map(|name| name.trim_matches('"').to_lowercase())
}

/// Puts a statement where it belongs: among those that do something, or what it reads.
fn sort(statement: Statement, books: &BTreeSet<String>, recording: &mut Recording) {
    if statement.setting {
        return;
    }
    let Some(tree) = tree(&statement.text) else {
        recording.statements.push(statement.text);
        return;
    };
    let (kind, fields) = match syntax::node(&tree) {
        Some(node) => node,
        None => return,
    };
    if let Some(data) = &statement.data {
        if syntax::part(fields, "returning_clause").is_some() {
            recording.returned.insert(data.table.clone());
        }
        if data.verb != Verb::Insert {
            recording.changed.insert(data.table.clone());
        }
        if !books.contains(&data.table) {
            recording.statements.push(statement.text);
        }
        return;
    }
    match kind {
        "SelectStmt" if syntax::part(fields, "into_clause").is_none() => {
            read(&statement.text, &tree, books, recording);
            if calls(&tree, "setval") {
                recording.statements.push(statement.text);
            }
        }
        "VariableShowStmt" | "ExplainStmt" | "LockStmt" | "ListenStmt" | "UnlistenStmt" | "NotifyStmt"
        | "DeclareCursorStmt" | "FetchStmt" | "ClosePortalStmt" | "DeallocateStmt" | "CheckPointStmt" => {}
        _ => recording.statements.push(statement.text),
    }
}

fn tree(text: &str) -> Option<Value> {
    let tokens = syntax::tokens(text).ok()?;
    syntax::statements(text, &tokens).ok()?.into_iter().next()?.tree
}

/// Rows of tables, other than the catalog's and the books.
fn read(text: &str, tree: &Value, books: &BTreeSet<String>, recording: &mut Recording) {
    syntax::walk(tree, &mut |kind, fields| {
        if kind == "RangeVar" {
            let (schema, table) = (syntax::word(fields, "schemaname"), syntax::word(fields, "relname"));
            let catalogs = matches!(schema, "pg_catalog" | "information_schema")
                || schema.is_empty() && table.starts_with("pg_");
            let ours = !catalogs && !books.contains(table);
            if ours {
                recording.reads.entry(table.to_owned()).or_insert_with(|| text.to_owned());
            }
        }
        true
    });
}

fn calls(tree: &Value, function: &str) -> bool {
    let mut found = false;
    syntax::walk(tree, &mut |kind, fields| {
        if kind == "FuncCall" {
            let last = syntax::list(fields, "funcname").last().and_then(syntax::node);
            found |= last.is_some_and(|(_, name)| syntax::word(name, "sval").eq_ignore_ascii_case(function));
        }
        true
    });
    found
}

/// A migration that was recorded. What it is called is its caller's to say.
///
/// # Errors
/// What the team wrote beside it is not understood.
pub fn migration(beside: &str, statements: &[String]) -> Result<Migration, Vec<SourceError>> {
    let file = File { path: FILE.to_owned(), text: text(beside, statements) };
    let mut migrations = source::read(std::slice::from_ref(&file))?;
    migrations.pop().ok_or_else(Vec::new)
}

/// What the team wrote beside it, then the statements.
fn text(beside: &str, statements: &[String]) -> String {
    let mut text = beside.trim_end().to_owned();
    if !text.is_empty() {
        text.push_str("\n\n");
    }
    for statement in statements {
        text.push_str(statement.trim().trim_end_matches(';'));
        text.push_str(";\n");
    }
    text
}

#[cfg(test)]
mod tests;
