//! A driver as the engine's port of instances. What may take long (unpacking a deliverable) runs on a thread of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use tandem_core::base::{InstanceId, ServiceName, VersionLabel};
use tandem_core::deploy::Preparation;
use tandem_core::fleet::{Findings, ObservedInstances};
use tandem_core::spec::RunSpec;
use tandem_drivers::{Driver, DriverError, StartInstance};
use tandem_engine::{Instances, PortError};

use crate::preparations::Preparations;
use crate::wake::Wake;

/// So many instances are started at a time.
const STARTS_AT_ONCE: usize = 8;

/// The instances of one service under one driver.
pub(crate) struct DriverInstances {
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) service: ServiceName,
    /// How they are run, environment resolved.
    pub(crate) run: RunSpec,
    pub(crate) preparations: Arc<Preparations>,
    pub(crate) wake: Wake,
}

impl Instances for DriverInstances {
    fn prepare(&mut self, version: &VersionLabel, source: &str) -> Result<(), PortError> {
        if !self.preparations.begin(version) {
            return Ok(());
        }
        let (driver, preparations, wake) =
            (self.driver.clone(), self.preparations.clone(), self.wake.clone());
        let (label, source) = (version.clone(), source.to_owned());
        let work = move || {
            let outcome = match driver.prepare(&label, Path::new(&source)) {
                Ok(digest) => Preparation::Ready(digest),
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
        let ready = self.driver.prepared().map_err(failed)?;
        let ready = ready.into_iter().map(|(version, digest)| (version, Preparation::Ready(digest)));
        Ok(self.preparations.over(ready.collect()))
    }

    fn start(&mut self, starts: &[(InstanceId, VersionLabel)]) -> Vec<Result<SocketAddr, PortError>> {
        let start = |(instance, version): &(InstanceId, VersionLabel)| {
            let start = StartInstance {
                instance: *instance,
                version: version.clone(),
                service: self.service.clone(),
                run: self.run.clone(),
            };
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

fn failed(error: DriverError) -> PortError {
    PortError(error.to_string())
}
