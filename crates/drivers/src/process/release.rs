//! Releases: deliverables made ready to run, `releases/<version>/files`, read-only, with the digest beside them.
//!
//! A deliverable is a folder or a tar archive, gzipped or not. Nothing is stripped: an archive with a single folder at its
//! top gives a release with that folder in it. A release is made under another name and renamed when it is whole and on
//! the disk, so one that is there is whole.
//!
//! Must not know instances. Tested in place with evil archives, and by `tests/drivers`.

pub(crate) mod archive;
mod folder;
mod link;
mod meter;
pub(crate) mod sink;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use tandem_core::base::{Digest, VersionLabel};

use super::layout::{self, Layout};
use super::record::{self, ReleaseRecord};
use crate::driver::DriverError;
use sink::Sink;

/// What a deliverable may hold. The defaults are far above what services need and far below what hurts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Files, folders and links together.
    pub entries: u64,
    /// Bytes of all files together, and of an unpacked archive.
    pub bytes: u64,
    /// How many times larger than the archive its content may be, once that is larger than `ratio_from`.
    pub ratio: u64,
    /// Bytes of content up to which any ratio is fine.
    pub ratio_from: u64,
}

impl Default for Limits {
    /// 200 000 entries, 4 GiB, 200 times from 64 MiB on.
    fn default() -> Limits {
        Limits { entries: 200_000, bytes: 4 << 30, ratio: 200, ratio_from: 64 << 20 }
    }
}

/// Why a deliverable is refused, before it is known which.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// Something is wrong with it; the text is for people.
    #[error("{0}")]
    Because(String),
    /// The system failed while it was read.
    #[error("{0}")]
    Reading(io::Error),
    /// The system failed while the release was written.
    #[error("{0}")]
    Writing(io::Error),
}

impl Refused {
    fn because(why: impl Into<String>) -> Refused {
        Refused::Because(why.into())
    }
}

/// Removes what crashes have left half made or half removed.
pub(crate) fn sweep(layout: &Layout) -> io::Result<()> {
    for entry in fs::read_dir(layout.releases())? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            sink::remove_tree(&entry.path())?;
        }
    }
    Ok(())
}

/// Makes the version ready to run; see [`crate::Driver::prepare`].
pub(crate) fn prepare(
    layout: &Layout,
    version: &VersionLabel,
    source: &Path,
    limits: &Limits,
) -> Result<Digest, DriverError> {
    let refused = |refused: Refused| explain(source, &layout.release(version), refused);
    if let Some(ReleaseRecord { digest: prepared }) = record::read(&layout.release(version))? {
        let offered = digest(layout, source, limits).map_err(refused)?;
        return if offered == prepared {
            Ok(prepared)
        } else {
            Err(DriverError::OtherContent { version: version.clone(), prepared, offered })
        };
    }
    let temporary = layout.releases().join(format!(".new-{version}"));
    let made = make(layout, source, &temporary, limits).map_err(refused).and_then(|digest| {
        record::write(&temporary, &ReleaseRecord { digest: digest.clone() })?;
        publish(layout, version, &temporary).map_err(DriverError::io("writing", &layout.release(version)))?;
        Ok(digest)
    });
    if made.is_err() {
        let _ = sink::remove_tree(&temporary);
    }
    made
}

/// Reads a deliverable to its end without making it ready; see [`crate::Driver::inspect`].
pub(crate) fn inspect(layout: &Layout, source: &Path, limits: &Limits) -> Result<Digest, DriverError> {
    let mut sink = Sink::nowhere(limits);
    let read = fs::metadata(source).map_err(Refused::Reading).and_then(|is| match is.is_dir() {
        true => folder::walk(source, layout.root(), &mut sink),
        false => archive::unpack(source, &mut sink, limits),
    });
    read.and_then(|digest| sink.finish().map(|()| digest)).map_err(|refused| explain(source, source, refused))
}

/// One file of a deliverable; see [`crate::Driver::file`].
pub(crate) fn file(
    source: &Path,
    path: &Path,
    most: u64,
    limits: &Limits,
) -> Result<Option<Vec<u8>>, DriverError> {
    let found = fs::metadata(source).map_err(Refused::Reading).and_then(|is| match is.is_dir() {
        true => folder::file(source, path, most),
        false => archive::file(source, path, most, limits),
    });
    found.map_err(|refused| explain(source, source, refused))
}

/// The content of a file that must not be too large.
fn content(from: impl Read, path: &Path, most: u64) -> Result<Vec<u8>, Refused> {
    let mut content = Vec::new();
    from.take(most.saturating_add(1)).read_to_end(&mut content).map_err(Refused::Reading)?;
    match content.len() as u64 > most {
        true => Err(Refused::Because(format!("{} is larger than {most} bytes", path.display()))),
        false => Ok(content),
    }
}

fn explain(source: &Path, release: &Path, refused: Refused) -> DriverError {
    let because = |why: String| DriverError::Deliverable { source_path: source.to_owned(), why };
    match refused {
        Refused::Because(why) => because(why),
        Refused::Reading(error) => match error.kind() {
            io::ErrorKind::NotFound => because("there is no such file or folder".to_owned()),
            _ => because(error.to_string()),
        },
        Refused::Writing(error) => DriverError::io("unpacking into", release)(error),
    }
}

/// The digest of a deliverable: the SHA-256 of an archive's bytes, or of a folder's canonical listing and content.
fn digest(layout: &Layout, source: &Path, limits: &Limits) -> Result<Digest, Refused> {
    if fs::metadata(source).map_err(Refused::Reading)?.is_dir() {
        folder::walk(source, layout.root(), &mut Sink::nowhere(limits))
    } else {
        archive::digest(source)
    }
}

fn make(layout: &Layout, source: &Path, temporary: &Path, limits: &Limits) -> Result<Digest, Refused> {
    let is_folder = fs::metadata(source).map_err(Refused::Reading)?.is_dir();
    if temporary.exists() {
        sink::remove_tree(temporary).map_err(Refused::Writing)?;
    }
    let files = temporary.join("files");
    layout::create_private(&files).map_err(Refused::Writing)?;
    let mut sink = Sink::into(&files, limits);
    let digest = if is_folder {
        folder::walk(source, layout.root(), &mut sink)?
    } else {
        archive::unpack(source, &mut sink, limits)?
    };
    sink.finish()?;
    Ok(digest)
}

/// Everything on the disk first, then the name by which it counts.
fn publish(layout: &Layout, version: &VersionLabel, temporary: &Path) -> io::Result<()> {
    rustix::fs::syncfs(File::open(temporary)?)?;
    fs::rename(temporary, layout.release(version))?;
    File::open(layout.releases())?.sync_all()
}

/// The releases that are there.
pub(crate) fn prepared(layout: &Layout) -> Result<BTreeMap<VersionLabel, Digest>, DriverError> {
    let folder = layout.releases();
    let mut prepared = BTreeMap::new();
    for entry in fs::read_dir(&folder).map_err(DriverError::io("reading", &folder))? {
        let entry = entry.map_err(DriverError::io("reading", &folder))?;
        let Some(version) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some(ReleaseRecord { digest }) = record::read(&entry.path())? {
            prepared.insert(version, digest);
        }
    }
    Ok(prepared)
}

/// Removes a release; it stops to count before its first file goes.
pub(crate) fn discard(layout: &Layout, version: &VersionLabel) -> Result<(), DriverError> {
    let release = layout.release(version);
    if !release.exists() {
        return Ok(());
    }
    let doomed = layout.releases().join(format!(".old-{version}"));
    let remove = || {
        if doomed.exists() {
            sink::remove_tree(&doomed)?;
        }
        fs::rename(&release, &doomed)?;
        sink::remove_tree(&doomed)
    };
    remove().map_err(DriverError::io("removing", &release))
}
