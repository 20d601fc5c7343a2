//! The signals that end `tandem up`, as a file descriptor that can be waited for.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

/// Counts the wishes to end.
#[derive(Debug)]
pub(super) struct Signals {
    wishes: UnixStream,
}

impl Signals {
    /// Catches SIGTERM and SIGINT from now on. SIGHUP is ignored: that a terminal was closed is no reason to take a
    /// service down.
    pub(super) fn catch() -> io::Result<Signals> {
        let (wishes, pen) = UnixStream::pair()?;
        wishes.set_nonblocking(true)?;
        pipe::register(SIGTERM, pen.try_clone()?)?;
        pipe::register(SIGINT, pen)?;
        signal_hook::flag::register(SIGHUP, Arc::new(AtomicBool::new(false)))?;
        Ok(Signals { wishes })
    }

    /// Becomes readable when somebody wishes an end.
    pub(super) fn handle(&self) -> BorrowedFd<'_> {
        self.wishes.as_fd()
    }

    /// Whether somebody wished an end since the last call.
    pub(super) fn take(&mut self) -> bool {
        let mut wishes = [0; 64];
        matches!(self.wishes.read(&mut wishes), Ok(1..))
    }
}
