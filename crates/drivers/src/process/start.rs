//! How the driver starts an instance: a port, `spec.json`, a keeper, and the keeper's word that it has begun.
//!
//! The order is described in `keeper`. Must not wait for the app itself. Tested by `tests/drivers`.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{ChildStdout, Stdio};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tandem_core::base::InstanceId;

use super::keeper::READY;
use super::record::{self, KeeperRecord, SpecRecord};
use super::{ProcessDriver, command, layout, locked, port};
use crate::driver::{DriverError, StartInstance};

/// How long a keeper may take to begin its work.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest word of a keeper.
const WORD: usize = 4096;

impl ProcessDriver {
    /// Starts the instance unless it was ever started. The caller sees to it that this runs
    /// only once at a time for each instance.
    pub(super) fn start_keeper(&self, start: &StartInstance) -> Result<SocketAddr, DriverError> {
        if self.layout.removed_instance(start.instance).exists() {
            return Err(DriverError::Removed(start.instance));
        }
        let folder = self.layout.instance(start.instance);
        let spec = match record::read::<SpecRecord>(&folder)? {
            Some(spec) => spec,
            None => self.write_spec(start, &folder)?,
        };
        if record::read::<KeeperRecord>(&folder)?.is_none() {
            self.spawn_keeper(start.instance, &spec, &folder)?;
        }
        Ok(spec.address)
    }

    fn write_spec(&self, start: &StartInstance, folder: &Path) -> Result<SpecRecord, DriverError> {
        let _used = self.releases.read().unwrap_or_else(PoisonError::into_inner);
        if !self.layout.files(&start.version).is_dir() {
            return Err(DriverError::NotPrepared(start.version.clone()));
        }
        let port = self.choose_port(start)?;
        let spec = self.spec(start, port);
        let written = layout::create_private(folder)
            .map_err(DriverError::io("making the folder", folder))
            .and_then(|()| record::write(folder, &spec));
        locked(&self.ports).remove(&port);
        written.map(|()| spec)
    }

    fn spec(&self, start: &StartInstance, port: u16) -> SpecRecord {
        // What is not text cannot be passed on in a record, and nobody misses it.
        let own = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        SpecRecord {
            service: start.service.clone(),
            version: start.version.clone(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            command: command::with_port(&start.run.command, port),
            env: command::environment(own, start, port),
            files: self.layout.files(&start.version),
            signal: start.run.stop.signal,
            grace: start.run.stop.grace,
            keeper: self.keeper.clone(),
        }
    }

    /// A port that no record and no other call holds; it is held until the record stands.
    fn choose_port(&self, start: &StartInstance) -> Result<u16, DriverError> {
        let mut held = locked(&self.ports);
        let mut taken = self.taken_ports()?;
        taken.extend(held.iter());
        let port = port::choose(start.run.ports, self.layout.root(), start.instance, &taken)?;
        held.insert(port);
        Ok(port)
    }

    fn taken_ports(&self) -> Result<BTreeSet<u16>, DriverError> {
        let mut taken = BTreeSet::new();
        for instance in self.all()? {
            let spec = record::read::<SpecRecord>(&self.layout.instance(instance))?;
            taken.extend(spec.map(|spec| spec.address.port()));
        }
        Ok(taken)
    }

    fn spawn_keeper(
        &self,
        instance: InstanceId,
        spec: &SpecRecord,
        folder: &Path,
    ) -> Result<(), DriverError> {
        let failed = |why: String| DriverError::Keeper { instance, why };
        let errors = folder.join("keeper.err");
        let stderr = File::create(&errors).map_err(DriverError::io("writing", &errors))?;
        let mut child = self
            .keeper
            .command()
            .arg(spec.service.as_str())
            .arg(instance.to_string())
            .arg(folder)
            .env_clear()
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .map_err(|error| failed(format!("{error}")))?;
        let stdout = child.stdout.take();
        self.memory().children.push(child);
        let word = stdout.map(|stdout| word(stdout, Instant::now() + PATIENCE)).unwrap_or_default();
        match word.trim() {
            READY => Ok(()),
            "" => Err(failed(format!("it said nothing; {} may tell more", errors.display()))),
            why => Err(failed(why.to_owned())),
        }
    }
}

/// What the keeper says until the end of its first line, its end, or the deadline.
fn word(stdout: ChildStdout, deadline: Instant) -> String {
    let mut said = Vec::new();
    let mut buffer = [0; 512];
    while said.len() < WORD && !said.contains(&b'\n') {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).ok();
        let mut fds = [PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::IN)];
        match poll(&mut fds, timeout.as_ref()) {
            Err(rustix::io::Errno::INTR) => continue,
            Ok(1..) => {}
            _ => break,
        }
        match rustix::io::read(&stdout, &mut buffer) {
            Ok(count @ 1..) => said.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            _ => break,
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}
