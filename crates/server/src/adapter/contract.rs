//! The contracts of deliverables: their documents read and compared, and how often their operations are called.
//!
//! Decides nothing: what a comparison says, and what follows from it, is `core`'s. The calls are asked of the proxy now and then,
//! and whenever somebody wants to know; what other services promise and need stands on the `board`. Tested in place, and end to end in `crates/cli/tests/e2e/contract.rs`.

mod board;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tandem_core::base::{ServiceName, VersionLabel};
use tandem_core::contract::{
    Between, Break, Comparison, Contract, Document, Finding, Form, LARGEST, Ledger, Party, Server, breaks,
};
use tandem_core::spec::ServiceSpec;
use tandem_drivers::Driver;
use tandem_proxy::control::Client;

use self::board::{Board, Claim};
use crate::clock::Clock;
use crate::state::{StateFolder, write_file};

/// How often the calls are asked for.
const LOOK: Duration = Duration::from_secs(10);

/// How often it is seen which versions live, where others are told of them.
const TELL: Duration = Duration::from_secs(1);

/// The keeper of a service's contract.
pub(crate) struct ContractKeeper {
    service: ServiceName,
    /// The document in each deliverable.
    document: Option<String>,
    /// The documents in each deliverable for which it was written, by service that is called.
    needs: BTreeMap<ServiceName, String>,
    /// Where other services are told of it. None: nobody is.
    board: Option<Board>,
    window: tandem_core::base::Millis,
    driver: Arc<dyn Driver>,
    state: StateFolder,
    clock: Clock,
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
            window: wanted.window,
            driver: Arc::clone(driver),
            state: state.clone(),
            clock,
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
        let claim = self.claim(&|path| self.of_version(version, path))?;
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
        let claim = self.claim(&|path| self.file(source, path))?;
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
        let claim = self.claim(&|path| self.of_version(version, path))?;
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
        let claim = |version: &VersionLabel| self.claim(&|path| self.of_version(version, path)).ok();
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
        let before = self
            .of_version(serving, document)?
            .and_then(|text| Document::parse(&text, Form::of_file(document)).ok());
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
    fn claim(&self, file: &dyn Fn(&str) -> Result<Option<String>, String>) -> Result<Claim, String> {
        let read = |path: &str, key: &str| {
            let text = file(path)?.ok_or_else(|| {
                format!("it has no {path}: put the OpenAPI document there, or name another file in `contract.{key}`")
            })?;
            let wrong = |error| format!("{path}: {error}");
            let value = Document::parse(&text, Form::of_file(path)).map_err(wrong)?;
            Document::read(&value).map_err(wrong)?;
            Ok::<_, String>(value)
        };
        let document = self.document.as_deref().map(|path| read(path, "document")).transpose()?;
        let need = |(service, path): (&ServiceName, &String)| Ok((service.clone(), read(path, "needs")?));
        let needs = self.needs.iter().map(need).collect::<Result<_, String>>()?;
        Ok(Claim { document, needs })
    }

    /// A document of a version that is unpacked.
    fn of_version(&self, version: &VersionLabel, path: &str) -> Result<Option<String>, String> {
        let folder = self.driver.folder(version, ".").map_err(|error| error.to_string())?;
        folder.map_or(Ok(None), |folder| self.file(&folder, path))
    }

    fn file(&self, source: &Path, path: &str) -> Result<Option<String>, String> {
        let found = self.driver.file(source, path, LARGEST).map_err(|error| error.to_string())?;
        let text = |bytes| String::from_utf8(bytes).map_err(|_| format!("{path} is not UTF-8 text"));
        found.map(text).transpose()
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

/// What a version needs, and would not find in a document.
fn misfits(need: &Value, document: &Value, age: Server) -> Result<Vec<Finding>, String> {
    let read = |value| Document::read(value).map_err(|error| error.to_string());
    Ok(breaks(&read(need)?, &read(document)?, age))
}
