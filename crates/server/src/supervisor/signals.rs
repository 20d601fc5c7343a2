//! The signals that `tandem up` follows, as file descriptors that can be waited for.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

/// Counts the wishes to end, and those to reload.
#[derive(Debug)]
pub(super) struct Signals {
    wishes: UnixStream,
    reloads: UnixStream,
}

impl Signals {
    /// Catches SIGTERM and SIGINT, which end it, and SIGHUP, which has it reload, from now on.
    pub(super) fn catch() -> io::Result<Signals> {
        let (wishes, pen) = UnixStream::pair()?;
        wishes.set_nonblocking(true)?;
        pipe::register(SIGTERM, pen.try_clone()?)?;
        pipe::register(SIGINT, pen)?;
        let (reloads, pen) = UnixStream::pair()?;
        reloads.set_nonblocking(true)?;
        pipe::register(SIGHUP, pen)?;
        Ok(Signals { wishes, reloads })
    }

    /// Becomes readable when somebody wishes an end.
    pub(super) fn handle(&self) -> BorrowedFd<'_> {
        self.wishes.as_fd()
    }

    /// Becomes readable when somebody wishes a reload.
    pub(super) fn reload_handle(&self) -> BorrowedFd<'_> {
        self.reloads.as_fd()
    }

    /// Whether somebody wished an end since the last call.
    pub(super) fn take(&mut self) -> bool {
        took(&mut self.wishes)
    }

    /// Whether somebody wished a reload since the last call.
    pub(super) fn reload(&mut self) -> bool {
        took(&mut self.reloads)
    }
}

fn took(wishes: &mut UnixStream) -> bool {
    let mut several = [0; 64];
    matches!(wishes.read(&mut several), Ok(1..))
}
