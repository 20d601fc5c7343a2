//! The small files by which driver and keeper know of each other across crashes. Each is written whole or not at all.
//!
//! Must not know when they are written: that order is the keeper's and the driver's. Tested in place.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tandem_core::base::{Digest, Millis, ServiceName, VersionLabel};
use tandem_core::fleet::Exit;
use tandem_core::spec::Signal;

use super::identity::Identity;
use super::keeper::KeeperCommand;
use crate::driver::DriverError;

/// The form of the files. A higher number in a file means that a newer Tandem wrote it.
pub(crate) const FORMAT: u32 = 1;

/// `spec.json`: all that the keeper needs. Written before the keeper is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SpecRecord {
    pub(crate) service: ServiceName,
    pub(crate) version: VersionLabel,
    pub(crate) address: SocketAddr,
    /// Program and arguments, with `$PORT` already replaced.
    pub(crate) command: Vec<String>,
    /// The whole environment, except the nonce.
    pub(crate) env: BTreeMap<String, String>,
    /// The release folder; the app runs in it.
    pub(crate) files: PathBuf,
    pub(crate) signal: Signal,
    pub(crate) grace: Millis,
    pub(crate) keeper: KeeperCommand,
}

/// `keeper.json`: who the keeper is. Written under the instance's lock before the app is started, and never again: where
/// it stands, the app was started, or never will be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeeperRecord {
    pub(crate) identity: Identity,
    /// In the environment of every process of the instance.
    pub(crate) nonce: String,
    /// The inode of the pipe into which the app writes its log.
    pub(crate) pipe: u64,
}

/// `exit.json`: how it ended. Written when no process of the instance is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExitRecord {
    pub(crate) exit: Exit,
}

/// `release.json`: what a release was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReleaseRecord {
    pub(crate) digest: Digest,
}

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    format: u32,
    #[serde(flatten)]
    record: T,
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

/// A kind of record and the name of its file.
pub(crate) trait Record: Serialize + DeserializeOwned {
    const FILE: &'static str;
}

impl Record for SpecRecord {
    const FILE: &'static str = "spec.json";
}
impl Record for KeeperRecord {
    const FILE: &'static str = "keeper.json";
}
impl Record for ExitRecord {
    const FILE: &'static str = "exit.json";
}
impl Record for ReleaseRecord {
    const FILE: &'static str = "release.json";
}

/// Takes the room for a record that must be written later even if the disk is full by then.
pub(crate) fn reserve<R: Record>(folder: &Path) -> io::Result<()> {
    let mut file = private(&folder.join(format!("{}.tmp", R::FILE)))?;
    file.write_all(&[b' '; RESERVED])?;
    file.sync_all()
}

/// More than any record that room is taken for.
const RESERVED: usize = 16 * 1024;

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Writes the record into `folder` so that after a crash it is there whole or not at all.
pub(crate) fn write<R: Record>(folder: &Path, record: &R) -> Result<(), DriverError> {
    let path = folder.join(R::FILE);
    let temporary = folder.join(format!("{}.tmp", R::FILE));
    replace(folder, &temporary, &path, record).map_err(|error| {
        let _ = fs::remove_file(&temporary);
        DriverError::io("writing", &path)(error)
    })
}

fn replace<R: Record>(folder: &Path, temporary: &Path, path: &Path, record: &R) -> io::Result<()> {
    let text = serde_json::to_vec_pretty(&Envelope { format: FORMAT, record })?;
    let mut file = private(temporary)?;
    file.write_all(&text)?;
    // Only now, as the room may have been reserved.
    file.set_len(text.len() as u64)?;
    file.sync_all()?;
    fs::rename(temporary, path)?;
    File::open(folder)?.sync_all()
}

/// Reads the record in `folder`; none if it was not written.
pub(crate) fn read<R: Record>(folder: &Path) -> Result<Option<R>, DriverError> {
    let path = folder.join(R::FILE);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DriverError::io("reading", &path)(error)),
    };
    let damaged = |error: serde_json::Error| DriverError::Record {
        path: path.clone(),
        why: format!("the file is damaged: {error}"),
    };
    let FormatOnly { format } = serde_json::from_slice(&text).map_err(damaged)?;
    if format > FORMAT {
        let why = format!("format {format} is of a newer Tandem (this one knows {FORMAT}): run that one");
        return Err(DriverError::Record { path, why });
    }
    serde_json::from_slice(&text).map(|Envelope { record, .. }| Some(record)).map_err(damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_other_forms_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read::<ExitRecord>(folder.path()).unwrap(), None);
        let record = ExitRecord { exit: Exit::Code(3) };
        write(folder.path(), &record).unwrap();
        assert_eq!(read(folder.path()).unwrap(), Some(record));

        let path = folder.path().join(ExitRecord::FILE);
        fs::write(&path, r#"{"format": 99, "exit": {"code": 3}}"#).unwrap();
        assert!(read::<ExitRecord>(folder.path()).unwrap_err().to_string().contains("newer Tandem"));
        fs::write(&path, r#"{"format": 1, "ex"#).unwrap();
        assert!(read::<ExitRecord>(folder.path()).unwrap_err().to_string().contains("damaged"));
    }
}
