//! Rows of an old table are copied into a new one: `INSERT INTO profiles (user_id, bio) SELECT id, bio FROM users`.
//!
//! | | expand | backfill | contract |
//! | --- | --- | --- | --- |
//! | each row has an image of its own | triggers: what the old side writes in the source is written in its image | every row gets its image | triggers go |
//! | a copied column goes | the same the other way round; where it is not copied as it is: `@down` | | |
//!
//! The copies are made after expand and its data statements, so that no other statement may use what is copied. A row's image
//! is known by a unique key of the target whose values are a key of the source. What could make a write of the
//! old side fail (a rule of the target that the source does not have) is refused. Locks: writers of the source at expand,
//! everybody at contract, both short; an old row is locked while its image is written.

use crate::copy::{Back, Copy, Image, Written};
use crate::draft::{Contract, Draft, Expand, Strength, Undo};
use crate::expression;
use crate::model::{Catalog, Column, Kind, Object, Oid, Relation, RelationKind};
use crate::name::{Name, ident};
use crate::placement::TablePlace;
use crate::plan::Fill;
use crate::source::{CopiedRows, DataStatement, Statement};
use crate::sync::distinct;
use crate::text::Text;

/// Why rows can't be kept in step.
type Why = String;

/// Copies the rows of a statement that fills a new table, if both tables can be kept in step.
pub(super) fn add(
    draft: &mut Draft<'_>,
    (statement, data): (&Statement, &DataStatement),
    target: Oid,
) -> Result<(), Why> {
    let rows = data.copied.as_ref().ok_or("it is not made row by row of one table")?;
    let sight = Sight::new(draft, rows, target)?;
    alone(draft, statement, &sight)?;
    let copy = sight.copy(draft.copies.len())?;
    sight.is_safe(&copy)?;
    let (lens, source) = (draft.request.new_lens, sight.source);
    let fill = sight.fill(&copy)?;
    let relation = draft.request.before.relations.get(&source.oid);
    let types = |column: &str| {
        relation
            .and_then(|relation| relation.named(column))
            .map(|column| column.type_name.clone())
            .unwrap_or_default()
    };
    let (create, drop) = copy.statements(lens, &types);
    draft.lock(&source.before, Strength::Writers);
    draft.lock_at_contract(&source.before);
    if !copy.back.is_empty() {
        draft.contract_first.push(copy.target.clone());
    }
    for statement in create {
        draft.at_expand(Expand::Sync, statement);
    }
    for statement in drop {
        draft.at_contract(Contract::Sync, statement.clone());
        draft.at_undo(Undo::Sync, statement);
    }
    let object = format!("{} to {}", source.before.name, copy.target.name);
    let fill_text = "every row is copied";
    draft.explain("copy rows", object, "kept in step by triggers", fill_text, "");
    draft.copies.push(fill);
    Ok(())
}

/// What a column that goes is for the old side where it was copied as it is: what the new side writes in the copy.
pub(super) fn returned(draft: &Draft<'_>, table: &TablePlace, old: &Column) -> Option<Text> {
    let constant = old.default.as_deref().filter(|default| expression::is_constant(default));
    if old.not_null && constant.is_none() {
        return None;
    }
    let statements = draft.request.migrations.iter().flat_map(|migration| &migration.statements);
    statements.filter(|statement| statement.mark.is_none()).find_map(|statement| {
        let data = statement.data.as_ref().or(statement.filled.as_ref())?;
        let (target, _) = new_table(draft, data)?;
        let sight = Sight::new(draft, data.copied.as_ref()?, target).ok()?;
        let expression = sight.image_of(table, old)?;
        let expression = match constant.filter(|_| old.not_null) {
            Some(constant) => format!("coalesce({expression}, {constant})"),
            None => expression,
        };
        Some(Text { expression, alias: String::new(), place: None })
    })
}

/// The new table that a statement writes.
pub(super) fn new_table<'a>(draft: &Draft<'a>, data: &DataStatement) -> Option<(Oid, &'a Relation)> {
    let request = draft.request;
    let name = Name::new(data.schema.as_deref().unwrap_or(request.home), &data.table);
    request.after.relation(&name).filter(|(oid, _)| !request.before.relations.contains_key(oid))
}

/// Other statements that use the copies would find them not there yet; what they write in the source would be copied too,
/// or be gone before.
fn alone(draft: &Draft<'_>, statement: &Statement, sight: &Sight<'_, '_>) -> Result<(), Why> {
    let request = draft.request;
    let all = request.migrations.iter().enumerate().flat_map(|(at, migration)| {
        migration.statements.iter().enumerate().map(move |(number, statement)| ((at, number), statement))
    });
    let others = all.filter(|(at, other)| {
        let writes = other.data.is_some() || other.filled.is_some() || other.opaque;
        writes && other.place != statement.place && !request.texts.absorbed.contains(at)
    });
    let (source, target) = (sight.source.names(), sight.target.1.name.name.as_str());
    let disturbs = |other: &Statement| {
        let written = other.data.as_ref().is_some_and(|data| {
            let others = data.others.iter().map(|(_, name)| name);
            others.chain([&data.table]).any(|name| source.contains(&name.as_str()))
        });
        let mentions = |name: &str| crate::draft::mentions(&other.text, name);
        written || other.opaque && source.iter().any(|name| mentions(name)) || mentions(target)
    };
    match others.map(|(_, other)| other).find(|other| disturbs(other)) {
        Some(other) => Err(format!("another statement uses its rows ({:.60})", other.text)),
        None => Ok(()),
    }
}

/// A statement with the tables that it is about.
struct Sight<'d, 'a> {
    draft: &'d Draft<'a>,
    rows: &'d CopiedRows,
    source: &'a TablePlace,
    before: &'a Relation,
    target: (Oid, &'a Relation),
}

impl<'d, 'a> Sight<'d, 'a> {
    fn new(draft: &'d Draft<'a>, rows: &'d CopiedRows, target: Oid) -> Result<Sight<'d, 'a>, Why> {
        let request = draft.request;
        let (schema, table) = &rows.source;
        let name = Name::new(schema.as_deref().unwrap_or(request.home), table);
        let place = request.placement.tables.values().find(|place| {
            place.after == name || place.before == name && request.after.relation(&name).is_none()
        });
        let source = place.ok_or_else(|| format!("{} is not a table of both revisions", name.name))?;
        let (Some(before), Some(relation)) =
            (request.before.relations.get(&source.oid), request.after.relations.get(&target))
        else {
            return Err("its tables are not known".to_owned());
        };
        for table in [before, relation] {
            if table.kind != RelationKind::Table || table.inherits() {
                return Err(format!("{} is partitioned or inherits", table.name.name));
            }
            if table.row_security.0 {
                return Err(format!("{} has row-level security", table.name.name));
            }
        }
        Ok(Sight { draft, rows, source, before, target: (target, relation) })
    }

    /// The columns that are written, with their values as written.
    fn pairs(&self) -> Result<Vec<(&'a Column, &'d str)>, Why> {
        let all: Vec<&Column> = if self.rows.columns.is_empty() {
            self.target.1.columns.iter().collect()
        } else {
            let named = self.rows.columns.iter().map(|name| {
                self.target.1.named(name).ok_or_else(|| format!("its column {name} gets another name later"))
            });
            named.collect::<Result<_, _>>()?
        };
        if self.rows.values.len() > all.len() {
            return Err("it has fewer columns than values".to_owned());
        }
        Ok(all.into_iter().zip(self.rows.values.iter().map(String::as_str)).collect())
    }

    fn text(&self, expression: &str) -> Text {
        Text { expression: expression.to_owned(), alias: self.rows.alias.clone(), place: None }
    }

    /// An expression in all its forms. The columns that it reads must be the same for both revisions, or the old one's.
    fn written(&self, expression: &str) -> Result<Written, Why> {
        let text = self.text(expression);
        let prefix = format!("{}.", ident(&self.before.name.name));
        let form = |prefix: &str| self.draft.physical_up(self.source, &text, prefix);
        let (own, sources) = form(&prefix)?;
        for column in &sources {
            let place = self.source.old_column(column).filter(|place| !place.is_twin());
            if place.is_none() {
                return Err(format!("{}.{column} is new or changes", self.source.before.name));
            }
        }
        Ok(Written { old: form("OLD.")?.0, new: form("NEW.")?.0, own, sources })
    }

    /// The old column that an expression is.
    fn plain(&self, expression: &str) -> Option<&'a Column> {
        let (only, sources) = self.draft.physical_up(self.source, &self.text(expression), "").ok()?;
        let name = sources.first().filter(|name| only == ident(name))?;
        self.before.named(name)
    }

    /// The columns of the target by which a row's image is known, and that fit a key of the source.
    fn key(&self) -> Result<Vec<i16>, Why> {
        let pairs = self.pairs()?;
        let value = |number: &i16| pairs.iter().find(|(column, _)| column.number == *number);
        let fits = |columns: &[i16]| {
            let read: Option<Vec<i16>> = columns
                .iter()
                .map(|number| {
                    let (column, value) = value(number)?;
                    let steady = column.not_null && expression::is_steady(value);
                    let sources = self.written(value).ok().filter(|_| steady)?.sources;
                    Some(
                        sources
                            .iter()
                            .filter_map(|name| Some(self.before.named(name)?.number))
                            .collect::<Vec<_>>(),
                    )
                })
                .collect::<Option<Vec<_>>>()
                .map(|all| all.concat());
            let covered = |key: &Vec<i16>| {
                read.as_ref().is_some_and(|read| key.iter().all(|number| read.contains(number)))
            };
            keys(self.draft.request.before, self.source.oid).iter().any(covered)
        };
        let found = keys(self.draft.request.after, self.target.0).into_iter().find(|key| fits(key));
        found.ok_or_else(|| {
            let (from, to) = (&self.source.before.name, &self.target.1.name.name);
            format!(
                "{to} has no unique key over NOT NULL columns by which the copy of a row of {from} is known"
            )
        })
    }

    fn copy(&self, number: usize) -> Result<Copy, Why> {
        let key = self.key()?;
        let mut images = Vec::new();
        for (column, value) in self.pairs()? {
            let image = match self.plain(value) {
                Some(_) => self.written(value)?,
                None => self.written(value)?.cast(&self.bare_type(column)),
            };
            images.push(Image {
                column: column.name.clone(),
                value: image,
                key: key.contains(&column.number),
            });
        }
        let condition =
            self.rows.condition.as_deref().map(|condition| self.written(condition)).transpose()?;
        let physical = self.draft.request.physical.relations.get(&self.target.0);
        let target = physical.map_or_else(|| self.target.1.name.clone(), |relation| relation.name.clone());
        let source = self.source.before.clone();
        let mut copy = Copy { number, source, target, images, condition, back: Vec::new() };
        copy.back = self.back(&copy)?;
        Ok(copy)
    }

    /// A column's type as it is called in mixed state, without a limit: what is too long is to be refused and not cut off.
    fn bare_type(&self, column: &Column) -> String {
        let physical = self.draft.request.physical.relations.get(&self.target.0);
        let physical = physical.and_then(|relation| relation.column(column.number)).unwrap_or(column);
        match physical.type_name.split_once('(') {
            Some(("character", _)) => "bpchar".to_owned(),
            Some(("bit", _)) => "bit varying".to_owned(),
            Some((head, rest)) => format!("{head}{}", rest.split_once(')').map_or("", |(_, tail)| tail)),
            None => physical.type_name.clone(),
        }
    }

    /// What goes back into columns that only the old side has.
    fn back(&self, copy: &Copy) -> Result<Vec<Back>, Why> {
        let mut found = Vec::new();
        let prefix = format!("{}.", ident(&self.before.name.name));
        for name in copy.watched() {
            let Some(old) = self.source.old_column(&name).and_then(|place| place.dropped()) else { continue };
            let given = self.draft.request.texts.down(self.source.oid, old.number).cloned();
            let exact = given.is_none();
            let asked = old.not_null && old.default.is_none() && old.identity.is_none() && !old.generated;
            let Some(text) = given.or_else(|| returned(self.draft, self.source, old)) else {
                // `column` asks for it.
                if asked {
                    continue;
                }
                return Err(format!(
                    "{0}.{1} goes: write `-- @down {0}.{1}: <what the old version sees of what the new one writes>`",
                    self.source.before.name, old.name
                ));
            };
            let (value, _) = self.draft.physical_down(self.source, &text, &prefix)?;
            let needed = distinct(&format!("{prefix}{}", ident(&name)), &value, &old.type_name);
            found.push(Back { column: name, value, needed, exact });
        }
        let by_key = copy.images.iter().filter(|image| image.key).all(|image| {
            self.pairs().is_ok_and(|pairs| {
                pairs.iter().any(|(column, value)| column.name == image.column && self.plain(value).is_some())
            })
        });
        if !found.is_empty() && !by_key && !self.draft.is_small(&self.source.before) {
            return Err(format!(
                "rows of {} could not be found quickly from their copies",
                self.source.before.name
            ));
        }
        Ok(found)
    }

    /// The image's value of an old column that is copied as it is, as an expression of the new side over the source.
    fn image_of(&self, table: &TablePlace, old: &Column) -> Option<String> {
        if self.source.oid != table.oid {
            return None;
        }
        let (pairs, key) = (self.pairs().ok()?, self.key().ok()?);
        let (column, _) = pairs.iter().find(|(column, value)| {
            !key.contains(&column.number) && self.plain(value).is_some_and(|plain| plain.number == old.number)
        })?;
        let names = [self.rows.alias.as_str(), self.rows.source.1.as_str()];
        let there = |name: &str| {
            let place = self.source.old_column(self.draft.old_name(self.source, name)?)?;
            Some(format!("{}.{}", ident(&table.after.name), ident(&place.new.as_ref()?.name)))
        };
        let of: Option<Vec<String>> = pairs
            .iter()
            .filter(|(column, _)| key.contains(&column.number))
            .map(|(column, value)| {
                let value = expression::rewrite(value, &names, &there).ok()?;
                Some(format!("\"~to\".{} = {value}", ident(&column.name)))
            })
            .collect();
        let target = &self.draft.request.physical.relations.get(&self.target.0)?.name;
        let column = ident(&column.name);
        Some(format!("(SELECT \"~to\".{column} FROM {target} \"~to\" WHERE {})", of?.join(" AND ")))
    }

    fn fill(&self, copy: &Copy) -> Result<Fill, Why> {
        let request = self.draft.request;
        let key = crate::draft::key_of(request.before, self.source.oid, self.before);
        let set = copy.images.iter().map(|image| (image.column.clone(), image.value.own.clone()));
        let needed =
            copy.condition.as_ref().map_or_else(|| "true".to_owned(), |condition| condition.own.clone());
        Ok(Fill {
            table: copy.source.clone(),
            key,
            into: Some((copy.target.clone(), copy.key().into_iter().map(str::to_owned).collect())),
            set: set.collect(),
            needed,
            rows: self.draft.size(&copy.source).0,
        })
    }

    /// What the old side may write in the source, the target takes.
    fn is_safe(&self, copy: &Copy) -> Result<(), Why> {
        let pairs = self.pairs()?;
        for (column, value) in &pairs {
            let plain = self.plain(value);
            let object = format!("{}.{}", self.target.1.name.name, column.name);
            if column.not_null && !self.never_null(value, plain) {
                return Err(format!(
                    "{object} is NOT NULL, and the old version may write what gives NULL there: copy rows with `{value} IS NOT NULL` only, or coalesce"
                ));
            }
            if plain.is_some_and(|plain| !holds(column, plain)) {
                return Err(format!("{object} can't hold all that the old version may write"));
            }
        }
        let copied = |number: &i16| pairs.iter().any(|(column, _)| column.number == *number);
        let key = self.key()?;
        for (kind, _, object) in self.draft.request.after.on(self.target.0) {
            let touches = object.columns.iter().any(copied);
            let rule = match kind {
                Kind::Trigger | Kind::Rule => true,
                Kind::Check | Kind::Exclusion => touches,
                Kind::PrimaryKey | Kind::Unique => touches && !self.is_unique(object, &key),
                Kind::Index => {
                    touches && object.definition.starts_with("CREATE UNIQUE") && !self.is_unique(object, &key)
                }
                Kind::ForeignKey => touches && !self.is_referred(object),
                _ => false,
            };
            if rule {
                let (name, to) = (&object.name.name, &copy.target.name);
                return Err(format!("{name} of {to} may refuse (or change) what the old version writes"));
            }
        }
        Ok(())
    }

    fn never_null(&self, value: &str, plain: Option<&Column>) -> bool {
        let Ok(written) = self.written(value) else { return false };
        let condition = self.rows.condition.as_deref().unwrap_or_default();
        let told = conjuncts(condition).into_iter().any(|part| {
            let bare = part.split_whitespace().collect::<Vec<_>>().join(" ");
            let tested =
                bare.len().checked_sub(" is not null".len()).and_then(|end| bare.split_at_checked(end));
            tested.is_some_and(|(tested, end)| {
                end.eq_ignore_ascii_case(" is not null")
                    && self.written(tested).is_ok_and(|tested| tested.new == written.new)
            })
        });
        let lower = value.to_lowercase();
        let last = value.rsplit(',').next().unwrap_or_default().trim_end_matches(')');
        let ends = expression::is_constant(last) || self.plain(last).is_some_and(|last| last.not_null);
        let closed = lower.starts_with("concat(") || lower.starts_with("coalesce(") && ends;
        let strict = expression::is_steady(value) && !lower.contains("->") && !lower.contains("nullif");
        let told_of = |name: &String| self.before.named(name).is_some_and(|column| column.not_null);
        let without = written.sources.is_empty();
        told || closed || without || (plain.is_some() || strict) && written.sources.iter().all(told_of)
    }

    /// The columns as they stand in the source, if all are copied as they are.
    fn origin(&self, columns: &[i16]) -> Option<Vec<i16>> {
        let pairs = self.pairs().ok()?;
        let of = |number: &i16| {
            let (_, value) = pairs.iter().find(|(column, _)| column.number == *number)?;
            Some(self.plain(value)?.number)
        };
        columns.iter().map(of).collect()
    }

    fn is_unique(&self, rule: &Object, key: &[i16]) -> bool {
        let whole = !rule.definition.contains(" WHERE ") && !rule.columns.contains(&0);
        let source = self.origin(&rule.columns);
        let keys = keys(self.draft.request.before, self.source.oid);
        whole
            && (rule.columns == key
                || source.is_some_and(|source| {
                    keys.iter().any(|key| key.iter().all(|number| source.contains(number)))
                }))
    }

    /// It refers to the source's own key, or as the source does.
    fn is_referred(&self, key: &Object) -> bool {
        let Some(origin) = self.origin(&key.columns) else { return false };
        let request = self.draft.request;
        let own = keys(request.before, self.source.oid);
        key.references == Some(self.source.oid) && own.contains(&origin)
            || request.before.on(self.source.oid).any(|(kind, _, other)| {
                kind == Kind::ForeignKey && other.references == key.references && other.columns == origin
            })
    }
}

/// The parts of a condition that must all hold; none where that can't be told.
fn conjuncts(condition: &str) -> Vec<&str> {
    let lower = condition.to_ascii_lowercase();
    if lower.contains(" or ") {
        return Vec::new();
    }
    let depth = |at: usize| lower[..at].matches('(').count() == lower[..at].matches(')').count();
    let mut parts = Vec::new();
    let mut from = 0;
    let words = lower
        .char_indices()
        .filter(|(at, c)| c.is_whitespace() && lower[at + c.len_utf8()..].starts_with("and"));
    for (at, space) in words.filter(|(at, _)| depth(*at)) {
        let end = at + space.len_utf8() + "and".len();
        if lower[end..].starts_with(char::is_whitespace) {
            parts.push(&condition[from..at]);
            from = end;
        }
    }
    parts.push(&condition[from..]);
    parts
}

/// Columns by which one row is known: of whole unique constraints and indexes that are checked at once.
fn keys(catalog: &Catalog, table: Oid) -> Vec<Vec<i16>> {
    let unique = |kind: Kind, object: &Object| match kind {
        Kind::PrimaryKey | Kind::Unique => !object.definition.contains("DEFERRABLE"),
        Kind::Index => {
            object.definition.starts_with("CREATE UNIQUE") && !object.definition.contains(" WHERE ")
        }
        _ => false,
    };
    let mut found: Vec<(Kind, Vec<i16>)> = catalog
        .on(table)
        .filter(|(kind, _, object)| unique(*kind, object) && !object.columns.contains(&0))
        .map(|(kind, _, object)| (kind, object.columns.clone()))
        .collect();
    found.sort_by_key(|(kind, _)| *kind != Kind::PrimaryKey);
    found.into_iter().map(|(_, columns)| columns).filter(|columns| !columns.is_empty()).collect()
}

/// Whether a column holds all that another may.
fn holds(column: &Column, of: &Column) -> bool {
    let text = ["text", "character varying"].contains(&column.type_name.as_str());
    let of_text = of.type_name == "text" || of.type_name.starts_with("character varying");
    column.type_name == of.type_name || text && of_text
}

#[cfg(test)]
mod tests {
    use super::conjuncts;

    #[test]
    fn what_must_all_hold() {
        assert_eq!(conjuncts("a IS NOT NULL\n AND b > 1 and c").len(), 3);
        assert_eq!(conjuncts("(a AND b) IS FALSE AND c"), ["(a AND b) IS FALSE", " c"]);
        assert!(conjuncts("a OR b AND c IS NOT NULL").is_empty());
        assert_eq!(conjuncts(""), [""]);
    }
}
