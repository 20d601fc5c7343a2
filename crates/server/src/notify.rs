//! Tells people of deployments: reads the journal behind the engine, and hands each message to whoever is to be told.
//!
//! What somebody was told is kept by its number, so that a controller that dies tells the last message twice rather than not at all.
//! Nothing waits for it, and nobody for another: each is told at a pace of his own. Who can't be reached is tried a few times, and then
//! only spoken of in the log and by `status`. What to tell is said in `notice`, how in `target`. Tested in place, and end to end in
//! `crates/cli`.

mod notice;
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tandem_core::base::{Millis, Timestamp};
use tandem_core::spec::ServiceSpec;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

use crate::adapter::journal::decode;
use crate::clock::Clock;
use crate::config::{self, ConfigError};
use crate::feed::Feed;
use crate::message::JournalEvent;
use crate::seen::Seen;
use crate::state::{StateFolder, write_file};
use crate::store::Store;

use notice::Notice;
use target::{Line, Target};

/// How many events are read from the store at a time.
const PAGE: usize = 200;
/// What happened longer ago is news to nobody.
const STALE: Millis = Millis::from_secs(3600);

/// Whoever tells people.
pub(crate) struct Notifier {
    targets: Vec<Target>,
    feed: Arc<Feed>,
    seen: watch::Receiver<Arc<Seen>>,
    clock: Clock,
    spec: ServiceSpec,
    /// Where it is kept what each was told.
    marks: PathBuf,
    /// What was told before anything was kept.
    last: u64,
    database: PathBuf,
    /// Who could not be reached last, and why.
    troubles: Mutex<BTreeMap<usize, String>>,
}

impl Notifier {
    /// A notifier, if the configuration names somebody; `base` is its folder, `last` the number of the last event so far.
    ///
    /// # Errors
    /// An address is to be read from a variable that is not set.
    pub(crate) fn new(
        spec: &ServiceSpec,
        base: &Path,
        (state, last): (&StateFolder, u64),
        (feed, seen, clock): (&Arc<Feed>, &watch::Receiver<Arc<Seen>>, Clock),
    ) -> Result<Option<Notifier>, ConfigError> {
        let marks = state.notified();
        if spec.notify.is_empty() {
            // Whoever is named later is told of what comes from then on.
            let _ = fs::remove_dir_all(&marks);
            return Ok(None);
        }
        let urls = config::targets(spec)?;
        let target = |(spec, url)| Target::new(spec, url, base);
        let notifier = Notifier {
            targets: spec.notify.iter().zip(urls).map(target).collect(),
            feed: feed.clone(),
            seen: seen.clone(),
            clock,
            spec: spec.clone(),
            marks,
            last,
            database: state.database(),
            troubles: Mutex::default(),
        };
        let _there_already = fs::create_dir(&notifier.marks);
        for target in notifier.targets.iter().filter(|target| notifier.kept(target).is_none()) {
            // What is in the journal already is news to nobody; what comes from now on is.
            notifier.keep(target, last);
        }
        Ok(Some(notifier))
    }

    fn kept(&self, target: &Target) -> Option<u64> {
        fs::read_to_string(self.marks.join(target.key())).ok()?.trim().parse().ok()
    }

    /// How many are to be told.
    pub(crate) fn targets(&self) -> usize {
        self.targets.len()
    }

    /// Who can't be reached, in sentences.
    pub(crate) fn remarks(&self) -> Vec<String> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Tells one of them, by its place, until the engine ends.
    pub(crate) fn work(&self, at: usize) {
        let Some(target) = self.targets.get(at) else { return };
        let store = Store::open(&self.database).map_err(|error| error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match (store, runtime.map_err(|error| error.to_string())) {
            (Ok(store), Ok(runtime)) => {
                let teller = Teller { notifier: self, at, target, line: Line::new() };
                runtime.block_on(teller.run(&store));
                runtime.shutdown_background();
            }
            (Err(error), _) | (_, Err(error)) => {
                tracing::error!(%error, to = target.name(), "somebody is told of no deployment");
            }
        }
    }

    fn keep(&self, target: &Target, told: u64) {
        if let Err(error) = write_file(&self.marks.join(target.key()), told.to_string().as_bytes()) {
            tracing::warn!(%error, "what people were told can't be kept: they may be told twice");
        }
    }
}

/// Tells one of them.
struct Teller<'a> {
    notifier: &'a Notifier,
    at: usize,
    target: &'a Target,
    line: Line,
}

impl Teller<'_> {
    async fn run(&self, store: &Store) {
        let (mut live, _) = self.notifier.feed.listen();
        let mut passes = self.notifier.seen.clone();
        let mut told = self.notifier.kept(self.target).unwrap_or(self.notifier.last);
        let mut asked = BTreeSet::new();
        loop {
            told = self.catch_up(store, told).await;
            self.ask(&mut asked).await;
            tokio::select! {
                event = live.recv() => if matches!(event, Err(RecvError::Closed)) { return },
                pass = passes.changed() => if pass.is_err() { return },
            }
        }
    }

    /// Tells what the journal holds after `told`; the answer is the last number there.
    async fn catch_up(&self, store: &Store, mut told: u64) -> u64 {
        loop {
            let page = match store.after(told, PAGE) {
                Ok(page) if page.is_empty() => return told,
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(%error, "people can't be told of deployments at the moment");
                    return told;
                }
            };
            for stored in page {
                let seq = stored.seq;
                match decode(stored) {
                    Ok(event) => self.take(&event).await,
                    Err(error) => tracing::warn!(%error, "an event that nobody is told of"),
                }
                told = seq;
            }
            self.notifier.keep(self.target, told);
        }
    }

    async fn take(&self, event: &JournalEvent) {
        let is_stale = event.recorded.at + STALE < self.notifier.clock.now();
        let record = event.deployment.and_then(|id| self.notifier.feed.deployment(id));
        let notice = Notice::of(&self.notifier.spec.service, event, record.as_ref());
        if let Some(notice) = notice.filter(|_| !is_stale) {
            self.tell(&notice).await;
            self.notifier.keep(self.target, event.seq);
        }
    }

    /// Tells once of each thing that waits for a person.
    async fn ask(&self, asked: &mut BTreeSet<String>) {
        let view = self.notifier.seen.borrow().view.clone();
        let (now, service) = (self.notifier.clock.now(), &self.notifier.spec.service);
        let asking = |wait| Notice::asking(service, wait, &view, now);
        let open: Vec<Notice> = view.waits.iter().filter_map(asking).collect();
        asked.retain(|id| open.iter().any(|notice| notice.id == *id));
        for notice in open {
            if asked.insert(notice.id.clone()) {
                self.tell(&notice).await;
            }
        }
    }

    async fn tell(&self, notice: &Notice) {
        if !self.target.wants(notice.occasion) {
            return;
        }
        let outcome = self.target.deliver(notice, &self.line).await;
        let mut troubles = self.notifier.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(()) => drop(troubles.remove(&self.at)),
            Err(why) => {
                let (name, occasion) = (self.target.name(), notice.occasion.name());
                tracing::warn!(to = name, why, occasion, "a message did not arrive");
                troubles.insert(self.at, format!("the last message to {name} did not arrive: {why}"));
            }
        }
    }
}

/// A time as other programs write it.
fn written(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(i64::try_from(at.0).unwrap_or(i64::MAX));
    at.map(|at| at.to_string()).unwrap_or_default()
}
