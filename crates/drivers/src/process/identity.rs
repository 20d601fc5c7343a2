//! Who a process is: a pid means nothing after the process has ended, a pid with its start time and boot does.
//!
//! Signals go through a pidfd that was opened before the identity was checked, so they never reach a stranger that got
//! the same pid. Must not know what the processes are for. Tested in place.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// A process of the running system: its pid, and when it started, in clock ticks since the boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct ProcessId {
    pub(crate) pid: i32,
    pub(crate) started: u64,
}

/// A process beyond the life of the running system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// Which boot of which machine, and which pid namespace.
    pub(crate) boot: String,
    #[serde(flatten)]
    pub(crate) process: ProcessId,
}

/// What `/proc/<pid>/stat` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) process: ProcessId,
    pub(crate) parent: i32,
    pub(crate) session: i32,
    /// It has ended and only waits to be reaped.
    pub(crate) ended: bool,
}

impl Identity {
    /// The calling process.
    pub(crate) fn own() -> io::Result<Identity> {
        let pid = rustix::process::getpid().as_raw_pid();
        let stat =
            stat(pid).ok_or_else(|| io::Error::other("/proc/self/stat cannot be read: is /proc mounted?"))?;
        Ok(Identity { boot: boot()?, process: stat.process })
    }

    /// Whether that very process runs now.
    pub(crate) fn runs(&self) -> bool {
        boot().is_ok_and(|boot| boot == self.boot) && self.process.runs()
    }

    /// A handle of that very process, if it runs now.
    pub(crate) fn open(&self) -> Option<OwnedFd> {
        if boot().is_ok_and(|boot| boot == self.boot) { self.process.open() } else { None }
    }
}

impl ProcessId {
    /// Whether it runs now; one that only waits to be reaped does not.
    pub(crate) fn runs(self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.process == self && !stat.ended)
    }

    /// A handle of it, if it runs now. The handle becomes readable when the process ends.
    pub(crate) fn open(self) -> Option<OwnedFd> {
        let handle = pidfd_open(Pid::from_raw(self.pid)?, PidfdFlags::empty()).ok()?;
        self.runs().then_some(handle)
    }

    /// Sends it a signal if it runs; whether it was sent.
    pub(crate) fn signal(self, signal: Signal) -> bool {
        self.open().is_some_and(|handle| pidfd_send_signal(&handle, signal).is_ok())
    }
}

/// The identity of this boot and pid namespace.
fn boot() -> io::Result<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    Ok(format!("{} {}", boot.trim(), namespace.display()))
}

/// What the system tells of the process that has this pid now.
pub(crate) fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name may hold anything, so the fields are counted from its last parenthesis.
fn parse_stat(text: &str) -> Option<Stat> {
    let pid = text.split(' ').next()?.parse().ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).copied();
    Some(Stat {
        process: ProcessId { pid, started: field(22)?.parse().ok()? },
        parent: field(4)?.parse().ok()?,
        session: field(6)?.parse().ok()?,
        ended: matches!(field(3)?, "Z" | "X" | "x"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_full_of_traps_does_not_confuse_the_fields() {
        let text = "42 (a) S 1 (b) R 7 42 40 0 -1 0 0 0 0 0 1 2 3 4 20 0 1 0 98765 0 0";
        let stat = parse_stat(text).unwrap();
        assert_eq!(stat.process, ProcessId { pid: 42, started: 98765 });
        assert_eq!((stat.parent, stat.session, stat.ended), (7, 40, false));
        assert_eq!(parse_stat("42 (x"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn a_process_with_the_same_pid_but_another_start_is_a_stranger() {
        let own = Identity::own().unwrap();
        assert!(own.runs() && own.open().is_some());
        let earlier = ProcessId { started: own.process.started - 1, ..own.process };
        assert!(!earlier.runs());
        assert!(!earlier.signal(Signal::KILL));
        let other_boot = Identity { boot: "another".to_owned(), ..own };
        assert!(!other_boot.runs() && other_boot.open().is_none());
    }
}
