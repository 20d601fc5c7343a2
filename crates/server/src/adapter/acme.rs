//! Has certificates from an authority and keeps them fresh: one for each name, so that no name depends on another.
//!
//! When to ask is decided by `tandem_core::traffic::renewal`, how by `acme`. One name is asked for at a time, each within a bounded
//! time; what fails is told once in the log, and by `status` until it is mended. Tested end to end in `crates/cli`.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tandem_core::base::{Millis, Timestamp};
use tandem_core::spec::ServiceSpec;
use tandem_core::traffic::renewal::{Chance, Renewal, Step};

use super::certificates::{CertificateKeeper, Told};
use crate::acme::book::{Book, Entry};
use crate::acme::order::{self, Pair};
use crate::acme::trouble::{Cause, Trouble};
use crate::acme::{Authority, Known};
use crate::clock::wall_time;
use crate::state::StateFolder;

/// How long having one certificate may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long nothing is looked at: the clock may be set meanwhile, and files may come or go.
const LONGEST_PAUSE: Millis = Millis::from_secs(60);
/// How long whether files could be read is waited for.
const FILES: Millis = Millis(50);

/// The keeper of what an authority gives.
pub(crate) struct AcmeKeeper {
    authority: Authority,
    state: StateFolder,
    /// For which certificates are to be had.
    names: Vec<String>,
    /// Whether they were written for that, and not only taken from addresses.
    are_written: bool,
    proxy: Arc<CertificateKeeper>,
}

/// What is under way.
struct Course {
    book: Book,
    /// What went wrong last, by name.
    troubles: BTreeMap<String, Trouble>,
    /// What is wrong with the authority itself.
    whole: Option<Trouble>,
    /// When it is asked again after that.
    again: Renewal,
}

impl AcmeKeeper {
    /// A keeper, if there is an authority and somebody who takes what it gives.
    pub(crate) fn new(
        spec: &ServiceSpec,
        authority: Option<Authority>,
        state: &StateFolder,
        proxy: Option<&Arc<CertificateKeeper>>,
    ) -> Option<AcmeKeeper> {
        Some(AcmeKeeper {
            authority: authority?,
            state: state.clone(),
            names: spec.acme_names(),
            are_written: !spec.tls.acme.hosts.is_empty(),
            proxy: Arc::clone(proxy?),
        })
    }

    /// Works until the keeper of certificates is told to end.
    pub(crate) fn work(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => {
                runtime.block_on(async {
                    tokio::select! {
                        () = self.proxy.ended() => {}
                        () = self.run() => {}
                    }
                });
                // A look-up of a name may hang; nobody waits for it any more.
                runtime.shutdown_background();
            }
            Err(error) => {
                let words = format!("no certificates are asked for: can't begin a runtime: {error}");
                tracing::error!("{words}");
                self.proxy.take(Vec::new(), vec![Told { words, again: None }]);
            }
        }
    }

    async fn run(&self) {
        let book = Book::open(&self.state, &self.authority.directory, &self.names, wall_time());
        let mut course = Course { book, troubles: BTreeMap::new(), whole: None, again: Renewal::default() };
        loop {
            let names = self.wanted();
            self.show(&course, names.as_deref().unwrap_or(&self.names));
            let now = wall_time();
            let pause = match names.as_deref().map(|names| course.next(names)) {
                None => FILES,
                Some(Some((due, step, name))) if due <= now => {
                    self.go(&mut course, &name, step).await;
                    continue;
                }
                Some(next) => next.map_or(LONGEST_PAUSE, |(due, ..)| due.since(now).min(LONGEST_PAUSE)),
            };
            if tokio::time::timeout(pause.to_std(), self.proxy.ended()).await.is_ok() {
                return;
            }
        }
    }

    /// The names to have certificates for. A name of an address needs none if a file has one. None: not known yet.
    fn wanted(&self) -> Option<Vec<String>> {
        let mut wanted = Vec::new();
        for name in &self.names {
            if self.are_written || !self.proxy.has_file_for(name)? {
                wanted.push(name.clone());
            }
        }
        Some(wanted)
    }

    /// Gives what is there to the proxy, and what is missing to people.
    fn show(&self, course: &Course, names: &[String]) {
        let had = |name: &String| course.book.names.get(name)?.certificate(name);
        let told = |name: &String| course.told(name, wall_time());
        let whole = course
            .whole
            .iter()
            .map(|trouble| Told { words: trouble.to_string(), again: Some(course.again.next().0) });
        self.proxy.take(
            names.iter().filter_map(had).collect(),
            whole.chain(names.iter().filter_map(told)).collect(),
        );
    }

    /// Takes one step for a name.
    async fn go(&self, course: &mut Course, name: &str, step: Step) {
        let gone = match self.known(course).await {
            Ok(known) if step == Step::AskWhen => {
                ask_when(course, name, &known).await;
                Ok(())
            }
            Ok(known) => self.order(course, name, known).await,
            Err(trouble) => Err(trouble),
        };
        if let Err(trouble) = gone.and_then(|()| self.write(course)) {
            course.failed_whole(trouble);
        }
    }

    /// The account at the authority, which is thereby known to be there.
    async fn known(&self, course: &mut Course) -> Result<Known, Trouble> {
        let known = self.authority.account(course.book.account.as_ref()).await?;
        course.book.account = Some(known.kept.clone());
        self.write(course)?;
        (course.whole, course.again) = (None, Renewal::default());
        Ok(known)
    }

    /// Has a certificate for a name. What came of it is that name's own affair.
    async fn order(&self, course: &mut Course, name: &str, known: Known) -> Result<(), Trouble> {
        let entry = course.book.names.entry(name.to_owned()).or_default();
        entry.renewal.try_at(wall_time());
        let replaced = entry.renewal.certificate().map(|_| entry.chain.clone());
        // A try that is not written down would not be counted, and what it brings would be asked for again.
        self.write(course)?;
        let challenge = self.authority.challenge;
        let having = order::certificate(&known.account, name, challenge, replaced.as_deref(), &*self.proxy);
        let had = tokio::time::timeout(PATIENCE, having).await;
        self.proxy.forget_questions();
        let late = |_| {
            Err(Cause::from(format!("the authority was not done after {}s", PATIENCE.as_secs()).as_str()))
        };
        match had.unwrap_or_else(late).and_then(|pair| course.take(name, pair)) {
            Ok(()) => {
                tracing::info!("the certificate for {name} was had from {}", self.authority.directory);
                ask_when(course, name, &known).await;
            }
            Err(cause) => {
                let trouble = Trouble::with_name(name, challenge, &cause, known.delay.take());
                course.failed(name, trouble);
            }
        }
        Ok(())
    }

    fn write(&self, course: &Course) -> Result<(), Trouble> {
        let written = course.book.write(&self.state);
        written.map_err(|error| Trouble::new(error, "see to it that the state folder can be written"))
    }
}

/// Asks the authority when it wants a certificate renewed.
async fn ask_when(course: &mut Course, name: &str, known: &Known) {
    let Some(entry) = course.book.names.get_mut(name) else { return };
    let (window, again) = order::window(&known.account, &entry.chain).await;
    entry.renewal.suggested(wall_time(), window, again);
}

impl Course {
    /// What is due next, and for which name. Whatever it is, not while the authority itself is not there.
    fn next(&self, names: &[String]) -> Option<(Timestamp, Step, String)> {
        let step = |name: &String| {
            let (due, step) = self
                .book
                .names
                .get(name)
                .map_or_else(|| Renewal::default().next(), |entry| entry.renewal.next());
            (due, step, name.clone())
        };
        let first = names.iter().map(step).min_by_key(|(due, ..)| *due);
        first.map(|(due, step, name)| (due.max(self.again.next().0), step, name))
    }

    /// Takes a certificate over.
    fn take(&mut self, name: &str, pair: Pair) -> Result<(), Cause> {
        let lifetime = Entry::check(name, &pair.chain, &pair.key)
            .map_err(|why| Cause::from(format!("the certificate can't be used: {why}").as_str()))?;
        let entry = self.book.names.entry(name.to_owned()).or_default();
        entry.renewal.had(lifetime, chance());
        (entry.chain, entry.key) = (pair.chain, Some(pair.key));
        self.troubles.remove(name);
        Ok(())
    }

    fn failed(&mut self, name: &str, trouble: Trouble) {
        if trouble.is_stranger {
            // Another account is made with the next try.
            self.book.account = None;
        }
        let entry = self.book.names.entry(name.to_owned()).or_default();
        entry.renewal.failed(wall_time(), trouble.delay, chance());
        let before = self.troubles.insert(name.to_owned(), trouble.clone());
        if before.is_none_or(|before| before.to_string() != trouble.to_string()) {
            tracing::warn!("no certificate for {name}: {trouble}");
        }
    }

    fn failed_whole(&mut self, trouble: Trouble) {
        self.again.failed(wall_time(), trouble.delay, chance());
        if self.whole.as_ref().is_none_or(|before| before.to_string() != trouble.to_string()) {
            tracing::warn!("{trouble}");
        }
        self.whole = Some(trouble);
    }

    /// What people should know of a name.
    fn told(&self, name: &str, now: Timestamp) -> Option<Told> {
        let entry = self.book.names.get(name);
        let certificate = entry.and_then(|entry| entry.renewal.certificate());
        let again = entry.map(|entry| entry.renewal.next().0);
        let (words, again) = match (self.troubles.get(name), certificate) {
            (None, Some(_)) => return None,
            (None, None) if self.whole.is_some() => (format!("there is no certificate for {name} yet"), None),
            (None, None) => (format!("a certificate for {name} is being asked for"), None),
            (Some(trouble), None) => (format!("there is no certificate for {name} yet: {trouble}"), again),
            (Some(trouble), Some(there)) => {
                let left = match there.until.since(now) {
                    Millis::ZERO => "has ended: clients refuse it".to_owned(),
                    left => format!("ends in {}", left.rough()),
                };
                let why = format!("the certificate for {name} could not be renewed: {trouble}");
                (format!("{why}; the one that is there {left}"), again)
            }
        };
        Some(Told { words, again })
    }
}

/// A draw by lot: it keeps many who were given a certificate at once from coming again at once, and needs to be no secret.
fn chance() -> Chance {
    Chance(RandomState::new().hash_one(()) as u16)
}
