//! Triggers that keep rows of a new table in step with the rows of an old table that they were copied from.
//!
//! What the old side writes in the source is written in its *image*, the row of the target with the same key. Where a column
//! that was copied goes, what the new side writes in the target goes back into it. Whoever writes has one of the two rows
//! and waits for the other: where two would wait for each other, the new side's goes on, and the old side's, which has the
//! source, takes from the image what it did not write itself. (Where the source's row is also held by a foreign key's check,
//! who has it can't be told, and the server ends one of the two.)

use std::collections::BTreeSet;

use crate::name::{Name, ident, idents, literal};
use crate::sync::{differs, side};

/// An expression over the columns of the source.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Written {
    /// Of the row as it was: `OLD."column"`.
    pub(crate) old: String,
    /// Of the row as it becomes: `NEW."column"`.
    pub(crate) new: String,
    /// Of the table, called by its name.
    pub(crate) own: String,
    /// The columns that it reads.
    pub(crate) sources: BTreeSet<String>,
}

impl Written {
    /// The same as another type.
    pub(crate) fn cast(self, type_name: &str) -> Written {
        let cast = |text: String| format!("({text})::{type_name}");
        Written { old: cast(self.old), new: cast(self.new), own: cast(self.own), sources: self.sources }
    }
}

/// A column of the target.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Image {
    /// Its name.
    pub(crate) column: String,
    /// Its value.
    pub(crate) value: Written,
    /// Whether a row's image is known by it.
    pub(crate) key: bool,
}

/// A column of the source that only the old side has.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Back {
    /// Its name.
    pub(crate) column: String,
    /// Its value, over the source's own row and the target.
    pub(crate) value: String,
    /// True where the source's row does not hold the value yet.
    pub(crate) needed: String,
    /// The value is the image's own, unchanged.
    pub(crate) exact: bool,
}

/// Rows of a source in a target.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Copy {
    /// Its place among the copies of a plan: what refers to another copy's target is written after it.
    pub(crate) number: usize,
    /// The old table.
    pub(crate) source: Name,
    /// The new one.
    pub(crate) target: Name,
    /// The columns that are written.
    pub(crate) images: Vec<Image>,
    /// Which rows have an image.
    pub(crate) condition: Option<Written>,
    /// What goes back.
    pub(crate) back: Vec<Back>,
}

const QUIET: &str = "current_setting('tandem.quiet', true) IS DISTINCT FROM 'on'";

impl Copy {
    /// The columns by which a row's image is known.
    pub(crate) fn key(&self) -> Vec<&str> {
        self.images.iter().filter(|image| image.key).map(|image| image.column.as_str()).collect()
    }

    /// The statements that create functions and triggers, and those that remove them. `types` tells those of the source's
    /// columns.
    pub(crate) fn statements(
        &self,
        lens: &str,
        types: &dyn Fn(&str) -> String,
    ) -> (Vec<String>, Vec<String>) {
        let function = |what: &str| Name::new(lens, format!("__tandem_{what}_{}", self.number));
        let (forth, back) = (function("copy"), function("back"));
        let (mut create, mut drop) = (Vec::new(), Vec::new());
        let mut trigger = |name: String, when: &str, table: &Name, function: &Name| {
            let name = ident(&name);
            create.push(format!("CREATE TRIGGER {name} {when} EXECUTE FUNCTION {function}()"));
            create.push(format!("ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"));
            drop.push(format!("DROP TRIGGER IF EXISTS {name} ON {table}"));
        };
        let of_old = format!("NOT {} AND {QUIET}", side(lens));
        let watched = self.watched();
        let changed = any_differs(&watched, types);
        let on = format!("ON {} FOR EACH ROW WHEN", self.source);
        let (at, from_last) = (self.number, 999 - self.number.min(999));
        // Before the checks of foreign keys, whose names begin with RI: the source may refer to its own copy.
        for (name, when) in [
            (format!("!tandem_copy_{at:03}_insert"), format!("AFTER INSERT {on} ({of_old})")),
            (format!("!tandem_copy_{at:03}_update"), format!("AFTER UPDATE {on} ({changed} AND {of_old})")),
            (format!("~tandem_copy_{from_last:03}_delete"), format!("BEFORE DELETE {on} ({of_old})")),
        ] {
            trigger(name, &when, &self.source, &forth);
        }
        let mut functions = vec![(forth, "", self.forth(types))];
        if !self.back.is_empty() {
            let event = "AFTER INSERT OR UPDATE OR DELETE ON";
            let when = format!("{event} {} FOR EACH ROW WHEN ({QUIET})", self.target);
            trigger("~tandem_back".to_owned(), &when, &self.target, &back);
            functions.push((back, " SET lock_timeout = '50ms'", self.back()));
        }
        for (function, setting, body) in functions.iter().rev() {
            let settings = format!("SET tandem.quiet = 'on'{setting}");
            let head = format!("CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql {settings}");
            create.insert(0, format!("{head} AS {}", literal(body)));
            drop.push(format!("DROP FUNCTION IF EXISTS {function}()"));
        }
        (create, drop)
    }

    /// All columns of the source that an image depends on.
    pub(crate) fn watched(&self) -> BTreeSet<String> {
        let values = self.images.iter().map(|image| &image.value).chain(&self.condition);
        values.flat_map(|value| value.sources.iter().cloned()).collect()
    }

    /// The image's key is that of a row.
    fn is_of(&self, row: impl Fn(&Written) -> &str) -> String {
        let keys = self.images.iter().filter(|image| image.key);
        let equal = keys.map(|image| format!("\"~to\".{} = {}", ident(&image.column), row(&image.value)));
        equal.collect::<Vec<_>>().join(" AND ")
    }

    /// The old side's writes go into the image.
    fn forth(&self, types: &dyn Fn(&str) -> String) -> String {
        let holds = |row: fn(&Written) -> &str| {
            let condition = self.condition.as_ref().map(|condition| format!("({}) IS TRUE", row(condition)));
            condition.unwrap_or_else(|| "true".to_owned())
        };
        let (target, of_old) = (&self.target, self.is_of(|value| &value.old));
        let moved: Vec<String> = self.images.iter().filter_map(|image| image.moved(types)).collect();
        format!(
            "DECLARE
  \"~was\" boolean := TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND {was};
  \"~is\" boolean := TG_OP <> 'DELETE' AND {is};
BEGIN
  IF \"~was\" AND NOT \"~is\" THEN
    BEGIN
      DELETE FROM {target} AS \"~to\" WHERE {of_old};
    EXCEPTION WHEN foreign_key_violation THEN
      NULL; -- The new side refers to it already.
    END;
  ELSIF \"~is\" THEN
    IF \"~was\" THEN
      UPDATE {target} AS \"~to\" SET {moved} WHERE {of_old};
    END IF;
    IF NOT (\"~was\" AND FOUND) THEN
      {insert};
    END IF;
{taken}  END IF;
  RETURN coalesce(NEW, OLD);
END",
            was = holds(|value| &value.old),
            is = holds(|value| &value.new),
            moved = moved.join(", "),
            insert = self.insert(),
            taken = self.taken(types),
        )
    }

    fn insert(&self) -> String {
        let columns = idents(self.images.iter().map(|image| image.column.as_str()));
        let values: Vec<&str> = self.images.iter().map(|image| image.value.new.as_str()).collect();
        let told = self.images.iter().filter(|image| !image.key && !image.value.sources.is_empty());
        let set: Vec<String> = told
            .map(|image| ident(&image.column))
            .map(|column| format!("{column} = excluded.{column}"))
            .collect();
        let known =
            if set.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", set.join(", ")) };
        format!(
            "INSERT INTO {} AS \"~to\" ({columns}) VALUES ({}) ON CONFLICT ({}) DO {known}",
            self.target,
            values.join(", "),
            idents(self.key()),
        )
    }

    /// What the old side did not write itself is as the image has it.
    fn taken(&self, types: &dyn Fn(&str) -> String) -> String {
        let exact = self.back.iter().filter(|back| back.exact);
        exact
            .map(|back| {
                format!(
                    "    IF TG_OP = 'UPDATE' AND NOT ({}) THEN\n      {};\n    END IF;\n",
                    differs(&back.column, &types(&back.column)),
                    self.written(std::slice::from_ref(back), &self.row_of(|value| &value.new))
                )
            })
            .collect()
    }

    /// The source's row is the one whose image this is.
    fn row_of(&self, row: impl Fn(&Written) -> &str) -> String {
        let keys = self.images.iter().filter(|image| image.key);
        keys.map(|image| format!("{} = {}", image.value.own, row(&image.value)))
            .collect::<Vec<_>>()
            .join(" AND ")
    }

    fn written(&self, back: &[Back], of: &str) -> String {
        let set: Vec<String> =
            back.iter().map(|back| format!("{} = ({})", ident(&back.column), back.value)).collect();
        let needed: Vec<&str> = back.iter().map(|back| back.needed.as_str()).collect();
        format!(
            "UPDATE {} AS {} SET {} WHERE ({of}) AND ({})",
            self.source,
            ident(&self.source.name),
            set.join(", "),
            needed.join(" OR ")
        )
    }

    /// The new side's writes in the target go back into the source.
    fn back(&self) -> String {
        let of = |row: &str| {
            let keys = self.images.iter().filter(|image| image.key);
            let equal = keys.map(|image| format!("{} = {row}.{}", image.value.own, ident(&image.column)));
            equal.collect::<Vec<_>>().join(" AND ")
        };
        let either = format!("({}) OR ({})", of("NEW"), of("OLD"));
        format!(
            "BEGIN
  LOOP
    BEGIN
      {write};
      RETURN NULL;
    EXCEPTION WHEN lock_not_available THEN
      -- Who has the source's row and waits for this one, be it in a queue, takes from it what is to be known.
      BEGIN
        IF EXISTS (
          WITH RECURSIVE ahead (pid) AS (
            SELECT had.pid FROM {source} AS {name}
            JOIN pg_catalog.pg_locks had
              ON had.locktype = 'transactionid' AND had.transactionid = {name}.xmax AND had.granted
            WHERE {either}
            UNION SELECT pg_catalog.unnest(pg_catalog.pg_blocking_pids(pid)) FROM ahead
          )
          SELECT FROM ahead WHERE pid = pg_catalog.pg_backend_pid()
        ) THEN
          RETURN NULL;
        END IF;
      EXCEPTION WHEN lock_not_available THEN
        NULL; -- Somebody has the whole table for a moment.
      END;
    END;
  END LOOP;
END",
            write = self.written(&self.back, &either),
            source = self.source,
            name = ident(&self.source.name),
        )
    }
}

impl Image {
    /// What an UPDATE of the source writes in the column; nothing where it reads no column of the source.
    fn moved(&self, types: &dyn Fn(&str) -> String) -> Option<String> {
        let (column, new) = (ident(&self.column), &self.value.new);
        if self.key {
            return Some(format!("{column} = {new}"));
        }
        let changed = any_differs(&self.value.sources, types);
        let kept = format!("CASE WHEN {changed} THEN {new} ELSE \"~to\".{column} END");
        (!self.value.sources.is_empty()).then(|| format!("{column} = {kept}"))
    }
}

fn any_differs(columns: &BTreeSet<String>, types: &dyn Fn(&str) -> String) -> String {
    let each: Vec<String> = columns.iter().map(|column| differs(column, &types(column))).collect();
    format!("({})", each.join(" OR "))
}
