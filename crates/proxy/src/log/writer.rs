//! The thread that writes the log: the only one that waits for the disk.
//!
//! Writes when nothing more is waiting, or much is at hand. Once a second it looks whether the file is still the one at its path:
//! whoever turns logs over moves it away. Tested through the whole proxy.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tandem_core::spec::LogSpec;

use super::{Order, Tally, line};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// So many bytes are written together.
const TOGETHER: usize = 64 * 1024;

/// Writes until nobody can send any more.
pub(super) fn write(to: &str, spec: &LogSpec, orders: &Receiver<Order>, tally: &Tally) {
    let mut output = Output::new(to);
    let (mut text, mut lines, mut looked) = (Vec::with_capacity(TOGETHER), 0, Instant::now());
    loop {
        // What is at hand is written as soon as nothing more is waiting.
        let next = match text.is_empty() {
            true => orders.recv_timeout(LOOK),
            false => orders.try_recv().map_err(|_| RecvTimeoutError::Timeout),
        };
        let waits = matches!(next, Ok(Order::Line(_)));
        let mut done = None;
        match next {
            Ok(Order::Line(entry)) => {
                line::write(&entry, spec, &mut text);
                lines += 1;
            }
            Ok(Order::Reopen) => output.open(),
            Ok(Order::Flush(waiting)) => done = Some(waiting),
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if !text.is_empty() && (!waits || text.len() >= TOGETHER) {
            let told = if output.write(&text) { &tally.written } else { &tally.dropped };
            told.fetch_add(lines, Ordering::Relaxed);
            lines = 0;
            text.clear();
        }
        drop(done);
        if looked.elapsed() >= LOOK {
            output.look();
            looked = Instant::now();
        }
    }
}

/// Where lines go.
struct Output {
    /// None: standard output.
    path: Option<PathBuf>,
    file: Option<File>,
    /// Whether it was told that lines can't be written.
    warned: bool,
}

impl Output {
    fn new(to: &str) -> Output {
        let path = (to != "-").then(|| PathBuf::from(to));
        let mut output = Output { path, file: None, warned: false };
        output.open();
        output
    }

    fn open(&mut self) {
        let opened = match &self.path {
            Some(path) => open(path),
            None => io::stdout().as_fd().try_clone_to_owned().map(File::from),
        };
        match opened {
            Ok(file) => self.file = Some(file),
            Err(error) => self.warn(&error),
        }
    }

    /// Opens the file anew if it was moved away.
    fn look(&mut self) {
        let moved =
            self.path.as_ref().is_some_and(|path| !self.file.as_ref().is_some_and(|file| is_at(file, path)));
        if moved {
            self.open();
        }
    }

    /// Whether all of it was written.
    fn write(&mut self, text: &[u8]) -> bool {
        let Some(file) = &mut self.file else { return false };
        match file.write_all(text) {
            Ok(()) => {
                self.warned = false;
                true
            }
            Err(error) => {
                self.warn(&error);
                false
            }
        }
    }

    /// Once until it goes well again: a full disk is not to be filled with warnings.
    fn warn(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.warned, true) {
            let path = self.path.as_deref().unwrap_or(Path::new("-"));
            tracing::warn!(path = %path.display(), %error, "the log of requests can't be written; lines are dropped and counted");
        }
    }
}

/// Requests tell of people: the file is its owner's and the group's.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(there)) = (file.metadata(), path.metadata()) else { return false };
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}
