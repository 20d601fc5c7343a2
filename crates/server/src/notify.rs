//! Tells people of deployments: reads the journal behind the engine, and hands each message to whoever is to be told.
//!
//! What was told is kept by its number, so that a controller that dies tells the last message twice rather than not at all. Nothing
//! waits for it: who can't be reached is tried a few times, and then only spoken of in the log and by `status`. What to tell is said
//! in `notice`, how in `target`. Tested in place, and end to end in `crates/cli`.

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
use tokio::task::JoinSet;

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
    targets: Vec<Arc<Target>>,
    feed: Arc<Feed>,
    seen: watch::Receiver<Arc<Seen>>,
    clock: Clock,
    spec: ServiceSpec,
    /// Where it is kept what was told.
    mark: PathBuf,
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
        let mark = state.notified();
        if spec.notify.is_empty() {
            // Whoever is named later is told of what comes from then on.
            let _ = fs::remove_file(&mark);
            return Ok(None);
        }
        let urls = config::targets(spec)?;
        let target = |(spec, url)| Arc::new(Target::new(spec, url, base));
        let notifier = Notifier {
            targets: spec.notify.iter().zip(urls).map(target).collect(),
            feed: feed.clone(),
            seen: seen.clone(),
            clock,
            spec: spec.clone(),
            mark,
            last,
            database: state.database(),
            troubles: Mutex::default(),
        };
        if notifier.kept().is_none() {
            // What is in the journal already is news to nobody; what comes from now on is.
            notifier.keep(last);
        }
        Ok(Some(notifier))
    }

    fn kept(&self) -> Option<u64> {
        fs::read_to_string(&self.mark).ok()?.trim().parse().ok()
    }

    /// Who can't be reached, in sentences.
    pub(crate) fn remarks(&self) -> Vec<String> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Works until the engine ends.
    pub(crate) fn work(&self) {
        let store = Store::open(&self.database).map_err(|error| error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match (store, runtime.map_err(|error| error.to_string())) {
            (Ok(store), Ok(runtime)) => {
                runtime.block_on(self.run(&store));
                runtime.shutdown_background();
            }
            (Err(error), _) | (_, Err(error)) => tracing::error!(%error, "nobody is told of deployments"),
        }
    }

    async fn run(&self, store: &Store) {
        let line = Arc::new(Line::new());
        let (mut live, _) = self.feed.listen();
        let mut passes = self.seen.clone();
        let mut told = self.kept().unwrap_or(self.last);
        let mut asked = BTreeSet::new();
        loop {
            told = self.catch_up(store, told, &line).await;
            self.ask(&mut asked, &line).await;
            tokio::select! {
                event = live.recv() => if matches!(event, Err(RecvError::Closed)) { return },
                pass = passes.changed() => if pass.is_err() { return },
            }
        }
    }

    /// Tells what the journal holds after `told`; the answer is the last number there.
    async fn catch_up(&self, store: &Store, mut told: u64, line: &Arc<Line>) -> u64 {
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
                    Ok(event) => self.take(&event, line).await,
                    Err(error) => tracing::warn!(%error, "an event that nobody is told of"),
                }
                told = seq;
            }
            self.keep(told);
        }
    }

    async fn take(&self, event: &JournalEvent, line: &Arc<Line>) {
        let is_stale = event.recorded.at + STALE < self.clock.now();
        let record = event.deployment.and_then(|id| self.feed.deployment(id));
        if let Some(notice) = Notice::of(&self.spec.service, event, record.as_ref()).filter(|_| !is_stale) {
            self.tell(notice, line).await;
            self.keep(event.seq);
        }
    }

    /// Tells once of each thing that waits for a person.
    async fn ask(&self, asked: &mut BTreeSet<String>, line: &Arc<Line>) {
        let view = self.seen.borrow().view.clone();
        let now = self.clock.now();
        let open: Vec<Notice> = view
            .waits
            .iter()
            .filter_map(|wait| Notice::asking(&self.spec.service, wait, &view, now))
            .collect();
        asked.retain(|id| open.iter().any(|notice| notice.id == *id));
        for notice in open {
            if asked.insert(notice.id.clone()) {
                self.tell(notice, line).await;
            }
        }
    }

    /// Hands a message to all who want it, at the same time.
    async fn tell(&self, notice: Notice, line: &Arc<Line>) {
        let notice = Arc::new(notice);
        let mut deliveries = JoinSet::new();
        for (at, target) in self.targets.iter().enumerate().filter(|(_, t)| t.wants(notice.occasion)) {
            let (target, notice, line) = (target.clone(), notice.clone(), line.clone());
            deliveries.spawn(async move { (at, target.deliver(&notice, &line).await) });
        }
        while let Some(delivered) = deliveries.join_next().await {
            let Ok((at, outcome)) = delivered else { continue };
            let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
            match outcome {
                Ok(()) => drop(troubles.remove(&at)),
                Err(why) => {
                    let name = self.targets.get(at).map(|target| target.name()).unwrap_or_default();
                    tracing::warn!(
                        target = name,
                        why,
                        occasion = notice.occasion.name(),
                        "a message did not arrive"
                    );
                    troubles.insert(at, format!("the last message to {name} did not arrive: {why}"));
                }
            }
        }
    }

    fn keep(&self, told: u64) {
        if let Err(error) = write_file(&self.mark, told.to_string().as_bytes()) {
            tracing::warn!(%error, "what people were told can't be kept: they may be told twice");
        }
    }
}

/// A time as other programs write it.
fn written(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(i64::try_from(at.0).unwrap_or(i64::MAX));
    at.map(|at| at.to_string()).unwrap_or_default()
}
