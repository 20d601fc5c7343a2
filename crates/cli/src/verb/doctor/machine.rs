//! The machine: its kernel, its limits, its clock, room on its disk, and which program `tandem up` runs. Tested in place.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use super::Finding;

/// The oldest kernel by which processes can be watched without their numbers being mistaken (`pidfd_open`).
const KERNEL: (u32, u32) = (5, 3);
/// Fewer open files than this are soon used up: each client and its request take two.
const FILES: u64 = 8192;
/// With less room than this, in bytes, journals and logs soon find none.
const ROOM: u64 = 512 << 20;

/// `daemon` is the process of `tandem up`, if one runs.
pub(super) fn look(daemon: Option<u32>, state: &Path) -> Vec<Finding> {
    let whose = daemon.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
    let limits = fs::read_to_string(format!("/proc/{whose}/limits")).unwrap_or_default();
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut all = vec![kernel(release.trim()), files(open_files(&limits)), clock(), room(state)];
    all.extend(daemon.map(program));
    all
}

fn kernel(release: &str) -> Finding {
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let found = numbers.next().zip(numbers.next());
    match found {
        Some(found) if found < KERNEL => Finding::bad(
            "kernel",
            format!("this is Linux {release}, which can't watch processes safely"),
            format!("Linux {}.{} or newer is needed", KERNEL.0, KERNEL.1),
        ),
        _ => Finding::good("kernel", format!("Linux {release}")),
    }
}

/// How many files a process may have open, by the text of its limits. None: without limit, or not known.
fn open_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn files(most: Option<u64>) -> Finding {
    match most {
        Some(most) if most < FILES => Finding::care(
            "files",
            format!("no more than {most} may be open: about {} clients at once", most / 2),
            "raise it where `tandem up` is started: `ulimit -n 65536`, or LimitNOFILE=65536 in a unit of systemd",
        ),
        Some(most) => Finding::good("files", format!("{most} may be open")),
        None => Finding::good("files", "as many as wanted may be open"),
    }
}

/// A clock can't be before the time at which this program was made.
fn clock() -> Finding {
    let made = std::env::current_exe().and_then(fs::metadata).and_then(|file| file.modified());
    match made {
        Ok(made) if made > SystemTime::now() => Finding::bad(
            "clock",
            "it is before the time at which this program was made",
            "set it, and keep it so (`timedatectl set-ntp true`): tokens and certificates end by it",
        ),
        _ => Finding::good("clock", "it is later than this program was made"),
    }
}

fn room(state: &Path) -> Finding {
    let shown = state.display();
    let Some(free) = state.ancestors().find_map(|folder| rustix::fs::statvfs(folder).ok()) else {
        return Finding::care("disk", format!("room for {shown} can't be seen"), "look with `df`");
    };
    let free = free.f_bavail.saturating_mul(free.f_frsize);
    let said = format!("{} MiB are free for {shown}", free >> 20);
    match free {
        0..ROOM => Finding::care("disk", said, "make room: without any, nothing can be deployed"),
        _ => Finding::good("disk", said),
    }
}

fn program(daemon: u32) -> Finding {
    let (theirs, ours) = (fs::read_link(format!("/proc/{daemon}/exe")), std::env::current_exe());
    match (theirs, ours) {
        (Ok(theirs), Ok(ours)) if theirs != ours => Finding::care(
            "program",
            format!("`tandem up` (pid {daemon}) runs {}, and this is {}", theirs.display(), ours.display()),
            "`tandem reload` has it run this one",
        ),
        (Err(error), _) => Finding::care(
            "program",
            format!("which program `tandem up` (pid {daemon}) runs can't be seen: {error}"),
            "ask as the user who runs it",
        ),
        _ => Finding::good("program", format!("`tandem up` (pid {daemon}) runs this one")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Health;
    use super::*;

    #[test]
    fn kernels_are_told_apart_by_their_numbers() {
        for (release, state) in [
            ("5.2.21-1-amd64", Health::Bad),
            ("5.3", Health::Good),
            ("6.1.0-44-amd64", Health::Good),
            ("10.0.1", Health::Good),
            ("something", Health::Good),
        ] {
            assert_eq!(kernel(release).state, state, "{release}");
        }
    }

    #[test]
    fn the_limit_in_force_is_the_first_of_both() {
        let limits =
            "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024   524288   files\n";
        assert_eq!(open_files(limits), Some(1024));
        assert_eq!(open_files("Max open files unlimited unlimited files"), None);
        assert_eq!(files(Some(1024)).state, Health::Care);
        assert_eq!(files(Some(65_536)).state, Health::Good);
    }
}
