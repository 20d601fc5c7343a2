//! Triggers that keep both sides of a table alike, and hold each side to its own rules.
//!
//! One `BEFORE` trigger for INSERT and one for UPDATE, which does not even start a function where the columns concerned
//! stay as they are. Which way values go is told by which side changed; the client's side (the lens in its `search_path`)
//! settles what that leaves open. The name sorts last, so that the user's own triggers come first.

use std::collections::BTreeSet;

use crate::name::{Name, ident, literal};

/// A column's value, computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// The physical column.
    pub column: String,
    /// Its type, for comparisons.
    pub type_name: String,
    /// Over `NEW."column"`.
    pub expression: String,
    /// The physical columns that it reads.
    pub sources: BTreeSet<String>,
}

/// A rule for the rows that one side writes.
#[derive(Debug, Clone, PartialEq)]
pub struct SideRule {
    /// Whom it binds: the new side, else the old one.
    pub new_side: bool,
    /// Must not be false; over `NEW."column"`.
    pub condition: String,
    /// The columns that it reads.
    pub sources: BTreeSet<String>,
    /// The error that a broken rule raises: PostgreSQL's condition name and the message.
    pub error: (&'static str, String),
    /// The constraint's name in that error.
    pub constraint: String,
}

/// Everything about one table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sync {
    /// New columns from old ones.
    pub up: Vec<Value>,
    /// Old columns from new ones.
    pub down: Vec<Value>,
    /// Rules for one side.
    pub rules: Vec<SideRule>,
}

/// Values that depend on each other.
#[derive(Debug, Default)]
struct Group<'a> {
    columns: BTreeSet<&'a str>,
    up: Vec<&'a Value>,
    down: Vec<&'a Value>,
}

/// Whether a client is of the side that has this lens.
pub fn side(lens: &str) -> String {
    format!("current_setting('search_path') ~ {}", literal(&format!("\\m{lens}\\M")))
}

/// Types without an equality, or with one that is not exact (of areas): values are the same that are written the same.
const NO_EQUALITY: [&str; 9] = ["json", "xml", "point", "polygon", "box", "circle", "line", "lseg", "path"];

/// Two values of a column differ.
pub(crate) fn differs(column: &str, type_name: &str) -> String {
    let cast = if has_equality(type_name) { "" } else { "::text" };
    let column = ident(column);
    format!("OLD.{column}{cast} IS DISTINCT FROM NEW.{column}{cast}")
}

/// A column does not hold a value.
pub(crate) fn distinct(column: &str, value: &str, type_name: &str) -> String {
    if has_equality(type_name) {
        format!("{column} IS DISTINCT FROM ({value})::{type_name}")
    } else {
        format!("{column}::text IS DISTINCT FROM ({value})::text")
    }
}

fn has_equality(type_name: &str) -> bool {
    !NO_EQUALITY.contains(&type_name.trim_end_matches("[]"))
}

impl Sync {
    /// The statements that create functions and triggers, and those that remove them.
    pub fn statements(
        &self,
        table: &Name,
        function: &Name,
        lenses: (&str, &str),
        types: &dyn Fn(&str) -> String,
    ) -> (Vec<String>, Vec<String>) {
        let watched = self.watched();
        let condition: Vec<String> = watched.iter().map(|column| differs(column, &types(column))).collect();
        let quiet = "current_setting('tandem.quiet', true) IS DISTINCT FROM 'on'";
        let mut create = vec![format!(
            "CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS {}",
            literal(&self.body(lenses, types))
        )];
        let both = [
            ("~tandem_insert", "INSERT", format!("WHEN ({quiet})")),
            ("~tandem_update", "UPDATE", format!("WHEN (({}) AND {quiet})", condition.join(" OR "))),
        ];
        for (name, event, when) in both {
            create.push(format!(
                "CREATE TRIGGER {} BEFORE {event} ON {table} FOR EACH ROW {when} EXECUTE FUNCTION {function}()",
                ident(name)
            ));
            create.push(format!("ALTER TABLE {table} ENABLE ALWAYS TRIGGER {}", ident(name)));
        }
        let mut drop: Vec<String> =
            both_names().map(|name| format!("DROP TRIGGER IF EXISTS {} ON {table}", ident(name))).collect();
        drop.push(format!("DROP FUNCTION IF EXISTS {function}()"));
        (create, drop)
    }

    /// Whether there is anything to keep.
    pub fn is_empty(&self) -> bool {
        self.up.is_empty() && self.down.is_empty() && self.rules.is_empty()
    }

    fn watched(&self) -> BTreeSet<&str> {
        let values = self.up.iter().chain(&self.down);
        let mut columns: BTreeSet<&str> = BTreeSet::new();
        for value in values {
            columns.insert(&value.column);
            columns.extend(value.sources.iter().map(String::as_str));
        }
        columns.extend(self.rules.iter().flat_map(|rule| rule.sources.iter().map(String::as_str)));
        columns
    }

    fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        let exclusive: BTreeSet<&str> =
            self.up.iter().chain(&self.down).map(|value| value.column.as_str()).collect();
        let values =
            self.up.iter().map(|value| (true, value)).chain(self.down.iter().map(|value| (false, value)));
        for (is_up, value) in values {
            // Columns that both sides share tie nothing together.
            let mut columns: BTreeSet<&str> = value
                .sources
                .iter()
                .map(String::as_str)
                .filter(|source| exclusive.contains(source))
                .collect();
            columns.insert(&value.column);
            let (mut joined, rest): (Vec<Group<'_>>, Vec<Group<'_>>) =
                groups.into_iter().partition(|group| !group.columns.is_disjoint(&columns));
            groups = rest;
            let mut group = Group::default();
            for other in &mut joined {
                group.columns.append(&mut other.columns);
                group.up.append(&mut other.up);
                group.down.append(&mut other.down);
            }
            group.columns.append(&mut columns);
            if is_up {
                group.up.push(value);
            } else {
                group.down.push(value);
            }
            groups.push(group);
        }
        groups
    }

    fn body(&self, (old_lens, new_lens): (&str, &str), types: &dyn Fn(&str) -> String) -> String {
        let mut body = format!(
            "DECLARE\n  of_new boolean := {};\n  of_old boolean := {};\nBEGIN\n",
            side(new_lens),
            side(old_lens)
        );
        let groups = self.groups();
        if !groups.is_empty() {
            body.push_str("  IF TG_OP = 'INSERT' THEN\n");
            groups.iter().for_each(|group| body.push_str(&group.on_insert()));
            body.push_str("  ELSE\n");
            groups.iter().for_each(|group| body.push_str(&group.on_update(types)));
            body.push_str("  END IF;\n");
        }
        for rule in &self.rules {
            let side = if rule.new_side { "of_new" } else { "of_old" };
            let (condition, message) = &rule.error;
            body.push_str(&format!(
                "  IF {side} AND ({}) IS FALSE THEN\n    RAISE {condition} USING MESSAGE = {}, CONSTRAINT = {}, TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA;\n  END IF;\n",
                rule.condition,
                literal(message),
                literal(&rule.constraint)
            ));
        }
        body.push_str("  RETURN NEW;\nEND");
        body
    }
}

fn both_names() -> impl Iterator<Item = &'static str> {
    ["~tandem_insert", "~tandem_update"].into_iter()
}

impl Group<'_> {
    /// The columns that only the new side has.
    fn new_columns(&self) -> BTreeSet<&str> {
        let targets = self.up.iter().map(|value| value.column.as_str());
        let down: BTreeSet<&str> = self.down.iter().map(|value| value.column.as_str()).collect();
        let up_sources: BTreeSet<&str> =
            self.up.iter().flat_map(|value| value.sources.iter().map(String::as_str)).collect();
        let read = self.down.iter().flat_map(|value| value.sources.iter().map(String::as_str));
        let read = read.filter(|source| self.columns.contains(source) && !up_sources.contains(source));
        targets.chain(read).filter(|column| !down.contains(column)).collect()
    }

    /// What the old side's values follow from: its own columns, and those that both share.
    fn old_columns(&self) -> BTreeSet<&str> {
        let new = self.new_columns();
        let read = self.up.iter().flat_map(|value| value.sources.iter().map(String::as_str));
        let targets = self.down.iter().map(|value| value.column.as_str());
        read.chain(targets).filter(|column| !new.contains(column)).collect()
    }

    fn set(values: &[&Value], indent: &str) -> String {
        if values.is_empty() {
            return format!("{indent}NULL;\n");
        }
        values
            .iter()
            .map(|value| format!("{indent}NEW.{} := {};\n", ident(&value.column), value.expression))
            .collect()
    }

    fn on_insert(&self) -> String {
        let given: Vec<String> =
            self.new_columns().iter().map(|column| format!("NEW.{} IS NOT NULL", ident(column))).collect();
        let absent: Vec<String> =
            self.down.iter().map(|value| format!("NEW.{} IS NULL", ident(&value.column))).collect();
        let told = match (given.is_empty(), absent.is_empty()) {
            (false, false) => {
                format!(" OR (NOT of_old AND ({}) AND {})", given.join(" OR "), absent.join(" AND "))
            }
            (false, true) => format!(" OR (NOT of_old AND ({}))", given.join(" OR ")),
            _ => String::new(),
        };
        format!(
            "    IF of_new{told} THEN\n{}    ELSE\n{}    END IF;\n",
            Self::set(&self.down, "      "),
            Self::set(&self.up, "      ")
        )
    }

    fn on_update(&self, types: &dyn Fn(&str) -> String) -> String {
        let any = |columns: &BTreeSet<&str>| {
            let list: Vec<String> = columns.iter().map(|column| differs(column, &types(column))).collect();
            if list.is_empty() { "false".to_owned() } else { format!("({})", list.join(" OR ")) }
        };
        let (new, old) = (any(&self.new_columns()), any(&self.old_columns()));
        format!(
            "    IF {new} AND (of_new OR NOT {old}) THEN\n{}    ELSIF NOT of_new AND {old} THEN\n{}    END IF;\n",
            Self::set(&self.down, "      "),
            Self::set(&self.up, "      ")
        )
    }
}
