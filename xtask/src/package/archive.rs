//! Archives whose bytes depend on nothing but what is in them: one owner, one time, one order.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use super::Release;

/// A tar under construction.
pub(super) struct Archive<W: Write> {
    builder: Builder<W>,
    time: u64,
    folders: BTreeSet<String>,
}

impl<W: Write> Archive<W> {
    pub(super) fn new(to: W, time: u64) -> Archive<W> {
        Archive { builder: Builder::new(to), time, folders: BTreeSet::new() }
    }

    /// Adds a file, and the folders above it that are not there yet.
    pub(super) fn file(&mut self, path: &str, bytes: &[u8], mode: u32) -> Result<(), String> {
        let above: Vec<&str> = path.match_indices('/').filter_map(|(at, _)| path.get(..=at)).collect();
        for folder in above {
            if self.folders.insert(folder.to_owned()) {
                self.entry(folder, &[], 0o755, EntryType::Directory)?;
            }
        }
        self.entry(path, bytes, mode, EntryType::Regular)
    }

    /// Adds an empty folder.
    pub(super) fn folder(&mut self, path: &str, mode: u32) -> Result<(), String> {
        self.folders.insert(path.to_owned());
        self.entry(path, &[], mode, EntryType::Directory)
    }

    fn entry(&mut self, path: &str, bytes: &[u8], mode: u32, kind: EntryType) -> Result<(), String> {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        header.set_mtime(self.time);
        header.set_uid(0);
        header.set_gid(0);
        self.builder.append_data(&mut header, path, bytes).map_err(|why| format!("can't add {path}: {why}"))
    }

    pub(super) fn finish(self) -> Result<W, String> {
        self.builder.into_inner().map_err(|why| format!("can't end an archive: {why}"))
    }
}

/// The same files as the package, for any Linux; below one folder, as they go below `/` or `/usr/local`.
pub(super) fn write(release: &Release, path: &Path) -> Result<(), String> {
    let zipped = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    let mut archive = Archive::new(zipped, release.time);
    let top = format!("tandem-{}", release.version);
    for (name, content) in &release.contents.0 {
        archive.file(&format!("{top}/{name}"), &content.bytes, content.mode)?;
    }
    let bytes = archive.finish()?.finish().map_err(|why| format!("can't compress: {why}"))?;
    fs::write(path, bytes).map_err(|why| format!("can't write {}: {why}", path.display()))
}
