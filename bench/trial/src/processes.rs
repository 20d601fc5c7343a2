//! The processes of a Tandem, found from outside.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// What a process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `tandem up`
    Supervisor,
    /// `tandem proxy`
    Proxy,
    /// `tandem controller`
    Controller,
    /// `tandem admin`, where the configuration wants it.
    Admin,
    /// `tandem keeper`
    Keeper,
    /// The app.
    Instance,
}

impl Kind {
    /// Those that each Tandem has.
    pub const ALL: [Kind; 5] =
        [Kind::Supervisor, Kind::Proxy, Kind::Controller, Kind::Keeper, Kind::Instance];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Supervisor => "supervisor",
            Kind::Proxy => "proxy",
            Kind::Controller => "controller",
            Kind::Admin => "admin",
            Kind::Keeper => "keeper",
            Kind::Instance => "instance",
        }
    }
}

/// A process that has to do with a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// The number of the process that started it, or of the one that took it on after that one's end.
    pub parent: u32,
    /// What it is for.
    pub kind: Kind,
    /// Its command line.
    pub command: String,
}

/// All processes that have to do with a folder: by their arguments, environment, program or working directory.
pub fn of_folder(folder: &Path) -> Vec<Process> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let own = std::process::id();
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| *pid != own).filter_map(|pid| process(pid, folder)).collect()
}

fn process(pid: u32, folder: &Path) -> Option<Process> {
    let path = Path::new("/proc").join(pid.to_string());
    let mark = folder.as_os_str().as_encoded_bytes();
    let read = |file: &str| fs::read(path.join(file)).unwrap_or_default();
    let names = |file: &str| read(file).windows(mark.len()).any(|part| part == mark);
    let follows = |link: &str| fs::read_link(path.join(link)).is_ok_and(|at| at.starts_with(folder));
    if !(names("cmdline") || names("environ") || follows("exe") || follows("cwd")) {
        return None;
    }
    let arguments: Vec<String> =
        read("cmdline").split(|b| *b == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    // A process that is gone but for its exit status has no arguments any more.
    let command = arguments.join(" ").trim_end().to_owned();
    let parent = parent(&String::from_utf8_lossy(&read("stat"))).unwrap_or(0);
    (!command.is_empty()).then(|| Process { pid, parent, kind: kind(&arguments), command })
}

/// From `/proc/PID/stat`: `PID (NAME) STATE PARENT …`, where the name may hold anything.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

fn kind(arguments: &[String]) -> Kind {
    let tandem =
        arguments.first().is_some_and(|program| program.ends_with("tandem") || program == "/proc/self/exe");
    let verbs = [
        ("up", Kind::Supervisor),
        ("proxy", Kind::Proxy),
        ("controller", Kind::Controller),
        ("admin", Kind::Admin),
        ("keeper", Kind::Keeper),
    ];
    let verb = |word: &String| verbs.iter().find(|(name, _)| name == word).map(|(_, kind)| *kind);
    arguments.iter().skip(1).find_map(verb).filter(|_| tandem).unwrap_or(Kind::Instance)
}

/// Kills a process with SIGKILL; false if it was gone already.
pub fn kill(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok())
}

/// Asks a process to end with SIGTERM.
pub(crate) fn terminate(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::TERM);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_found_behind_any_name() {
        assert_eq!(parent("12 (a) R 9 (b) S 7 0 0"), Some(7));
    }
}
