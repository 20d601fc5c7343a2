//! What a file's name says: whether it is a migration, of which tool, and which comes before which.

use super::{Framework, SourceError};

/// A migration by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) framework: Framework,
    /// The revision's name.
    pub(super) name: String,
    pub(super) version: String,
    pub(super) description: String,
    /// The version's numbers, without leading zeros: compared by length, then by digits.
    pub(super) order: Vec<(usize, String)>,
}

const SHAPES: &str = "name it `0042_name.sql` (any number of digits), in the way of dbmate, sqlx, golang-migrate, Diesel, \
                      Flyway or Prisma; or keep it in another folder if it is no migration";

/// What a path (relative to the folder of migrations) is; None: nothing of ours, or a way down.
pub(super) fn named(path: &str) -> Result<Option<Named>, SourceError> {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let is_sql =
        file.len() > 4 && file.get(file.len() - 4..).is_some_and(|end| end.eq_ignore_ascii_case(".sql"));
    if !is_sql || path.split('/').any(|part| part.starts_with('.')) {
        return Ok(None);
    }
    let stem = file.get(..file.len() - 4).unwrap_or_default();
    let parent = folder.rsplit('/').next().unwrap_or_default();
    match stem {
        "migration" if !parent.is_empty() => return Ok(Some(prisma(parent))),
        "down" if !parent.is_empty() => return Ok(None),
        "up" if !parent.is_empty() => return diesel(path, parent).map(Some),
        _ => {}
    }
    if let Some(found) = flyway(path, stem) {
        return found;
    }
    if stem.ends_with(".down") && number(stem).is_some() {
        return Ok(None);
    }
    let (framework, name) = match stem.strip_suffix(".up") {
        Some(name) => (Framework::GolangMigrate, name),
        None => (Framework::Plain, stem),
    };
    match number(name).filter(|_| folder.is_empty()) {
        Some((digits, rest)) => Ok(Some(Named {
            framework,
            name: name.to_owned(),
            version: shortened(&digits).to_owned(),
            description: rest.to_owned(),
            order: vec![sortable(&digits)],
        })),
        None => Err(SourceError::of(path, format!("{path} has no name of a migration"), SHAPES)),
    }
}

/// A text without the zeros that say nothing.
fn shortened(digits: &str) -> &str {
    match digits.trim_start_matches('0') {
        "" => "0",
        short => short,
    }
}

fn sortable(digits: &str) -> (usize, String) {
    let short = shortened(digits);
    (short.len(), short.to_owned())
}

/// The digits at the start of a name, and what follows: `0042_name`, `001-init`, `7`, `2017-10-08-193625_create`.
fn number(name: &str) -> Option<(String, &str)> {
    let digit = |c: char| c.is_ascii_digit();
    let dated = name.find(|c: char| !digit(c) && c != '-').unwrap_or(name.len());
    let plain = name.find(|c: char| !digit(c)).unwrap_or(name.len());
    let ends = |at: usize| name.get(at..).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
    let end = if ends(dated) { dated } else { plain };
    let digits: String = name.get(..end)?.chars().filter(|c| digit(*c)).collect();
    let rest = name.get(end..)?;
    (!digits.is_empty()).then(|| (digits, rest.strip_prefix(['_', '-', '.', ' ']).unwrap_or(rest)))
}

fn prisma(folder: &str) -> Named {
    let (digits, rest) = number(folder).unwrap_or_default();
    Named {
        framework: Framework::Prisma,
        name: folder.to_owned(),
        description: rest.to_owned(),
        order: vec![sortable(&digits)],
        version: digits,
    }
}

fn diesel(path: &str, folder: &str) -> Result<Named, SourceError> {
    let Some((digits, rest)) = number(folder) else {
        let help = "name the folder `2026-01-31-120000_name`";
        return Err(SourceError::of(path, format!("{folder} has no version at its start"), help));
    };
    Ok(Named {
        framework: Framework::Diesel,
        name: folder.to_owned(),
        description: rest.to_owned(),
        order: vec![sortable(&digits)],
        version: digits,
    })
}

/// None: not a name of Flyway's.
fn flyway(path: &str, stem: &str) -> Option<Result<Option<Named>, SourceError>> {
    let (head, description) = stem.split_once("__")?;
    let (letter, version) = (head.get(..1)?, head.get(1..)?);
    let numbers = || {
        let parts: Vec<&str> = version.split(['.', '_']).collect();
        let valid =
            parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
        valid.then_some(parts)
    };
    match letter {
        "R" if version.is_empty() => Some(Err(SourceError::of(
            path,
            format!("{path} is a repeatable migration, which leads to no revision"),
            "make it a versioned one (`V…__name.sql`) each time it changes",
        ))),
        "B" if numbers().is_some() => Some(Err(SourceError::of(
            path,
            format!("{path} is a baseline migration, which replaces others"),
            "remove it, or keep only it under the name of a versioned one (`V…__name.sql`)",
        ))),
        "U" if numbers().is_some() => Some(Ok(None)),
        "V" => numbers().map(|parts| {
            let mut order: Vec<_> = parts.iter().map(|part| sortable(part)).collect();
            // 2 and 2.0 are one version.
            while order.len() > 1 && order.last().is_some_and(|(_, digits)| digits == "0") {
                order.pop();
            }
            Ok(Some(Named {
                framework: Framework::Flyway,
                name: stem.to_owned(),
                version: version.replace('_', "."),
                description: description.replace('_', " "),
                order,
            }))
        }),
        _ => None,
    }
}
