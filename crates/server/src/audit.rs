//! Who did what: a line for each call that may change something, and for each refusal, in a file that is kept short.
//!
//! The process that answers the network and the controllers write to the same file, each whole lines at its end; where both put
//! it aside at once, one place is lost. Tested in place, in `tests/server/admin` and in `tests/server/api.rs`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::message::AuditEntry;
use crate::state::StateFolder;

/// A file that has become larger than this, in bytes, is put aside.
const LARGEST: u64 = 4 << 20;
/// So many are kept aside.
const ASIDE: usize = 4;
/// The longest text that is taken from a request, in bytes.
const LONGEST: usize = 256;

/// The file.
pub(crate) struct Audit {
    state: StateFolder,
    largest: u64,
    /// One line at a time.
    turn: Mutex<()>,
}

impl Audit {
    pub(crate) fn of(state: &StateFolder) -> Audit {
        Audit { state: state.clone(), largest: LARGEST, turn: Mutex::default() }
    }

    /// Writes a line. One that can't be written is told in the log.
    pub(crate) fn note(&self, mut entry: AuditEntry) {
        entry.path = cut(&entry.path);
        entry.method = cut(&entry.method);
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = self.write(&entry) {
            tracing::error!(%error, entry = ?entry, "who did what can't be written down");
        }
    }

    /// The last `most` lines, the newest first.
    pub(crate) fn newest(&self, most: usize) -> Vec<AuditEntry> {
        let mut found = Vec::new();
        for number in 0..=ASIDE {
            let Ok(text) = fs::read_to_string(self.state.audit(number)) else { break };
            let entries = text.lines().rev().filter_map(|line| serde_json::from_str(line).ok());
            found.extend(entries.take(most.saturating_sub(found.len())));
        }
        found
    }

    fn write(&self, entry: &AuditEntry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let mut file = self.open()?;
        if file.metadata()?.len() + line.len() as u64 > self.largest {
            for number in (0..ASIDE).rev() {
                match fs::rename(self.state.audit(number), self.state.audit(number + 1)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            file = self.open()?;
        }
        file.write_all(&line)
    }

    fn open(&self) -> io::Result<File> {
        let path: PathBuf = self.state.audit(0);
        OpenOptions::new().append(true).create(true).mode(0o600).open(path)
    }
}

fn cut(text: &str) -> String {
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use tandem_core::base::Timestamp;

    use super::*;

    #[test]
    fn the_newest_lines_are_kept_and_no_more_than_there_is_room_for() {
        let folder = tempfile::tempdir().unwrap();
        let audit = Audit { largest: 1000, ..Audit::of(&StateFolder::at(folder.path())) };
        let entry = |at| AuditEntry {
            at: Timestamp(at),
            who: "ci".to_owned(),
            role: None,
            from: None,
            method: "POST".to_owned(),
            path: format!("/ä{}", "x".repeat(1000)),
            status: 202,
        };
        for at in 0..40 {
            audit.note(entry(at));
        }
        let newest = audit.newest(5);
        assert_eq!(newest.iter().map(|entry| entry.at.0).collect::<Vec<_>>(), [39, 38, 37, 36, 35]);
        assert!(newest[0].path.len() <= LONGEST, "{}", newest[0].path.len());
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().collect();
        assert_eq!(files.len(), ASIDE + 1);
        assert!(files.iter().all(|file| file.metadata().unwrap().len() <= 1000));
        assert!(audit.newest(1000).len() < 40);
    }
}
