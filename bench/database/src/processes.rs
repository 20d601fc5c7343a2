//! Processes of the system, as `/proc` shows them.

use std::fs;

use rustix::process::Pid;

/// The children of a process.
pub(crate) fn children(of: Pid) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    pids.filter(|pid| stat(*pid).is_some_and(|(_, parent)| parent == of.as_raw_nonzero().get())).collect()
}

/// Whether a process is there and has not ended.
pub(crate) fn lives(pid: Pid) -> bool {
    stat(pid).is_some_and(|(state, _)| state != "Z" && state != "X")
}

/// The state of a process, and its parent.
fn stat(pid: Pid) -> Option<(String, i32)> {
    let text = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // A name may hold anything, `)` too.
    let mut rest = text.rsplit_once(')')?.1.split_whitespace();
    Some((rest.next()?.to_owned(), rest.next()?.parse().ok()?))
}
