//! A process that the supervisor answers for, by its pidfd: its own child, or one that a killed predecessor left behind.
//! A number alone is never trusted: it may be somebody else's by now.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A process under watch.
#[derive(Debug)]
pub(super) struct Watched {
    pid: Pid,
    handle: OwnedFd,
    child: Option<Child>,
    since: Instant,
}

impl Watched {
    /// Starts a process.
    pub(super) fn spawn(command: &mut Command) -> io::Result<Watched> {
        let mut child = command.spawn()?;
        let pid = Pid::from_child(&child);
        // Until it is waited for, the number of a child can't be anybody else's.
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) => Ok(Watched { pid, handle, child: Some(child), since: Instant::now() }),
            Err(error) => {
                let _ = child.kill().and_then(|()| child.wait().map(drop));
                Err(error.into())
            }
        }
    }

    /// Watches a process that somebody else started. The caller makes sure, after this, that it is still the right one.
    pub(super) fn adopt(pid: u32) -> io::Result<Watched> {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
        let handle = pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Watched { pid, handle, child: None, since: Instant::now() })
    }

    /// Whether we started it.
    pub(super) fn is_child(&self) -> bool {
        self.child.is_some()
    }

    /// Its number, for people.
    pub(super) fn pid(&self) -> i32 {
        self.pid.as_raw_pid()
    }

    /// How long it has been under watch.
    pub(super) fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// Becomes readable when it ends.
    pub(super) fn handle(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }

    /// Sends it a signal; if it has ended, nothing happens.
    pub(super) fn signal(&self, signal: Signal) {
        let _ = pidfd_send_signal(&self.handle, signal);
    }

    /// How it ended, for people; None: it lives.
    pub(super) fn ended(&mut self) -> Option<String> {
        let mut ready = [PollFd::new(&self.handle, PollFlags::IN)];
        match poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
            Ok(1..) => {}
            _ => return None,
        }
        if self.child.is_none() {
            // Ours all the same if another program was run by this process before; of a stranger nothing can be had.
            let _ = rustix::process::waitpid(Some(self.pid), rustix::process::WaitOptions::NOHANG);
        }
        let status = self.child.as_mut().map(Child::wait);
        Some(match status {
            Some(Ok(status)) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("exited with code {code}"),
                (None, Some(signal)) => format!("was killed by signal {signal}"),
                (None, None) => "ended".to_owned(),
            },
            Some(Err(_)) | None => "ended".to_owned(),
        })
    }
}
