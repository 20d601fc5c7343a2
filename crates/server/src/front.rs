//! What `tandem up` runs: one service, or several behind one proxy, each with a configuration and a state folder of its own.
//!
//! Here are the files; whether services go together is said by `tandem_core`. Tested in `crates/cli`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tandem_core::base::{Millis, ServiceName};
use tandem_core::deploy::routing::bare;
use tandem_core::spec::{self, LogSpec};
use tandem_core::traffic::matching::{HostIndex, join};

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
}

/// The configurations of the services that a front names, seen from its own path.
///
/// # Errors
/// It has problems.
pub fn members(path: &Path, text: &str) -> Result<Vec<PathBuf>, ConfigError> {
    read(path, text).map(|(members, _)| members)
}

fn read(path: &Path, text: &str) -> Result<(Vec<PathBuf>, LogSpec), ConfigError> {
    let spec = spec::read_front(text).map_err(|problems| {
        let (path, text) = (path.to_owned(), text.to_owned());
        ConfigError::Problems { path, text, problems }
    })?;
    let base = path.parent().unwrap_or(Path::new("."));
    let place = |name: &String| {
        let place = base.join(name);
        if place.extension().is_some_and(|end| end == "toml") { place } else { place.join(NAME) }
    };
    Ok((spec.services.iter().map(place).collect(), spec.log))
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
            let service = Service { path: path.to_owned(), config, state: state.clone() };
            return Ok(Front { services: vec![service], log, is_shared: false });
        }
        let (members, log) = read(path, &text)?;
        let mut services = Vec::new();
        for path in members {
            let config = config::load(&path)?;
            let state = state.service(&config.spec.service);
            services.push(Service { path, config, state });
        }
        let front = Front { services, log, is_shared: true };
        front.check(path)?;
        Ok(front)
    }

    /// Whether the services can be behind one proxy.
    fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let specs: Vec<_> = self.services.iter().map(|service| &service.config.spec).collect();
        let mut why = spec::disagreement(&specs);
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
        for Service { path, config, .. } in &self.services {
            config::environment(&config.spec)?;
            config::database(&config.spec)?;
            config::certificates(&config.spec, path)?;
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
