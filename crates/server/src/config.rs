//! The configuration of a service, from its file and the environment.
//!
//! What the text means is read by `tandem_core::spec`; here are only the file and the variables that it refers to.
//! Tested in `tests/server/config.rs`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tandem_core::spec::{self, NotifySpec, Problem, ServiceSpec};

use crate::acme::{Authority, BadAccountKey, ExternalAccount};
use crate::adapter::source;
use crate::certificates::{self, CertificateError, Certificates};

/// The longest configuration that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// A checked configuration, and the text that it was read from.
#[derive(Debug, Clone)]
pub struct Config {
    /// What the team wants.
    pub spec: ServiceSpec,
    /// The text.
    pub text: String,
}

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read the configuration {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Its text has problems.
    #[error("{}", plain(path, text, problems))]
    Problems {
        /// The file.
        path: PathBuf,
        /// Its text.
        text: String,
        /// All of them.
        problems: Vec<Problem>,
    },
    /// The services that it names don't go together.
    #[error("the services of {} can't be behind one proxy: {}", path.display(), why.join("; "))]
    Apart {
        /// The file that names them.
        path: PathBuf,
        /// All that is in the way.
        why: Vec<String>,
    },
    /// It refers to variables that are not set.
    #[error("the configuration takes values from the environment that are not set: {}", names.join(", "))]
    Environment {
        /// Their names.
        names: Vec<String>,
    },
    /// It names a certificate that can't be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// It has instances run as something else than those that run.
    #[error(
        "the configuration {} has instances run as {after}, and {running} run as {before}: nobody would look after those. \
         End `tandem up`, which stops them, and start it again",
        path.display()
    )]
    Engine {
        /// The file.
        path: PathBuf,
        /// How many run.
        running: usize,
        /// As what they run.
        before: &'static str,
        /// As what they would.
        after: &'static str,
    },
    /// Whether instances run can't be seen.
    #[error("the journal {} can't be read: {why}", path.display())]
    Journal {
        /// The store.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Deliverables can't come by themselves as it says.
    #[error("the configuration {}: {why}", path.display())]
    Source {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
    /// It names an account at a certificate authority that can't be used.
    #[error(transparent)]
    Account(#[from] BadAccountKey),
}

fn plain(path: &Path, text: &str, problems: &[Problem]) -> String {
    let file = path.display().to_string();
    problems.iter().map(|problem| problem.plain(&file, text)).collect::<String>().trim_end().to_owned()
}

/// Reads and checks a configuration.
///
/// # Errors
/// It can't be read, or has problems.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    of(path, text(path)?)
}

/// The text of a configuration.
pub(crate) fn text(path: &Path) -> Result<String, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    if fs::metadata(path).map_err(failed)?.len() > LONGEST {
        return Err(failed(io::Error::other("it is longer than a configuration can be (1 MiB)")));
    }
    fs::read_to_string(path).map_err(failed)
}

/// The configuration that a text is; `path` is where it stood.
pub(crate) fn of(path: &Path, text: String) -> Result<Config, ConfigError> {
    match spec::read(&text) {
        Ok(spec) => match source::problem(&spec.source) {
            Some(why) => Err(ConfigError::Source { path: path.to_owned(), why }),
            None => Ok(Config { spec, text }),
        },
        Err(problems) => Err(ConfigError::Problems { path: path.to_owned(), text, problems }),
    }
}

/// The certificates that a configuration names; relative paths begin in its folder. None: nothing is encrypted.
///
/// # Errors
/// One of them can't be used, or an authority could not be asked for them.
pub fn certificates(spec: &ServiceSpec, path: &Path) -> Result<Option<Certificates>, ConfigError> {
    if !certificates::are_wanted(spec) {
        return Ok(None);
    }
    let base = path.parent().unwrap_or(Path::new("."));
    if let Some(authority) = Authority::of(spec, base, external_account(spec)?) {
        authority.roots()?;
    }
    Ok(Some(certificates::read(&spec.tls, base)?))
}

/// The account that a certificate authority knows already, its key perhaps from our own environment. None: it needs none.
pub(crate) fn external_account(spec: &ServiceSpec) -> Result<Option<ExternalAccount>, ConfigError> {
    let acme = &spec.tls.acme;
    let (Some(number), Some(key)) = (&acme.eab_kid, &acme.eab_key) else { return Ok(None) };
    let mut references = References::default();
    let key = references.resolve(key);
    let key = references.all(key)?;
    Ok(Some(ExternalAccount::new(number, &key)?))
}

/// Where messages are sent, their references `env:NAME` resolved from our own environment; None for those that a command takes.
pub fn targets(spec: &ServiceSpec) -> Result<Vec<Option<String>>, ConfigError> {
    let mut references = References::default();
    let url = |target: &NotifySpec| target.url.as_ref().map(|url| references.resolve(url));
    let targets = spec.notify.iter().map(url).collect();
    references.all(targets)
}

/// Where the database is, its references `env:NAME` resolved from our own environment. None: the service has none.
pub fn database(spec: &ServiceSpec) -> Result<Option<Database>, ConfigError> {
    let mut references = References::default();
    let mut resolved = |url: &String| references.resolve(url);
    let database = &spec.database;
    let Some(owner) = database.url.as_ref().map(&mut resolved) else { return Ok(None) };
    let app = database.app_url.as_ref().map_or_else(|| owner.clone(), &mut resolved);
    let scratch = database.scratch_url.as_ref().map(&mut resolved);
    references.all(Some(Database { owner, app, scratch }))
}

/// Values that may be references `env:NAME` to our own environment, and which of these are not there.
#[derive(Default)]
struct References {
    missing: Vec<String>,
}

impl References {
    /// The value itself, or what its variable holds; empty if that is not there.
    fn resolve(&mut self, value: &str) -> String {
        let Some(name) = value.strip_prefix("env:") else { return value.to_owned() };
        std::env::var(name).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| {
            self.missing.push(name.to_owned());
            String::new()
        })
    }

    /// What was made of them, if all were there.
    fn all<T>(self, made: T) -> Result<T, ConfigError> {
        if self.missing.is_empty() { Ok(made) } else { Err(ConfigError::Environment { names: self.missing }) }
    }
}

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// As the role that owns the tables.
    pub owner: String,
    /// As the role of the instances.
    pub app: String,
    /// Another server for scratch copies.
    pub scratch: Option<String>,
}

/// The password at a registry of images, from our own environment. None: no registry asks for one.
pub(crate) fn registry_password(spec: &ServiceSpec) -> Result<Option<String>, ConfigError> {
    let reference = spec.run.docker.as_ref().and_then(|docker| docker.registry.password.as_deref());
    let mut references = References::default();
    let password = reference.map(|reference| references.resolve(reference));
    references.all(password)
}

/// The environment that the configuration gives to instances, its references `env:NAME` resolved from our own.
pub fn environment(spec: &ServiceSpec) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut found = BTreeMap::new();
    let mut missing = Vec::new();
    for (key, value) in &spec.run.env {
        match value.strip_prefix("env:") {
            None => drop(found.insert(key.clone(), value.clone())),
            Some(name) => match std::env::var(name) {
                Ok(value) => drop(found.insert(key.clone(), value)),
                Err(_) => missing.push(name.to_owned()),
            },
        }
    }
    if missing.is_empty() { Ok(found) } else { Err(ConfigError::Environment { names: missing }) }
}
