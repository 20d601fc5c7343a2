//! Where deliverables come from by themselves: the watched folder, and what is pushed.
//!
//! Each is read into the inbox, looked at, and offered to the engine, which decides what becomes of it. Nothing is removed
//! from the folder. Must not decide anything. Tested in the modules, in `tests/server/source.rs` and end to end in
//! `crates/cli`.

mod check;
mod clocks;
mod folder;
pub(crate) mod inbox;
pub(crate) mod proof;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use minisign_verify::PublicKey;
use tandem_core::base::{VersionLabel, label_of};
use tandem_core::deploy::{Command, ObservedSource};
use tandem_core::spec::{ServiceSpec, SourceSpec};
use tandem_core::workflow::{Deliverable, Mark, Origin, Queue};
use tandem_drivers::Driver;
use tandem_engine::{Message, Source};

use crate::clock::wall_time;
use crate::state::StateFolder;
use crate::wake::Wake;
use check::Check;
use clocks::Clocks;
use folder::{CHECKSUM, Found, SIGNATURE, Settling};
use inbox::{Inbox, Kept, NotKept};
use proof::{Demands, LONGEST, Proof};

/// The folder is looked at at least so often …
const LOOK: Duration = Duration::from_secs(1);
/// … and no more often than this.
const EAGER: Duration = Duration::from_millis(50);
/// Where there is no folder, what is not needed any more is looked for so often.
const SWEEP: Duration = Duration::from_secs(5);
/// How long the engine may take to record something.
const PATIENCE: Duration = Duration::from_secs(30);
/// What failed by no fault of the deliverable is tried again after this time.
const AGAIN: Duration = Duration::from_secs(5);

/// The keeper of what comes by itself.
pub(crate) struct SourceKeeper {
    spec: SourceSpec,
    /// The watched folder. None: deliverables are only pushed.
    folder: Option<PathBuf>,
    inbox: Inbox,
    clocks: Clocks,
    check: Option<Check>,
    wake: Wake,
    inner: Mutex<Inner>,
    ending: Condvar,
}

#[derive(Default)]
struct Inner {
    stop: bool,
    /// What people should know.
    remarks: Vec<String>,
}

/// What is remembered from one look at the folder to the next.
#[derive(Default)]
struct Watch {
    settling: Settling,
    /// What was offered as it is, and is known.
    done: BTreeMap<String, Mark>,
    /// What failed by no fault of its own, why, and since when.
    failed: BTreeMap<String, (String, Instant)>,
}

/// What in a configuration can't be used here; for people.
pub(crate) fn problem(source: &SourceSpec) -> Option<String> {
    if let Some(zone) = clocks::unknown(source) {
        return Some(format!(
            "`source.windows` or `source.freezes` name the time zone {zone:?}, which is not known here: is it written \
             as in Europe/Berlin, and is the time zone database (tzdata) installed?"
        ));
    }
    let key = source.public_key.as_deref()?;
    let error = PublicKey::from_base64(key).err()?;
    Some(format!("`source.public_key` can't be used: {error}"))
}

impl SourceKeeper {
    /// The keeper of a service. `base`: the folder of the configuration, where relative paths begin.
    ///
    /// # Errors
    /// The inbox can't be opened.
    pub(crate) fn open(
        spec: &ServiceSpec,
        base: &Path,
        state: &StateFolder,
        driver: Arc<dyn Driver>,
        wake: Wake,
    ) -> io::Result<SourceKeeper> {
        let source = spec.source.clone();
        let signer = source.public_key.as_deref().map(PublicKey::from_base64).transpose();
        let signer = signer.map_err(|error| io::Error::other(error.to_string()))?;
        let demands = Demands { checksum: source.checksum, signer };
        let check = source.check.clone().map(|command| Check {
            service: spec.service.clone(),
            command,
            within: source.check_within.to_std(),
            folder: base.to_owned(),
            wake: wake.clone(),
            run: Mutex::default(),
        });
        Ok(SourceKeeper {
            folder: source.folder.as_ref().map(|folder| base.join(folder)),
            inbox: Inbox::open(state.inbox(), driver, demands, source.max_size)?,
            clocks: Clocks::of(&source),
            check,
            spec: source,
            wake,
            inner: Mutex::default(),
            ending: Condvar::new(),
        })
    }

    /// Where deliverables are kept until they are deployed.
    pub(crate) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// A deliverable that is kept, as it is offered to the engine. `name`: what it is called beside its label.
    pub(crate) fn deliverable(
        &self,
        kept: &Kept<'_>,
        version: VersionLabel,
        name: &str,
        origin: Origin,
    ) -> Deliverable {
        Deliverable {
            digest: kept.digest.clone(),
            source: kept.path.display().to_string(),
            hotfix: self.spec.is_hotfix(version.as_str()) || self.spec.is_hotfix(name),
            version,
            origin,
        }
    }

    /// What people should know.
    pub(crate) fn remarks(&self) -> Vec<String> {
        self.lock().remarks.clone()
    }

    /// Looks at the folder again and again until it is told to end. `queue` tells how the queue stands.
    pub(crate) fn watch(&self, queue: impl Fn() -> Queue) {
        let mut watch = Watch::default();
        let pause = match &self.folder {
            Some(_) => (self.spec.settle.to_std() / 4).clamp(EAGER, LOOK),
            None => SWEEP,
        };
        loop {
            let mut remarks = Vec::new();
            if let Some(folder) = &self.folder {
                remarks = self.look(folder, &mut watch, &queue());
            }
            let swept = self.inbox.sweep(|digest| queue().needs(digest));
            remarks.extend(swept.err().map(|error| format!("the inbox can't be swept: {error}")));
            let mut inner = self.lock();
            inner.remarks = remarks;
            let waits = self.ending.wait_timeout_while(inner, pause, |inner| !inner.stop);
            if waits.unwrap_or_else(PoisonError::into_inner).0.stop {
                return;
            }
        }
    }

    /// Has [`SourceKeeper::watch`] end.
    pub(crate) fn end(&self) {
        self.lock().stop = true;
        self.ending.notify_all();
    }

    /// Takes in what is complete, in the order in which it was changed; the answer is what people should know.
    fn look(&self, folder: &Path, watch: &mut Watch, queue: &Queue) -> Vec<String> {
        let shown = folder.display();
        let (found, older) = match folder::look(folder) {
            Ok(found) => found,
            Err(error) => {
                return vec![format!("the folder {shown}, `source.folder`, can't be read: {error}")];
            }
        };
        let now = Instant::now();
        let is_there = |name: &str| found.iter().any(|found| found.name == name);
        watch.done.retain(|name, _| is_there(name));
        watch.failed.retain(|name, _| is_there(name));
        for one in watch.settling.complete(&found, now, self.spec.settle.to_std()) {
            let is_done = watch.done.get(&one.name) == Some(&one.mark);
            let is_known = is_done || queue.knows_file(&one.name, one.mark);
            let waits =
                watch.failed.get(&one.name).is_some_and(|(_, since)| now.duration_since(*since) < AGAIN);
            if is_known || waits {
                continue;
            }
            if self.lock().stop {
                break;
            }
            match self.take(folder, &one) {
                Ok(()) => {
                    watch.failed.remove(&one.name);
                    watch.done.insert(one.name, one.mark);
                }
                Err(why) => drop(watch.failed.insert(one.name, (why, Instant::now()))),
            }
        }
        let older = (older > 0).then(|| {
            format!("{older} older files in {shown} are not looked at: remove what is not needed any more")
        });
        let failed = watch.failed.iter().map(|(name, (why, _))| format!("{name} can't be taken in: {why}"));
        failed.chain(older).collect()
    }

    /// Reads a file into the inbox and offers it. What is wrong with it is recorded; what goes wrong otherwise is told, and it
    /// is tried again.
    fn take(&self, folder: &Path, found: &Found) -> Result<(), String> {
        let Some(version) = label_of(&found.name) else {
            return self
                .decline(found, "no label can be made of its name: call it like shop-v42.tar.gz".to_owned());
        };
        let kept = match self.read(folder, found) {
            Ok(read) => read,
            Err(NotKept::Refused(why) | NotKept::TooLarge(why)) => return self.decline(found, why),
            Err(NotKept::Trouble(why)) => return Err(why),
        };
        let origin = Origin::Folder { file: found.name.clone(), mark: found.mark };
        let deliverable = self.deliverable(&kept, version, &found.name, origin);
        self.tell(Command::Offer { deliverable })
    }

    fn read(&self, folder: &Path, found: &Found) -> Result<Kept<'_>, NotKept> {
        let beside = |end: &str| small(&folder.join(format!("{}.{end}", found.name)));
        let digest = match beside(CHECKSUM)? {
            Some(text) => Some(proof::checksum(&text).ok_or_else(|| {
                NotKept::Refused(format!("{}.{CHECKSUM} holds no SHA-256 in hexadecimal digits", found.name))
            })?),
            None => None,
        };
        let proof = Proof { digest, signature: beside(SIGNATURE)? };
        let mut incoming = self.inbox.begin(0)?;
        inbox::copy(&folder.join(&found.name), &mut incoming)?;
        if folder::mark(folder, &found.name) != Some(found.mark) {
            return Err(NotKept::Trouble("it changed while it was read".to_owned()));
        }
        self.inbox.keep(incoming, &proof)
    }

    fn decline(&self, found: &Found, why: String) -> Result<(), String> {
        self.tell(Command::Decline { name: found.name.clone(), mark: Some(found.mark), why })
    }

    /// Has the engine record something.
    fn tell(&self, command: Command) -> Result<(), String> {
        let (sender, answer) = sync_channel(1);
        let answer_with = Box::new(move |result| drop(sender.send(result)));
        let sent = self.wake.send(Message::Command { command, answer: answer_with });
        sent.map_err(|_| "the engine takes nothing at the moment".to_owned())?;
        match answer.recv_timeout(PATIENCE) {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the engine does not answer".to_owned()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A small file beside a deliverable. None: it is not there.
fn small(path: &Path) -> Result<Option<String>, NotKept> {
    let trouble = |error: io::Error| NotKept::Trouble(format!("{}: {error}", path.display()));
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(trouble(error)),
        Ok(is) if !is.is_file() || is.len() > LONGEST => {
            let name = path.file_name().unwrap_or_default().display();
            return Err(NotKept::Refused(format!("{name} is no file of at most {LONGEST} bytes")));
        }
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LONGEST).read_to_end(&mut bytes)).map_err(trouble)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// The keeper as the engine's port.
pub(crate) struct SourcePort(pub(crate) Arc<SourceKeeper>);

impl Source for SourcePort {
    fn observe(&mut self, asked: Option<&Deliverable>) -> ObservedSource {
        ObservedSource {
            calendar: self.0.clocks.calendar(wall_time()),
            check: self.0.check.as_ref().and_then(|check| check.observe(asked)),
        }
    }
}
