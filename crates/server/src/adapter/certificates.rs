//! Keeps the proxy's certificates those of the files: read again when a file has changed, sent again to each new proxy.
//!
//! What can't be used is told, and what was in force stays. Tested end to end in `crates/cli`.

use std::fs;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tandem_core::spec::{ServiceSpec, TlsSpec};
use tandem_proxy::control::{Client, ControlError};

use crate::certificates::{self, Certificates};
use crate::state::StateFolder;

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How often a proxy is looked for that has not its certificates yet.
const EAGER: Duration = Duration::from_millis(50);

/// What tells whether a file has changed: its time, its size, its number.
type Mark = Option<(SystemTime, u64, u64)>;

/// The keeper of certificates.
pub(crate) struct CertificateKeeper {
    state: StateFolder,
    tls: TlsSpec,
    base: PathBuf,
    inner: Mutex<Inner>,
    stopped: Condvar,
}

#[derive(Default)]
struct Inner {
    stop: bool,
    marks: Vec<Mark>,
    /// The last that could be used.
    good: Option<Certificates>,
    /// Why what the files hold now can't be used.
    trouble: Option<String>,
}

impl CertificateKeeper {
    /// A keeper, if connections are encrypted at all. `base`: the folder of the configuration.
    pub(crate) fn new(spec: &ServiceSpec, base: PathBuf, state: &StateFolder) -> Option<CertificateKeeper> {
        certificates::are_wanted(spec).then(|| CertificateKeeper {
            state: state.clone(),
            tls: spec.tls.clone(),
            base,
            inner: Mutex::default(),
            stopped: Condvar::new(),
        })
    }

    /// What people should know.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let inner = self.lock();
        let known = inner.good.iter().flat_map(|good| good.remarks.iter().cloned());
        inner.trouble.iter().map(|why| format!("{why}; the one before stays in force")).chain(known).collect()
    }

    /// Works until it is told to end.
    pub(crate) fn watch(&self) {
        let mut client = None;
        let mut at_the_proxy = None;
        loop {
            self.look();
            let good = self.lock().good.clone();
            if let Some(good) = &good {
                match self.send(client.take(), good, &mut at_the_proxy) {
                    Ok(connected) => client = Some(connected),
                    Err(ControlError::Io(_)) => at_the_proxy = None,
                    Err(error) => {
                        at_the_proxy = None;
                        self.tell(Some(error.to_string()));
                    }
                }
            }
            let pause = if at_the_proxy.is_none() && good.is_some() { EAGER } else { LOOK };
            let inner = self.lock();
            if inner.stop {
                return;
            }
            let waited = self.stopped.wait_timeout_while(inner, pause, |inner| !inner.stop);
            if waited.map_or_else(|poisoned| poisoned.into_inner().0.stop, |(inner, _)| inner.stop) {
                return;
            }
        }
    }

    /// Ends the watch.
    pub(crate) fn end(&self) {
        self.lock().stop = true;
        self.stopped.notify_all();
    }

    /// Gives the proxy what it has not yet; also tells whether it is still the same proxy.
    fn send(
        &self,
        client: Option<Client>,
        good: &Certificates,
        sent: &mut Option<Certificates>,
    ) -> Result<Client, ControlError> {
        let mut client = match client {
            Some(client) => client,
            None => {
                *sent = None;
                Client::connect(&self.state.proxy_socket())?
            }
        };
        client.process()?;
        if sent.as_ref() != Some(good) {
            client.encrypt(&good.encryption)?;
            *sent = Some(good.clone());
        }
        Ok(client)
    }

    /// Reads the files if one of them has changed.
    fn look(&self) {
        let files = certificates::files(&self.tls, &self.base);
        let mark = |file: &PathBuf| {
            use std::os::unix::fs::MetadataExt;
            let found = fs::metadata(file).ok()?;
            Some((found.modified().ok()?, found.len(), found.ino()))
        };
        let marks: Vec<Mark> = files.iter().map(mark).collect();
        if self.lock().marks == marks {
            return;
        }
        let read = certificates::read(&self.tls, &self.base);
        let trouble = match read {
            Ok(good) => {
                let mut inner = self.lock();
                (inner.marks, inner.good) = (marks, Some(good));
                None
            }
            // A file that is being written may be whole a moment later, without another mark.
            Err(error) => Some(error.to_string()),
        };
        self.tell(trouble);
    }

    fn tell(&self, trouble: Option<String>) {
        let mut inner = self.lock();
        if let Some(why) = trouble.as_ref().filter(|why| inner.trouble.as_ref() != Some(why)) {
            tracing::warn!("{why}; the one before stays in force");
        }
        inner.trouble = trouble;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
