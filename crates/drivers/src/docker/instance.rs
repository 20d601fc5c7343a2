//! Instances of the driver: chosen a host, started, seen, removed. Repeated as often as anybody likes.
//!
//! The record is written before the container is made, and the container's name is the instance's own: so a start that was
//! cut off is gone on with, and none happens twice. Must not know images. Tested by `tests/drivers` with real engines.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tandem_core::base::{InstanceId, VersionLabel};
use tandem_core::fleet::{Exit, ObservedInstance, ObservedInstances, RunStatus};
use tandem_core::spec::{DockerSpec, Reach, RunSpec};

use super::container::{self, Plan, Seen};
use super::engine::{Engine, QUICK, SLOW};
use super::record::{ContainerRecord, ImageRecord};
use super::trouble::Trouble;
use super::{DockerDriver, image, label};
use crate::driver::{DriverError, StartInstance};
use crate::process::record::{self, ExitRecord};
use crate::process::{command, layout};

/// What came of a start.
struct Started {
    address: Option<SocketAddr>,
    failed: Option<String>,
}

impl DockerDriver {
    /// The instances that have a record, with it.
    pub(super) fn records(&self) -> Result<BTreeMap<InstanceId, ContainerRecord>, DriverError> {
        let folder = self.layout.instances();
        let mut records = BTreeMap::new();
        for instance in layout::ids(&folder).map_err(DriverError::io("reading", &folder))? {
            let record = record::read::<ContainerRecord>(&self.layout.instance(instance))?;
            records.extend(record.map(|record| (instance, record)));
        }
        Ok(records)
    }

    /// Starts the instance unless it was ever started. The caller sees to it that this runs only once at a time for each.
    pub(super) fn start_container(&self, start: &StartInstance) -> Result<SocketAddr, DriverError> {
        if self.layout.removed_instance(start.instance).exists() {
            return Err(DriverError::Removed(start.instance));
        }
        let folder = self.layout.instance(start.instance);
        let mut record = match record::read::<ContainerRecord>(&folder)? {
            Some(record) => record,
            None => self.write_record(start)?,
        };
        if record.address.is_none() && record.failed.is_none() {
            let engine = self.engine(&record)?;
            let image = self.image_on(&start.version, &engine)?;
            let begun = self.begin(start, &record, &engine, image);
            let started = begun.map_err(|trouble| {
                // A container that is certainly not there binds the instance to no host.
                if !trouble.is_away() {
                    let _ = std::fs::remove_dir_all(&folder);
                }
                self.told(&engine, &format!("starting instance {}", start.instance), trouble)
            })?;
            record.failed = started.failed;
            record.address = Some(started.address.unwrap_or_else(|| container::nowhere(record.port)));
            record::write(&folder, &record)?;
        }
        Ok(record.address.unwrap_or_else(|| container::nowhere(record.port)))
    }

    fn write_record(&self, start: &StartInstance) -> Result<ContainerRecord, DriverError> {
        let _used = self.choosing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.version(&start.version)?.is_none() {
            return Err(DriverError::NotPrepared(start.version.clone()));
        }
        let engine = self.choose(&start.version)?;
        let record = ContainerRecord {
            service: start.service.clone(),
            version: start.version.clone(),
            host: engine.host.clone(),
            name: label::container(&self.state, &start.service, start.instance),
            port: u16::try_from(self.spec.port).unwrap_or(u16::MAX),
            address: None,
            failed: None,
        };
        let folder = self.layout.instance(start.instance);
        layout::create_private(&folder).map_err(DriverError::io("making the folder", &folder))?;
        record::write(&folder, &record)?;
        Ok(record)
    }

    /// The engine with the fewest instances of the version, and of all; one that does not answer only if none does.
    fn choose(&self, version: &VersionLabel) -> Result<Arc<Engine>, DriverError> {
        let records = self.records()?;
        let load = |engine: &Engine| {
            let here = records.values().filter(|record| record.host == engine.host);
            let all = here.clone().count();
            (engine.is_away(), here.filter(|record| record.version == *version).count(), all)
        };
        let best = self.engines.iter().min_by_key(|engine| load(engine));
        best.cloned().ok_or_else(|| DriverError::Engine {
            host: "run.docker.hosts".to_owned(),
            why: "names no engine".to_owned(),
        })
    }

    fn begin(
        &self,
        start: &StartInstance,
        record: &ContainerRecord,
        engine: &Arc<Engine>,
        image: ImageRecord,
    ) -> Result<Started, Trouble> {
        let (engine, name, port) = (engine.clone(), record.name.clone(), record.port);
        let (spec, reach) = (self.spec.clone(), self.reach(&engine));
        let (labels, run, env) = (self.labels(start), start.run.clone(), environment(start, port));
        self.within(SLOW * 3 + QUICK * 2, async move {
            let host = engine.address().await?;
            let body = plan(&spec, reach, host, image, &run, env, labels).body();
            container::create(&engine, &name, body).await?;
            let made = container::inspect(&engine, &name).await?;
            let state = made.and_then(|made| made.state).unwrap_or_default();
            if !container::was_started(&state)
                && let Err(trouble) = container::start(&engine, &name).await
            {
                return match trouble {
                    Trouble::Refused { message, .. } => {
                        Ok(Started { address: None, failed: Some(container::not_executed(&message)) })
                    }
                    away => Err(away),
                };
            }
            let started = container::inspect(&engine, &name).await?;
            let network = started.and_then(|started| started.network_settings);
            let address = network.and_then(|network| {
                container::address(&network, (reach, spec.network.as_deref(), port, host))
            });
            Ok(Started { address, failed: None })
        })
    }

    fn labels(&self, start: &StartInstance) -> Vec<(&'static str, String)> {
        vec![
            (label::STATE, self.state.clone()),
            (label::SERVICE, start.service.to_string()),
            (label::VERSION, start.version.to_string()),
            (label::INSTANCE, start.instance.0.to_string()),
        ]
    }

    pub(super) fn reach(&self, engine: &Engine) -> Reach {
        let own = match engine.host {
            tandem_core::spec::EngineHost::Socket(_) => Reach::Address,
            tandem_core::spec::EngineHost::Network(_) => Reach::Port,
        };
        self.spec.reach.unwrap_or(own)
    }

    /// All instances, as their engines see them. Of one whose engine does not answer, what was last known of it is told:
    /// that nobody answers says nothing of the instance.
    pub(super) fn look(&self) -> Result<ObservedInstances, DriverError> {
        let records = self.records()?;
        let seen = self.seen();
        if let Some(trouble) = seen.values().find_map(|seen| seen.as_ref().err())
            && seen.values().all(Result::is_err)
            && !records.is_empty()
        {
            let host = self.spec.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(DriverError::Engine { host, why: format!("looking at instances: {trouble}") });
        }
        let mut observed = ObservedInstances::new();
        for (instance, record) in records {
            let host = record.host.to_string();
            let status = match seen.get(&host) {
                Some(Ok(there)) => self.status(instance, &record, there.get(&instance).copied())?,
                _ => self.last_known(instance, &record),
            };
            self.memory().known.insert(instance, status.clone());
            let address = record.address.unwrap_or_else(|| container::nowhere(record.port));
            observed.insert(instance, ObservedInstance { version: record.version, address, status });
        }
        self.memory().known.retain(|instance, _| observed.contains_key(instance));
        Ok(observed)
    }

    /// What each engine has of ours; all are asked at once.
    fn seen(&self) -> BTreeMap<String, Result<BTreeMap<InstanceId, Seen>, Trouble>> {
        let all = self.engines.iter().cloned().map(|engine| {
            let state = self.state.clone();
            async move { (engine.host.to_string(), container::list(&engine, &state).await) }
        });
        let all: Vec<_> = all.collect();
        let asked = self.runtime.wait(QUICK * 2, async move { futures_util::future::join_all(all).await });
        asked.unwrap_or_default().into_iter().collect()
    }

    pub(super) fn status(
        &self,
        instance: InstanceId,
        record: &ContainerRecord,
        seen: Option<Seen>,
    ) -> Result<RunStatus, DriverError> {
        let starting = self.memory().starting.contains(&instance);
        Ok(match seen {
            Some(Seen::Runs) => RunStatus::Running,
            Some(Seen::Ended) => RunStatus::Exited(self.exit(instance, record)?),
            Some(Seen::Made) | None if record.failed.is_some() => {
                RunStatus::Exited(Exit::NotExecuted(record.failed.clone().unwrap_or_default()))
            }
            Some(Seen::Made) | None if starting => RunStatus::Running,
            Some(Seen::Made) => {
                RunStatus::Exited(Exit::NotExecuted("its container was never started".to_owned()))
            }
            None if record.address.is_none() => {
                RunStatus::Exited(Exit::NotExecuted("its container was never made".to_owned()))
            }
            // Somebody else removed the container.
            None => RunStatus::Exited(self.kept_exit(instance)?.unwrap_or(Exit::Unknown)),
        })
    }

    fn last_known(&self, instance: InstanceId, record: &ContainerRecord) -> RunStatus {
        let known = self.memory().known.get(&instance).cloned();
        known.unwrap_or_else(|| match (&record.failed, self.kept_exit(instance)) {
            (Some(why), _) => RunStatus::Exited(Exit::NotExecuted(why.clone())),
            (None, Ok(Some(exit))) => RunStatus::Exited(exit),
            (None, _) => RunStatus::Running,
        })
    }

    fn kept_exit(&self, instance: InstanceId) -> Result<Option<Exit>, DriverError> {
        let kept = record::read::<ExitRecord>(&self.layout.instance(instance))?;
        Ok(kept.map(|record| record.exit))
    }

    /// How a container ended. Asked for once, and kept: its engine may be gone tomorrow.
    fn exit(&self, instance: InstanceId, record: &ContainerRecord) -> Result<Exit, DriverError> {
        if let Some(exit) = self.kept_exit(instance)? {
            return Ok(exit);
        }
        let (engine, name) = (self.engine(record)?, record.name.clone());
        let asked = engine.clone();
        let found = self.within(QUICK, async move { container::inspect(&asked, &name).await });
        let found = found
            .map_err(|trouble| self.told(&engine, &format!("looking at instance {instance}"), trouble))?;
        let state = found.and_then(|found| found.state).unwrap_or_default();
        let exit = container::exit(&state);
        record::write(&self.layout.instance(instance), &ExitRecord { exit: exit.clone() })?;
        Ok(exit)
    }

    /// The image of a version on an engine, put there if it is missing.
    pub(super) fn image_on(
        &self,
        version: &VersionLabel,
        engine: &Arc<Engine>,
    ) -> Result<ImageRecord, DriverError> {
        let record = self.version(version)?.ok_or_else(|| DriverError::NotPrepared(version.clone()))?;
        if let Some(image) = record.images.get(&engine.host.to_string()) {
            let (asked, id) = (engine.clone(), image.id.clone());
            let there = self.within(QUICK, async move { image::id(&asked, &id).await });
            match there {
                Ok(Some(_)) => return Ok(image.clone()),
                Ok(None) => {}
                Err(trouble) => {
                    return Err(self.told(engine, &format!("looking for the image of {version}"), trouble));
                }
            }
        }
        self.supply_again(version, record, engine)
    }
}

/// The environment of an instance: the service's, then Tandem's. Nothing of the daemon's own: a container is a machine of
/// its own.
fn environment(start: &StartInstance, port: u16) -> BTreeMap<String, String> {
    command::environment(std::iter::empty(), start, port)
}

fn plan<'a>(
    spec: &'a DockerSpec,
    reach: Reach,
    host: IpAddr,
    image: ImageRecord,
    run: &RunSpec,
    env: BTreeMap<String, String>,
    labels: Vec<(&'static str, String)>,
) -> Plan<'a> {
    let port = u16::try_from(spec.port).unwrap_or(u16::MAX);
    let seconds = run.stop.grace.0.div_ceil(1000);
    Plan {
        spec,
        reach,
        image: image.id,
        command: command::with_port(&run.command, port),
        env,
        labels,
        signal: format!("SIG{}", run.stop.signal.name()),
        grace: i64::try_from(seconds).unwrap_or(i64::MAX),
        at: (reach == Reach::Port).then_some(host),
    }
}
