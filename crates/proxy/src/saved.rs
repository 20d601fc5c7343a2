//! What was last in force, kept on disk so that a restarted proxy serves at once: the table, the certificates.
//!
//! One line with a checksum, one with the value. Written beside and renamed, so that it is whole or the one before; only its
//! owner can read it. Must not know what a value means. Tested in place.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why there is no usable value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SavedError {
    /// It could not be read.
    #[error("it could not be read: {0}")]
    Io(#[from] io::Error),
    /// It is not what was written.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

/// Writes the value so that it survives a crash of the machine at any moment.
pub(crate) fn write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string(value)?;
    let beside = path.with_added_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(format!("{:016x}\n{text}\n", checksum(text.as_bytes())).as_bytes())?;
    file.sync_all()?;
    drop(file);
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// Reads the value; `None` if none was written yet.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, SavedError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(SavedError::Damaged("it is not text".to_owned()));
        }
        Err(error) => return Err(error.into()),
    };
    let damaged = |why: &str| SavedError::Damaged(why.to_owned());
    let (sum, value) = text.split_once('\n').ok_or_else(|| damaged("it has no checksum"))?;
    let value = value.strip_suffix('\n').ok_or_else(|| damaged("its end is missing"))?;
    if u64::from_str_radix(sum, 16).ok() != Some(checksum(value.as_bytes())) {
        return Err(damaged("its checksum does not fit"));
    }
    serde_json::from_str(value).map(Some).map_err(|e| SavedError::Damaged(e.to_string()))
}

/// FNV-1a: finds accidents, not forgers; whoever can write the file can do worse.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &b| (sum ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use tandem_core::base::Generation;
    use tandem_core::traffic::Table;

    use super::*;

    #[test]
    fn every_damage_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table");
        assert!(read::<Table>(&path).unwrap().is_none());
        let table = Table { generation: Generation(7), listeners: Vec::new(), routes: Vec::new() };
        write(&path, &table).unwrap();
        assert_eq!(read(&path).unwrap(), Some(table));
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            fs::write(&path, &good[..at]).unwrap();
            assert!(read::<Table>(&path).is_err(), "cut at {at}");
            let mut flipped = good.clone();
            flipped[at] ^= 1;
            fs::write(&path, flipped).unwrap();
            assert!(read::<Table>(&path).is_err(), "flipped at {at}");
        }
    }
}
