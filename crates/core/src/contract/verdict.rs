//! What would break, and whether anybody would notice: findings together with calls.
//!
//! Tested in place.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Counted, Finding, Operation};
use crate::base::{ServiceName, VersionLabel};

/// So many operations are told of; how many more there are is told, too.
const MOST: usize = 100;

/// An operation that does not do any more what its clients were promised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Break {
    /// The operation, as clients know it.
    pub operation: String,
    /// What has changed. Empty: it is gone.
    pub changes: Vec<String>,
    /// How often it was called. None: it does not matter, as nobody knows it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Counted>,
    /// Between which services it lies. None: between this one and its clients, whoever they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub between: Option<Between>,
}

/// Two services, each in a version that lives or is to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Between {
    /// Who calls.
    pub caller: Party,
    /// Who is called.
    pub called: Party,
}

/// A service in a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Party {
    /// The service.
    pub service: ServiceName,
    /// The version.
    pub version: VersionLabel,
}

/// The contract of a version that is to come, beside that of the version that serves.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// What breaks clients of the version that serves, at the version that comes.
    pub broken: Vec<Break>,
    /// What breaks clients of the version that comes, at the version that serves: while both run.
    pub ahead: Vec<Break>,
    /// How many more operations are concerned.
    pub more: usize,
}

impl Break {
    /// Whether somebody would notice, or may: what is not known is not taken to be fine.
    pub fn hurts(&self) -> bool {
        self.between.is_some()
            || self.counted.as_ref().is_some_and(|counted| counted.calls.total > 0 || !counted.complete)
    }
}

impl Comparison {
    /// What breaks, by operation; `counted` tells how often one was called.
    pub fn of(broken: &[Finding], ahead: &[Finding], counted: impl Fn(&Operation) -> Counted) -> Comparison {
        let mut broken = by_operation(broken, |operation| Some(counted(operation)));
        let mut ahead = by_operation(ahead, |_| None);
        broken.sort_by_key(|one| !one.hurts());
        let all = broken.len() + ahead.len();
        broken.truncate(MOST);
        ahead.truncate(MOST);
        Comparison { more: all - broken.len() - ahead.len(), broken, ahead }
    }

    /// Adds what a version of one service needs of a version of another, and would not find there.
    pub fn add(&mut self, between: &Between, findings: &[Finding]) {
        let mut broken = by_operation(findings, |_| None);
        broken.iter_mut().for_each(|one| one.between = Some(between.clone()));
        broken.append(&mut self.broken);
        self.more += broken.len().saturating_sub(MOST);
        broken.truncate(MOST);
        self.broken = broken;
    }

    /// What somebody would notice.
    pub fn hurts(&self) -> impl Iterator<Item = &Break> {
        self.broken.iter().filter(|one| one.hurts())
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.broken.is_empty() && self.ahead.is_empty()
    }
}

fn by_operation(findings: &[Finding], counted: impl Fn(&Operation) -> Option<Counted>) -> Vec<Break> {
    let mut breaks: BTreeMap<&Operation, Break> = BTreeMap::new();
    for finding in findings {
        let one = breaks.entry(&finding.operation).or_insert_with(|| Break {
            operation: finding.shown.clone(),
            changes: Vec::new(),
            counted: counted(&finding.operation),
            between: None,
        });
        one.changes.extend((!finding.what.is_empty()).then(|| finding.what.clone()));
    }
    breaks.into_values().collect()
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Break { operation, changes, counted, between } = self;
        if let Some(Between { caller, called }) = between {
            write!(f, "{caller} needs {operation} of {called}")?;
            return match &changes[..] {
                [] => f.write_str(", which has no such operation"),
                changes => write!(f, ": {}", changes.join(", ")),
            };
        }
        match (&changes[..], counted) {
            ([], Some(_)) => write!(f, "{operation} is gone")?,
            ([], None) => write!(f, "{operation} is not there yet")?,
            (changes, _) => write!(f, "{operation}: {}", changes.join(", "))?,
        }
        counted.as_ref().map_or(Ok(()), |counted| write!(f, "; {counted}"))
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.service, self.version)
    }
}
