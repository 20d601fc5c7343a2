//! What a statement does to rows, and the parts of it that are kept as they were written.
//!
//! The tree says what there is; the texts come from the tokens, because the tree doesn't know where an expression ends.

use serde_json::Value;

use crate::expression::{is_constant_in, reads_tables_in};
use crate::syntax::{self, Parsed, Token, flag, list, part, word};

/// What sort of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// INSERT.
    Insert,
    /// UPDATE.
    Update,
    /// DELETE.
    Delete,
    /// TRUNCATE.
    Truncate,
}

/// A statement that writes rows.
#[derive(Debug, Clone, PartialEq)]
pub struct DataStatement {
    /// What it does.
    pub verb: Verb,
    /// The table's schema, where written.
    pub schema: Option<String>,
    /// The table.
    pub table: String,
    /// The name by which expressions call the table: its alias, else its name.
    pub alias: String,
    /// Of UPDATE: column and expression as written, where each column is set by itself.
    pub set: Vec<(String, String)>,
    /// Of UPDATE and DELETE: the condition as written.
    pub condition: Option<String>,
    /// Reads no other table (no FROM, USING, WITH or sub-select over others).
    pub own_rows_only: bool,
    /// INSERT … VALUES of constants only.
    pub constant_rows: bool,
    /// INSERT … ON CONFLICT or has RETURNING.
    pub returning_or_conflict: bool,
    /// Further tables (schema where written, name) whose rows it writes: of TRUNCATE, or in its WITH.
    pub others: Vec<(Option<String>, String)>,
    /// Of CREATE TABLE … AS: its query as written.
    pub query: Option<String>,
    /// Of INSERT … SELECT, where each row comes of one row of another table by itself.
    pub copied: Option<CopiedRows>,
}

/// INSERT … SELECT over the rows of one table: no join, no grouping, no limit, no sub-select over tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedRows {
    /// The columns that are written, in order; empty: those of the table.
    pub columns: Vec<String>,
    /// Their values as written, over the columns of the source.
    pub values: Vec<String>,
    /// The source: its schema, where written, and its name.
    pub source: (Option<String>, String),
    /// The name by which the values call the source: its alias, else its name.
    pub alias: String,
    /// Which rows, as written.
    pub condition: Option<String>,
}

/// A statement with its tree and its own tokens.
pub(super) struct Sight<'a> {
    text: &'a str,
    tree: &'a Value,
    base: usize,
    tokens: Vec<Token>,
    end: usize,
}

impl<'a> Sight<'a> {
    pub(super) fn new(text: &'a str, tokens: &[Token], parsed: &Parsed, tree: &'a Value) -> Sight<'a> {
        let own =
            |token: &&Token| token.start >= parsed.start && token.end <= parsed.end && !token.is_comment();
        let tokens = tokens.iter().filter(own).copied().collect();
        Sight { text, tree, base: parsed.base, tokens, end: parsed.end }
    }

    /// What it does to rows.
    pub(super) fn data(&self) -> Option<DataStatement> {
        let (kind, fields) = syntax::node(self.tree)?;
        match verb(kind) {
            Some(verb) => self.written(verb, fields),
            None if kind == "SelectStmt" => {
                let (kind, fields) = writers(self.tree).into_iter().next()?;
                let mut data = self.written(verb(kind)?, fields)?;
                data.own_rows_only = false;
                data.set.clear();
                Some(data)
            }
            None => None,
        }
    }

    fn written(&self, verb: Verb, fields: &Value) -> Option<DataStatement> {
        let mut tables = targets(verb, fields).into_iter();
        let first = tables.next()?;
        let (schema, table) = table_name(first);
        let alias = part(first, "alias").map_or("", |alias| word(alias, "aliasname"));
        let others = tables.map(table_name).chain(
            writers(self.tree)
                .into_iter()
                .filter(|(_, inner)| !std::ptr::eq(*inner, fields))
                .filter_map(|(kind, inner)| verb_tables(kind, inner)),
        );
        let top = syntax::node(self.tree).is_some_and(|(_, top)| std::ptr::eq(top, fields));
        let set = if verb == Verb::Update && top { self.set(fields) } else { Vec::new() };
        let condition = if top { self.condition(fields) } else { None };
        let returning =
            part(fields, "returning_clause").is_some() || part(fields, "on_conflict_clause").is_some();
        Some(DataStatement {
            verb,
            alias: if alias.is_empty() { table.clone() } else { alias.to_owned() },
            schema,
            table,
            set,
            condition,
            own_rows_only: own_rows_only(fields),
            constant_rows: verb == Verb::Insert && constant_rows(fields),
            returning_or_conflict: returning,
            others: others.collect(),
            query: None,
            copied: if top && !returning { self.inserted(fields) } else { None },
        })
    }

    fn inserted(&self, fields: &Value) -> Option<CopiedRows> {
        let name = |column: &Value| syntax::node(column).map(|(_, column)| word(column, "name").to_owned());
        let columns = list(fields, "cols").iter().filter_map(name).collect();
        let query = part(fields, "select_stmt").filter(|_| part(fields, "with_clause").is_none())?;
        self.copied(columns, query)
    }

    /// The table that it makes for its session alone.
    pub(super) fn temporary(&self) -> Option<String> {
        let (kind, fields) = syntax::node(self.tree)?;
        let relation = match kind {
            "CreateStmt" => part(fields, "relation")?,
            "CreateTableAsStmt" => part(part(fields, "into")?, "rel")?,
            "SelectStmt" => part(part(fields, "into_clause")?, "rel")?,
            _ => return None,
        };
        (word(relation, "relpersistence") == "t").then(|| word(relation, "relname").to_owned())
    }

    /// The rows that CREATE TABLE … AS (or SELECT … INTO) puts into its table.
    pub(super) fn filled(&self) -> Option<DataStatement> {
        let (kind, fields) = syntax::node(self.tree)?;
        let table = fields.get("objtype").and_then(Value::as_i64) == Some(TABLE);
        let (into, query) = match kind {
            "CreateTableAsStmt" if table => (part(fields, "into")?, part(fields, "query")?),
            "SelectStmt" => (part(fields, "into_clause")?, self.tree),
            _ => return None,
        };
        let relation = part(into, "rel")?;
        // A table of the session's own is nobody's else.
        if flag(into, "skip_data") || word(relation, "relpersistence") == "t" {
            return None;
        }
        let (schema, table) = table_name(relation);
        let text = (kind == "CreateTableAsStmt").then(|| self.clause("as", 0)).flatten();
        let text = text.map(|word| self.slice(word.end, self.end));
        let names = list(into, "col_names").iter().filter_map(syntax::name);
        Some(DataStatement {
            verb: Verb::Insert,
            alias: table.clone(),
            schema,
            table,
            set: Vec::new(),
            condition: None,
            own_rows_only: false,
            constant_rows: text.is_some() && !reads_tables_in(query),
            returning_or_conflict: false,
            others: Vec::new(),
            query: text,
            copied: self.copied(names.map(str::to_owned).collect(), query),
        })
    }

    /// What an INSERT … SELECT takes from each row of one table.
    fn copied(&self, columns: Vec<String>, query: &Value) -> Option<CopiedRows> {
        let ("SelectStmt", select) = syntax::node(query)? else { return None };
        let [source] = list(select, "from_clause") else { return None };
        let ("RangeVar", source) = syntax::node(source)? else { return None };
        let targets = list(select, "target_list");
        let row_by_row = OF_MANY_ROWS.iter().all(|name| list(select, name).is_empty())
            && OF_A_WHOLE.iter().all(|name| part(select, name).is_none());
        if !row_by_row
            || targets.iter().chain(part(select, "where_clause")).any(reads_tables_in)
            || targets.iter().any(multiplies)
        {
            return None;
        }
        let starts: Option<Vec<usize>> =
            targets.iter().map(|target| syntax::location(syntax::node(target)?.1, self.base)).collect();
        let starts = starts?;
        let from = self.clause("from", *starts.last()?)?;
        let ends = starts.iter().skip(1).map(|start| self.before_comma(*start)).chain([from.start]);
        let values = targets.iter().zip(starts.iter().zip(ends));
        let values = values.map(|(target, (start, end))| self.value(target, *start, end)).collect();
        let condition = part(select, "where_clause")
            .and_then(|_| self.clause("where", from.end))
            .map(|word| self.slice(word.end, self.end));
        let alias = part(source, "alias").map_or("", |alias| word(alias, "aliasname"));
        Some(CopiedRows {
            columns,
            values,
            alias: if alias.is_empty() { word(source, "relname").to_owned() } else { alias.to_owned() },
            source: table_name(source),
            condition,
        })
    }

    /// A value of a SELECT without the name that is given to it.
    fn value(&self, target: &Value, start: usize, end: usize) -> String {
        let named = syntax::node(target).is_some_and(|(_, target)| !word(target, "name").is_empty());
        if !named {
            return self.slice(start, end);
        }
        let inner = |token: &&Token| token.start >= start && token.end <= end;
        let mut inner = self.tokens.iter().filter(inner).rev();
        let name = inner.next();
        let name = inner.next().filter(|token| token.is_word(self.text, "as")).or(name);
        self.slice(start, name.map_or(end, |token| token.start))
    }

    /// Tokens outside of all parentheses and brackets, with their index among all.
    fn outer(&self) -> Vec<(usize, &Token)> {
        let mut depth = 0_usize;
        let mut found = Vec::new();
        for (index, token) in self.tokens.iter().enumerate() {
            if token.is_sign(b')') || token.is_sign(b']') {
                depth = depth.saturating_sub(1);
            } else if token.is_sign(b'(') || token.is_sign(b'[') {
                depth += 1;
            } else if depth == 0 {
                found.push((index, token));
            }
        }
        found
    }

    /// Whether a token is this keyword and not a name after a dot.
    fn is_keyword(&self, index: usize, keyword: &str) -> bool {
        let before = index.checked_sub(1).and_then(|at| self.tokens.get(at));
        let named = before.is_some_and(|token| token.is_sign(b'.'));
        let distinct = keyword == "from" && before.is_some_and(|token| token.is_word(self.text, "distinct"));
        !named && !distinct && self.tokens.get(index).is_some_and(|token| token.is_word(self.text, keyword))
    }

    /// Where a clause that stands outside of all parentheses begins, after a byte.
    fn clause(&self, keyword: &str, after: usize) -> Option<Token> {
        let outer = self.outer();
        let mut matching = outer.iter().filter(|(_, token)| token.start >= after);
        matching.find(|(index, _)| self.is_keyword(*index, keyword)).map(|(_, token)| **token)
    }

    fn slice(&self, from: usize, to: usize) -> String {
        let own = |token: &&Token| token.start >= from && token.end <= to;
        let mut inner = self.tokens.iter().filter(own);
        let Some(first) = inner.next() else { return String::new() };
        let end = inner.next_back().unwrap_or(first).end;
        self.text.get(first.start..end).unwrap_or_default().to_owned()
    }

    fn after_relation(&self, fields: &Value) -> usize {
        let relation = part(fields, "relation").and_then(|relation| syntax::location(relation, self.base));
        relation.unwrap_or_default()
    }

    fn condition(&self, fields: &Value) -> Option<String> {
        part(fields, "where_clause")?;
        let from = self.clause("where", self.after_relation(fields))?;
        let to = self.clause("returning", from.end).map_or(self.end, |token| token.start);
        Some(self.slice(from.end, to))
    }

    /// Nothing unless each assignment is of one whole column.
    fn set(&self, fields: &Value) -> Vec<(String, String)> {
        let mut starts = Vec::new();
        for target in list(fields, "target_list") {
            let Some((_, target)) = syntax::node(target) else { return Vec::new() };
            let kind = part(target, "val").and_then(syntax::node).map(|(kind, _)| kind);
            let plain = list(target, "indirection").is_empty();
            let simple = !matches!(kind, None | Some("MultiAssignRef" | "SetToDefault"));
            match (syntax::location(target, self.base), plain && simple) {
                (Some(start), true) => starts.push((word(target, "name").to_owned(), start)),
                _ => return Vec::new(),
            }
        }
        let last = starts.last().map_or(0, |(_, start)| *start);
        let clauses = ["from", "where", "returning"];
        let stop = clauses.iter().filter_map(|word| self.clause(word, last)).map(|token| token.start).min();
        let mut ends: Vec<usize> =
            starts.iter().skip(1).map(|(_, start)| self.before_comma(*start)).collect();
        ends.push(stop.unwrap_or(self.end));
        let texts = starts.into_iter().zip(ends);
        texts
            .filter_map(|((column, start), end)| {
                let equals = self.tokens.iter().find(|token| token.start >= start && token.is_sign(b'='))?;
                Some((column, self.slice(equals.end, end)))
            })
            .collect()
    }

    /// Where the comma before a byte stands.
    fn before_comma(&self, start: usize) -> usize {
        let mut before = self.tokens.iter().rev().skip_while(|token| token.start >= start);
        before.next().map_or(start, |token| token.start)
    }

    /// What follows USING in each ALTER COLUMN … TYPE.
    pub(super) fn using(&self) -> Vec<(Option<String>, String, String, String)> {
        let Some(("AlterTableStmt", fields)) = syntax::node(self.tree) else { return Vec::new() };
        let Some((schema, table)) = part(fields, "relation").map(table_name) else { return Vec::new() };
        let commands = list(fields, "cmds");
        let mut bounds: Vec<usize> = self
            .outer()
            .iter()
            .filter(|(_, token)| token.is_sign(b','))
            .map(|(_, token)| token.start)
            .collect();
        bounds.insert(0, self.after_relation(fields));
        bounds.push(self.end);
        if bounds.len() != commands.len() + 1 {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (command, bound) in commands.iter().zip(bounds.windows(2)) {
            let (Some((_, command)), [from, to]) = (syntax::node(command), bound) else { continue };
            let definition = part(command, "def").and_then(syntax::node);
            let Some(("ColumnDef", definition)) = definition else { continue };
            let retyped = command.get("subtype").and_then(Value::as_i64) == Some(ALTER_COLUMN_TYPE);
            if !retyped || part(definition, "raw_default").is_none() {
                continue;
            }
            if let Some(using) = self.clause("using", *from).filter(|token| token.start < *to) {
                let expression = self.slice(using.end, *to);
                found.push((schema.clone(), table.clone(), word(command, "name").to_owned(), expression));
            }
        }
        found
    }
}

/// Whether a value makes several rows of one.
fn multiplies(value: &Value) -> bool {
    const SETS: [&str; 5] = ["unnest", "generate_", "array_elements", "_each", "regexp_"];
    let mut found = false;
    syntax::walk(value, &mut |kind, fields| {
        let name = list(fields, "funcname").last().and_then(syntax::name).unwrap_or_default();
        found |= kind == "FuncCall" && (SETS.iter().any(|set| name.contains(set)) || name.ends_with("_keys"));
        !found
    });
    found
}

/// Lists of a SELECT by which a row of its result is not one of its table.
const OF_MANY_ROWS: [&str; 6] =
    ["distinct_clause", "group_clause", "window_clause", "values_lists", "locking_clause", "sort_clause"];

/// The same of its other parts.
const OF_A_WHOLE: [&str; 6] =
    ["into_clause", "having_clause", "limit_offset", "limit_count", "with_clause", "larg"];

const TABLE: i64 = pg_query::protobuf::ObjectType::ObjectTable as i64;

const ALTER_COLUMN_TYPE: i64 = pg_query::protobuf::AlterTableType::AtAlterColumnType as i64;

fn verb(kind: &str) -> Option<Verb> {
    match kind {
        "InsertStmt" => Some(Verb::Insert),
        "UpdateStmt" => Some(Verb::Update),
        "DeleteStmt" => Some(Verb::Delete),
        "TruncateStmt" => Some(Verb::Truncate),
        _ => None,
    }
}

/// All statements in a tree that write rows.
pub(super) fn writers(tree: &Value) -> Vec<(&str, &Value)> {
    let mut found = Vec::new();
    syntax::walk(tree, &mut |kind, fields| {
        if verb(kind).is_some() {
            found.push((kind, fields));
        }
        true
    });
    found
}

fn targets(verb: Verb, fields: &Value) -> Vec<&Value> {
    match verb {
        Verb::Truncate => {
            let nodes = list(fields, "relations").iter().filter_map(syntax::node);
            nodes.map(|(_, relation)| relation).collect()
        }
        _ => part(fields, "relation").into_iter().collect(),
    }
}

fn verb_tables(kind: &str, fields: &Value) -> Option<(Option<String>, String)> {
    targets(verb(kind)?, fields).into_iter().next().map(table_name)
}

/// The schema where written, and the name.
fn table_name(relation: &Value) -> (Option<String>, String) {
    let schema = word(relation, "schemaname");
    ((!schema.is_empty()).then(|| schema.to_owned()), word(relation, "relname").to_owned())
}

/// The relation that is written to is no `RangeVar` node but a field: each node is another table that is read.
fn own_rows_only(fields: &Value) -> bool {
    let read = |name: &str| !list(fields, name).is_empty();
    let parts = ["target_list", "where_clause", "select_stmt", "on_conflict_clause", "returning_clause"];
    part(fields, "with_clause").is_none()
        && !read("from_clause")
        && !read("using_clause")
        && !parts.iter().filter_map(|name| part(fields, name)).any(reads_tables_in)
}

fn constant_rows(fields: &Value) -> bool {
    let Some(("SelectStmt", select)) = part(fields, "select_stmt").and_then(syntax::node) else {
        return false;
    };
    let rows = list(select, "values_lists");
    let constant =
        |row: &Value| syntax::node(row).is_some_and(|(_, row)| list(row, "items").iter().all(is_constant_in));
    part(fields, "with_clause").is_none()
        && if rows.is_empty() { unnests_constants(select) } else { rows.iter().all(constant) }
}

/// `SELECT … FROM unnest('{1,2}'::int[])`: how some frameworks write many rows at once.
fn unnests_constants(select: &Value) -> bool {
    let mut constant = !list(select, "from_clause").is_empty();
    for clause in ["from_clause", "target_list", "where_clause"] {
        let Some(clause) = part(select, clause) else { continue };
        syntax::walk(clause, &mut |kind, fields| {
            constant &= match kind {
                "FuncCall" => {
                    let name = list(fields, "funcname").last().and_then(syntax::name);
                    name == Some("unnest") && list(fields, "args").iter().all(is_constant_in)
                }
                "RangeVar" | "SubLink" | "RangeSubselect" | "SqlvalueFunction" => false,
                _ => true,
            };
            true
        });
    }
    constant
}
