//! A driver as the engine's port of instances. What may take long (unpacking a deliverable) runs on a thread of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::SystemTime;

use tandem_core::base::{Digest, InstanceId, Revision, ServiceName, VersionKey, VersionLabel};
use tandem_core::contract::{Comparison, Contract};
use tandem_core::deploy::Preparation;
use tandem_core::fleet::{Findings, ObservedInstances};
use tandem_core::spec::RunSpec;
use tandem_drivers::{Driver, DriverError, StartInstance};
use tandem_engine::{Instances, PortError, Start};

use crate::adapter::contract::ContractKeeper;
use crate::adapter::database::{Needs, SchemaKeeper};
use crate::preparations::Preparations;
use crate::schema::{self, Form};
use crate::secret::Secret;
use crate::shelf::Shelf;
use crate::wake::Wake;

/// So many instances are started at a time.
const STARTS_AT_ONCE: usize = 8;

/// The instances of one service under one driver.
pub(crate) struct DriverInstances {
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) service: ServiceName,
    /// How they are run, environment resolved.
    pub(crate) run: RunSpec,
    /// Where each revision's instances find their schema. None: there is no database.
    pub(crate) database: Option<InstanceDatabase>,
    /// What versions promise. None: nothing that is written down.
    pub(crate) contract: Option<Arc<ContractKeeper>>,
    /// By which the keys of versions are made.
    pub(crate) secret: Secret,
    /// Where files are kept that pages of other versions may ask for.
    pub(crate) shelf: Shelf,
    pub(crate) preparations: Arc<Preparations>,
    pub(crate) wake: Wake,
}

impl Instances for DriverInstances {
    fn prepare(
        &mut self,
        version: &VersionLabel,
        source: &str,
        known: &BTreeMap<Digest, Revision>,
        serving: Option<&VersionLabel>,
    ) -> Result<(), PortError> {
        if !self.preparations.begin(version) {
            return Ok(());
        }
        let (driver, preparations, wake) =
            (self.driver.clone(), self.preparations.clone(), self.wake.clone());
        let keeper = self.database.as_ref().map(|database| Arc::clone(&database.keeper));
        let (contract, known) = (self.contract.clone(), known.clone());
        let (label, source, serving) = (version.clone(), source.to_owned(), serving.cloned());
        let (key, shelf) = (self.secret.key(&self.service, version), self.shelf.clone());
        let work = move || {
            let outcome = match driver.prepare(&label, Path::new(&source)) {
                Ok(digest) => {
                    shelve(&shelf, &*driver, &label);
                    let revision = known.get(&digest);
                    let promised = contract.map(|keeper| keeper.examine(&label, serving.as_ref()));
                    match promised.transpose() {
                        Ok(contract) => {
                            examined(keeper.as_deref(), &label, revision, (digest.clone(), key, contract))
                        }
                        Err(why) => Preparation::Failed(why),
                    }
                }
                Err(error) => Preparation::Failed(error.to_string()),
            };
            preparations.end(&label, outcome);
            wake.wake();
        };
        match thread::Builder::new().name("prepare".to_owned()).spawn(work) {
            Ok(_) => Ok(()),
            Err(error) => {
                self.preparations.forget(version);
                Err(PortError(format!("can't begin to make {version} ready: {error}")))
            }
        }
    }

    fn prepared(&mut self) -> Result<BTreeMap<VersionLabel, Preparation>, PortError> {
        let ready = |(version, digest)| {
            let key = self.secret.key(&self.service, &version);
            (version, Preparation::Ready { digest, revision: None, key, contract: None })
        };
        // With a database or a contract, a deliverable is looked at in each deployment: what it is held against may have moved.
        let plain = self.database.is_none() && self.contract.is_none();
        let known = self.driver.prepared().map_err(failed)?.into_iter().filter(|_| plain);
        Ok(self.preparations.over(known.map(ready).collect()))
    }

    fn start(&mut self, starts: &[Start]) -> Vec<Result<SocketAddr, PortError>> {
        let start = |one: &Start| {
            let mut run = self.run.clone();
            if let Some(database) = &self.database {
                run.env.extend(database.environment(one.revision.as_ref()).map_err(PortError)?);
            }
            let (instance, version, service) = (one.instance, one.version.clone(), self.service.clone());
            let start = StartInstance { instance, version, service, run };
            self.driver.start(&start).map_err(failed)
        };
        let mut results = Vec::with_capacity(starts.len());
        for together in starts.chunks(STARTS_AT_ONCE) {
            thread::scope(|scope| {
                let begun: Vec<_> = together.iter().map(|one| scope.spawn(move || start(one))).collect();
                results.extend(begun.into_iter().map(|thread| {
                    thread.join().unwrap_or_else(|_| Err(PortError("the driver panicked".to_owned())))
                }));
            });
        }
        results
    }

    fn observe(&mut self) -> Result<ObservedInstances, PortError> {
        self.driver.observe().map_err(failed)
    }

    fn stop(&mut self, instance: InstanceId) -> Result<(), PortError> {
        self.driver.stop(instance).map_err(failed)
    }

    fn remove(&mut self, instance: InstanceId) -> Result<(), PortError> {
        self.driver.remove(instance).map_err(failed)
    }

    fn findings(&mut self, instance: InstanceId) -> Findings {
        self.driver.findings(instance).unwrap_or_else(|error| {
            tracing::warn!(%instance, %error, "nothing can be found out about an instance");
            Findings::default()
        })
    }
}

/// Where the instances of each revision find their schema.
#[derive(Clone)]
pub(crate) struct InstanceDatabase {
    pub(crate) keeper: Arc<SchemaKeeper>,
    /// The database, as the role of the instances.
    pub(crate) url: String,
    /// The variable in which an instance finds its URL.
    pub(crate) variable: String,
}

impl InstanceDatabase {
    /// What an instance of a revision is told: its URL in both forms, and the revision's name.
    pub(super) fn environment(&self, revision: Option<&Revision>) -> Result<Vec<(String, String)>, String> {
        let Some(revision) = revision else { return Ok(vec![(self.variable.clone(), self.url.clone())]) };
        let home = &self.keeper.site.home;
        let own = if self.keeper.site.qualified { Form::Prisma } else { Form::Libpq };
        let url = |form| match &self.keeper.roles {
            None => schema::url(&self.url, revision.as_str(), home, form),
            Some(roles) => {
                let url = roles.url(&self.keeper.site, revision.as_str(), form);
                url.map_err(|trouble| trouble.to_string())
            }
        };
        Ok(vec![
            (self.variable.clone(), url(own)?),
            (format!("JDBC_{}", self.variable), url(Form::Jdbc)?),
            ("TANDEM_REVISION".to_owned(), revision.to_string()),
        ])
    }
}

/// A deliverable that is unpacked: what its migrations ask for.
fn examined(
    keeper: Option<&SchemaKeeper>,
    version: &VersionLabel,
    known: Option<&Revision>,
    (digest, key, contract): (Digest, Option<VersionKey>, Option<(Contract, Comparison)>),
) -> Preparation {
    match keeper.map(|keeper| keeper.examine(version, known)) {
        None => Preparation::Ready { digest, revision: None, key, contract },
        Some(Ok(Needs::Revision(revision))) => Preparation::Ready { digest, revision, key, contract },
        Some(Ok(Needs::Settlement)) => Preparation::Unsettled,
        Some(Err(why)) => Preparation::Failed(why),
    }
}

/// Keeps the files of a deliverable that pages made by it may ask for later. A full disk is no reason not to deploy.
fn shelve(shelf: &Shelf, driver: &dyn Driver, version: &VersionLabel) {
    // What is kept elsewhere is fetched when it is asked for by name.
    let fetched = shelf.folders().try_for_each(|folder| driver.folder(version, folder).map(|_| ()));
    let folder = fetched.and_then(|()| driver.folder(version, ".")).map_err(|error| error.to_string());
    let kept = folder.and_then(|folder| match folder {
        Some(folder) => shelf.take(&folder, SystemTime::now()).map_err(|error| error.to_string()),
        None => Ok(()),
    });
    if let Err(error) = kept {
        tracing::warn!(%version, %error, "some files could not be put on the shelf: pages of this version may miss them later");
    }
}

fn failed(error: DriverError) -> PortError {
    PortError(error.to_string())
}
