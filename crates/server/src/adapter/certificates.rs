//! Keeps the proxy's certificates those of the files and of an authority: files are read again when one has changed, and all
//! is sent again to each new proxy.
//!
//! What can't be used is told, and what was in force stays. Must not know how an authority is asked (`adapter::acme` does).
//! Tested end to end in `crates/cli`.

use std::fs;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tandem_core::base::{Generation, ServiceName, Timestamp};
use tandem_core::spec::{ServiceSpec, TlsSpec};
use tandem_core::traffic::{Certificate, Challenge, Encryption, listener};
use tandem_proxy::control::{Client, ControlError};
use tokio::sync::watch;

use crate::acme::order::Responder;
use crate::acme::trouble::Cause;
use crate::certificates::{self, Certificates};
use crate::clock::wall_time;
use crate::state::StateFolder;

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How often a proxy is looked for that has not its certificates yet.
const EAGER: Duration = Duration::from_millis(50);
/// How long a proxy may take to have the answer for an authority.
const PATIENCE: Duration = Duration::from_secs(30);

/// What tells whether a file has changed: its time, its size, its number.
type Mark = Option<(SystemTime, u64, u64)>;

/// The keeper of certificates.
pub(crate) struct CertificateKeeper {
    state: StateFolder,
    service: ServiceName,
    tls: TlsSpec,
    base: PathBuf,
    inner: Mutex<Inner>,
    changed: Condvar,
    /// The last revision that a proxy has, with the table that says where https is spoken.
    in_force: watch::Sender<u64>,
    ending: watch::Sender<bool>,
}

#[derive(Default)]
struct Inner {
    stop: bool,
    marks: Vec<Mark>,
    /// The last that could be used.
    good: Option<Certificates>,
    /// Why what the files hold now can't be used.
    trouble: Option<String>,
    /// Of an authority.
    had: Vec<Certificate>,
    asked: Vec<Challenge>,
    told: Vec<Told>,
    /// Counts what was sent to be in force.
    revision: u64,
}

/// What people should know of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// What is wrong, or awaited.
    pub(crate) words: String,
    /// When it is tried again.
    pub(crate) again: Option<Timestamp>,
}

impl Told {
    fn at(&self, now: Timestamp) -> String {
        let again = self.again.map(|again| format!("; it is tried again in {}", again.since(now).rough()));
        format!("{}{}", self.words, again.unwrap_or_default())
    }
}

impl CertificateKeeper {
    /// A keeper, if connections are encrypted at all. `base`: the folder of the configuration.
    pub(crate) fn new(spec: &ServiceSpec, base: PathBuf, state: &StateFolder) -> Option<CertificateKeeper> {
        certificates::are_wanted(spec).then(|| CertificateKeeper {
            state: state.clone(),
            service: spec.service.clone(),
            tls: spec.tls.clone(),
            base,
            inner: Mutex::new(Inner { revision: 1, ..Inner::default() }),
            changed: Condvar::new(),
            in_force: watch::Sender::new(0),
            ending: watch::Sender::new(false),
        })
    }

    /// What people should know.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let (inner, now) = (self.lock(), wall_time());
        let known = inner.good.iter().flat_map(|good| good.remarks.iter().cloned());
        let trouble = inner.trouble.iter().map(|why| format!("{why}; the one before stays in force"));
        trouble.chain(known).chain(inner.told.iter().map(|told| told.at(now))).collect()
    }

    /// Works until it is told to end.
    pub(crate) fn watch(&self) {
        let mut client = None;
        let mut at_the_proxy = None;
        loop {
            self.look();
            let (revision, wanted) = self.wanted();
            if let Some(wanted) = &wanted {
                match self.send(client.take(), wanted, &mut at_the_proxy) {
                    Ok((connected, has_table)) => {
                        client = Some(connected);
                        if has_table {
                            self.in_force.send_replace(revision);
                        }
                    }
                    Err(ControlError::Io(_)) => at_the_proxy = None,
                    Err(error) => {
                        at_the_proxy = None;
                        self.tell(Some(error.to_string()));
                    }
                }
            }
            let is_behind = at_the_proxy.is_none() || *self.in_force.borrow() < revision;
            let pause = if wanted.is_some() && is_behind { EAGER } else { LOOK };
            let waits = |inner: &mut Inner| !inner.stop && inner.revision == revision;
            let waited = self.changed.wait_timeout_while(self.lock(), pause, waits);
            if waited.map_or_else(|poisoned| poisoned.into_inner().0.stop, |(inner, _)| inner.stop) {
                return;
            }
        }
    }

    /// Ends the watch.
    pub(crate) fn end(&self) {
        self.lock().stop = true;
        self.changed.notify_all();
        self.ending.send_replace(true);
    }

    /// Ready when the watch is to end.
    pub(crate) async fn ended(&self) {
        // Nothing but this holds the other end.
        let _ = self.ending.subscribe().wait_for(|ending| *ending).await;
    }

    /// Whether a file has a certificate for a name. As long as the files were never read, nobody knows.
    pub(crate) fn has_file_for(&self, name: &str) -> Option<bool> {
        let inner = self.lock();
        let all = inner.good.as_ref()?.encryption.certificates.iter();
        let all: Vec<(Vec<String>, ())> = all.map(|certificate| (certificate.names.clone(), ())).collect();
        Some(listener::find_name(&all, name).is_some())
    }

    /// Takes what an authority gave, and what people should know of it. Files come first, also for the same name.
    pub(crate) fn take(&self, had: Vec<Certificate>, told: Vec<Told>) {
        self.change(|inner| {
            inner.told = told;
            let is_other = inner.had != had;
            inner.had = had;
            is_other
        });
    }

    /// Nothing is asked any more.
    pub(crate) fn forget_questions(&self) {
        self.change(|inner| !std::mem::take(&mut inner.asked).is_empty());
    }

    fn change(&self, change: impl FnOnce(&mut Inner) -> bool) -> u64 {
        let mut inner = self.lock();
        if change(&mut inner) {
            inner.revision += 1;
            self.changed.notify_all();
        }
        inner.revision
    }

    /// What is to be in force. None: the files were never good.
    fn wanted(&self) -> (u64, Option<Encryption>) {
        let inner = self.lock();
        let encryption = inner.good.as_ref().map(|good| {
            let mut all = good.encryption.clone();
            all.certificates.extend(inner.had.iter().cloned());
            all.challenges.clone_from(&inner.asked);
            all
        });
        (inner.revision, encryption)
    }

    /// Gives the proxy what it has not yet; also tells whether it is still the same proxy, and whether it has a table.
    fn send(
        &self,
        client: Option<Client>,
        wanted: &Encryption,
        sent: &mut Option<Encryption>,
    ) -> Result<(Client, bool), ControlError> {
        let mut client = match client {
            Some(client) => client,
            None => {
                *sent = None;
                Client::connect(&self.state.proxy_socket())?
            }
        };
        let (_, report) = client.watch(&self.service, 0, Duration::ZERO)?;
        if sent.as_ref() != Some(wanted) {
            client.encrypt(&self.service, wanted)?;
            *sent = Some(wanted.clone());
        }
        Ok((client, report.generation > Generation::default()))
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
        let is_known = |inner: &Inner| inner.good.is_some() && inner.marks == marks;
        if is_known(&self.lock()) {
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

impl Responder for CertificateKeeper {
    async fn put(&self, answer: Challenge) -> Result<(), Cause> {
        let revision = self.change(|inner| {
            inner.asked = vec![answer];
            true
        });
        let mut in_force = self.in_force.subscribe();
        let taken = tokio::time::timeout(PATIENCE, in_force.wait_for(|taken| *taken >= revision)).await;
        match taken {
            Ok(Ok(_)) => Ok(()),
            _ => Err("the proxy did not take the answer for the authority".into()),
        }
    }
}
