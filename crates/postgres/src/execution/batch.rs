//! What one batch of a fill is: a range of keys or of blocks, found and written. Decides; its statements are run by
//! [`super::fill`].
//!
//! Tested in `tests/postgres/execution.rs`.

use postgres::{Client, SimpleQueryRow};
use tandem_schema::name::{Name, ident, idents, literal};
use tandem_schema::plan::Fill;

use super::fill::Range;
use crate::failure::Failure;
use crate::statements::OWN;

/// A table, a partition or a child: something with rows of its own.
#[derive(Debug)]
pub(super) struct Leaf {
    /// Its identity.
    pub(super) oid: u32,
    /// Its file.
    pub(super) file: u32,
    /// Its name.
    pub(super) name: Name,
    /// The types of the key's columns, as SQL.
    types: Vec<String>,
}

impl Leaf {
    /// Everything with rows below a table, by identity.
    pub(super) fn all(client: &mut Client, table: &Name) -> Result<Vec<u32>, Failure> {
        let rows = client.query(
            "WITH RECURSIVE below (oid) AS (
                 SELECT to_regclass($1)::oid
                 UNION SELECT i.inhrelid FROM pg_inherits i JOIN below b ON i.inhparent = b.oid
             )
             SELECT c.oid FROM below b JOIN pg_class c ON c.oid = b.oid WHERE c.relkind = 'r' ORDER BY c.oid",
            &[&table.to_string()],
        )?;
        if rows.is_empty() {
            let there = client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table.to_string()])?;
            if !there.try_get::<_, bool>(0)? {
                return Err(Failure::Unreadable(format!(
                    "the table {table}, which is to be filled, is not there"
                )));
            }
        }
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }

    /// What must be known to walk it; nothing if it is gone.
    pub(super) fn read(client: &mut Client, oid: u32, fill: &Fill) -> Result<Option<Leaf>, Failure> {
        let row = client.query_opt(
            "SELECT n.nspname, c.relname, pg_relation_filenode(c.oid) FROM pg_class c
             JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1",
            &[&oid],
        )?;
        let Some(row) = row else { return Ok(None) };
        let name = Name::new(row.try_get::<_, String>(0)?, row.try_get::<_, String>(1)?);
        let rows = client.query(
            "SELECT format_type(a.atttypid, a.atttypmod) FROM unnest($2::text[]) WITH ORDINALITY k (name, place)
             JOIN pg_attribute a ON a.attrelid = $1 AND a.attname = k.name AND a.attnum > 0 ORDER BY k.place",
            &[&oid, &fill.key],
        )?;
        let types: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        if types.len() != fill.key.len() {
            return Err(Failure::Unreadable(format!("{name} has no columns {}", fill.key.join(", "))));
        }
        Ok(Some(Leaf { oid, file: row.try_get::<_, Option<u32>>(2)?.unwrap_or_default(), name, types }))
    }

    /// All its rows, as they are now.
    pub(super) fn whole(&self, client: &mut Client, fill: &Fill) -> Result<Range, Failure> {
        if fill.key.is_empty() {
            let row = client.query_one(
                "SELECT pg_relation_size($1::oid::regclass) / current_setting('block_size')::bigint",
                &[&self.oid],
            )?;
            let end = u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0);
            return Ok(Range::Blocks { file: self.file, at: 0, end });
        }
        let query = format!(
            "{OWN}SELECT ARRAY[{}] FROM ONLY {} ORDER BY {} LIMIT 1",
            texts(&fill.key),
            self.name,
            ordered(&fill.key, "DESC")
        );
        let last = client.query_opt(&query, &[])?;
        Ok(match last {
            Some(row) => Range::Keys { at: None, end: row.try_get(0)? },
            None => Range::Nothing,
        })
    }

    /// A comparison of the key with values of it.
    fn compared(&self, key: &[String], operator: &str, values: &[String]) -> String {
        let values: Vec<String> = values
            .iter()
            .zip(&self.types)
            .map(|(value, kind)| format!("{}::{kind}", literal(value)))
            .collect();
        format!("({}) {operator} ({})", idents(key.iter().map(String::as_str)), values.join(", "))
    }

    /// The statement that writes the rows of a range that need it. The table is known by its parent's name in expressions.
    pub(super) fn write(&self, fill: &Fill, range: &str) -> String {
        if let Some((into, key)) = &fill.into {
            return self.copy(fill, (into, key), range);
        }
        let set: Vec<String> = fill
            .set
            .iter()
            .map(|(column, expression)| format!("{} = ({expression})", ident(column)))
            .collect();
        let (alias, set) = (ident(&fill.table.name), set.join(", "));
        format!("{OWN}UPDATE ONLY {} AS {alias} SET {set} WHERE {range} AND ({})", self.name, fill.needed)
    }

    /// Rows that get an image stay as they are until they have it; where a trigger was quicker, its image counts.
    fn copy(&self, fill: &Fill, (into, key): (&Name, &[String]), range: &str) -> String {
        let columns = idents(fill.set.iter().map(|(column, _)| column.as_str()));
        let values: Vec<&str> = fill.set.iter().map(|(_, value)| value.as_str()).collect();
        format!(
            "{OWN}INSERT INTO {into} ({columns}) SELECT {} FROM ONLY {} AS {} WHERE {range} AND ({}) FOR SHARE
             ON CONFLICT ({}) DO NOTHING",
            values.join(", "),
            self.name,
            ident(&fill.table.name),
            fill.needed,
            idents(key.iter().map(String::as_str))
        )
    }

    /// The query of the next `size` keys: how many there are, and the last one. Nothing is asked where blocks are walked.
    pub(super) fn query(&self, fill: &Fill, left: &Range, size: u64) -> String {
        let Range::Keys { at, end } = left else { return String::new() };
        // Not under their own names: texts have another order.
        let text = |(place, column): (usize, &String)| format!("{}::text AS text_{place}", ident(column));
        let key: Vec<String> = fill.key.iter().enumerate().map(text).collect();
        format!(
            "{OWN}WITH page AS (SELECT {columns} FROM ONLY {table} WHERE {above}{below} ORDER BY {ascending} LIMIT {size})
             SELECT (SELECT count(*) FROM page), {key} FROM page ORDER BY {descending} LIMIT 1",
            columns = idents(fill.key.iter().map(String::as_str)),
            table = self.name,
            above = self.above(fill, at.as_deref()),
            below = self.compared(&fill.key, "<=", end),
            ascending = ordered(&fill.key, "ASC"),
            key = key.join(", "),
            descending = ordered(&fill.key, "DESC"),
        )
    }

    /// The next batch, by what the query has found; nothing if there are no rows any more.
    pub(super) fn page(
        &self,
        fill: &Fill,
        left: &Range,
        size: u64,
        found: Option<&SimpleQueryRow>,
    ) -> Option<Page> {
        match left {
            Range::Keys { at, end } => {
                let text = |place: usize| found?.get(place).map(str::to_owned);
                let count = text(0)?.parse().unwrap_or(0);
                let last: Vec<String> = (1..=fill.key.len()).map(text).collect::<Option<_>>()?;
                let (above, below) = (self.above(fill, at.as_deref()), self.compared(&fill.key, "<=", &last));
                let left = if count < size || last == *end {
                    Range::Nothing
                } else {
                    Range::Keys { at: Some(last), end: end.clone() }
                };
                Some(Page { range: format!("{above}{below}"), rows: Some(count), left })
            }
            Range::Blocks { file, at, end } => {
                let (file, until, end) = (*file, at.saturating_add(size).min(*end), *end);
                let range = format!("ctid >= '({at},0)'::tid AND ctid < '({until},0)'::tid");
                let left = if until >= end { Range::Nothing } else { Range::Blocks { file, at: until, end } };
                Some(Page { range, rows: None, left })
            }
            Range::Nothing => None,
        }
    }

    fn above(&self, fill: &Fill, at: Option<&[String]>) -> String {
        at.map_or_else(String::new, |at| format!("{} AND ", self.compared(&fill.key, ">", at)))
    }
}

/// What one batch is about.
pub(super) struct Page {
    /// A condition for the rows that are in it.
    pub(super) range: String,
    /// How many they are, where that is known before they are written.
    pub(super) rows: Option<u64>,
    /// What is left afterwards.
    pub(super) left: Range,
}

/// The columns as texts.
fn texts(key: &[String]) -> String {
    key.iter().map(|column| format!("{}::text", ident(column))).collect::<Vec<_>>().join(", ")
}

fn ordered(key: &[String], direction: &str) -> String {
    key.iter().map(|column| format!("{} {direction}", ident(column))).collect::<Vec<_>>().join(", ")
}
