//! How a keeper begins: its own session, the lock, `keeper.json`, and only then the app.
//!
//! Must not know what comes after. Tested by `tests/drivers`.

use std::fs::{self, File};
use std::io::{self, PipeReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;

use rustix::fs::{FlockOperation, flock};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};

use super::{EXECUTE, READY};
use crate::process::census::NONCE;
use crate::process::command;
use crate::process::identity::{Identity, ProcessId, stat};
use crate::process::record::{self, KeeperRecord, Record, SpecRecord};

/// The signals that a keeper listens to.
pub(super) struct Signals {
    /// Readable when a child has ended.
    pub(super) child: UnixStream,
    /// Readable when the instance is to stop.
    pub(super) stop: UnixStream,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Signals> {
        let (child, child_writer) = UnixStream::pair()?;
        let (stop, stop_writer) = UnixStream::pair()?;
        signal_hook::low_level::pipe::register(SIGCHLD, child_writer)?;
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            signal_hook::low_level::pipe::register(signal, stop_writer.try_clone()?)?;
        }
        child.set_nonblocking(true)?;
        stop.set_nonblocking(true)?;
        Ok(Signals { child, stop })
    }
}

/// Locks the instance's folder for the time in which `keeper.json` is written; waits for another keeper that is at it.
/// None: it stands there already, and the instance is or was in the hands of another keeper.
pub(super) fn lock(folder: &Path) -> io::Result<Option<File>> {
    let file = File::open(folder)?;
    while let Err(error) = flock(&file, FlockOperation::LockExclusive) {
        if error != rustix::io::Errno::INTR {
            return Err(error.into());
        }
    }
    let (locked, named) = (file.metadata()?, fs::metadata(folder)?);
    if (locked.dev(), locked.ino()) != (named.dev(), named.ino()) {
        return Err(io::Error::other("the instance was removed meanwhile"));
    }
    Ok(if folder.join(KeeperRecord::FILE).exists() { None } else { Some(file) })
}

/// The pipe into which the app writes, and the inode by which its other end is known.
pub(super) fn output() -> io::Result<(PipeReader, OwnedFd, u64)> {
    let (reader, writer) = io::pipe()?;
    let writer = OwnedFd::from(writer);
    let inode = rustix::fs::fstat(&writer)?.st_ino;
    Ok((reader, writer, inode))
}

/// Who this keeper is, with a fresh nonce.
pub(super) fn record(pipe: u64) -> io::Result<KeeperRecord> {
    let mut random = [0; 16];
    io::Read::read_exact(&mut File::open("/dev/urandom")?, &mut random)?;
    let nonce = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(KeeperRecord { identity: Identity::own()?, nonce, pipe })
}

/// Tells the driver that the instance is in this keeper's hands, then lets go of it. That the driver has died meanwhile
/// is no reason to stop.
pub(super) fn announce() -> io::Result<()> {
    let mut stdout = io::stdout();
    let _ = writeln!(stdout, "{READY}").and_then(|()| stdout.flush());
    rustix::stdio::dup2_stdout(File::options().write(true).open("/dev/null")?)?;
    Ok(())
}

/// Starts the second step, which turns into the app. Returns it and the pipe in which it reports a failure.
pub(super) fn spawn(
    spec: &SpecRecord,
    keeper: &KeeperRecord,
    output: OwnedFd,
) -> Result<(ProcessId, PipeReader), String> {
    let program = spec.command.first().ok_or("the command is empty")?;
    let file = command::resolve(program, &spec.files, &spec.env)?;
    let report = |error: io::Error| format!("{}: {error}", file.display());
    let (reader, writer) = io::pipe().map_err(report)?;
    let child = spec
        .keeper
        .command()
        .arg(EXECUTE)
        .arg(keeper.identity.process.pid.to_string())
        .arg(&file)
        .args(spec.command.get(1..).unwrap_or_default())
        .env_clear()
        .envs(&spec.env)
        .env(NONCE, &keeper.nonce)
        .current_dir(&spec.files)
        .stdin(Stdio::from(writer))
        .stdout(Stdio::from(output.as_fd().try_clone_to_owned().map_err(report)?))
        .stderr(Stdio::from(output))
        .spawn()
        .map_err(report)?;
    let pid = child.id().cast_signed();
    // It is not reaped before the loop begins, so its pid is its own.
    let process = stat(pid).map(|stat| stat.process).ok_or("it vanished at its start")?;
    Ok((process, reader))
}

/// Reads what the driver left for the keeper.
pub(super) fn spec(folder: &Path) -> Result<SpecRecord, String> {
    match record::read(folder) {
        Ok(Some(spec)) => Ok(spec),
        Ok(None) => Err(format!("{} has no spec.json", folder.display())),
        Err(error) => Err(error.to_string()),
    }
}
