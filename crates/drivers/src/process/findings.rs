//! What can be told of an instance that does not do what it should: facts, no conclusions.
//!
//! Must not know why anybody asks. Tested by `tests/drivers`.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use tandem_core::fleet::Findings;

use super::census::Census;
use super::record::{self, ExitRecord, KeeperRecord, SpecRecord};
use super::{log, socket};

/// So many of the last lines of the log are shown.
const LINES: usize = 20;

/// What there is in the instance's folder and about its processes. What can't be read is left out: half an answer is
/// better than none.
pub(super) fn gather(folder: &Path) -> io::Result<Findings> {
    let mut findings = Findings { log: log::last_lines(folder, LINES)?, ..Findings::default() };
    findings.exit = record::read::<ExitRecord>(folder).ok().flatten().map(|record| record.exit);
    let spec = record::read::<SpecRecord>(folder).ok().flatten();
    let keeper = record::read::<KeeperRecord>(folder).ok().flatten();
    let census = Census::take();
    let own: Vec<i32> = match &keeper {
        Some(keeper) => census.of_instance(keeper).iter().map(|process| process.pid).collect(),
        None => Vec::new(),
    };
    let mut listening = socket::listening();
    for inode in own.iter().flat_map(|pid| socket::held_by(*pid)) {
        findings.listens.extend(listening.remove(&inode));
    }
    findings.listens.sort_unstable();
    let meets = |at: &SocketAddr, wanted: SocketAddr| {
        at.port() == wanted.port() && (at.ip() == wanted.ip() || at.ip().is_unspecified())
    };
    findings.stranger = spec.and_then(|spec| {
        let (inode, _) = listening.iter().find(|(_, at)| meets(at, spec.address))?;
        Some(holder(&census, *inode))
    });
    Ok(findings)
}

fn holder(census: &Census, inode: u64) -> String {
    match census.pids().find(|pid| socket::held_by(*pid).contains(&inode)) {
        Some(pid) => {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            format!("pid {pid} ({})", name.trim().replace(char::is_control, "?"))
        }
        None => "a process of another user".to_owned(),
    }
}
