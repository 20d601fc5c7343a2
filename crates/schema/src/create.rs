//! The statements that make, and take away, an object as a catalog describes it.
//!
//! Names are those of the catalog that is given: of the physical one for the mixed state, of the final one for contract.
//! That nothing was forgotten is proven on a scratch copy, whose catalog is compared in the end.

use crate::model::{Catalog, Column, Kind, Object, Oid, Relation, RelationKind};
use crate::name::{Name, ident, literal};
use crate::privilege;

/// A relation with its columns, options, comments and privileges; what belongs to it (constraints, indexes, …) is made for itself.
pub fn relation(catalog: &Catalog, oid: Oid, relation: &Relation) -> Vec<String> {
    let name = &relation.name;
    let mut statements = Vec::new();
    match relation.kind {
        RelationKind::View => {
            statements.push(format!("CREATE VIEW {name}{} AS {}", options(relation), relation.query));
        }
        RelationKind::Materialized => {
            let names = crate::name::idents(relation.columns.iter().map(|column| column.name.as_str()));
            statements.push(format!(
                "CREATE MATERIALIZED VIEW {name} ({names}){} AS {} WITH NO DATA",
                options(relation),
                relation.query
            ));
            statements.push(format!("REFRESH MATERIALIZED VIEW {name}"));
        }
        RelationKind::Table | RelationKind::Partitioned | RelationKind::Foreign => {
            statements.push(table(catalog, oid, relation));
            let attached = relation.partition_of.as_ref().filter(|_| attached(catalog, relation));
            if let Some((parent, bound)) = attached
                && let Some(parent) = catalog.relations.get(parent)
            {
                statements.push(format!("ALTER TABLE {} ATTACH PARTITION {name} {bound}", parent.name));
            }
        }
    }
    for column in &relation.columns {
        if let (RelationKind::View, Some(default)) = (relation.kind, &column.default) {
            let (name, column) = (&relation.name, ident(&column.name));
            statements.push(format!("ALTER VIEW {name} ALTER COLUMN {column} SET DEFAULT {default}"));
        }
        statements.extend(column_settings(relation, column));
    }
    statements.extend(settings(relation));
    statements
}

/// A view by which clients see a relation under another name: with its owner and its privileges. Of its columns only what a
/// view's can have.
pub(crate) fn seen(name: &Name, relation: &Relation, select: &str, version: u32) -> Vec<String> {
    let options = if has_invokers(version) { " WITH (security_invoker = true)" } else { "" };
    let mut statements = vec![
        format!("CREATE VIEW {name}{options} AS {select}"),
        format!("ALTER VIEW {name} OWNER TO {}", ident(&relation.owner)),
    ];
    let (privileges, owner) = (relation.privileges.as_deref(), &relation.owner);
    statements.extend(privilege::grants("TABLE", &name.to_string(), privileges, owner));
    let view = Relation { name: name.clone(), ..relation.clone() };
    for column in &relation.columns {
        let bare = Column { comment: None, storage: String::new(), ..column.clone() };
        statements.extend(column_settings(&view, &bare));
    }
    statements
}

/// Whether views can be read with the rights of who reads them: since PostgreSQL 15.
pub(crate) fn has_invokers(version: u32) -> bool {
    version >= 150_000
}

/// What is not part of a table's CREATE: security, identity for replication, comment, privileges.
fn settings(relation: &Relation) -> Vec<String> {
    let (name, word) = (&relation.name, relation.word());
    let mut statements = Vec::new();
    if relation.row_security.0 {
        statements.push(format!("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"));
    }
    if relation.row_security.1 {
        statements.push(format!("ALTER TABLE {name} FORCE ROW LEVEL SECURITY"));
    }
    match relation.replica_identity.as_str() {
        "f" => statements.push(format!("ALTER TABLE {name} REPLICA IDENTITY FULL")),
        "n" if relation.is_table() => statements.push(format!("ALTER TABLE {name} REPLICA IDENTITY NOTHING")),
        _ => {}
    }
    if let Some(comment) = &relation.comment {
        statements.push(format!("COMMENT ON {word} {name} IS {}", literal(comment)));
    }
    statements.push(format!("ALTER {word} {name} OWNER TO {}", ident(&relation.owner)));
    statements.extend(privilege::grants(
        "TABLE",
        &name.to_string(),
        relation.privileges.as_deref(),
        &relation.owner,
    ));
    statements
}

/// A column's comment, storage and privileges.
pub fn column_settings(relation: &Relation, column: &Column) -> Vec<String> {
    let mut statements = Vec::new();
    if let Some(comment) = &column.comment {
        statements.push(format!(
            "COMMENT ON COLUMN {}.{} IS {}",
            relation.name,
            ident(&column.name),
            literal(comment)
        ));
    }
    statements.extend(storage(&relation.name, column));
    let on = format!("({}) ON {}", ident(&column.name), relation.name);
    for (rights, grantee) in column.privileges.iter().flatten().filter_map(|item| privilege::parse(item)) {
        for right in rights {
            let option = if right.grantable { " WITH GRANT OPTION" } else { "" };
            statements.push(format!("GRANT {} {on} TO {grantee}{option}", right.word));
        }
    }
    statements
}

/// What was set by hand about how a column is kept.
pub fn storage(table: &Name, column: &Column) -> Vec<String> {
    let alter = format!("ALTER TABLE {table} ALTER COLUMN {}", ident(&column.name));
    let (words, options) = match column.storage.split_once('(') {
        Some((words, options)) => (words, options.strip_suffix(')')),
        None => (column.storage.as_str(), None),
    };
    let words: Vec<&str> = words.split_whitespace().filter(|word| *word != "VIRTUAL").collect();
    let pairs = words.chunks_exact(2).map(|pair| format!("{alter} SET {}", pair.join(" ")));
    pairs.chain(options.map(|options| format!("{alter} SET ({options})"))).collect()
}

/// Storage parameters or a view's options as `WITH (…)`.
pub fn options(relation: &Relation) -> String {
    if relation.options.is_empty() {
        String::new()
    } else {
        format!(" WITH ({})", relation.options.join(", "))
    }
}

fn table(catalog: &Catalog, oid: Oid, relation: &Relation) -> String {
    let unlogged = if relation.persistence == "u" { "UNLOGGED " } else { "" };
    let by = relation.partition_key.as_ref().map(|key| format!(" PARTITION BY {key}")).unwrap_or_default();
    if let Some((parent, bound)) = relation.partition_of.as_ref().filter(|_| !attached(catalog, relation)) {
        let parent = catalog.relations.get(parent).map(|parent| parent.name.to_string()).unwrap_or_default();
        return format!(
            "CREATE {unlogged}TABLE {} PARTITION OF {parent} {bound}{by}{}",
            relation.name,
            options(relation)
        );
    }
    let columns: Vec<String> = relation.columns.iter().map(|column| defined(catalog, oid, column)).collect();
    let parents: Vec<String> = relation
        .inherits
        .iter()
        .filter_map(|parent| catalog.relations.get(parent).map(|parent| parent.name.to_string()))
        .collect();
    let parents =
        if parents.is_empty() { String::new() } else { format!(" INHERITS ({})", parents.join(", ")) };
    format!(
        "CREATE {unlogged}TABLE {} ({}){parents}{by}{}",
        relation.name,
        columns.join(", "),
        options(relation)
    )
}

/// A partition that differs from its parent, as one that was made by itself and attached may.
fn attached(catalog: &Catalog, relation: &Relation) -> bool {
    let shape = |relation: &Relation| -> Vec<_> {
        let of = |column: &Column| {
            let Column { name, type_name, not_null, default, identity, .. } = column.clone();
            (name, type_name, not_null, default, identity)
        };
        relation.columns.iter().map(of).collect()
    };
    let parent = relation.partition_of.as_ref().and_then(|(parent, _)| catalog.relations.get(parent));
    parent.is_some_and(|parent| {
        // Before 17 an identity stays with the parent.
        let mut of_parent = shape(parent);
        let own = shape(relation);
        for (parent, own) in of_parent.iter_mut().zip(&own) {
            if own.4.is_none() || catalog.version < 170_000 {
                parent.4 = None;
            }
        }
        of_parent != own
    })
}

/// A column as CREATE TABLE and ADD COLUMN define it.
pub fn defined(catalog: &Catalog, table: Oid, column: &Column) -> String {
    let mut text = format!("{} {}", ident(&column.name), typed(column));
    if let Some(kind) = &column.identity {
        let when = if kind == "a" { "ALWAYS" } else { "BY DEFAULT" };
        let sequence = identity_sequence(catalog, table, column.number);
        let named = sequence.map(|object| format!(" (SEQUENCE NAME {} {})", object.name, parameters(object)));
        text.push_str(&format!(" GENERATED {when} AS IDENTITY{}", named.unwrap_or_default()));
    } else if let Some(default) = &column.default {
        if column.generated {
            text.push_str(&format!(" GENERATED ALWAYS AS ({default}) STORED"));
        } else {
            text.push_str(&format!(" DEFAULT {default}"));
        }
    }
    if column.not_null {
        text.push_str(" NOT NULL");
    }
    text
}

/// An identity's sequence takes its type from the column.
fn parameters(sequence: &Object) -> String {
    let mut words = sequence.definition.split_whitespace();
    let rest = sequence.definition.trim();
    match (words.next(), words.next()) {
        (Some("AS"), Some(kind)) => rest[2..].trim_start()[kind.len()..].trim_start().to_owned(),
        _ => rest.to_owned(),
    }
}

/// The sequence behind an identity column.
pub fn identity_sequence(catalog: &Catalog, table: Oid, column: i16) -> Option<&Object> {
    catalog.on(table).find_map(|(kind, _, object)| {
        (kind == Kind::Sequence && object.columns == [column] && object.state.contains("identity"))
            .then_some(object)
    })
}

/// A column's type with its collation.
pub fn typed(column: &Column) -> String {
    match &column.collation {
        Some(collation) => format!("{} COLLATE {collation}", column.type_name),
        None => column.type_name.clone(),
    }
}

/// An object under the name and table that its catalog gives it. None: it can't be made from a catalog.
pub fn object(catalog: &Catalog, kind: Kind, object: &Object) -> Option<Vec<String>> {
    let name = &object.name;
    let on = object.on.and_then(|oid| catalog.relations.get(&oid)).map(|relation| &relation.name);
    let definition = &object.definition;
    let first = match kind {
        Kind::Schema => format!("CREATE SCHEMA {}", object.identity),
        Kind::Extension => format!("CREATE EXTENSION IF NOT EXISTS {}", extension(object)),
        Kind::Enum => format!("CREATE TYPE {name} AS ENUM ({definition})"),
        Kind::Domain => format!("CREATE DOMAIN {name} AS {definition}"),
        Kind::Composite | Kind::Range => format!("CREATE TYPE {name} AS {definition}"),
        // The sequence of an identity column comes with it.
        Kind::Sequence if object.state.contains("identity") => return Some(Vec::new()),
        Kind::Sequence => format!("CREATE SEQUENCE {name} {definition}"),
        // Partitions get theirs from a partitioned table's.
        Kind::Index => definition.replacen(" ON ONLY ", " ON ", 1),
        Kind::Routine | Kind::Trigger | Kind::Rule | Kind::Statistics => definition.clone(),
        Kind::PrimaryKey | Kind::Unique | Kind::Check | Kind::Exclusion | Kind::ForeignKey => {
            format!("ALTER TABLE {} ADD CONSTRAINT {} {definition}", on?, ident(&name.name))
        }
        Kind::Policy => format!("CREATE POLICY {} ON {} {definition}", ident(&name.name), on?),
        Kind::Other => return None,
    };
    let mut statements = vec![first];
    if let (Kind::Trigger, Some(on)) = (kind, on) {
        statements.extend(firing(&object.state, on, &name.name));
    }
    if let Some(on) = on.filter(|_| has_index(kind)) {
        let name = ident(&name.name);
        if object.state.contains("clustered") {
            statements.push(format!("ALTER TABLE {on} CLUSTER ON {name}"));
        }
        if object.state.contains("replica identity") {
            statements.push(format!("ALTER TABLE {on} REPLICA IDENTITY USING INDEX {name}"));
        }
    }
    if let Some(comment) = &object.comment {
        statements.push(format!("COMMENT ON {} IS {}", spoken(kind, object, on), literal(comment)));
    }
    if let Some(word) = owned_word(kind) {
        if !object.owner.is_empty() {
            statements.push(format!("ALTER {word} {} OWNER TO {}", object.identity, ident(&object.owner)));
        }
        statements.extend(privilege::grants(
            word,
            &object.identity,
            object.privileges.as_deref(),
            &object.owner,
        ));
    }
    Some(statements)
}

fn has_index(kind: Kind) -> bool {
    matches!(kind, Kind::Index | Kind::PrimaryKey | Kind::Unique | Kind::Exclusion)
}

/// When a trigger fires, where it is not the usual.
pub fn firing(state: &str, on: &Name, name: &str) -> Option<String> {
    let word = match state {
        state if state.contains("disabled") => "DISABLE TRIGGER",
        state if state.contains("replica") => "ENABLE REPLICA TRIGGER",
        state if state.contains("always") => "ENABLE ALWAYS TRIGGER",
        _ => return None,
    };
    Some(format!("ALTER TABLE {on} {word} {}", ident(name)))
}

/// Ties a sequence to the column that owns it, once that is there.
pub fn ownership(catalog: &Catalog, sequence: &Object) -> Option<String> {
    if sequence.state.contains("identity") {
        return None;
    }
    let relation = catalog.relations.get(&sequence.on?)?;
    let column = relation.column(*sequence.columns.first()?)?;
    Some(format!("ALTER SEQUENCE {} OWNED BY {}.{}", sequence.name, relation.name, ident(&column.name)))
}

fn extension(object: &Object) -> String {
    let schema = &object.name.schema;
    let place = if schema.is_empty() { String::new() } else { format!(" WITH SCHEMA {}", ident(schema)) };
    format!("{}{place}", ident(&object.name.name))
}

fn owned_word(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Schema => Some("SCHEMA"),
        Kind::Sequence => Some("SEQUENCE"),
        Kind::Routine => Some("ROUTINE"),
        Kind::Enum | Kind::Composite | Kind::Range => Some("TYPE"),
        Kind::Domain => Some("DOMAIN"),
        _ => None,
    }
}

/// The object as COMMENT ON names it.
pub fn spoken(kind: Kind, object: &Object, on: Option<&Name>) -> String {
    let on = on.map(|on| format!(" ON {on}")).unwrap_or_default();
    match kind {
        Kind::PrimaryKey | Kind::Unique | Kind::Check | Kind::Exclusion | Kind::ForeignKey => {
            format!("CONSTRAINT {}{on}", ident(&object.name.name))
        }
        Kind::Trigger => format!("TRIGGER {}{on}", ident(&object.name.name)),
        Kind::Rule => format!("RULE {}{on}", ident(&object.name.name)),
        Kind::Policy => format!("POLICY {}{on}", ident(&object.name.name)),
        Kind::Index => format!("INDEX {}", object.name),
        Kind::Domain => format!("DOMAIN {}", object.identity),
        _ => format!("{} {}", object.word.to_uppercase(), object.identity),
    }
}

/// Takes an object away if it is there.
pub fn drop(catalog: &Catalog, kind: Kind, object: &Object) -> Option<String> {
    let on = object.on.and_then(|oid| catalog.relations.get(&oid)).map(|relation| &relation.name);
    let name = ident(&object.name.name);
    Some(match kind {
        Kind::PrimaryKey | Kind::Unique | Kind::Check | Kind::Exclusion | Kind::ForeignKey => {
            format!("ALTER TABLE IF EXISTS {} DROP CONSTRAINT IF EXISTS {name}", on?)
        }
        Kind::Trigger => format!("DROP TRIGGER IF EXISTS {name} ON {}", on?),
        Kind::Rule => format!("DROP RULE IF EXISTS {name} ON {}", on?),
        Kind::Policy => format!("DROP POLICY IF EXISTS {name} ON {}", on?),
        Kind::Index => format!("DROP INDEX IF EXISTS {}", object.name),
        Kind::Sequence if object.state.contains("identity") => return None,
        Kind::Sequence => format!("DROP SEQUENCE IF EXISTS {}", object.name),
        Kind::Other | Kind::Extension | Kind::Schema | Kind::Statistics | Kind::Routine => {
            format!("DROP {} IF EXISTS {}", object.word.to_uppercase(), object.identity)
        }
        Kind::Enum | Kind::Composite | Kind::Range => format!("DROP TYPE IF EXISTS {}", object.name),
        Kind::Domain => format!("DROP DOMAIN IF EXISTS {}", object.name),
    })
}
