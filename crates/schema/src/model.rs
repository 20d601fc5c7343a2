//! A catalog as a value: what a database's schema is, with the identities by which two of them are compared.
//!
//! Read by `tandem-postgres` with `search_path` empty, so that every definition names what it means in full. Holds what
//! PostgreSQL says, in PostgreSQL's words, and judges nothing. System schemas and Tandem's own are left out.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::name::Name;

/// An object's identity in one database; the same before and after a migration that was run there.
pub type Oid = u32;

/// Everything in a database that a migration can change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    /// `server_version_num`, such as 150018.
    pub version: u32,
    /// Tables, partitioned tables, views, materialised views and foreign tables.
    pub relations: BTreeMap<Oid, Relation>,
    /// Everything else. The identities of different classes are far apart in practice; the class is part of the key.
    pub objects: BTreeMap<(Kind, Oid), Object>,
}

/// What sort of relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationKind {
    /// An ordinary table, or a partition.
    Table,
    /// A partitioned table.
    Partitioned,
    /// A view.
    View,
    /// A materialised view.
    Materialized,
    /// A foreign table.
    Foreign,
}

/// A table or view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Relation {
    /// What sort.
    pub kind: RelationKind,
    /// Its name.
    pub name: Name,
    /// Its live columns, by ascending number.
    pub columns: Vec<Column>,
    /// The query of a view or materialised view (`pg_get_viewdef`, without the final `;`); empty for tables.
    pub query: String,
    /// `u` unlogged, `p` permanent.
    pub persistence: String,
    /// What a partitioned table is divided by (`pg_get_partkeydef`).
    pub partition_key: Option<String>,
    /// The parent and the bound (`FOR VALUES …` or `DEFAULT`) of a partition.
    pub partition_of: Option<(Oid, String)>,
    /// Parents by plain inheritance, in order.
    pub inherits: Vec<Oid>,
    /// Storage parameters or view options, `key=value`.
    pub options: Vec<String>,
    /// `d` default, `n` nothing, `f` full, `i` by an index.
    pub replica_identity: String,
    /// Row-level security: enabled, and forced on the owner.
    pub row_security: (bool, bool),
    /// The owning role.
    pub owner: String,
    /// Privileges as PostgreSQL prints them, sorted; None where they are the default ones.
    pub privileges: Option<Vec<String>>,
    /// The comment.
    pub comment: Option<String>,
    /// Relations (and functions, types, by their oids) that a view's query needs.
    pub needs: BTreeSet<Oid>,
    /// Identity of its storage: another after a rewrite. 0 where there is none.
    pub storage: u32,
    /// Planner's estimate of its rows; 0 where never analysed. For a partitioned table the sum of its partitions.
    pub rows: u64,
    /// Size on disk without indexes, in bytes; partitions included.
    pub bytes: u64,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// `attnum`: its identity within the table.
    pub number: i16,
    /// Its name.
    pub name: String,
    /// The type as SQL, in full (`character varying(100)`, `"public"."mood"`).
    pub type_name: String,
    /// The type's oid and modifier.
    pub type_oid: (Oid, i32),
    /// The collation as SQL, where it is not the type's own.
    pub collation: Option<String>,
    /// Whether NULL is refused.
    pub not_null: bool,
    /// The default's or generation expression's SQL.
    pub default: Option<String>,
    /// The value that existing rows got for this column without being written (`attmissingval`), as a literal: the constant
    /// default with which it was added, also if that is gone.
    pub given: Option<String>,
    /// `a` always, `d` by default; None: no identity column.
    pub identity: Option<String>,
    /// Generated and stored from other columns.
    pub generated: bool,
    /// Storage, compression, statistics target and options where they were set by hand; empty where not.
    pub storage: String,
    /// Privileges on this column alone.
    pub privileges: Option<Vec<String>>,
    /// The comment.
    pub comment: Option<String>,
}

/// What sort of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `CREATE SCHEMA`.
    Schema,
    /// `CREATE EXTENSION`.
    Extension,
    /// An enumeration type.
    Enum,
    /// A domain.
    Domain,
    /// A composite type of its own.
    Composite,
    /// A range type.
    Range,
    /// A sequence, those of identity columns included.
    Sequence,
    /// A function or procedure (aggregates are `Other`).
    Routine,
    /// A primary key.
    PrimaryKey,
    /// A UNIQUE constraint.
    Unique,
    /// A CHECK constraint of a table (those of domains are part of the domain's definition).
    Check,
    /// An EXCLUDE constraint.
    Exclusion,
    /// A foreign key.
    ForeignKey,
    /// An index that no constraint owns.
    Index,
    /// A trigger of the user's.
    Trigger,
    /// A rewrite rule of the user's.
    Rule,
    /// A row-level security policy.
    Policy,
    /// Extended statistics.
    Statistics,
    /// Whatever else there is: aggregates, operators, casts, collations, publications, event triggers, …
    Other,
}

/// Anything but a table or view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// Its name; the schema is empty for what lives in none. What belongs to a table has the table's schema.
    pub name: Name,
    /// The relation that it belongs to: of a constraint, index, trigger, rule, policy, statistics; the owner of a sequence.
    pub on: Option<Oid>,
    /// The columns of `on` that it uses (a key's in key order); the owning column of a sequence.
    pub columns: Vec<i16>,
    /// The table that a foreign key refers to.
    pub references: Option<Oid>,
    /// What PostgreSQL says it is. Of a constraint: `pg_get_constraintdef` (`CHECK (…)`); of an index, trigger, rule, routine,
    /// statistics: the whole `CREATE …` statement; of a policy: `AS … FOR … TO … USING … WITH CHECK …`; of a sequence: its
    /// parameters as they follow its name in `CREATE SEQUENCE`; of an enum: its labels as literals joined by `, `; of a domain, composite, range:
    /// what follows `AS` in `CREATE`; of an extension: its version.
    pub definition: String,
    /// For DROP, COMMENT and the like: the name as SQL with what identifies it (arguments of a routine, `ON table` not included).
    pub identity: String,
    /// The type word for DROP and the like (`pg_identify_object`): `function`, `aggregate`, `type`, …
    pub word: String,
    /// Deviations: `not valid`, `disabled`, `replica`, `always`, `deferred …`, `invalid`; empty for the usual.
    pub state: String,
    /// The owning role; empty where the owner is its table's.
    pub owner: String,
    /// Privileges as PostgreSQL prints them, sorted; None where they are the default ones.
    pub privileges: Option<Vec<String>>,
    /// The comment.
    pub comment: Option<String>,
    /// What it depends on: relations, types, routines, and for a partition's index or constraint its parent's.
    pub needs: BTreeSet<Oid>,
}

impl Catalog {
    /// The relation of a name.
    pub fn relation(&self, name: &Name) -> Option<(Oid, &Relation)> {
        self.relations
            .iter()
            .find(|(_, relation)| relation.name == *name)
            .map(|(oid, relation)| (*oid, relation))
    }

    /// The objects that belong to a relation.
    pub fn on(&self, relation: Oid) -> impl Iterator<Item = (Kind, Oid, &Object)> {
        let owned = move |object: &Object| object.on == Some(relation);
        self.objects
            .iter()
            .filter(move |(_, object)| owned(object))
            .map(|((kind, oid), object)| (*kind, *oid, object))
    }

    /// The catalog without the schemas for which this holds, and without everything in them and on them. What needed
    /// something there does not any more.
    #[must_use]
    pub fn without_schemas(&self, left_out: impl Fn(&str) -> bool) -> Catalog {
        let mut catalog = self.clone();
        catalog.relations.retain(|_, relation| !left_out(&relation.name.schema));
        catalog.objects.retain(|(kind, _), object| {
            let schema = if *kind == Kind::Schema { &object.name.name } else { &object.name.schema };
            *kind == Kind::Extension || schema.is_empty() || !left_out(schema)
        });
        let relations: BTreeSet<Oid> = catalog.relations.keys().copied().collect();
        catalog.objects.retain(|_, object| object.on.is_none_or(|on| relations.contains(&on)));
        let kept: BTreeSet<Oid> =
            relations.into_iter().chain(catalog.objects.keys().map(|(_, oid)| *oid)).collect();
        let needs = catalog.relations.values_mut().map(|relation| &mut relation.needs);
        for needs in needs.chain(catalog.objects.values_mut().map(|object| &mut object.needs)) {
            needs.retain(|oid| kept.contains(oid));
        }
        catalog
    }

    /// Whether a name for relations (tables, views, indexes, sequences, composite types share one space) is taken.
    pub fn is_taken(&self, name: &Name) -> bool {
        let spaced = |kind: Kind| {
            matches!(
                kind,
                Kind::Sequence
                    | Kind::Index
                    | Kind::PrimaryKey
                    | Kind::Unique
                    | Kind::Exclusion
                    | Kind::Composite
            )
        };
        self.relations.values().any(|relation| relation.name == *name)
            || self.objects.iter().any(|((kind, _), object)| spaced(*kind) && object.name == *name)
    }
}

impl Column {
    /// Whether the values are of another kind.
    pub fn differs_in_type(&self, other: &Column) -> bool {
        self.type_oid != other.type_oid || self.collation != other.collation
    }
}

impl Relation {
    /// The word for it in ALTER and DROP.
    pub fn word(&self) -> &'static str {
        match self.kind {
            RelationKind::Table | RelationKind::Partitioned => "TABLE",
            RelationKind::View => "VIEW",
            RelationKind::Materialized => "MATERIALIZED VIEW",
            RelationKind::Foreign => "FOREIGN TABLE",
        }
    }

    /// Gets its columns from a parent.
    pub fn inherits(&self) -> bool {
        self.partition_of.is_some() || !self.inherits.is_empty()
    }

    /// The column of a number.
    pub fn column(&self, number: i16) -> Option<&Column> {
        self.columns.iter().find(|column| column.number == number)
    }

    /// The column of a name.
    pub fn named(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Holds rows of its own or in partitions, and can be altered.
    pub fn is_table(&self) -> bool {
        matches!(self.kind, RelationKind::Table | RelationKind::Partitioned)
    }

    /// Is a query under a name.
    pub fn is_view(&self) -> bool {
        matches!(self.kind, RelationKind::View | RelationKind::Materialized)
    }
}
