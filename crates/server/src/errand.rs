//! A command of the team's, run to its end or its time limit: what it is given, and what it said last.
//!
//! What it has started ends with it. Tested in place.

use std::io::{self, Read, Seek, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tandem_core::base::Millis;

/// How often it is looked whether anybody still wants to know.
const GLANCE: Duration = Duration::from_millis(100);
/// How long the last words of a command that has ended may take to arrive.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// So much of what it says is told, in bytes.
const TOLD: usize = 1000;

/// Runs a command to its end, with `given` on its stdin. The error says how it failed, and its last words. None: nobody wants to
/// know any more.
pub(crate) fn run(
    command: Command,
    given: &[u8],
    within: Duration,
    is_unwanted: &AtomicBool,
) -> Option<Result<(), String>> {
    let (mut child, said) = match begin(command, given) {
        Ok(begun) => begun,
        Err(error) => return Some(Err(format!("can't be run: {error}"))),
    };
    let until = Instant::now() + within;
    let ended = loop {
        match ended_within(&mut child, GLANCE) {
            Ok(None) if is_unwanted.load(Ordering::Acquire) => break None,
            Ok(None) if Instant::now() >= until => {
                break Some(Err(format!("was not done within {}", Millis(within.as_millis() as u64))));
            }
            Ok(None) => {}
            Ok(Some(status)) if status.success() => break Some(Ok(())),
            Ok(Some(status)) => break Some(Err(format!("failed ({status})"))),
            Err(error) => break Some(Err(format!("can't be waited for: {error}"))),
        }
    };
    // What it has started ends with it.
    let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    let _ = child.wait();
    let said = said.recv_timeout(LAST_WORDS).unwrap_or_default();
    ended.map(|ended| {
        ended.map_err(|why| match said.trim() {
            "" => why,
            said => format!("{why}: {said}"),
        })
    })
}

/// Begins a command; the last of what it says comes when it has ended.
fn begin(mut command: Command, given: &[u8]) -> io::Result<(Child, Receiver<String>)> {
    let (mut reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer).stdin(stdin(given)?).process_group(0);
    let child = command.spawn()?;
    // Its copies of the writing end would keep the pipe open.
    drop(command);
    let (sender, said) = channel();
    thread::Builder::new().name("errand".to_owned()).spawn(move || {
        let (mut last, mut part) = (Vec::new(), [0; 4096]);
        while let Ok(count @ 1..) = reader.read(&mut part) {
            last.extend_from_slice(part.get(..count).unwrap_or_default());
            let excess = last.len().saturating_sub(TOLD);
            last.drain(..excess);
        }
        let _ = sender.send(String::from_utf8_lossy(&last).into_owned());
    })?;
    Ok((child, said))
}

/// A file without a name: a command that reads nothing keeps nobody waiting.
fn stdin(given: &[u8]) -> io::Result<Stdio> {
    if given.is_empty() {
        return Ok(Stdio::null());
    }
    let mut file = tempfile::tempfile()?;
    file.write_all(given)?;
    file.rewind()?;
    Ok(file.into())
}

/// How it has ended, or None after a while.
fn ended_within(child: &mut Child, at_most: Duration) -> io::Result<Option<ExitStatus>> {
    if let Some(status) = child.try_wait()? {
        return Ok(Some(status));
    }
    let pidfd = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let at_most = Timespec { tv_sec: 0, tv_nsec: i64::from(at_most.subsec_nanos()) };
    poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&at_most))?;
    child.try_wait()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(script: &str, given: &[u8], within: Duration) -> Result<(), String> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(command, given, within, &AtomicBool::new(false)).unwrap()
    }

    #[test]
    fn it_reads_what_it_is_given_and_its_last_words_are_told() {
        let minute = Duration::from_secs(60);
        let long = "x".repeat(200_000);
        assert_eq!(outcome("test \"$(wc -c)\" -eq 200000", long.as_bytes(), minute), Ok(()));
        assert_eq!(outcome("true", long.as_bytes(), minute), Ok(()), "it need not read");
        assert_eq!(outcome("test -z \"$(cat)\"", b"", minute), Ok(()));
        let why = outcome("echo no such build >&2; exit 3", b"", minute).unwrap_err();
        assert!(why.contains("exit status: 3") && why.ends_with("no such build"), "{why}");
        let missing = run(Command::new("/not/there"), b"", minute, &AtomicBool::new(false)).unwrap();
        assert!(missing.unwrap_err().contains("can't be run"));
    }

    #[test]
    fn it_has_an_end_and_so_has_what_it_started() {
        let why = outcome("echo $$; sleep 600 & wait", b"", Duration::from_millis(200)).unwrap_err();
        assert!(why.contains("not done within 200ms"), "{why}");
        let pid: i32 = why.rsplit(": ").next().unwrap().parse().unwrap();
        // What was killed is there until its parent has seen that.
        let until = Instant::now() + Duration::from_secs(30);
        while rustix::process::test_kill_process_group(Pid::from_raw(pid).unwrap()).is_ok() {
            assert!(Instant::now() < until, "something of it is left");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn one_that_nobody_wants_to_know_of_is_cut_off() {
        let mut command = Command::new("sleep");
        command.arg("600");
        assert_eq!(run(command, b"", Duration::from_secs(600), &AtomicBool::new(true)), None);
    }
}
