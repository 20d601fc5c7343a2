//! The watched folder: which files in it are deliverables, and whether they are complete.
//!
//! Tested in place.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant, UNIX_EPOCH};

use tandem_core::base::Timestamp;
use tandem_core::workflow::Mark;

/// What belongs to a deliverable `X` and is none itself: `X.sha256`, `X.minisig`.
pub(super) const CHECKSUM: &str = "sha256";
pub(super) const SIGNATURE: &str = "minisig";
/// Files that are still being written, by the convention of those who write them.
const UNFINISHED: [&str; 4] = ["part", "tmp", "partial", "crdownload"];
/// No more entries of the folder are looked at.
const MOST_ENTRIES: usize = 10_000;
/// So many files are deliverables, the last that were changed. More would push out of the queue's memory what was seen.
const MOST: usize = 150;

/// What may be a deliverable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    pub(super) mark: Mark,
    pub(super) name: String,
}

/// What is in the folder, what was changed first first; and how many older files there are that are not looked at.
///
/// # Errors
/// The folder can't be read.
pub(super) fn look(folder: &Path) -> io::Result<(Vec<Found>, usize)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)?.take(MOST_ENTRIES) {
        let Ok(name) = entry?.file_name().into_string() else { continue };
        if is_deliverable(&name)
            && let Some(mark) = mark(folder, &name)
        {
            found.push(Found { mark, name });
        }
    }
    found.sort();
    let older = found.len().saturating_sub(MOST);
    found.drain(..older);
    Ok((found, older))
}

fn is_deliverable(name: &str) -> bool {
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    !name.starts_with('.')
        && !name.ends_with('~')
        && ![CHECKSUM, SIGNATURE].contains(&end)
        && !UNFINISHED.contains(&end)
}

/// What tells whether a file has changed, or what belongs to it. None: it is no file, or went away.
pub(super) fn mark(folder: &Path, name: &str) -> Option<Mark> {
    let own = fs::metadata(folder.join(name)).ok().filter(fs::Metadata::is_file)?;
    let beside = [CHECKSUM, SIGNATURE].map(|end| fs::metadata(folder.join(format!("{name}.{end}"))).ok());
    let mut mark = Mark { modified: Timestamp(0), size: 0 };
    for found in beside.iter().flatten().chain([&own]) {
        let since = found.modified().ok()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        mark.modified = mark.modified.max(Timestamp(since.as_millis() as u64));
        mark.size = mark.size.saturating_add(found.len());
    }
    Some(mark)
}

/// Since when each file has been as it is.
#[derive(Debug, Default)]
pub(super) struct Settling {
    seen: BTreeMap<String, (Mark, Instant)>,
}

impl Settling {
    /// Those of the files that have not changed for so long; what is not among them any more is forgotten.
    pub(super) fn complete(&mut self, found: &[Found], now: Instant, settle: Duration) -> Vec<Found> {
        let mut seen = BTreeMap::new();
        for Found { mark, name } in found {
            let since =
                self.seen.get(name).filter(|(as_it_was, _)| as_it_was == mark).map(|(_, since)| *since);
            seen.insert(name.clone(), (*mark, since.unwrap_or(now)));
        }
        self.seen = seen;
        let is_complete = |found: &&Found| {
            self.seen.get(&found.name).is_some_and(|(_, since)| now.duration_since(*since) >= settle)
        };
        found.iter().filter(is_complete).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_still_written_or_belongs_to_another_is_no_deliverable() {
        let folder = tempfile::tempdir().unwrap();
        let names = [
            "a.tar.gz",
            ".a.tar.gz.Xy1",
            "b.tar.gz.part",
            "b.tmp",
            "a.tar.gz.sha256",
            "a.tar.gz.minisig",
            "c.tar~",
        ];
        names.iter().for_each(|name| fs::write(folder.path().join(name), "12").unwrap());
        fs::create_dir(folder.path().join("folder")).unwrap();
        let (found, older) = look(folder.path()).unwrap();
        assert_eq!(found.iter().map(|found| found.name.as_str()).collect::<Vec<_>>(), ["a.tar.gz"]);
        assert_eq!((found[0].mark.size, older), (6, 0), "what belongs to it is part of it");
        assert!(look(&folder.path().join("nowhere")).is_err());
    }

    #[test]
    fn a_file_is_complete_when_it_has_not_changed_for_a_while() {
        let found = |size| vec![Found { mark: Mark { modified: Timestamp(1), size }, name: "a".to_owned() }];
        let (mut settling, start, settle) = (Settling::default(), Instant::now(), Duration::from_secs(3));
        let at = |secs| start + Duration::from_secs(secs);
        assert!(settling.complete(&found(1), at(0), settle).is_empty());
        assert!(settling.complete(&found(2), at(3), settle).is_empty(), "it has grown");
        assert!(settling.complete(&found(2), at(5), settle).is_empty());
        assert_eq!(settling.complete(&found(2), at(6), settle), found(2));
        assert!(settling.complete(&[], at(7), settle).is_empty());
        assert!(settling.complete(&found(2), at(9), settle).is_empty(), "it went away and came again");
    }

    #[test]
    fn only_the_last_files_are_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        (0..MOST + 5)
            .for_each(|number| fs::write(folder.path().join(format!("v{number}.tar")), "1").unwrap());
        let (found, older) = look(folder.path()).unwrap();
        assert_eq!((found.len(), older), (MOST, 5));
    }
}
