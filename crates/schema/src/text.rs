//! What the values of columns are on the other side: `@up` and `@down` as written, `UPDATE`s that define a column, and what
//! follows from a type or a default by itself.
//!
//! An `@up` is an expression over the old columns, a `@down` one over the new columns.

use std::collections::{BTreeMap, BTreeSet};

use crate::expression;
use crate::model::{Catalog, Column, Kind, Oid, Relation};
use crate::name::Name;
use crate::plan::Refusal;
use crate::source::{Migration, Place, Statement, Verb};

/// An expression for a column's values.
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    /// In the names of the side that it reads.
    pub expression: String,
    /// The name by which it calls its table, beside the table's own.
    pub alias: String,
    /// Where it was written; None for what follows by itself.
    pub place: Option<Place>,
}

/// All of them, by table and column number.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Texts {
    up: BTreeMap<(Oid, i16), Text>,
    down: BTreeMap<(Oid, i16), Text>,
    /// Data statements that became texts, by migration and statement.
    pub absorbed: BTreeSet<(usize, usize)>,
    /// Annotations that name nothing.
    pub refusals: Vec<Refusal>,
}

impl Texts {
    /// The value of a new column from old ones.
    pub fn up(&self, table: Oid, column: i16) -> Option<&Text> {
        self.up.get(&(table, column))
    }

    /// The value of an old column from new ones.
    pub fn down(&self, table: Oid, column: i16) -> Option<&Text> {
        self.down.get(&(table, column))
    }

    /// Whether a column that both sides have differs in its values.
    pub fn wants_twin(&self, table: Oid, column: i16) -> bool {
        self.up.contains_key(&(table, column)) || self.down.contains_key(&(table, column))
    }
}

/// Collects them.
pub fn gather(before: &Catalog, after: &Catalog, home: &str, migrations: &[Migration]) -> Texts {
    let mut texts = Texts::default();
    for (at, migration) in migrations.iter().enumerate() {
        for (number, statement) in migration.statements.iter().enumerate() {
            let later = migration.statements[number + 1..]
                .iter()
                .chain(migrations[at + 1..].iter().flat_map(|migration| &migration.statements));
            let later: Vec<&Statement> = later.collect();
            if statement.mark.is_none() && absorb(&mut texts, before, after, home, (statement, &later)) {
                texts.absorbed.insert((at, number));
            }
        }
    }
    for migration in migrations {
        annotated(&mut texts, before, after, home, migration);
    }
    for (oid, old) in before.relations.iter().filter(|(_, old)| old.is_table()) {
        let Some(new) = after.relations.get(oid) else { continue };
        for column in &old.columns {
            let Some(to) = new.column(column.number) else { continue };
            if let Some(down) = loosened(column, to) {
                texts.down.entry((*oid, column.number)).or_insert(down);
            }
        }
    }
    texts
}

/// A column that takes NULL from now on shows the old revision its constant default instead.
fn loosened(old: &Column, new: &Column) -> Option<Text> {
    let constant = old.default.as_deref().filter(|default| expression::is_constant(default))?;
    let loosens = old.not_null && !new.not_null && !old.differs_in_type(new);
    let expression = format!("coalesce({}, {constant})", crate::name::ident(&new.name));
    loosens.then(|| Text { expression, alias: String::new(), place: None })
}

fn annotated(texts: &mut Texts, before: &Catalog, after: &Catalog, home: &str, migration: &Migration) {
    for annotation in &migration.annotations {
        let name = Name::new(annotation.schema.as_deref().unwrap_or(home), &annotation.table);
        let (catalog, side) = if annotation.up { (after, "after") } else { (before, "before") };
        let found = catalog
            .relation(&name)
            .and_then(|(oid, relation)| Some((oid, relation.named(&annotation.column)?.number)));
        let Some(key) = found else {
            texts.refusals.push(Refusal {
                code: "unknown-column".to_owned(),
                message: format!(
                    "there is no column {}.{} {side} this step",
                    annotation.table, annotation.column
                ),
                help: if annotation.up {
                    "@up names a column as the migration leaves it".to_owned()
                } else {
                    "@down names a column as it was before the migration".to_owned()
                },
                place: Some(annotation.place.clone()),
            });
            continue;
        };
        let text = Text {
            expression: annotation.expression.clone(),
            alias: String::new(),
            place: Some(annotation.place.clone()),
        };
        let side = if annotation.up { &mut texts.up } else { &mut texts.down };
        side.insert(key, text);
    }
}

/// Takes an `UPDATE` that computes columns of its own rows as their `@up`.
fn absorb(
    texts: &mut Texts,
    before: &Catalog,
    after: &Catalog,
    home: &str,
    (statement, later): (&Statement, &[&Statement]),
) -> bool {
    let Some(data) = &statement.data else { return false };
    if data.verb != Verb::Update || !data.own_rows_only || data.set.is_empty() || data.returning_or_conflict {
        return false;
    }
    let name = Name::new(data.schema.as_deref().unwrap_or(home), &data.table);
    let Some((oid, old, new)) = table_of(before, after, &name) else { return false };
    let names = [data.alias.as_str(), data.table.as_str()];
    let mut found = Vec::new();
    for (column, value) in &data.set {
        let number = number_of(old, new, column).or_else(|| number_of(old, new, &renamed(later, column)));
        let Some(number) = number else { return false };
        // A value is told in labels where the type's own name means two types.
        let retyped = is_retyped((old, new), number);
        if retyped && !(are_labels((before, after), (old, new), number) && is_bare(value)) {
            return false;
        }
        let Some(expression) =
            composed(texts, (oid, old, new), &names, number, value, data.condition.as_deref())
        else {
            return false;
        };
        found.push((number, expression));
    }
    for (number, expression) in found {
        // A column that goes has no value to be told.
        if new.column(number).is_some() {
            let text = Text { expression, alias: data.alias.clone(), place: Some(statement.place.clone()) };
            texts.up.insert((oid, number), text);
        }
    }
    true
}

fn table_of<'a>(
    before: &'a Catalog,
    after: &'a Catalog,
    name: &Name,
) -> Option<(Oid, &'a Relation, &'a Relation)> {
    let (oid, _) = after.relation(name).or_else(|| before.relation(name))?;
    let (old, new) = (before.relations.get(&oid)?, after.relations.get(&oid)?);
    old.is_table().then_some((oid, old, new))
}

fn number_of(old: &Relation, new: &Relation, name: &str) -> Option<i16> {
    new.named(name).or_else(|| old.named(name)).map(|column| column.number)
}

/// What a column is called in the end that is renamed by later statements.
fn renamed(later: &[&Statement], column: &str) -> String {
    let mut name = column.to_owned();
    for statement in later {
        let words: Vec<&str> = statement.text.split_whitespace().collect();
        for window in words.windows(5) {
            let [rename, word, from, to, last] = window else { continue };
            let bare = |text: &str| text.trim_end_matches([',', ';']).trim_matches('"').to_owned();
            if rename.eq_ignore_ascii_case("rename")
                && word.eq_ignore_ascii_case("column")
                && to.eq_ignore_ascii_case("to")
                && bare(from) == name
            {
                name = bare(last);
            }
        }
    }
    name
}

/// The value that a row has after the statement, in terms of what it had before the migration.
fn composed(
    texts: &Texts,
    (oid, old, new): (Oid, &Relation, &Relation),
    names: &[&str],
    number: i16,
    value: &str,
    condition: Option<&str>,
) -> Option<String> {
    let before = |number: i16| -> Option<String> {
        if let Some(text) = texts.up(oid, number) {
            return Some(format!("({})", text.expression));
        }
        if let Some(column) = old.column(number) {
            return Some(crate::name::ident(&column.name));
        }
        let column = new.column(number)?;
        let value = column.default.as_deref().unwrap_or("NULL");
        Some(format!("({value})::{}", column.type_name))
    };
    let replace = |name: &str| before(number_of(old, new, name)?);
    let reads = [Some(value), condition]
        .into_iter()
        .flatten()
        .filter_map(|text| expression::columns(text, names).ok());
    let read = reads.flatten().filter_map(|name| number_of(old, new, &name));
    // Compared as texts, labels would be in another order.
    if read.into_iter().any(|number| is_retyped((old, new), number)) {
        return None;
    }
    let value = match value {
        "DEFAULT" => {
            new.column(number).and_then(|column| column.default.clone()).unwrap_or_else(|| "NULL".to_owned())
        }
        value => expression::rewrite(value, names, &replace).ok()?,
    };
    let Some(condition) = condition else { return Some(value) };
    let condition = expression::rewrite(condition, names, &replace).ok()?;
    let cast = if is_retyped((old, new), number) { "::text" } else { "" };
    Some(format!("CASE WHEN {condition} THEN {value} ELSE {}{cast} END", before(number)?))
}

/// A column that both revisions have, of another type.
fn is_retyped((old, new): (&Relation, &Relation), number: i16) -> bool {
    old.column(number).zip(new.column(number)).is_some_and(|(old, new)| old.differs_in_type(new))
}

/// Both types are enumerations.
fn are_labels(
    (before, after): (&Catalog, &Catalog),
    (old, new): (&Relation, &Relation),
    number: i16,
) -> bool {
    let is = |catalog: &Catalog, relation: &Relation| {
        let column = relation.column(number);
        column.is_some_and(|column| catalog.objects.contains_key(&(Kind::Enum, column.type_oid.0)))
    };
    is(before, old) && is(after, new)
}

/// A literal without a cast.
fn is_bare(value: &str) -> bool {
    value.starts_with('\'') && !value.contains("::") && expression::is_constant(value)
}
