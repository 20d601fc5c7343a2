//! The contracts of deliverables: their documents read and compared, and how often their operations are called.
//!
//! Decides nothing: what a comparison says, and what follows from it, is `core`'s. The calls are asked of the proxy now and then,
//! and whenever somebody wants to know; what other services promise and need stands on the `board`. Tested in place, and end to end in `crates/cli/tests/e2e/contract.rs`.

mod asking;
mod board;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tandem_core::base::{ServiceName, VersionLabel};
use tandem_core::contract::{
    Between, Break, Comparison, Contract, Document, DocumentError, Finding, Form, LARGEST, Ledger, Party,
    Server, breaks,
};
use tandem_core::deploy::{Promise, Question};
use tandem_core::spec::{Protocol, ServiceSpec};
use tandem_drivers::{Driver, DriverError};
use tandem_engine::Contracts;
use tandem_proxy::control::Client;

use self::asking::{Address, Answer, Asking, ask};
use self::board::{Board, Claim};
use crate::clock::Clock;
use crate::state::{StateFolder, write_file};
use crate::wake::Wake;

/// How often the calls are asked for.
const LOOK: Duration = Duration::from_secs(10);

/// So many documents that instances told are kept, besides those in use.
const MOST_KEPT: usize = 100;

/// How often it is seen which versions live, where others are told of them.
const TELL: Duration = Duration::from_secs(1);

/// The keeper of a service's contract.
pub(crate) struct ContractKeeper {
    service: ServiceName,
    /// The document in each deliverable, or the path at which instances have it.
    document: Option<String>,
    /// The documents in each deliverable for which it was written, by service that is called.
    needs: BTreeMap<ServiceName, String>,
    /// Where other services are told of it. None: nobody is.
    board: Option<Board>,
    /// How instances are asked.
    protocol: Protocol,
    host: Option<String>,
    asking: Asking,
    window: tandem_core::base::Millis,
    driver: Arc<dyn Driver>,
    state: StateFolder,
    clock: Clock,
    wake: Wake,
    known: Mutex<Known>,
    ended: Condvar,
}

struct Known {
    ledger: Ledger,
    over: bool,
}

impl ContractKeeper {
    /// The keeper of a service that has a contract.
    pub(crate) fn new(
        spec: &ServiceSpec,
        driver: &Arc<dyn Driver>,
        state: &StateFolder,
        clock: Clock,
        wake: &Wake,
    ) -> Option<ContractKeeper> {
        let wanted = &spec.contract;
        if wanted.document.is_none() && wanted.shared.is_none() {
            return None;
        }
        let need = |(service, path): (&String, &String)| Some((service.parse().ok()?, path.clone()));
        let kept = fs::read(state.calls()).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Some(ContractKeeper {
            service: spec.service.clone(),
            document: wanted.document.clone(),
            needs: wanted.needs.iter().filter_map(need).collect(),
            board: wanted.shared.as_ref().map(|folder| Board::open(Path::new(folder), &spec.service)),
            protocol: spec.run.protocol,
            host: spec.run.ready.host.clone(),
            asking: Asking::default(),
            window: wanted.window,
            driver: Arc::clone(driver),
            state: state.clone(),
            clock,
            wake: wake.clone(),
            known: Mutex::new(Known { ledger: kept.unwrap_or_default(), over: false }),
            ended: Condvar::new(),
        })
    }

    /// What a version that is unpacked promises, beside the version that serves and those of other services.
    pub(crate) fn examine(
        &self,
        version: &VersionLabel,
        serving: Option<&VersionLabel>,
    ) -> Result<(Contract, Comparison), String> {
        // An instance that runs tells it later.
        let document = self.document.as_deref().filter(|_| self.asked().is_none());
        self.hold(version, self.claim(document, &|path| self.of_version(version, path))?, serving)
    }

    /// What a version promises, beside the version that serves and those of other services; these are told of it.
    fn hold(
        &self,
        version: &VersionLabel,
        claim: Claim,
        serving: Option<&VersionLabel>,
    ) -> Result<(Contract, Comparison), String> {
        let (contract, mut comparison) = self.compare(&claim, serving)?;
        if let Some(board) = &self.board {
            board.tell(version, claim.clone())?;
            self.clashes(board, version, &claim)?
                .iter()
                .for_each(|(between, all)| comparison.add(between, all));
        }
        Ok((contract, comparison))
    }

    /// The same of a deliverable that nobody has deployed yet.
    pub(crate) fn foresee(
        &self,
        source: &Path,
        version: &VersionLabel,
        serving: Option<&VersionLabel>,
    ) -> Result<Comparison, String> {
        let document = self.document.as_deref().filter(|_| self.asked().is_none());
        let claim = self.claim(document, &|path| self.file(source, path))?;
        let (_, mut comparison) = self.compare(&claim, serving)?;
        if let Some(board) = &self.board {
            self.clashes(board, version, &claim)?
                .iter()
                .for_each(|(between, all)| comparison.add(between, all));
        }
        Ok(comparison)
    }

    /// What would not fit between a version that was deployed before and the versions of other services that live now.
    pub(crate) fn misfits(&self, version: &VersionLabel) -> Result<Vec<Break>, String> {
        let Some(board) = &self.board else { return Ok(Vec::new()) };
        let mut comparison = Comparison::default();
        let claim = self.claim(self.document.as_deref(), &|path| self.of_version(version, path))?;
        self.clashes(board, version, &claim)?.iter().for_each(|(between, all)| comparison.add(between, all));
        Ok(comparison.broken)
    }

    /// Asks for the calls, and tells of the versions that live, again and again until the controller ends.
    pub(crate) fn watch(&self, live: impl Fn() -> BTreeSet<VersionLabel>) {
        let pause = if self.board.is_some() { TELL } else { LOOK };
        let (mut known, mut looked) = (self.lock(), None::<Instant>);
        while !known.over {
            drop(known);
            if looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
                self.look();
                looked = Some(Instant::now());
            }
            self.tell(&live());
            let on = |known: &mut Known| !known.over;
            let waited = self.ended.wait_timeout_while(self.lock(), pause, on);
            known = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn tell(&self, live: &BTreeSet<VersionLabel>) {
        let Some(board) = &self.board else { return };
        // What was deployed before there were contracts need not have documents that can be read.
        let claim = |version: &VersionLabel| {
            self.claim(self.document.as_deref(), &|path| self.of_version(version, path)).ok()
        };
        if let Err(why) = board.keep(live, claim) {
            tracing::warn!("{why}");
        }
    }

    /// The controller ends.
    pub(crate) fn end(&self) {
        self.lock().over = true;
        self.ended.notify_all();
    }

    fn compare(
        &self,
        claim: &Claim,
        serving: Option<&VersionLabel>,
    ) -> Result<(Contract, Comparison), String> {
        let (Some(document), Some(value)) = (&self.document, &claim.document) else {
            return Ok(Default::default());
        };
        let new = Document::read(value).map_err(|error| format!("{document}: {error}"))?;
        let contract = new.contract();
        let Some(serving) = serving else { return Ok((contract, Comparison::default())) };
        // What was deployed before there was a contract need not have one that can be read.
        let before =
            self.of_version(serving, document)?.and_then(|text| Document::parse(&text, form(document)).ok());
        let Some(old) = before.as_ref().and_then(|value| Document::read(value).ok()) else {
            tracing::warn!(%serving, "the version that serves has no {document} that can be read: nothing is compared with it");
            return Ok((contract, Comparison::default()));
        };
        let (broken, ahead) = (breaks(&old, &new, Server::Newer), breaks(&new, &old, Server::Older));
        self.look();
        let (ledger, now) = (&self.lock().ledger, self.clock.now());
        let counted = |operation: &_| ledger.counted(operation, self.window, now);
        Ok((contract, Comparison::of(&broken, &ahead, counted)))
    }

    /// What does not fit between a version and those of other services, in both directions.
    fn clashes(
        &self,
        board: &Board,
        version: &VersionLabel,
        claim: &Claim,
    ) -> Result<Vec<(Between, Vec<Finding>)>, String> {
        let own = Party { service: self.service.clone(), version: version.clone() };
        let mut clashes = Vec::new();
        for (service, versions) in board.others()? {
            for (version, other) in &versions {
                let theirs = Party { service: service.clone(), version: version.clone() };
                let pairs = [
                    (&own, &theirs, claim.needs.get(&service), &other.document, Server::Older),
                    (&theirs, &own, other.needs.get(&self.service), &claim.document, Server::Newer),
                ];
                for (caller, called, need, document, age) in pairs {
                    let Some(need) = need else { continue };
                    let Some(document) = document else {
                        tracing::warn!("{caller} needs something of {called}, which has no document");
                        continue;
                    };
                    let between = Between { caller: caller.clone(), called: called.clone() };
                    clashes.push((between, misfits(need, document, age)?));
                }
            }
        }
        Ok(clashes)
    }

    /// All documents of a version; `file` finds those of its deliverable.
    fn claim(
        &self,
        document: Option<&str>,
        file: &dyn Fn(&str) -> Result<Option<String>, String>,
    ) -> Result<Claim, String> {
        let read = |path: &str, key: &str| {
            let text = file(path)?.ok_or_else(|| {
                format!("it has no {path}: put the OpenAPI document there, or name another file in `contract.{key}`")
            })?;
            let wrong = |error| format!("{path}: {error}");
            let value = Document::parse(&text, form(path)).map_err(wrong)?;
            Document::read(&value).map_err(wrong)?;
            Ok::<_, String>(value)
        };
        let document = document.map(|path| read(path, "document")).transpose()?;
        let need = |(service, path): (&ServiceName, &String)| Ok((service.clone(), read(path, "needs")?));
        let needs = self.needs.iter().map(need).collect::<Result<_, String>>()?;
        Ok(Claim { document, needs })
    }

    /// A document of a version that is unpacked, or that one of its instances told.
    fn of_version(&self, version: &VersionLabel, path: &str) -> Result<Option<String>, String> {
        if self.asked() == Some(path) {
            let told = self.state.contracts().join(format!("{version}.json"));
            return match fs::read_to_string(&told) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                read => read.map(Some).map_err(|error| format!("{} can't be read: {error}", told.display())),
            };
        }
        text(path, self.driver.file_of(version, path, LARGEST))
    }

    fn file(&self, source: &Path, path: &str) -> Result<Option<String>, String> {
        text(path, self.driver.file(source, path, LARGEST))
    }

    /// The path at which instances are asked for the document.
    fn asked(&self) -> Option<&str> {
        self.document.as_deref().filter(|document| is_asked(document))
    }

    /// Asks an instance for its document, and says what comes of it.
    fn question(&self, question: &Question) -> Promise {
        let Some(path) = self.asked() else {
            return Promise::Unusable("no path is named in `contract.document`".to_owned());
        };
        let (host, path) = (self.host.clone(), path.to_owned());
        let address = Address { socket: question.address, protocol: self.protocol, host, path };
        match ask(&address) {
            Err(promise) => promise,
            Ok(answer) => match self.told(question, &answer) {
                Ok((contract, comparison)) => Promise::Told(contract, comparison),
                Err(why) => Promise::Unusable(why),
            },
        }
    }

    /// Keeps a document that an instance told, and holds it against the others.
    fn told(&self, question: &Question, answer: &Answer) -> Result<(Contract, Comparison), String> {
        let path = self.asked().unwrap_or_default();
        let wrong = |error: DocumentError| format!("GET {path}: {error}");
        let value = Document::parse(&answer.text, answer.form).map_err(wrong)?;
        Document::read(&value).map_err(wrong)?;
        let (version, serving) = (&question.version, question.serving.as_ref());
        let kept = self.keep(version, serving, &value);
        kept.map_err(|error| {
            format!("the contract can't be kept in {}: {error}", self.state.contracts().display())
        })?;
        let mut claim = self.claim(None, &|path| self.of_version(version, path))?;
        claim.document = Some(value);
        self.hold(version, claim, serving)
    }

    /// Keeps a document; of many, the oldest goes, but never that of the version that serves.
    fn keep(&self, version: &VersionLabel, serving: Option<&VersionLabel>, value: &Value) -> io::Result<()> {
        let folder = self.state.contracts();
        fs::create_dir_all(&folder)?;
        let path = |version: &VersionLabel| folder.join(format!("{version}.json"));
        let written = write_file(&path(version), value.to_string().as_bytes());
        written.map_err(|error| io::Error::other(error.to_string()))?;
        let mut others = Vec::new();
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let changed = entry.metadata().and_then(|of| of.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
            let stays = [Some(version), serving].into_iter().flatten().any(|one| path(one) == entry.path());
            others.extend((!stays).then(|| (changed, entry.path())));
        }
        others.sort();
        others.iter().rev().skip(MOST_KEPT).try_for_each(|(_, path)| fs::remove_file(path))
    }

    /// Asks the proxy for the calls. While it is away nothing new is known.
    fn look(&self) {
        let report = Client::connect(&self.state.proxy_socket()).and_then(|mut client| client.calls());
        let Ok(report) = report else { return };
        // A proxy whose table has no contract has counted nothing.
        let Some(calls) = report.services.get(&self.service) else { return };
        let mut known = self.lock();
        let before = known.ledger.clone();
        known.ledger.take(report.run, calls, self.window, self.clock.now());
        if known.ledger == before {
            return;
        }
        let text = serde_json::to_vec(&known.ledger).unwrap_or_default();
        if let Err(error) = write_file(&self.state.calls(), &text) {
            tracing::warn!(%error, "the calls of operations can't be kept");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks on threads of its own.
pub(crate) struct ContractPort(pub(crate) Arc<ContractKeeper>);

impl Contracts for ContractPort {
    fn observe(&mut self, question: &Question) -> Option<Promise> {
        let (found, begins) = self.0.asking.look(question.instance);
        if begins {
            let (keeper, question) = (Arc::clone(&self.0), question.clone());
            let instance = question.instance;
            let work = move || {
                let promise = keeper.question(&question);
                keeper.asking.end(question.instance, promise);
                keeper.wake.wake();
            };
            if let Err(error) = thread::Builder::new().name("contract".to_owned()).spawn(work) {
                self.0.asking.end(instance, Promise::Unanswered(format!("can't begin a thread: {error}")));
            }
        }
        found
    }
}

/// Whether instances are asked for a document.
fn is_asked(document: &str) -> bool {
    document.starts_with('/')
}

/// A document that instances told is kept in JSON, whatever its path looks like.
fn form(document: &str) -> Form {
    if is_asked(document) { Form::Json } else { Form::of_file(document) }
}

/// What a version needs, and would not find in a document.
fn misfits(need: &Value, document: &Value, age: Server) -> Result<Vec<Finding>, String> {
    let read = |value| Document::read(value).map_err(|error| error.to_string());
    Ok(breaks(&read(need)?, &read(document)?, age))
}

/// A file of a deliverable as text.
fn text(path: &str, found: Result<Option<Vec<u8>>, DriverError>) -> Result<Option<String>, String> {
    let read = |bytes| String::from_utf8(bytes).map_err(|_| format!("{path} is not UTF-8 text"));
    found.map_err(|error| error.to_string())?.map(read).transpose()
}
