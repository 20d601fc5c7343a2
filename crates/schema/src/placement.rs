//! Where everything lives while two revisions are alive: which column of which table each side sees.
//!
//! Tables keep their old physical names until contract. What is new gets its final name where that is free, a name of
//! Tandem's own where it is not; a column whose values differ between the revisions gets a *twin*. From this follow the
//! renames that bring a scratch copy from "after" to "physical", where PostgreSQL itself then writes every definition in
//! the names of the mixed state.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Catalog, Column, Kind, Object, Oid, Relation, RelationKind};
use crate::name::{Name, derived, ident};
use crate::text::Texts;

/// Before names of Tandem's own columns, constraints and indexes.
pub const PREFIX: &str = "__tandem_";

/// A column over the change.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnPlace {
    /// Its number.
    pub number: i16,
    /// As the old revision knows it.
    pub old: Option<Column>,
    /// As the new revision knows it.
    pub new: Option<Column>,
    /// The physical column of the old side.
    pub old_physical: Option<String>,
    /// The physical column of the new side; another than the old one's for a twin.
    pub new_physical: Option<String>,
}

impl ColumnPlace {
    /// Both sides have it, in columns of their own.
    pub fn is_twin(&self) -> bool {
        self.old.is_some() && self.new.is_some() && self.old_physical != self.new_physical
    }

    /// Both sides, when both have it and share one physical column.
    pub fn shared(&self) -> Option<(&Column, &Column)> {
        if self.is_twin() { None } else { self.both() }
    }

    /// Both sides, when both have it.
    pub fn both(&self) -> Option<(&Column, &Column)> {
        self.old.as_ref().zip(self.new.as_ref())
    }

    /// The new side, when only it has it.
    pub fn added(&self) -> Option<&Column> {
        self.new.as_ref().filter(|_| self.old.is_none())
    }

    /// The old side, when only it has it.
    pub fn dropped(&self) -> Option<&Column> {
        self.old.as_ref().filter(|_| self.new.is_none())
    }

    /// A twin whose type (or collation) changes.
    pub fn retyped(&self) -> Option<(&Column, &Column)> {
        self.both().filter(|(old, new)| old.differs_in_type(new))
    }
}

/// A table over the change.
#[derive(Debug, Clone, PartialEq)]
pub struct TablePlace {
    /// Its identity.
    pub oid: Oid,
    /// Its name before, and physically until contract.
    pub before: Name,
    /// Its name after.
    pub after: Name,
    /// Its columns, by number.
    pub columns: Vec<ColumnPlace>,
}

impl TablePlace {
    /// The physical column that an old name stands for.
    pub fn old_column(&self, name: &str) -> Option<&ColumnPlace> {
        self.columns.iter().find(|column| column.old.as_ref().is_some_and(|old| old.name == name))
    }

    /// The physical column that a new name stands for.
    pub fn new_column(&self, name: &str) -> Option<&ColumnPlace> {
        self.columns.iter().find(|column| column.new.as_ref().is_some_and(|new| new.name == name))
    }

    /// The column of a number.
    pub fn column(&self, number: i16) -> Option<&ColumnPlace> {
        self.columns.iter().find(|column| column.number == number)
    }

    /// What an expression of the old side's means physically.
    pub fn old_physical(&self, name: &str) -> Option<&str> {
        self.old_column(name).and_then(|column| column.old_physical.as_deref())
    }

    /// What an expression of the new side's means physically.
    pub fn new_physical(&self, name: &str) -> Option<&str> {
        self.new_column(name).and_then(|column| column.new_physical.as_deref())
    }

    /// The names by which expressions may call the table.
    pub fn names(&self) -> Vec<&str> {
        vec![self.before.name.as_str(), self.after.name.as_str()]
    }

    /// Whether any column is a twin.
    pub fn has_twins(&self) -> bool {
        self.columns.iter().any(ColumnPlace::is_twin)
    }
}

/// Where everything lives in mixed state.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Placement {
    /// Tables that both revisions have.
    pub tables: BTreeMap<Oid, TablePlace>,
    /// New relations, types and routines that wait in the new lens until their names are free.
    pub in_lens: BTreeSet<Oid>,
    /// New indexes, constraints and sequences with a name of Tandem's own until theirs is free: by identity.
    pub renamed: BTreeMap<(Kind, Oid), String>,
    /// Views that both revisions have, with another query or over another view: the new side has its own in its lens.
    pub views: BTreeSet<Oid>,
    /// Brings a scratch copy from "after" to "physical".
    pub statements: Vec<String>,
}

/// Decides where everything lives.
pub fn place(before: &Catalog, after: &Catalog, texts: &Texts, home: &str, new_lens: &str) -> Placement {
    let mut placement = Placement { views: changed_views(before, after, home), ..Placement::default() };
    let mut moves = Vec::new();
    for name in placement.views.iter().filter_map(|oid| after.relations.get(oid)).map(|view| &view.name) {
        moves.push(format!("ALTER VIEW {name} SET SCHEMA {}", ident(new_lens)));
    }
    for (oid, relation) in &after.relations {
        let taken = before.is_taken(&relation.name) || type_is_taken(before, &relation.name);
        if !before.relations.contains_key(oid) && taken {
            placement.in_lens.insert(*oid);
            let word = relation.word();
            moves.push(format!("ALTER {word} {} SET SCHEMA {}", relation.name, ident(new_lens)));
        }
    }
    for ((kind, oid), object) in &after.objects {
        if !before.objects.contains_key(&(*kind, *oid)) {
            moves.extend(displaced(before, after, &mut placement, (*kind, *oid), object, new_lens));
        }
    }
    moves.extend(names_of_before(before, after));
    // A column's way to its physical name leads over a name that nobody has, so that names can be exchanged.
    let mut second = Vec::new();
    for (oid, old) in &before.relations {
        let Some(relation) = after.relations.get(oid).filter(|_| old.is_table()) else { continue };
        let table = table(*oid, old, relation, texts);
        for column in &table.columns {
            let (Some(new), Some(physical)) = (&column.new, &column.new_physical) else { continue };
            if new.name != *physical && !relation.inherits() {
                let passing = derived(PREFIX, &format!("pass_{}", column.number));
                let alter = format!("ALTER TABLE {} RENAME COLUMN", table.after);
                moves.push(format!("{alter} {} TO {}", ident(&new.name), ident(&passing)));
                second.push(format!("{alter} {} TO {}", ident(&passing), ident(physical)));
            }
        }
        if table.before.schema == table.after.schema && table.before.name != table.after.name {
            let passing = Name::new(&table.before.schema, derived(PREFIX, &format!("pass_{oid}")));
            second.push(format!("ALTER TABLE {} RENAME TO {}", table.after, ident(&passing.name)));
        }
        placement.tables.insert(*oid, table);
    }
    for table in placement.tables.values() {
        if table.before.schema == table.after.schema && table.before.name != table.after.name {
            let passing = Name::new(&table.before.schema, derived(PREFIX, &format!("pass_{}", table.oid)));
            second.push(format!("ALTER TABLE {passing} RENAME TO {}", ident(&table.before.name)));
        }
    }
    follow_parents(&mut placement, before, after);
    placement.statements = moves;
    placement.statements.extend(second);
    placement
}

/// Views of both revisions that differ, and those that read them.
fn changed_views(before: &Catalog, after: &Catalog, home: &str) -> BTreeSet<Oid> {
    let kept = |oid: &Oid| {
        let (old, new) = (before.relations.get(oid)?, after.relations.get(oid)?);
        let at_home = old.name.schema == home && new.name.schema == home;
        (at_home && new.kind == RelationKind::View).then_some((old, new))
    };
    let defaults = |view: &Relation| -> Vec<Option<String>> {
        view.columns.iter().map(|column| column.default.clone()).collect()
    };
    let triggers = |catalog: &Catalog, oid: Oid| -> Vec<(Oid, String, String)> {
        let owned = catalog.on(oid).filter(|(kind, _, _)| *kind == Kind::Trigger);
        owned.map(|(_, oid, object)| (oid, object.definition.clone(), object.state.clone())).collect()
    };
    let calls_changed = |oid: Oid| {
        after.on(oid).flat_map(|(_, _, object)| object.needs.iter()).any(|need| {
            let of = |catalog: &Catalog| {
                catalog.objects.get(&(Kind::Routine, *need)).map(|routine| routine.definition.clone())
            };
            of(before).is_some_and(|old| of(after).is_some_and(|new| old != new))
        })
    };
    let mut changed: BTreeSet<Oid> = after
        .relations
        .keys()
        .filter(|oid| {
            kept(oid).is_some_and(|(old, new)| {
                (&old.name, &old.query, &old.options) != (&new.name, &new.query, &new.options)
                    || defaults(old) != defaults(new)
                    || triggers(before, **oid) != triggers(after, **oid)
                    || calls_changed(**oid)
            })
        })
        .copied()
        .collect();
    loop {
        let readers: Vec<Oid> = after
            .relations
            .iter()
            .filter(|(oid, view)| {
                !changed.contains(oid) && kept(oid).is_some() && !view.needs.is_disjoint(&changed)
            })
            .map(|(oid, _)| *oid)
            .collect();
        if readers.is_empty() {
            return changed;
        }
        changed.extend(readers);
    }
}

/// Types and sequences that get another name have their old one until contract; over passing names, since names may be exchanged.
fn names_of_before(before: &Catalog, after: &Catalog) -> Vec<String> {
    let mut first = Vec::new();
    let mut second = Vec::new();
    for ((kind, oid), object) in &after.objects {
        let word = match kind {
            Kind::Enum | Kind::Composite | Kind::Range => "TYPE",
            Kind::Domain => "DOMAIN",
            Kind::Sequence => "SEQUENCE",
            _ => continue,
        };
        let Some(old) = before.objects.get(&(*kind, *oid)) else { continue };
        if old.name.schema == object.name.schema && old.name.name != object.name.name {
            let passing = Name::new(&old.name.schema, derived(PREFIX, &format!("pass_{oid}")));
            first.push(format!("ALTER {word} {} RENAME TO {}", object.name, ident(&passing.name)));
            second.push(format!("ALTER {word} {passing} RENAME TO {}", ident(&old.name.name)));
        }
    }
    first.extend(second);
    first
}

/// A column of a partition is called as its parent's is.
fn follow_parents(placement: &mut Placement, before: &Catalog, after: &Catalog) {
    let parent = |oid: &Oid| {
        let inherits =
            |catalog: &'_ Catalog| catalog.relations.get(oid).filter(|relation| relation.inherits()).cloned();
        let relation = inherits(after).or_else(|| inherits(before))?;
        relation
            .partition_of
            .as_ref()
            .map(|(parent, _)| *parent)
            .or_else(|| relation.inherits.first().copied())
    };
    let roots: Vec<(Oid, TablePlace)> = placement
        .tables
        .keys()
        .filter_map(|oid| {
            let root = std::iter::successors(parent(oid), parent).last()?;
            Some((*oid, placement.tables.get(&root)?.clone()))
        })
        .collect();
    for (oid, root) in roots {
        let Some(table) = placement.tables.get_mut(&oid) else { continue };
        for column in &mut table.columns {
            let of_root = column.new.as_ref().and_then(|new| root.new_column(&new.name));
            if let Some(of_root) = of_root {
                column.new_physical.clone_from(&of_root.new_physical);
            }
        }
    }
}

/// Types share their name space with the row types of relations.
fn type_is_taken(before: &Catalog, name: &Name) -> bool {
    let a_type = |kind: Kind| matches!(kind, Kind::Enum | Kind::Domain | Kind::Composite | Kind::Range);
    before.objects.iter().any(|((kind, _), object)| a_type(*kind) && object.name == *name)
}

/// What is done with a new object whose name is still taken by an old one.
fn displaced(
    before: &Catalog,
    after: &Catalog,
    placement: &mut Placement,
    (kind, oid): (Kind, Oid),
    object: &Object,
    new_lens: &str,
) -> Option<String> {
    let lens = ident(new_lens);
    let of_lens = object.on.is_some_and(|on| placement.in_lens.contains(&on));
    match kind {
        Kind::Enum | Kind::Domain | Kind::Composite | Kind::Range => {
            let taken = type_is_taken(before, &object.name)
                || before.relations.values().any(|relation| relation.name == object.name);
            let word = if kind == Kind::Domain { "DOMAIN" } else { "TYPE" };
            taken.then(|| {
                placement.in_lens.insert(oid);
                format!("ALTER {word} {} SET SCHEMA {lens}", object.name)
            })
        }
        Kind::Routine => {
            let taken = before
                .objects
                .iter()
                .any(|((kind, _), old)| *kind == Kind::Routine && old.identity == object.identity);
            taken.then(|| {
                placement.in_lens.insert(oid);
                format!("ALTER ROUTINE {} SET SCHEMA {lens}", object.identity)
            })
        }
        Kind::Sequence if !of_lens => before.is_taken(&object.name).then(|| {
            let name = derived(PREFIX, &object.name.name);
            let statement = format!("ALTER SEQUENCE {} RENAME TO {}", object.name, ident(&name));
            placement.renamed.insert((kind, oid), name);
            statement
        }),
        Kind::Index if !of_lens => (before.is_taken(&object.name)).then(|| {
            let name = derived(PREFIX, &object.name.name);
            let statement = format!("ALTER INDEX {} RENAME TO {}", object.name, ident(&name));
            placement.renamed.insert((kind, oid), name);
            statement
        }),
        Kind::PrimaryKey | Kind::Unique | Kind::Exclusion | Kind::Check | Kind::ForeignKey if !of_lens => {
            let on = object.on?;
            let relation = after.relations.get(&on)?;
            let same = before.on(on).any(|(_, _, old)| old.name.name == object.name.name);
            let has_index = matches!(kind, Kind::PrimaryKey | Kind::Unique | Kind::Exclusion);
            (same || has_index && before.is_taken(&object.name)).then(|| {
                let name = derived(PREFIX, &object.name.name);
                let statement = format!(
                    "ALTER TABLE {} RENAME CONSTRAINT {} TO {}",
                    relation.name,
                    ident(&object.name.name),
                    ident(&name)
                );
                placement.renamed.insert((kind, oid), name);
                statement
            })
        }
        _ => None,
    }
}

fn table(oid: Oid, old: &Relation, new: &Relation, texts: &Texts) -> TablePlace {
    let numbers: BTreeSet<i16> = old.columns.iter().chain(&new.columns).map(|column| column.number).collect();
    let mut taken: BTreeSet<String> = old.columns.iter().map(|column| column.name.clone()).collect();
    let mut columns = Vec::new();
    for number in numbers {
        let (before, after) = (old.column(number).cloned(), new.column(number).cloned());
        let old_physical = before.as_ref().map(|column| column.name.clone());
        let new_physical = match (&before, &after) {
            (Some(old), Some(new)) if !old.differs_in_type(new) && !texts.wants_twin(oid, number) => {
                Some(old.name.clone())
            }
            (Some(_), Some(new)) => Some(free(&mut taken, &derived(PREFIX, &new.name))),
            (None, Some(new)) if !taken.contains(&new.name) => Some(free(&mut taken, &new.name)),
            (None, Some(new)) => Some(free(&mut taken, &derived(PREFIX, &new.name))),
            (_, None) => None,
        };
        columns.push(ColumnPlace { number, old: before, new: after, old_physical, new_physical });
    }
    TablePlace { oid, before: old.name.clone(), after: new.name.clone(), columns }
}

/// A name that no column has yet; it has it from now on.
fn free(taken: &mut BTreeSet<String>, wanted: &str) -> String {
    let mut name = wanted.to_owned();
    let mut round = 1;
    while !taken.insert(name.clone()) {
        round += 1;
        name = derived(&format!("{PREFIX}{round}_"), wanted);
    }
    name
}
