//! The one shape in which every query for objects answers, and what those queries have in common.

use std::collections::BTreeSet;

use postgres::Row;
use tandem_schema::model::{Kind, Object, Oid};
use tandem_schema::name::Name;

use crate::error::Error;

/// What is read: of a schema `n` that is somebody's, and not an extension's.
pub(super) fn scope(class: &str, oid: &str) -> String {
    format!(
        "n.nspname <> 'information_schema' AND n.nspname <> 'tandem' AND n.nspname !~ '^pg_' AND {}",
        by_somebody(class, oid)
    )
}

/// Is not an extension's.
pub(super) fn by_somebody(class: &str, oid: &str) -> String {
    format!(
        "NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '{class}'::regclass AND e.objid = {oid} AND e.deptype = 'e')"
    )
}

/// Is not a mere part of another object, as a range type's constructors and casts are.
pub(super) fn not_brought(class: &str, oid: &str) -> String {
    format!(
        "NOT EXISTS (SELECT FROM pg_depend b WHERE b.classid = '{class}'::regclass AND b.objid = {oid} AND b.deptype = 'i')"
    )
}

/// A name as an SQL expression that quotes it always.
pub(super) fn quoted(name: &str) -> String {
    format!("'\"' || replace({name}::text, '\"', '\"\"') || '\"'")
}

/// The parts of a query for objects, as SQL expressions.
pub(super) struct Parts<'a> {
    /// The kind's letter (see [`kind`]), as an expression.
    pub(super) kind: &'a str,
    /// The oid.
    pub(super) oid: &'a str,
    /// The schema.
    pub(super) schema: &'a str,
    /// The name.
    pub(super) name: &'a str,
    /// The relation that it belongs to.
    pub(super) on: &'a str,
    /// Its columns there.
    pub(super) columns: &'a str,
    /// The table that a foreign key refers to.
    pub(super) references: &'a str,
    /// What it is.
    pub(super) definition: &'a str,
    /// Its name as SQL.
    pub(super) identity: &'a str,
    /// Its type word.
    pub(super) word: &'a str,
    /// Deviations.
    pub(super) state: &'a str,
    /// The owner's oid; empty where there is none.
    pub(super) owner: &'a str,
    /// The privileges, and the letter of their defaults.
    pub(super) privileges: Option<(&'a str, &'a str)>,
    /// Where its comment is.
    pub(super) class: &'a str,
    /// `FROM …` and what follows.
    pub(super) from: &'a str,
}

/// Nothing said.
pub(super) const PARTS: Parts<'static> = Parts {
    kind: "",
    oid: "",
    schema: "''",
    name: "",
    on: "NULL",
    columns: "'{}'",
    references: "NULL",
    definition: "''",
    identity: "''",
    word: "''",
    state: "''",
    owner: "",
    privileges: None,
    class: "",
    from: "",
};

impl Parts<'_> {
    /// The query.
    pub(super) fn query(&self) -> String {
        let Parts {
            kind,
            oid,
            schema,
            name,
            on,
            columns,
            references,
            definition,
            identity,
            word,
            state,
            class,
            from,
            ..
        } = self;
        let owner = if self.owner.is_empty() {
            "''".to_owned()
        } else {
            format!("pg_get_userbyid({})::text", self.owner)
        };
        let (acl, default) = self.privileges.map_or_else(
            || ("NULL".to_owned(), "NULL".to_owned()),
            |(column, letter)| (column.to_owned(), format!("acldefault('{letter}', {})", self.owner)),
        );
        format!(
            "SELECT {kind}::text, {oid}, {schema}::text, {name}::text, {on}::oid, ({columns})::int2[], {references}::oid,
                ({definition})::text, ({identity})::text, ({word})::text, ({state})::text, {owner},
                {acl}::text[], {default}::text[], obj_description({oid}, '{class}') {from}"
        )
    }
}

/// An object out of a row.
pub(super) fn read(row: &Row) -> Result<(Kind, Oid, Object), Error> {
    let object = Object {
        name: Name { schema: row.try_get(2)?, name: row.try_get(3)? },
        on: row.try_get(4)?,
        columns: row.try_get(5)?,
        references: row.try_get(6)?,
        definition: row.try_get::<_, Option<String>>(7)?.unwrap_or_default(),
        identity: row.try_get::<_, Option<String>>(8)?.unwrap_or_default(),
        word: row.try_get(9)?,
        state: row.try_get(10)?,
        owner: row.try_get(11)?,
        privileges: privileges(row.try_get(12)?, row.try_get(13)?),
        comment: row.try_get(14)?,
        needs: BTreeSet::new(),
    };
    Ok((kind(row.try_get(0)?), row.try_get(1)?, object))
}

fn kind(letter: &str) -> Kind {
    match letter {
        "schema" => Kind::Schema,
        "extension" => Kind::Extension,
        "enum" => Kind::Enum,
        "domain" => Kind::Domain,
        "composite" => Kind::Composite,
        "range" => Kind::Range,
        "sequence" => Kind::Sequence,
        "routine" => Kind::Routine,
        "p" => Kind::PrimaryKey,
        "u" => Kind::Unique,
        "c" => Kind::Check,
        "x" => Kind::Exclusion,
        "f" => Kind::ForeignKey,
        "index" => Kind::Index,
        "trigger" => Kind::Trigger,
        "rule" => Kind::Rule,
        "policy" => Kind::Policy,
        "statistics" => Kind::Statistics,
        _ => Kind::Other,
    }
}

/// None where the privileges are those that PostgreSQL would give by itself.
pub(super) fn privileges(explicit: Option<Vec<String>>, default: Option<Vec<String>>) -> Option<Vec<String>> {
    let mut explicit = explicit?;
    explicit.sort();
    let mut default = default.unwrap_or_default();
    default.sort();
    (explicit != default).then_some(explicit)
}
