//! Which processes belong to an instance.
//!
//! While its keeper lives: everything below it, however often it forked or made itself a session, since the keeper
//! adopts orphans. Without keeper: what carries the instance's nonce in its environment, or (as some servers overwrite
//! that with their title) is in the keeper's session and still holds the pipe of the log.
//!
//! Must not know records or stopping. Tested by `tests/drivers` with daemons of several kinds.

use std::collections::BTreeSet;
use std::fs;

use super::identity::{Identity, ProcessId, Stat, stat};
use super::record::KeeperRecord;

/// All processes at one moment, ended ones excepted.
pub(crate) struct Census {
    processes: Vec<Stat>,
}

impl Census {
    /// Looks at all processes of the system.
    pub(crate) fn take() -> Census {
        let names = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = names.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let processes = pids.filter_map(stat).filter(|stat| !stat.ended).collect();
        Census { processes }
    }

    /// All of the pid's children, their children, and so on.
    pub(crate) fn descendants(&self, ancestor: i32) -> Vec<ProcessId> {
        let mut family = BTreeSet::from([ancestor]);
        let mut found = Vec::new();
        loop {
            let before = found.len();
            for stat in &self.processes {
                if family.contains(&stat.parent) && family.insert(stat.process.pid) {
                    found.push(stat.process);
                }
            }
            if found.len() == before {
                return found;
            }
        }
    }

    /// The processes of an instance; its keeper is none of them.
    pub(crate) fn of_instance(&self, keeper: &KeeperRecord) -> Vec<ProcessId> {
        if keeper.identity.runs() {
            return self.descendants(keeper.identity.process.pid);
        }
        if !Identity::own().is_ok_and(|own| own.boot == keeper.identity.boot) {
            return Vec::new();
        }
        let belongs = |stat: &&Stat| {
            stat.process.started >= keeper.identity.process.started
                && (carries(stat.process.pid, &keeper.nonce) || self.left_by(stat, keeper))
        };
        self.processes.iter().filter(belongs).map(|stat| stat.process).collect()
    }

    /// Whether a process stayed in the session of the keeper that has ended, with the log's pipe as its output.
    fn left_by(&self, stat: &Stat, keeper: &KeeperRecord) -> bool {
        stat.session == keeper.identity.process.pid
            && (1..=2).any(|fd| {
                fs::read_link(format!("/proc/{}/fd/{fd}", stat.process.pid))
                    .is_ok_and(|target| target.as_os_str() == format!("pipe:[{}]", keeper.pipe).as_str())
            })
    }

    /// All processes, for those who look for the owner of something.
    pub(crate) fn pids(&self) -> impl Iterator<Item = i32> + '_ {
        self.processes.iter().map(|stat| stat.process.pid)
    }
}

/// The variable of the environment by which an instance's processes are found again.
pub(crate) const NONCE: &str = "TANDEM_NONCE";

fn carries(pid: i32, nonce: &str) -> bool {
    let wanted = format!("{NONCE}={nonce}");
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environ| environ.split(|&byte| byte == 0).any(|entry| entry == wanted.as_bytes()))
}
