//! The keeper's work from its start to the end of its instance: one thread, one loop over what can happen.
//!
//! Must not decide whether an instance is to run. Tested by `tests/drivers`.

use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, WaitOptions, WaitStatus, getpid, set_child_subreaper, setsid, wait};
use tandem_core::fleet::Exit;
use tandem_core::spec;

use super::beginning::{self, Signals};
use crate::process::census::Census;
use crate::process::identity::ProcessId;
use crate::process::log::{LogWriter, SEGMENT};
use crate::process::record::{self, ExitRecord, SpecRecord};

/// Killing goes over the processes again after this time, as they may have forked meanwhile.
const ROUND: Duration = Duration::from_millis(50);
/// A process that does not even end by SIGKILL (its disk hangs) is given up after this time.
const GIVE_UP: Duration = Duration::from_secs(30);
/// The longest report of a failed execution.
const REPORT: u64 = 4096;

/// Keeps the instance in `folder` until no process of it is left.
pub(super) fn run(folder: &Path) -> ExitCode {
    match keep(folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let _ = writeln!(io::stdout(), "{why}");
            ExitCode::FAILURE
        }
    }
}

fn keep(folder: &Path) -> Result<(), String> {
    let text = |error: io::Error| error.to_string();
    // Fails only where it is its own session already.
    let _ = setsid();
    let _ = rustix::thread::set_name(c"tandem-keeper");
    let signals = Signals::listen().map_err(text)?;
    set_child_subreaper(Some(getpid())).map_err(|error| text(error.into()))?;
    let Some(lock) = beginning::lock(folder).map_err(text)? else {
        return beginning::announce().map_err(text);
    };
    let spec = beginning::spec(folder)?;
    let (output, output_writer, inode) = beginning::output().map_err(text)?;
    let record = beginning::record(inode).map_err(text)?;
    record::reserve::<ExitRecord>(folder).map_err(text)?;
    record::write(folder, &record).map_err(|error| error.to_string())?;
    drop(lock);
    beginning::announce().map_err(text)?;
    let exit = match beginning::spawn(&spec, &record, output_writer) {
        Ok((app, report)) => Custody::new(folder, &spec, signals, app, output, report).run(),
        Err(why) => Exit::NotExecuted(why),
    };
    record::write(folder, &ExitRecord { exit }).map_err(|error| error.to_string())
}

/// How far the end of an instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// It was asked to stop, and is killed at that time.
    Stopping(Instant),
    /// All of it is being killed, and given up at that time.
    Killing(Instant),
}

struct Custody {
    signal: Signal,
    grace: Duration,
    signals: Signals,
    app: ProcessId,
    status: Option<WaitStatus>,
    output: Option<PipeReader>,
    report: Option<PipeReader>,
    failure: Vec<u8>,
    log: LogWriter,
    phase: Phase,
}

impl Custody {
    fn new(
        folder: &Path,
        spec: &SpecRecord,
        signals: Signals,
        app: ProcessId,
        output: PipeReader,
        report: PipeReader,
    ) -> Custody {
        Custody {
            signal: system_signal(spec.signal),
            grace: spec.grace.to_std(),
            signals,
            app,
            status: None,
            output: Some(output),
            report: Some(report),
            failure: Vec::new(),
            log: LogWriter::new(folder, SEGMENT),
            phase: Phase::Running,
        }
    }

    /// Until no child is left. The keeper adopts the orphans of all its descendants, so then none of them is left either.
    fn run(mut self) -> Exit {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let ready = self.wait_for_something();
            if ready.output {
                self.read_output(&mut buffer);
            }
            if ready.report {
                self.read_report();
            }
            if self.reap() {
                break;
            }
            if ready.stop && drained(&self.signals.stop) && self.phase == Phase::Running {
                self.app.signal(self.signal);
                self.phase = Phase::Stopping(Instant::now() + self.grace);
            }
            if !self.go_on(Instant::now()) {
                self.log.write(b"\n[tandem: a process of this instance cannot be killed]\n");
                break;
            }
        }
        self.read_rest(&mut buffer);
        self.exit()
    }

    /// What the passing of time, or the app's end, asks for. False: there is nothing more that could be done.
    fn go_on(&mut self, now: Instant) -> bool {
        match self.phase {
            Phase::Running if self.status.is_some() => self.kill(now + GIVE_UP),
            Phase::Stopping(deadline) if now >= deadline => self.kill(now + GIVE_UP),
            Phase::Killing(deadline) if now >= deadline => return false,
            Phase::Killing(deadline) => self.kill(deadline),
            Phase::Running | Phase::Stopping(_) => {}
        }
        true
    }

    fn kill(&mut self, give_up: Instant) {
        self.phase = Phase::Killing(give_up);
        self.signal_all(Signal::KILL);
    }

    fn signal_all(&self, signal: Signal) {
        for process in Census::take().descendants(getpid().as_raw_pid()) {
            process.signal(signal);
        }
    }

    /// Reaps what has ended. True: no child is left.
    fn reap(&mut self) -> bool {
        drained(&self.signals.child);
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid.as_raw_pid() == self.app.pid && self.status.is_none() => {
                    self.status = Some(status);
                    // A shell in front of the real server ends at once and passes nothing on: ask the others as well.
                    if matches!(self.phase, Phase::Stopping(_)) {
                        self.signal_all(self.signal);
                    }
                }
                Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
                Ok(None) => return false,
                Err(_) => return true,
            }
        }
    }

    fn wait_for_something(&self) -> Ready {
        let timeout = match self.phase {
            Phase::Running => None,
            Phase::Stopping(deadline) => Some(deadline.saturating_duration_since(Instant::now())),
            Phase::Killing(_) => Some(ROUND),
        };
        // Rounded up, so that it does not wake just before the deadline and spin.
        let timeout = timeout.map(|t| t + Duration::from_millis(1)).and_then(|t| Timespec::try_from(t).ok());
        let mut fds = vec![watch(self.signals.child.as_fd()), watch(self.signals.stop.as_fd())];
        fds.extend(self.output.as_ref().map(|pipe| watch(pipe.as_fd())));
        fds.extend(self.report.as_ref().map(|pipe| watch(pipe.as_fd())));
        let _ = poll(&mut fds, timeout.as_ref());
        let happened: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        let mut rest = happened.into_iter().skip(1);
        Ready {
            stop: rest.next().unwrap_or(false),
            output: self.output.is_some() && rest.next().unwrap_or(false),
            report: self.report.is_some() && rest.next().unwrap_or(false),
        }
    }

    fn read_output(&mut self, buffer: &mut [u8]) {
        let Some(pipe) = &mut self.output else { return };
        match pipe.read(buffer) {
            Ok(0) => self.output = None,
            Ok(count) => self.log.write(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.output = None,
        }
    }

    /// What is still in the pipe after all writers have ended.
    fn read_rest(&mut self, buffer: &mut [u8]) {
        while let Some(pipe) = &self.output {
            let mut fds = [watch(pipe.as_fd())];
            match poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
                Ok(1..) => self.read_output(buffer),
                _ => return,
            }
        }
    }

    fn read_report(&mut self) {
        // The second step writes once and ends, or turns into the app, which closes the pipe: this never blocks long.
        if let Some(pipe) = self.report.take() {
            let _ = pipe.take(REPORT).read_to_end(&mut self.failure);
        }
    }

    fn exit(mut self) -> Exit {
        self.read_report();
        if !self.failure.is_empty() {
            return Exit::NotExecuted(String::from_utf8_lossy(&self.failure).into_owned());
        }
        match self.status {
            Some(status) => match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Exit::Code(code),
                (_, Some(signal)) => Exit::Signal(signal),
                _ => Exit::Unknown,
            },
            None => Exit::Unknown,
        }
    }
}

struct Ready {
    stop: bool,
    output: bool,
    report: bool,
}

fn watch(fd: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::from_borrowed_fd(fd, PollFlags::IN)
}

/// Empties a signal's pipe; whether there was anything in it.
fn drained(mut pipe: &std::os::unix::net::UnixStream) -> bool {
    let mut bytes = [0; 64];
    let mut any = false;
    while matches!(pipe.read(&mut bytes), Ok(1..)) {
        any = true;
    }
    any
}

fn system_signal(signal: spec::Signal) -> Signal {
    match signal {
        spec::Signal::Term => Signal::TERM,
        spec::Signal::Int => Signal::INT,
        spec::Signal::Quit => Signal::QUIT,
        spec::Signal::Hup => Signal::HUP,
        spec::Signal::Usr1 => Signal::USR1,
        spec::Signal::Usr2 => Signal::USR2,
        spec::Signal::Winch => Signal::WINCH,
    }
}
