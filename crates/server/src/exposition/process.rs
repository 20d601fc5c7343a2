//! The families of Tandem's own processes, and how they are looked at.

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};

use super::{Page, Seconds};

/// What the system tells of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Its time on processors, in microseconds.
    pub(crate) cpu: u64,
    /// Its memory, in bytes.
    pub(crate) memory: u64,
    /// Its threads.
    pub(crate) threads: u64,
    /// Its open file descriptors.
    pub(crate) descriptors: u64,
}

impl Figures {
    /// Of a process. None: there is no such process, or it is not ours.
    pub(crate) fn of(pid: u32) -> Option<Figures> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64;
        Figures::parse(&stat, descriptors, clock_ticks_per_second(), page_size() as u64)
    }

    /// The name, in brackets, may hold anything; the fields are counted from behind it (proc_pid_stat(5)).
    fn parse(stat: &str, descriptors: u64, ticks: u64, page: u64) -> Option<Figures> {
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let cpu = field(14)?.saturating_add(field(15)?).saturating_mul(1_000_000).checked_div(ticks)?;
        Some(Figures { cpu, memory: field(24)?.saturating_mul(page), threads: field(20)?, descriptors })
    }
}

pub(super) fn write(processes: &[(&'static str, Figures)], page: &mut Page) {
    let mut of = |gauge: bool, name, about, pick: fn(&Figures) -> String| {
        let mut family = if gauge { page.gauge(name, about) } else { page.counter(name, about) };
        for (process, figures) in processes {
            family.sample(&[("process", process)], pick(figures));
        }
    };
    let about = "Time on processors, of Tandem's own processes.";
    of(false, "tandem_process_cpu_seconds_total", about, |figures| Seconds(figures.cpu).to_string());
    of(true, "tandem_process_resident_memory_bytes", "Memory.", |figures| figures.memory.to_string());
    of(true, "tandem_process_threads", "Threads.", |figures| figures.threads.to_string());
    of(true, "tandem_process_open_fds", "Open file descriptors.", |figures| figures.descriptors.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_looked_at() {
        let stat =
            "7 (a) b) c) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 3 0 99 4096 25 18446744073709551615";
        let expected = Figures { cpu: 2_000_000, memory: 25 * 4096, threads: 3, descriptors: 9 };
        assert_eq!(Figures::parse(stat, 9, 100, 4096), Some(expected));
        assert_eq!(Figures::parse("7 (a) S 1", 9, 100, 4096), None);
        let own = Figures::of(std::process::id()).unwrap();
        assert!(own.memory > 0 && own.threads > 0 && own.descriptors > 0, "{own:?}");
        assert_eq!(Figures::of(u32::MAX), None);
    }
}
