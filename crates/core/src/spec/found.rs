//! What a file says: each value under its path, and what is wrong with the file's shape.
//!
//! Goes through the TOML tree along the table of keys and gives up on nothing: a problem in one place does not hide
//! another. Knows no defaults and no meaning. Tested by `check/tests.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key::{FILE, FRONT, Key, Kind};
use super::problem::{Problem, ProblemCode};
use super::text::{nearest, quoted};
use super::value::{self, Complaint, Value};

/// The values of a file by path (`run.ready.every`, `listen[0].address`) and where they stand.
#[derive(Default)]
pub(super) struct Found {
    values: BTreeMap<String, (Value, Range<usize>)>,
    /// How many tables a list of tables has.
    lengths: BTreeMap<String, usize>,
    /// Where tables stand, those of lists included.
    tables: BTreeMap<String, Range<usize>>,
    /// Paths at which something is wrong.
    bad: BTreeSet<String>,
    pub(super) problems: Vec<Problem>,
}

impl Found {
    /// Reads the text. If it is not TOML, that is the only problem.
    pub(super) fn read(text: &str) -> Found {
        Found::of(text, |found, file| found.table("", "", FILE, file, 0..0))
    }

    /// Reads the text of what stands in front of several services.
    pub(super) fn read_front(text: &str) -> Found {
        Found::of(text, |found, file| found.table("", "", FRONT, file, 0..0))
    }

    /// Reads only one key of the file, and nothing beside it.
    pub(super) fn read_only(text: &str, name: &str) -> Found {
        Found::of(text, |found, file| {
            let key = FILE.iter().find(|key| key.name == name);
            let entry = file.iter().find(|(found, _)| found.get_ref() == name);
            if let (Some(key), Some((found_name, value))) = (key, entry) {
                found.entry(key, name, name, found_name.span(), value);
            }
        })
    }

    fn of(text: &str, read: impl FnOnce(&mut Found, &DeTable<'_>)) -> Found {
        let mut found = Found::default();
        let (file, errors) = DeTable::parse_recoverable(text);
        // What follows the first error is mostly its consequence.
        let first = errors.iter().min_by_key(|error| error.span().map_or(0, |span| span.start));
        match first {
            None => read(&mut found, file.get_ref()),
            Some(error) => {
                let span = error.span().unwrap_or(0..0);
                let message = format!("this is not TOML: {}", error.message().replace('\n', ", "));
                found.problems.push(Problem::new(ProblemCode::Syntax, span, message));
            }
        }
        found
    }

    pub(super) fn value(&self, path: &str) -> Option<&Value> {
        self.values.get(path).map(|(value, _)| value)
    }

    /// Where the value at `path` stands; the beginning of the file if it is not there.
    pub(super) fn span(&self, path: &str) -> Range<usize> {
        self.values.get(path).map_or(0..0, |(_, span)| span.clone())
    }

    /// Where a table of a list of tables stands.
    pub(super) fn table_span(&self, path: &str) -> Range<usize> {
        self.tables.get(path).cloned().unwrap_or(0..0)
    }

    /// Whether a table is there, perhaps empty.
    pub(super) fn has(&self, path: &str) -> bool {
        self.tables.contains_key(path)
    }

    pub(super) fn length(&self, path: &str) -> usize {
        self.lengths.get(path).copied().unwrap_or(0)
    }

    /// Nothing was wrong at any of these paths.
    pub(super) fn good(&self, paths: &[&str]) -> bool {
        !paths.iter().any(|path| self.bad.contains(*path))
    }

    /// `path` is where values go, `title` is what people read: lists have no numbers there.
    fn table(
        &mut self,
        path: &str,
        title: &str,
        keys: &'static [Key],
        table: &DeTable<'_>,
        span: Range<usize>,
    ) {
        let mut meant = Vec::new();
        for (name, value) in table.iter() {
            let text: &str = name.get_ref();
            match keys.iter().find(|key| key.name == text) {
                Some(key) => self.entry(key, &join(path, text), &join(title, text), name.span(), value),
                None if text.starts_with("x-") => {}
                None => {
                    meant.extend(probably(text, keys));
                    self.problems.push(unknown(text, name.span(), title, keys));
                }
            }
        }
        let spared = |key: &Key| key.unless.is_some_and(|other| table.contains_key(other));
        for key in keys.iter().filter(|key| key.required && !table.contains_key(key.name) && !spared(key)) {
            self.bad.insert(join(path, key.name));
            if meant.contains(&key.name) {
                continue;
            }
            let place = if title.is_empty() { String::new() } else { format!(" in {}", shown_table(title)) };
            let help = match key.kind {
                Kind::Tables(inner) | Kind::Table(inner) => first_lines(key, inner),
                _ => format!("add for example\n{} = {}", key.name, key.example),
            };
            let message = format!("`{}` is missing{place}", key.name);
            self.problems.push(Problem::new(ProblemCode::MissingKey, span.clone(), message).help(help));
        }
    }

    fn entry(
        &mut self,
        key: &'static Key,
        path: &str,
        title: &str,
        name: Range<usize>,
        found: &Spanned<DeValue<'_>>,
    ) {
        match (&key.kind, found.get_ref()) {
            (Kind::Table(keys) | Kind::LengthOrTable(keys), DeValue::Table(table)) => {
                self.tables.insert(path.to_owned(), name.clone());
                self.table(path, title, keys, table, name);
            }
            (Kind::Tables(keys), DeValue::Array(list)) => {
                self.tables(key, path, title, keys, list.iter(), name);
            }
            _ => match value::read(key, found.get_ref()) {
                Ok(value) => {
                    self.values.insert(path.to_owned(), (value, found.span()));
                }
                Err(complaint) => self.complain(path, title, found.span(), complaint),
            },
        }
    }

    fn tables<'v, 'i: 'v>(
        &mut self,
        key: &'static Key,
        path: &str,
        title: &str,
        keys: &'static [Key],
        list: impl ExactSizeIterator<Item = &'v Spanned<DeValue<'i>>>,
        name: Range<usize>,
    ) {
        self.lengths.insert(path.to_owned(), list.len());
        if list.len() == 0 && key.required {
            let message = format!("`{title}` is empty");
            let problem = Problem::new(ProblemCode::MissingKey, name, message);
            self.problems.push(problem.help(first_lines(key, keys)));
        }
        for (at, item) in list.enumerate() {
            match item.get_ref() {
                DeValue::Table(table) => {
                    let path = format!("{path}[{at}]");
                    self.table(&path, title, keys, table, item.span());
                    self.tables.insert(path, item.span());
                }
                other => self.complain(path, title, item.span(), value::wrong_type(key, other)),
            }
        }
    }

    fn complain(&mut self, path: &str, title: &str, span: Range<usize>, complaint: Complaint) {
        self.bad.insert(path.to_owned());
        let message = format!("`{title}` {}", complaint.what);
        let problem = Problem::new(complaint.code, span, message);
        self.problems.push(Problem { help: complaint.help, ..problem });
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn shown_table(title: &str) -> String {
    let is_list = FILE.iter().any(|key| key.name == title && matches!(key.kind, Kind::Tables(_)));
    if is_list { format!("[[{title}]]") } else { format!("[{title}]") }
}

/// How a missing table could look.
fn first_lines(key: &Key, inner: &[Key]) -> String {
    let head = if matches!(key.kind, Kind::Tables(_)) {
        format!("[[{}]]", key.name)
    } else {
        format!("[{}]", key.name)
    };
    let lines = inner.iter().filter(|key| key.required).map(|key| format!("{} = {}", key.name, key.example));
    [format!("add for example\n{head}")].into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}

/// What to say of a key that is not known: what was probably meant, where it belongs, what there is.
fn unknown(name: &str, span: Range<usize>, title: &str, keys: &'static [Key]) -> Problem {
    let place = if title.is_empty() { "at the top".to_owned() } else { format!("in {}", shown_table(title)) };
    let message = format!("unknown key {} {place}", as_key(name));
    let meant = match probably(name, keys) {
        Some(near) => Some(format!("did you mean `{near}`? ")),
        None => {
            elsewhere(name, "", FILE).map(|table| format!("`{name}` belongs in {}. ", shown_table(&table)))
        }
    };
    let all: Vec<&str> = keys.iter().map(|key| key.name).collect();
    let help = format!("{}Known here: {}", meant.unwrap_or_default(), all.join(", "));
    Problem::new(ProblemCode::UnknownKey, span, message).help(help)
}

/// The key that was probably meant by a name that is not known.
fn probably(name: &str, keys: &'static [Key]) -> Option<&'static str> {
    let renamed = keys.iter().find(|key| key.also.contains(&name)).map(|key| key.name);
    renamed.or_else(|| nearest(name, keys.iter().map(|key| key.name)))
}

fn as_key(name: &str) -> String {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if plain && name.len() <= 60 { format!("`{name}`") } else { quoted(name) }
}

/// The first table in which a key of this name is known.
fn elsewhere(name: &str, title: &str, keys: &'static [Key]) -> Option<String> {
    if !title.is_empty() && keys.iter().any(|key| key.name == name) {
        return Some(title.to_owned());
    }
    keys.iter().find_map(|key| elsewhere(name, &join(title, key.name), key.inner()))
}
