//! The second witness: what the service itself wrote down as executed, held against what it acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fmt, fs, io};

use serde::{Deserialize, Serialize};

/// Orders in the sequence of their execution, as the shop's `orders.jsonl` has them.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    ids: Vec<String>,
}

/// What the journal shows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JournalVerdict {
    /// Executions.
    pub executed: u64,
    /// Orders that were executed more than once.
    pub twice: Vec<String>,
    /// Orders that were acknowledged but never executed.
    pub missing: Vec<String>,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
}

impl Journal {
    /// Reads the journal: a JSON object with an `id` in each line.
    ///
    /// # Errors
    /// If the file can't be read, or a line is not such an object.
    pub fn read(path: &Path) -> io::Result<Journal> {
        let text = fs::read_to_string(path)?;
        let mut ids = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let entry: Entry = serde_json::from_str(line)
                .map_err(|why| io::Error::other(format!("{}:{}: {why}", path.display(), index + 1)))?;
            ids.push(entry.id);
        }
        Ok(Journal { ids })
    }

    /// Holds the journal against the orders that were acknowledged.
    pub fn check(&self, acknowledged: &[String]) -> JournalVerdict {
        let mut times: BTreeMap<&str, u64> = BTreeMap::new();
        for id in &self.ids {
            *times.entry(id).or_default() += 1;
        }
        let missing: BTreeSet<&String> =
            acknowledged.iter().filter(|id| !times.contains_key(id.as_str())).collect();
        JournalVerdict {
            executed: self.ids.len() as u64,
            twice: times.iter().filter(|(_, count)| **count > 1).map(|(id, _)| (*id).to_owned()).collect(),
            missing: missing.into_iter().cloned().collect(),
        }
    }
}

impl JournalVerdict {
    /// Whether each acknowledged order was executed, and none twice.
    pub fn is_clean(&self) -> bool {
        self.twice.is_empty() && self.missing.is_empty()
    }
}

impl fmt::Display for JournalVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (twice, missing) = (self.twice.len(), self.missing.len());
        write!(
            f,
            "orders executed {}, executed twice {twice}, acknowledged but missing {missing}",
            self.executed
        )?;
        for (what, ids) in [("twice", &self.twice), ("missing", &self.missing)] {
            ids.iter().take(5).try_for_each(|id| write!(f, "\n  {what}: {id}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_and_missing_are_found() {
        let journal = Journal { ids: ["a", "b", "a", "c"].map(str::to_owned).to_vec() };
        let verdict = journal.check(&["a".to_owned(), "d".to_owned()]);
        assert_eq!(
            (verdict.executed, verdict.twice, verdict.missing),
            (4, vec!["a".to_owned()], vec!["d".to_owned()])
        );
    }
}
