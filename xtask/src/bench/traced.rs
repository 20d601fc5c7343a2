//! Figures that no noise disturbs: user instructions and system calls per request, each as the difference of two runs
//! of different length, so that starting and ending cancel out.

use std::fs;
use std::path::Path;

use super::figures::Count;
use super::peer::Peer;
use super::scene::Scene;
use super::speech::Speech;
use super::{Options, pressure};

/// A tool that counts what a process does.
#[derive(Clone, Copy)]
pub(super) struct Tool {
    /// The words before the proxy's own, with `{}` for the file that it writes.
    words: &'static [&'static str],
    /// Finds the count in that file.
    read: fn(&str) -> Option<u64>,
    /// Requests in the short and in the long run.
    lengths: (usize, usize),
}

/// User instructions by valgrind.
pub(super) const INSTRUCTIONS: Tool = Tool {
    words: &["valgrind", "--tool=callgrind", "--callgrind-out-file={}", "--trace-children=no", "-q"],
    read: |text| text.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok()),
    lengths: (1_600, 6_400),
};

/// System calls by strace.
pub(super) const SYSCALLS: Tool = Tool {
    words: &["strace", "-f", "-c", "-o", "{}"],
    read: |text| {
        let total = text.lines().rfind(|line| line.trim_end().ends_with(" total"))?;
        total.split_whitespace().nth(3)?.parse().ok()
    },
    lengths: (3_200, 12_800),
};

/// How many connections carry the requests.
const CONNECTIONS: usize = 16;

/// Counts for every peer, with one thread and answers of 100 bytes.
pub(super) fn measure(scene: &Scene, options: &Options, tool: Tool) -> Result<Vec<Count>, String> {
    let mut counts = Vec::new();
    for name in &options.peers {
        let peer = Peer::named(name)?;
        eprintln!("{} under {}", peer.name(), tool.words.first().unwrap_or(&""));
        let short = count(scene, peer, tool, tool.lengths.0)?;
        let long = count(scene, peer, tool, tool.lengths.1)?;
        let between = (tool.lengths.1 - tool.lengths.0) as f64;
        counts.push(Count { peer: name.clone(), per_request: long.saturating_sub(short) as f64 / between });
    }
    Ok(counts)
}

fn count(scene: &Scene, peer: Peer, tool: Tool, requests: usize) -> Result<u64, String> {
    let file = scene.folder.path().join(format!("{}-{requests}.count", peer.name()));
    let _ = fs::remove_file(&file);
    let words: Vec<String> =
        tool.words.iter().map(|word| word.replace("{}", &file.to_string_lossy())).collect();
    let running = peer.start(scene, 1, Speech::Http, &words)?;
    pressure::exact(running.address, requests, CONNECTIONS)?;
    running.end()?;
    read(&file, tool).ok_or_else(|| format!("{} wrote no count for {}", words.join(" "), peer.name()))
}

fn read(file: &Path, tool: Tool) -> Option<u64> {
    (tool.read)(&fs::read_to_string(file).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tools_files_are_understood() {
        assert_eq!((INSTRUCTIONS.read)("events: Ir\nsummary: 12\n\ntotals: 1234\n"), Some(1234));
        let strace = "% time     seconds  usecs/call     calls    errors syscall\n 50.00    0.000100           1      77           read\n------ ----------- ----------- --------- --------- ----------------\n100.00    0.000200           1      4321         5 total\n";
        assert_eq!((SYSCALLS.read)(strace), Some(4321));
    }
}
