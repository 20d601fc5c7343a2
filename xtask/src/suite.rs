//! `cargo xtask test`: the whole suite, one step after the other, ended by the first red one.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::{machine, tidy, web};

type Step = (&'static str, fn(&Path) -> Result<(), String>);

/// In the order of how soon each can fail.
const STEPS: &[Step] = &[
    ("setup", |_| machine::ensure_rust().and_then(|()| machine::ensure(machine::SUITE))),
    ("format", |root| cargo(root, &["fmt", "--all", "--check"])),
    ("tidy", tidy::run),
    ("dashboard", web::check),
    ("lint", |root| cargo(root, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])),
    ("documentation", documentation),
    ("tests", tests),
    // On the program that the tests built.
    ("browser", web::try_in_browser),
];

/// Runs all of it.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let mut times = Vec::new();
    for (name, step) in STEPS {
        eprintln!("── {name}");
        let begun = Instant::now();
        step(root).map_err(|why| format!("{name}: {why}"))?;
        times.push(format!("{name} {}", seconds(begun.elapsed())));
        eprintln!("── {name}: good ({})", seconds(begun.elapsed()));
    }
    eprintln!("all good: {}", times.join(", "));
    Ok(())
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<(), String> {
    machine::run(Command::new("cargo").current_dir(root).args(arguments))
}

fn documentation(root: &Path) -> Result<(), String> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).env("RUSTDOCFLAGS", "-D warnings").args([
        "doc",
        "--quiet",
        "--workspace",
        "--no-deps",
    ]);
    machine::run(&mut cargo)
}

/// All tests, passed through as cargo prints them, and added up at the end.
fn tests(root: &Path) -> Result<(), String> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["test", "--workspace", "--no-fail-fast"]).stdout(Stdio::piped());
    let mut child = cargo.spawn().map_err(|why| format!("can't run cargo: {why}"))?;
    let mut count = Count::default();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line.map_err(|why| format!("can't read what cargo prints: {why}"))?;
            let line = String::from_utf8_lossy(&line);
            count.add(&line);
            println!("{line}");
        }
    }
    let status = child.wait().map_err(|why| format!("can't wait for cargo: {why}"))?;
    // Stays the last line on standard output.
    println!("{} passed, {} failed", count.passed, count.failed);
    let _ = std::io::stdout().flush();
    match (status.success(), count.ignored) {
        (true, 0) => Ok(()),
        (true, ignored) => Err(format!("{ignored} tests were skipped: nothing is skipped silently")),
        // A test program that was killed or crashed counts none of its tests as failed.
        (false, _) => {
            Err(format!("cargo test failed ({status}); see the lines `error: test failed` and FAILED above"))
        }
    }
}

/// The sum of cargo's lines `test result: …`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Count {
    fn add(&mut self, line: &str) {
        let Some((_, results)) = line.split_once("test result: ") else { return };
        let number = |what: &str| {
            let before = results.split_once(what).map(|(before, _)| before.trim_end())?;
            before.rsplit([' ', '.']).next()?.parse::<u64>().ok()
        };
        self.passed += number("passed").unwrap_or(0);
        self.failed += number("failed").unwrap_or(0);
        self.ignored += number("ignored").unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::Count;

    #[test]
    fn results_are_added_up() {
        let mut count = Count::default();
        count.add(
            "test result: ok. 18 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.04s",
        );
        count.add("test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.04s");
        count.add("test it ... ok");
        assert_eq!(count, Count { passed: 20, failed: 3, ignored: 1 });
    }
}
