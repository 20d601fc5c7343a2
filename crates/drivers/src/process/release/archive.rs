//! A tar archive, gzipped or not, as a deliverable. Nothing in it is trusted: paths, links, kinds, sizes, or that it is
//! whole.
//!
//! Must not know releases. Tested in `archive/tests.rs` with archives as no tool would make them.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;
use tandem_core::base::Digest;
use tar::{Archive, Entry, EntryType};

use super::meter::{Gauges, Hashing, Metered, USED_UP};
use super::sink::{Sink, inside, too_large};
use super::{Limits, Refused, content};

/// What may be read between two entries: long names and further attributes.
const BETWEEN: u64 = 1 << 20;
/// The size of a block in the tar format.
const BLOCK: u64 = 512;

/// The digest of an archive that may be unpacked or not.
pub(crate) fn digest(source: &Path) -> Result<Digest, Refused> {
    Hashing::new(open(source)?).finish().map_err(Refused::Reading)
}

/// Unpacks the archive into the sink, and returns the digest of the very bytes that were unpacked.
pub(crate) fn unpack(source: &Path, sink: &mut Sink, limits: &Limits) -> Result<Digest, Refused> {
    let mut file = BufReader::new(Hashing::new(open(source)?));
    let gauges = Rc::new(Gauges::default());
    gauges.allowance.set(BETWEEN);
    match kind(io::BufRead::fill_buf(&mut file).map_err(Refused::Reading)?)? {
        Kind::Gzip => {
            let packed = file.get_ref().count();
            let unpacked = MultiGzDecoder::new(file);
            let mut reader = Metered::new(unpacked, Rc::clone(&gauges));
            let watch = Watch { gauges, packed: Some(packed), limits };
            watch.entries(&mut reader, sink)?;
            reader.into_inner().into_inner().into_inner().finish()
        }
        Kind::Plain => {
            let mut reader = Metered::new(file, Rc::clone(&gauges));
            let watch = Watch { gauges, packed: None, limits };
            watch.entries(&mut reader, sink)?;
            reader.into_inner().into_inner().finish()
        }
    }
    .map_err(Refused::Reading)
}

/// The content of one file of the archive.
pub(crate) fn file(
    source: &Path,
    path: &Path,
    most: u64,
    limits: &Limits,
) -> Result<Option<Vec<u8>>, Refused> {
    let (mut file, path) = (BufReader::new(open(source)?), inside(path)?);
    let gauges = Rc::new(Gauges::default());
    let reader: Box<dyn Read> = match kind(io::BufRead::fill_buf(&mut file).map_err(Refused::Reading)?)? {
        Kind::Gzip => Box::new(MultiGzDecoder::new(file)),
        Kind::Plain => Box::new(file),
    };
    let damaged = |error: io::Error| Refused::Because(format!("the archive is damaged: {error}"));
    let mut archive = Archive::new(Metered::new(reader, Rc::clone(&gauges)));
    gauges.allowance.set(BETWEEN);
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        gauges.allowance.set(limits.bytes);
        if entry.header().entry_type().is_file() && inside(&entry.path().map_err(damaged)?)? == path {
            return content(entry, &path, most).map(Some);
        }
        io::copy(&mut entry, &mut io::sink()).map_err(damaged)?;
        gauges.allowance.set(BETWEEN);
    }
    Ok(None)
}

fn open(source: &Path) -> Result<File, Refused> {
    // Opening a pipe would wait for somebody to write to it.
    let options = File::options().read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32).clone();
    let file = options.open(source).map_err(Refused::Reading)?;
    if !file.metadata().map_err(Refused::Reading)?.is_file() {
        return Err(Refused::because("it is neither a file nor a folder"));
    }
    Ok(file)
}

enum Kind {
    Gzip,
    Plain,
}

/// The content tells, not the name.
fn kind(head: &[u8]) -> Result<Kind, Refused> {
    if head.starts_with(&[0x1f, 0x8b]) {
        Ok(Kind::Gzip)
    } else if head.get(257..262) == Some(b"ustar") {
        Ok(Kind::Plain)
    } else if head.is_empty() {
        Err(Refused::because("the file is empty"))
    } else {
        Err(Refused::because(
            "it is neither a folder nor a .tar.gz nor a .tar archive: pack it as one of these",
        ))
    }
}

/// Watches over the unpacking.
struct Watch<'a> {
    gauges: Rc<Gauges>,
    /// How much was read of a packed archive.
    packed: Option<Rc<std::cell::Cell<u64>>>,
    limits: &'a Limits,
}

impl Watch<'_> {
    fn entries(&self, reader: &mut impl Read, sink: &mut Sink) -> Result<(), Refused> {
        let mut archive = Archive::new(reader);
        for entry in archive.entries().map_err(|error| self.explain(error))? {
            let mut entry = entry.map_err(|error| self.explain(error))?;
            self.gauges.allowance.set(sink.room().saturating_add(BETWEEN));
            self.entry(&mut entry, sink)?;
            self.gauges.allowance.set(BETWEEN);
        }
        if self.gauges.zeros.get() < BLOCK {
            return Err(Refused::because("the archive is truncated: its end mark is missing"));
        }
        // What follows the end mark is padding; reading it also proves the checksum of a packed archive.
        io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(|error| {
            if error.to_string().contains(USED_UP) {
                return Refused::because("more than 1 MiB follows the end of the archive");
            }
            self.explain(error)
        })?;
        Ok(())
    }

    fn entry<R: Read>(&self, entry: &mut Entry<'_, R>, sink: &mut Sink) -> Result<(), Refused> {
        let kind = entry.header().entry_type();
        if kind == EntryType::XGlobalHeader {
            return Ok(());
        }
        let path = inside(&entry.path().map_err(|error| self.explain(error))?)?;
        let target =
            entry.link_name().map_err(|error| self.explain(error))?.map(std::borrow::Cow::into_owned);
        match (kind, target) {
            (EntryType::Directory, _) => sink.folder(&path),
            (EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse, _) => {
                let mode = entry.header().mode().map_err(|error| self.explain(error))?;
                let mut content = Content { entry, watch: self };
                sink.file(&path, mode, &mut content).map_err(|refused| match refused {
                    Refused::Reading(error) => self.explain(error),
                    other => other,
                })
            }
            (EntryType::Symlink, Some(target)) => sink.link(&path, &target),
            (EntryType::Link, Some(target)) => sink.same_file(&path, &inside(&target)?),
            _ => {
                let why = "is neither a file, nor a folder, nor a link: leave it out";
                Err(Refused::Because(format!("the entry {} {why}", path.display())))
            }
        }
    }

    fn too_dense(&self) -> bool {
        let passed = self.gauges.passed.get();
        self.packed.as_ref().is_some_and(|packed| {
            passed > self.limits.ratio_from && passed / self.limits.ratio > packed.get().max(1)
        })
    }

    fn explain(&self, error: io::Error) -> Refused {
        if error.kind() == io::ErrorKind::UnexpectedEof || self.gauges.ended.get() {
            return Refused::because("the archive is truncated: it ends in the middle");
        }
        let text = error.to_string();
        if text.contains(USED_UP) {
            return if self.gauges.passed.get() > self.limits.bytes {
                too_large(self.limits)
            } else {
                Refused::because("an entry's name or attributes are too long")
            };
        }
        if text.contains(TOO_DENSE) {
            let why = format!("its content is more than {} times larger than the archive", self.limits.ratio);
            return Refused::Because(why);
        }
        match error.kind() {
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Other => {
                Refused::Because(format!("the archive is damaged: {text}"))
            }
            _ => Refused::Reading(error),
        }
    }
}

const TOO_DENSE: &str = "too dense";

/// The content of one entry, stopped as soon as the archive turns out to be a bomb.
struct Content<'a, 'b, R: Read> {
    entry: &'a mut Entry<'b, R>,
    watch: &'a Watch<'a>,
}

impl<R: Read> Read for Content<'_, '_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.watch.too_dense() {
            return Err(io::Error::other(TOO_DENSE));
        }
        self.entry.read(buffer)
    }
}

#[cfg(test)]
mod tests;
