//! The contracts of deliverables: their documents read and compared, and how often their operations are called.
//!
//! Decides nothing: what a comparison says, and what follows from it, is `core`'s. The calls are asked of the proxy now and then,
//! and whenever somebody wants to know. Tested in place, and end to end in `crates/cli/tests/e2e/contract.rs`.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tandem_core::base::{ServiceName, VersionLabel};
use tandem_core::contract::{Comparison, Contract, Document, LARGEST, Ledger, Server, breaks};
use tandem_core::spec::ServiceSpec;
use tandem_drivers::Driver;
use tandem_proxy::control::Client;

use crate::clock::Clock;
use crate::state::{StateFolder, write_file};

/// How often the calls are asked for.
const LOOK: Duration = Duration::from_secs(10);

/// The keeper of a service's contract.
pub(crate) struct ContractKeeper {
    service: ServiceName,
    /// The document in each deliverable.
    document: String,
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
        let document = spec.contract.document.clone()?;
        let kept = fs::read(state.calls()).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Some(ContractKeeper {
            service: spec.service.clone(),
            document,
            window: spec.contract.window,
            driver: Arc::clone(driver),
            state: state.clone(),
            clock,
            known: Mutex::new(Known { ledger: kept.unwrap_or_default(), over: false }),
            ended: Condvar::new(),
        })
    }

    /// What a version that is unpacked promises, beside the version that serves.
    pub(crate) fn examine(
        &self,
        version: &VersionLabel,
        serving: Option<&VersionLabel>,
    ) -> Result<(Contract, Comparison), String> {
        let text = self.of_version(version)?;
        self.compare(text.as_deref(), serving)
    }

    /// The same of a deliverable that nobody has deployed yet.
    pub(crate) fn foresee(
        &self,
        source: &Path,
        serving: Option<&VersionLabel>,
    ) -> Result<Comparison, String> {
        let found = self.driver.file(source, &self.document, LARGEST).map_err(|error| error.to_string())?;
        let text = found.map(|bytes| self.text(bytes)).transpose()?;
        self.compare(text.as_deref(), serving).map(|(_, comparison)| comparison)
    }

    /// Asks for the calls again and again, until the controller ends.
    pub(crate) fn watch(&self) {
        let mut known = self.lock();
        while !known.over {
            drop(known);
            self.look();
            let on = |known: &mut Known| !known.over;
            let waited = self.ended.wait_timeout_while(self.lock(), LOOK, on);
            known = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The controller ends.
    pub(crate) fn end(&self) {
        self.lock().over = true;
        self.ended.notify_all();
    }

    fn compare(
        &self,
        text: Option<&str>,
        serving: Option<&VersionLabel>,
    ) -> Result<(Contract, Comparison), String> {
        let document = &self.document;
        let text = text.ok_or_else(|| {
            format!("it has no {document}: put the OpenAPI document there, or name another file in `contract.document`")
        })?;
        let wrong = |error| format!("{document}: {error}");
        let value = Document::parse(text).map_err(wrong)?;
        let new = Document::read(&value).map_err(wrong)?;
        let contract = new.contract();
        let Some(serving) = serving else { return Ok((contract, Comparison::default())) };
        // What was deployed before there was a contract need not have one that can be read.
        let before = self.of_version(serving)?.and_then(|text| Document::parse(&text).ok());
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

    /// The document of a version that is unpacked.
    fn of_version(&self, version: &VersionLabel) -> Result<Option<String>, String> {
        let folder = self.driver.folder(version, ".").map_err(|error| error.to_string())?;
        let Some(folder) = folder else { return Ok(None) };
        let found = self.driver.file(&folder, &self.document, LARGEST).map_err(|error| error.to_string())?;
        found.map(|bytes| self.text(bytes)).transpose()
    }

    fn text(&self, bytes: Vec<u8>) -> Result<String, String> {
        String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8 text", self.document))
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
