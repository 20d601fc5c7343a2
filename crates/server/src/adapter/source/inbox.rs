//! Where deliverables that came by themselves are kept until they are deployed: under the digest of their content, so that
//! what is deployed is what was looked at, whatever becomes of the file that it came from.
//!
//! Must not know how they come. Tested in place, and end to end in `crates/cli`.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};
use tandem_core::base::Digest;
use tandem_drivers::{Driver, DriverError};

use super::proof::{Demands, Proof};

/// Files that are not whole yet begin so; a digest never does.
const UNFINISHED: &str = ".new-";

/// The kept deliverables of one service.
pub(crate) struct Inbox {
    folder: PathBuf,
    driver: Arc<dyn Driver>,
    demands: Demands,
    /// No deliverable is larger, in bytes.
    largest: u64,
    next: AtomicU64,
    /// What is kept and perhaps not in the queue yet.
    claimed: Mutex<BTreeSet<Digest>>,
}

/// Why a deliverable is not kept.
#[derive(Debug)]
pub(crate) enum NotKept {
    /// It can't be deployed; why, for people.
    Refused(String),
    /// It is too large; why, for people.
    TooLarge(String),
    /// The disk is full, or something else that is not its fault. The same may succeed later.
    Trouble(String),
}

/// A deliverable that is arriving. Dropped before its end, nothing is left of it.
pub(crate) struct Incoming {
    file: File,
    path: PathBuf,
    hash: Sha256,
    size: u64,
    largest: u64,
}

/// A deliverable that is kept, and is not swept away while this lives.
pub(crate) struct Kept<'a> {
    pub(crate) digest: Digest,
    pub(crate) path: PathBuf,
    inbox: &'a Inbox,
}

impl Inbox {
    /// The inbox in a folder, which is made if need be. What was arriving when the last one ended is removed.
    ///
    /// # Errors
    /// The folder can't be made or read.
    pub(crate) fn open(
        folder: PathBuf,
        driver: Arc<dyn Driver>,
        demands: Demands,
        largest: u64,
    ) -> io::Result<Inbox> {
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Inbox { folder, driver, demands, largest, next: AtomicU64::new(0), claimed: Mutex::default() })
    }

    /// Room for a deliverable of at least so many bytes.
    ///
    /// # Errors
    /// It is too large, or the system's.
    pub(crate) fn begin(&self, least: u64) -> Result<Incoming, NotKept> {
        if least > self.largest {
            return Err(too_large(self.largest));
        }
        let path = self.folder.join(format!("{UNFINISHED}{}", self.next.fetch_add(1, Ordering::Relaxed)));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|error| trouble(&error))?;
        Ok(Incoming { file, path, hash: Sha256::new(), size: 0, largest: self.largest })
    }

    /// Keeps a deliverable that is all there, if it is what it should be and can be unpacked.
    ///
    /// # Errors
    /// It is not, or the system's.
    pub(crate) fn keep(&self, incoming: Incoming, proof: &Proof) -> Result<Kept<'_>, NotKept> {
        let hash = incoming.hash.clone().finalize();
        let digest: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let digest: Digest = digest.parse().map_err(|error| NotKept::Trouble(format!("{error}")))?;
        let verdict =
            self.demands.are_met(proof, &digest, &incoming.path).map_err(|error| trouble(&error))?;
        verdict.map_err(NotKept::Refused)?;
        match self.driver.inspect(&incoming.path) {
            Ok(_) => {}
            Err(DriverError::Deliverable { why, .. }) => return Err(NotKept::Refused(why)),
            Err(error) => return Err(NotKept::Trouble(error.to_string())),
        }
        incoming.file.sync_all().map_err(|error| trouble(&error))?;
        // Claimed before it has its name: nobody sweeps it away.
        self.claimed().insert(digest.clone());
        let kept = Kept { path: self.folder.join(digest.as_str()), digest, inbox: self };
        let named = fs::rename(&incoming.path, &kept.path);
        named.and_then(|()| File::open(&self.folder)?.sync_all()).map_err(|error| trouble(&error))?;
        Ok(kept)
    }

    /// Removes what nobody needs any more.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn sweep(&self, needs: impl Fn(&Digest) -> bool) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let Some(digest) = entry.file_name().to_str().and_then(|name| name.parse::<Digest>().ok()) else {
                continue;
            };
            let claimed = self.claimed();
            if !claimed.contains(&digest) && !needs(&digest) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn claimed(&self) -> MutexGuard<'_, BTreeSet<Digest>> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Incoming {
    /// Takes more of it.
    ///
    /// # Errors
    /// It is too large, or the disk is full.
    pub(crate) fn write(&mut self, part: &[u8]) -> Result<(), NotKept> {
        self.size = self.size.saturating_add(part.len() as u64);
        if self.size > self.largest {
            return Err(too_large(self.largest));
        }
        self.hash.update(part);
        self.file.write_all(part).map_err(|error| trouble(&error))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // It has another name if it is kept.
        let _ = fs::remove_file(&self.path);
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        self.inbox.claimed().remove(&self.digest);
    }
}

/// The refusal of a deliverable that is larger than it may be.
fn too_large(largest: u64) -> NotKept {
    NotKept::TooLarge(format!("it is larger than {largest} bytes, which `source.max_size` allows"))
}

fn trouble(error: &io::Error) -> NotKept {
    NotKept::Trouble(match error.kind() {
        io::ErrorKind::StorageFull => "the disk is full: free some space, and it is tried again".to_owned(),
        _ => error.to_string(),
    })
}

/// Reads a file of the folder into the inbox.
///
/// # Errors
/// The system's, or it is too large.
pub(super) fn copy(file: &Path, incoming: &mut Incoming) -> Result<(), NotKept> {
    let opened =
        OpenOptions::new().read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32).open(file);
    let (mut file, mut part) = (opened.map_err(|error| trouble(&error))?, vec![0; 256 * 1024]);
    loop {
        match file.read(&mut part).map_err(|error| trouble(&error))? {
            0 => return Ok(()),
            count => incoming.write(part.get(..count).unwrap_or_default())?,
        }
    }
}
