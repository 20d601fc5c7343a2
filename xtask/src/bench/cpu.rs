//! CPU time of a process and of all below it, from `/proc`. Exact in its sum; the split of user and system is not.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// The process and all below it, parents before children.
pub(super) fn tree(root: u32) -> Vec<u32> {
    let mut below: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some(parent) = fields(pid).and_then(|fields| fields.get(1)?.parse().ok()) {
            below.entry(parent).or_default().push(pid);
        }
    }
    let mut all = vec![root];
    let mut at = 0;
    while let Some(pid) = all.get(at).copied() {
        all.extend(below.get(&pid).into_iter().flatten());
        at += 1;
    }
    all
}

/// The CPU time that the tree below `root` has used so far.
pub(super) fn used(root: u32) -> Duration {
    let ticks: u64 = tree(root).into_iter().filter_map(ticks).sum();
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

fn ticks(pid: u32) -> Option<u64> {
    let fields = fields(pid)?;
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

/// The fields of `/proc/<pid>/stat` after the name: state, parent, …; utime and stime are the 12th and 13th.
fn fields(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after) = text.rsplit_once(')')?;
    Some(after.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_belongs_to_the_tree_and_its_work_counts() {
        let own = std::process::id();
        let mut child =
            std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().expect("sh");
        let found = tree(own).contains(&child.id());
        let begun = std::time::Instant::now();
        while used(child.id()).is_zero() && begun.elapsed() < Duration::from_secs(20) {
            std::thread::yield_now();
        }
        let worked = used(child.id());
        child.kill().and_then(|()| child.wait()).expect("it ends");
        assert!(found && !worked.is_zero());
    }
}
