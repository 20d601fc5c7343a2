//! A driver as the engine's port of instances. What may take long (unpacking a deliverable) runs on a thread of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use tandem_core::base::{DeploymentId, InstanceId, ServiceName, VersionLabel};
use tandem_core::deploy::Preparation;
use tandem_core::fleet::{Findings, ObservedInstances};
use tandem_core::spec::RunSpec;
use tandem_core::workflow::{Event, Kind};
use tandem_drivers::{Driver, DriverError, StartInstance};
use tandem_engine::{Instances, PortError};

use crate::controller::wake::Wake;

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

/// How far deliverables are from being ready to run.
///
/// A deployment brings its deliverable along. That its label is ready already does not say that the content is the
/// same, and that it failed once does not say that it fails again: each deployment's deliverable is looked at anew.
#[derive(Debug, Default)]
pub(crate) struct Preparations {
    inner: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The last deployment that brought a deliverable.
    last: DeploymentId,
    /// Its version, until its deliverable was looked at.
    expected: Option<VersionLabel>,
    /// What came, or comes, of looking.
    found: BTreeMap<VersionLabel, Preparation>,
}

impl Preparations {
    /// Follows the journal: a deployment may bring a new deliverable.
    pub(crate) fn follow(&self, event: &Event) {
        let Event::Requested(request) = event else { return };
        let mut known = self.lock();
        if request.deployment <= known.last {
            return;
        }
        known.last = request.deployment;
        // One that is being unpacked goes on; its end is recognised by its being there.
        known.found.retain(|_, found| *found == Preparation::Running);
        known.expected = (request.kind == Kind::Deploy).then(|| request.version.clone());
    }

    /// False: it is being worked on already.
    fn begin(&self, version: &VersionLabel) -> bool {
        let mut known = self.lock();
        if known.found.get(version) == Some(&Preparation::Running) {
            return false;
        }
        if known.expected.as_ref() == Some(version) {
            known.expected = None;
        }
        known.found.insert(version.clone(), Preparation::Running);
        true
    }

    fn end(&self, version: &VersionLabel, outcome: Preparation) {
        let mut known = self.lock();
        if known.expected.as_ref() == Some(version) {
            // Another deployment has brought another deliverable under this label meanwhile.
            known.found.remove(version);
        } else {
            known.found.insert(version.clone(), outcome);
        }
    }

    fn forget(&self, version: &VersionLabel) {
        self.lock().found.remove(version);
    }

    /// What is known, over what the driver says is ready.
    fn over(&self, mut ready: BTreeMap<VersionLabel, Preparation>) -> BTreeMap<VersionLabel, Preparation> {
        let known = self.lock();
        ready.extend(known.found.iter().map(|(version, found)| (version.clone(), found.clone())));
        if let Some(expected) = &known.expected
            && ready.get(expected) != Some(&Preparation::Running)
        {
            ready.remove(expected);
        }
        ready
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tandem_core::base::Digest;
    use tandem_core::spec::{FlipSpec, Strategy};
    use tandem_core::workflow::Request;

    use super::*;

    fn requested(deployment: u64, kind: Kind) -> Event {
        Event::Requested(Request {
            deployment: DeploymentId(deployment),
            kind,
            version: label(),
            source: "/x".to_owned(),
            strategy: Strategy::Flip(FlipSpec::default()),
        })
    }

    fn label() -> VersionLabel {
        "v1".parse().unwrap()
    }

    fn ready() -> BTreeMap<VersionLabel, Preparation> {
        let digest: Digest = "ab".parse().unwrap();
        BTreeMap::from([(label(), Preparation::Ready(digest))])
    }

    #[test]
    fn a_label_that_is_ready_is_looked_at_again_when_a_deployment_brings_it() {
        let preparations = Preparations::default();
        assert_eq!(preparations.over(ready()), ready());
        preparations.follow(&requested(1, Kind::Deploy));
        assert!(preparations.over(ready()).is_empty());
        assert!(preparations.begin(&label()));
        assert_eq!(preparations.over(ready())[&label()], Preparation::Running);
        preparations.end(&label(), Preparation::Failed("other content".to_owned()));
        assert_eq!(preparations.over(ready())[&label()], Preparation::Failed("other content".to_owned()));

        // Mended and tried again; reading the journal once more changes nothing.
        preparations.follow(&requested(2, Kind::Deploy));
        assert!(preparations.over(ready()).is_empty());
        assert!(preparations.begin(&label()));
        preparations.follow(&requested(1, Kind::Deploy));
        preparations.follow(&requested(2, Kind::Deploy));
        assert!(!preparations.begin(&label()));
        preparations.end(&label(), ready()[&label()].clone());
        assert_eq!(preparations.over(BTreeMap::new()), ready());
    }

    #[test]
    fn going_back_takes_what_is_ready() {
        let preparations = Preparations::default();
        preparations.follow(&requested(3, Kind::Rollback));
        assert_eq!(preparations.over(ready()), ready());
    }
}
