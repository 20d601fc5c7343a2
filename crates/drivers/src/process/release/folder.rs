//! A folder as a deliverable: what is in it, in a fixed order, into a sink; and its canonical digest.
//!
//! The digest covers paths, kinds, the right to execute, contents and link targets; not owners and times.
//! Must not know releases. Tested in place.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tandem_core::base::Digest;

use super::meter::{Hashing, to_digest};
use super::sink::Sink;
use super::{Refused, content};

/// Passes the folder's entries to the sink. `state`, Tandem's own folder, is left out if it is inside.
pub(crate) fn walk(source: &Path, state: &Path, sink: &mut Sink) -> Result<Digest, Refused> {
    let source = source.canonicalize().map_err(Refused::Reading)?;
    let hash = RefCell::new(Sha256::new_with_prefix("tandem folder 1\n"));
    let listing = Listing { source: &source, state, hash: &hash };
    // A stack of folders not yet listed, in reverse order, so that the way through the tree is the sorted one.
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        let mut within = listing.entries(&folder, sink)?;
        within.reverse();
        open.append(&mut within);
    }
    to_digest(hash.into_inner()).map_err(Refused::Reading)
}

/// The content of one file of the folder.
pub(crate) fn file(source: &Path, path: &Path, most: u64) -> Result<Option<Vec<u8>>, Refused> {
    let full = source.join(path);
    if !full.is_file() {
        return Ok(None);
    }
    content(File::open(full).map_err(Refused::Reading)?, path, most).map(Some)
}

struct Listing<'a> {
    source: &'a Path,
    state: &'a Path,
    hash: &'a RefCell<Sha256>,
}

impl Listing<'_> {
    /// Passes on what is in one folder; returns the folders in it.
    fn entries(&self, folder: &Path, sink: &mut Sink) -> Result<Vec<PathBuf>, Refused> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.source.join(folder)).map_err(Refused::Reading)? {
            names.push(entry.map_err(Refused::Reading)?.file_name());
        }
        names.sort_unstable();
        let mut folders = Vec::new();
        for name in names {
            let path = folder.join(name);
            let full = self.source.join(&path);
            let metadata = fs::symlink_metadata(&full).map_err(Refused::Reading)?;
            if full == self.state {
                continue;
            } else if metadata.is_dir() {
                self.note("folder", &path, b"");
                sink.folder(&path)?;
                folders.push(path);
            } else if metadata.is_symlink() {
                let target = fs::read_link(&full).map_err(Refused::Reading)?;
                self.note("link", &path, target.as_os_str().as_bytes());
                sink.link(&path, &target)?;
            } else if metadata.is_file() {
                self.file(&path, &full, metadata.permissions().mode(), sink)?;
            } else {
                let kind = if metadata.file_type().is_socket() { "a socket" } else { "a pipe or device" };
                return Err(Refused::Because(format!("{} is {kind}: remove it", path.display())));
            }
        }
        Ok(folders)
    }

    fn file(&self, path: &Path, full: &Path, mode: u32, sink: &mut Sink) -> Result<(), Refused> {
        let file = File::open(full).map_err(|error| {
            Refused::Reading(io::Error::new(error.kind(), format!("{}: {error}", path.display())))
        })?;
        // No more than there is room for, also if somebody writes to the file meanwhile.
        let room = sink.room().saturating_add(1);
        let mut content = Hashing::new(file.take(room));
        sink.file(path, mode, &mut content)?;
        let digest = content.finish().map_err(Refused::Reading)?;
        let kind = if mode & 0o111 == 0 { "file" } else { "program" };
        self.note(kind, path, digest.as_str().as_bytes());
        Ok(())
    }

    /// Each part with its length before it, so that no two folders give the same text.
    fn note(&self, kind: &str, path: &Path, content: &[u8]) {
        let mut hash = self.hash.borrow_mut();
        for part in [kind.as_bytes(), path.as_os_str().as_bytes(), content] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::Limits;
    use super::*;

    fn digest(source: &Path, state: &Path) -> Result<Digest, Refused> {
        walk(source, state, &mut Sink::nowhere(&Limits::default()))
    }

    #[test]
    fn the_digest_changes_with_what_matters_and_with_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("app/lib")).unwrap();
        fs::write(root.join("app/lib/code"), "one").unwrap();
        symlink("code", root.join("app/lib/alias")).unwrap();
        let app = root.join("app");
        let first = digest(&app, &root).unwrap();
        assert_eq!(digest(&app, &root).unwrap(), first);

        fs::set_permissions(app.join("lib/code"), fs::Permissions::from_mode(0o755)).unwrap();
        let executable = digest(&app, &root).unwrap();
        fs::rename(app.join("lib/code"), app.join("lib/coda")).unwrap();
        let renamed = digest(&app, &root).unwrap();
        fs::create_dir_all(app.join("state/deep")).unwrap();
        assert_eq!(digest(&app, &app.join("state")).unwrap(), renamed);
        assert!(first != executable && executable != renamed && digest(&app, &root).unwrap() != renamed);
    }

    #[test]
    fn what_is_no_content_is_refused() {
        let root = tempfile::tempdir().unwrap();
        symlink("/etc/passwd", root.path().join("out")).unwrap();
        assert!(digest(root.path(), Path::new("/")).unwrap_err().to_string().contains("leads out"));
        fs::remove_file(root.path().join("out")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.path().join("socket")).unwrap();
        assert!(digest(root.path(), Path::new("/")).unwrap_err().to_string().contains("a socket"));
        let few = Limits { bytes: 3, ..Limits::default() };
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "four").unwrap();
        let error = walk(folder.path(), Path::new("/"), &mut Sink::nowhere(&few)).unwrap_err();
        assert!(error.to_string().contains("larger than 3 bytes"), "{error}");
    }
}
