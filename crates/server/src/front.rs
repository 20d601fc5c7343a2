//! What `tandem up` runs: one service, or several behind one proxy, each with a configuration and a state folder of its own.
//!
//! Here are the files; whether services go together is said by `tandem_core`. Tested in `crates/cli`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tandem_core::base::{Millis, ServiceName};
use tandem_core::deploy::routing::bare;
use tandem_core::spec::{self, AdminSpec, FrontSpec, LogSpec};
use tandem_core::traffic::matching::{HostIndex, join};

use crate::adapter::journal;
use crate::certificates;
use crate::config::{self, Config, ConfigError};
use crate::state::StateFolder;

/// The name of a configuration in the folder of a service.
const NAME: &str = "tandem.toml";

/// Everything behind one proxy.
#[derive(Debug, Clone)]
pub struct Front {
    /// The services; at least one.
    pub services: Vec<Service>,
    /// The log of all their requests.
    pub log: LogSpec,
    /// Where people are answered over the network, about all of them; its files by absolute path.
    pub admin: AdminSpec,
    /// Whether there may be several: each then has a state folder below that of the front.
    pub is_shared: bool,
}

/// One of them.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its configuration as the team edits it.
    pub path: PathBuf,
    /// What stood there.
    pub config: Config,
    /// Its state folder.
    pub state: StateFolder,
}

impl Service {
    /// Its name.
    pub fn name(&self) -> &ServiceName {
        &self.config.spec.service
    }

    /// Instances that run as something else than it says would be lost sight of: they have to end first.
    fn keeps_its_engine(&self) -> Result<(), ConfigError> {
        let engine =
            |config: &Config| if config.spec.run.docker.is_some() { "containers" } else { "processes" };
        let before = config::load(&self.state.config());
        let Ok(before) = before.map(|before| engine(&before)) else { return Ok(()) };
        let after = engine(&self.config);
        if before == after || !self.state.database().exists() {
            return Ok(());
        }
        let running = journal::look(&self.state.database())
            .map(|state| state.instances.values().filter(|instance| instance.stage.is_alive()).count())
            .map_err(|why| ConfigError::Journal { path: self.state.database(), why })?;
        match running {
            0 => Ok(()),
            running => Err(ConfigError::Engine { path: self.path.clone(), running, before, after }),
        }
    }
}

/// The configurations of the services that a front names, seen from its own path.
///
/// # Errors
/// It has problems.
pub fn members(path: &Path, text: &str) -> Result<Vec<PathBuf>, ConfigError> {
    read(path, text).map(|front| places(path, &front))
}

fn read(path: &Path, text: &str) -> Result<FrontSpec, ConfigError> {
    spec::read_front(text).map_err(|problems| {
        let (path, text) = (path.to_owned(), text.to_owned());
        ConfigError::Problems { path, text, problems }
    })
}

/// The configurations that a front names.
fn places(path: &Path, front: &FrontSpec) -> Vec<PathBuf> {
    let base = path.parent().unwrap_or(Path::new("."));
    let place = |name: &String| {
        let place = base.join(name);
        if place.extension().is_some_and(|end| end == "toml") { place } else { place.join(NAME) }
    };
    front.services.iter().map(place).collect()
}

/// The same with its files by absolute path; relative ones begin in the folder of the configuration.
fn placed(admin: &AdminSpec, path: &Path) -> AdminSpec {
    let base = path.parent().unwrap_or(Path::new("."));
    let absolute = |file: &String| base.join(file).to_string_lossy().into_owned();
    AdminSpec {
        certificate: admin.certificate.as_ref().map(absolute),
        key: admin.key.as_ref().map(absolute),
        ..admin.clone()
    }
}

impl Front {
    /// Reads the configuration at `path`, and those that it names. `state`: the folder of the whole.
    ///
    /// # Errors
    /// One of them can't be used, or they don't go together.
    pub fn load(path: &Path, state: &StateFolder) -> Result<Front, ConfigError> {
        let text = config::text(path)?;
        if !spec::is_front(&text) {
            let config = config::of(path, text)?;
            let log = config.spec.monitoring.log.clone();
            let admin = placed(&config.spec.admin, path);
            let service = Service { path: path.to_owned(), config, state: state.clone() };
            return Ok(Front { services: vec![service], log, admin, is_shared: false });
        }
        let spec = read(path, &text)?;
        let mut services = Vec::new();
        for path in places(path, &spec) {
            let config = config::load(&path)?;
            let state = state.service(&config.spec.service);
            services.push(Service { path, config, state });
        }
        let front = Front { services, log: spec.log, admin: placed(&spec.admin, path), is_shared: true };
        front.check(path)?;
        Ok(front)
    }

    /// Whether the services can be behind one proxy.
    fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let specs: Vec<_> = self.services.iter().map(|service| &service.config.spec).collect();
        let mut why = spec::disagreement(&specs, &self.admin);
        let tables = specs.iter().map(|spec| (spec.service.clone(), bare(spec))).collect();
        let matched = join(&tables).and_then(|table| HostIndex::build(&table.routes));
        // Where names are double or addresses differ that is said already.
        if why.is_empty() {
            why.extend(matched.err().map(|error| error.to_string()));
        }
        if why.is_empty() { Ok(()) } else { Err(ConfigError::Apart { path: path.to_owned(), why }) }
    }

    /// Everything that the environment and other files must give can be had.
    ///
    /// # Errors
    /// Something is missing.
    pub fn resolve(&self) -> Result<(), ConfigError> {
        for service in &self.services {
            let Service { path, config, .. } = service;
            service.keeps_its_engine()?;
            config::environment(&config.spec)?;
            config::registry_password(&config.spec)?;
            config::database(&config.spec)?;
            config::targets(&config.spec)?;
            config::certificates(&config.spec, path)?;
        }
        if let (Some(chain), Some(key)) = (&self.admin.certificate, &self.admin.key) {
            certificates::pair(Path::new(chain), Path::new(key))?;
        }
        Ok(())
    }

    /// Where requests arrive, each address once.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let mut all: Vec<SocketAddr> = Vec::new();
        for listen in self.services.iter().flat_map(|service| &service.config.spec.listen) {
            if !all.contains(&listen.address) {
                all.push(listen.address);
            }
        }
        all
    }

    /// The names of the services.
    pub fn names(&self) -> Vec<ServiceName> {
        self.services.iter().map(|service| service.name().clone()).collect()
    }

    /// How long what is in flight may take, of any service.
    pub fn longest_drain(&self) -> Millis {
        let drains = self.services.iter().map(|service| service.config.spec.run.stop.drain.longest());
        drains.max().unwrap_or_default()
    }
}
