//! The shelf: copies of the files of recent versions whose names tell their content. The proxy answers with them when the
//! instance that it asked has no such file.
//!
//! Filled when a deliverable is made ready, bounded in bytes and in time. What can't be shelved fails no deployment. Must not
//! know who asks. Tested in place.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tandem_core::base::ServiceName;
use tandem_core::spec::AssetSpec;
use tandem_core::traffic::asset::{CONVENTIONS, tells_content};

/// The most files that are kept.
const MOST: usize = 100_000;

/// How deep folders may be.
const DEEPEST: usize = 24;

/// The files of one service.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    root: PathBuf,
    spec: AssetSpec,
}

/// A file that is kept.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    /// When a version that has it was last deployed.
    used: SystemTime,
    size: u64,
}

impl Shelf {
    /// The shelf of a service below a folder.
    pub(crate) fn new(folder: &Path, service: &ServiceName, spec: &AssetSpec) -> Shelf {
        Shelf { root: folder.join(service.as_str()), spec: spec.clone() }
    }

    /// The folders of a deliverable in which it looks.
    pub(crate) fn folders(&self) -> impl Iterator<Item = &str> {
        let own = self.spec.folders.values().map(String::as_str);
        own.chain(CONVENTIONS.iter().map(|(_, folder)| *folder)).filter(|_| self.spec.size > 0)
    }

    /// Takes in what a deliverable has, and lets go of what is too old or too much.
    ///
    /// # Errors
    /// A file could not be copied; the rest is there.
    pub(crate) fn take(&self, deliverable: &Path, now: SystemTime) -> io::Result<()> {
        if self.spec.size == 0 {
            return Ok(());
        }
        let mut outcome = Ok(());
        let own = self.spec.folders.iter().map(|(path, folder)| (path.as_str(), folder.as_str(), false));
        let known = CONVENTIONS.iter().map(|(path, folder)| (*path, *folder, true));
        for (path, folder, all) in own.chain(known) {
            let to = self.root.join(path.trim_matches('/'));
            for file in files(&deliverable.join(folder), DEEPEST) {
                let name = file.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                let Ok(below) = file.path.strip_prefix(deliverable.join(folder)) else { continue };
                if (all || tells_content(name)) && file.size <= self.spec.size {
                    outcome = outcome.and(put(&file, &to.join(below), now));
                }
            }
        }
        self.prune(now);
        outcome
    }

    /// Removes what was last used too long ago, and the longest unused as long as there is too much.
    fn prune(&self, now: SystemTime) {
        let mut kept = files(&self.root, DEEPEST);
        kept.sort_by(|a, b| (b.used, &b.path).cmp(&(a.used, &a.path)));
        let (mut size, mut number) = (0_u64, 0);
        for file in kept {
            size = size.saturating_add(file.size);
            number += 1;
            let age = now.duration_since(file.used).unwrap_or_default();
            if size > self.spec.size || number > MOST || age > self.spec.keep.to_std() {
                let _already_gone = fs::remove_file(&file.path);
            }
        }
    }
}

/// Copies a file, so that either all of it is there or none; one that is there already was used once more.
fn put(file: &Kept, to: &Path, now: SystemTime) -> io::Result<()> {
    let times = FileTimes::new().set_modified(now);
    if fs::metadata(to).is_ok_and(|found| found.is_file() && found.len() == file.size) {
        return File::options().write(true).open(to)?.set_times(times);
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    let beside = to.with_added_extension("new");
    // Its content alone: a file that nobody may write is to be marked as used later on.
    let mut copy = File::create(&beside)?;
    io::copy(&mut File::open(&file.path)?, &mut copy)?;
    copy.set_times(times)?;
    fs::rename(&beside, to)
}

/// The plain files below a folder; links are not followed, and what can't be read is not there.
fn files(folder: &Path, deepest: usize) -> Vec<Kept> {
    let mut found = Vec::new();
    let mut folders = vec![(folder.to_owned(), deepest)];
    while let Some((folder, left)) = folders.pop() {
        let entries: BTreeMap<PathBuf, fs::Metadata> = fs::read_dir(&folder)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)))
            .collect();
        for (path, entry) in entries {
            if entry.is_dir() && left > 0 {
                folders.push((path, left - 1));
            } else if entry.is_file() && found.len() < 2 * MOST {
                let used = entry.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                found.push(Kept { path, used, size: entry.len() });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;

    use tandem_core::base::Millis;

    use super::*;

    fn write(folder: &Path, path: &str, text: &str) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn on(shelf: &Shelf) -> Vec<String> {
        let name = |file: Kept| file.path.strip_prefix(&shelf.root).unwrap().display().to_string();
        let mut names: Vec<String> = files(&shelf.root, DEEPEST).into_iter().map(name).collect();
        names.sort();
        names
    }

    #[test]
    fn files_of_recent_versions_are_kept_within_bounds() {
        let temp = tempfile::tempdir().unwrap();
        let spec = AssetSpec {
            folders: [("/assets/".to_owned(), "public".to_owned())].into(),
            size: 30,
            keep: Millis::from_secs(60),
        };
        let shelf = Shelf::new(&temp.path().join("shelf"), &"shop".parse().unwrap(), &spec);
        let (one, two) = (temp.path().join("one"), temp.path().join("two"));
        write(&one, "public/app-11111111a.js", "0123456789");
        write(&one, "public/robots.txt", "no");
        write(&one, ".next/static/chunks/main.js", "0123456789");
        write(&one, "public/huge-22222222a.js", &"x".repeat(31));
        let read_only = fs::Permissions::from_mode(0o444);
        fs::set_permissions(one.join("public/app-11111111a.js"), read_only).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", one.join("public/link-33333333a.js")).unwrap();
        let at = |secs| SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
        shelf.take(&one, at(1000)).unwrap();
        assert_eq!(on(&shelf), ["_next/static/chunks/main.js", "assets/app-11111111a.js"]);
        let kept = fs::metadata(shelf.root.join("assets/app-11111111a.js")).unwrap();
        assert_eq!(kept.permissions().mode() & 0o200, 0o200, "it can be marked as used again");

        // The second version has one of them still, and so much of its own that the other one has no place.
        write(&two, "public/app-11111111a.js", "0123456789");
        write(&two, "public/sub/style.4444444b.css", "01234567890123456789");
        shelf.take(&two, at(1010)).unwrap();
        assert_eq!(on(&shelf), ["assets/app-11111111a.js", "assets/sub/style.4444444b.css"]);

        // A version without files does not empty it; time does.
        shelf.take(&temp.path().join("none"), at(1070)).unwrap();
        assert_eq!(on(&shelf).len(), 2);
        shelf.take(&temp.path().join("none"), at(1071)).unwrap();
        assert_eq!(on(&shelf), Vec::<String>::new());
    }
}
