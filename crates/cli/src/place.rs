//! Where the configuration and the state of a service are, alone or among others.
//!
//! Tested in `tests/cli`.

use std::io::Read;
use std::path::{Path, PathBuf};

use tandem_core::base::ServiceName;
use tandem_server::front;
use tandem_server::state::StateFolder;

use crate::args::Global;
use crate::failure::Failure;

/// No configuration is longer, in bytes.
const LONGEST: u64 = 1 << 20;
const NAME: &str = "tandem.toml";

/// The places of one service, or of what stands in front of several.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The configuration file, absolute.
    pub(crate) config: PathBuf,
    /// The state folder, absolute; perhaps not there yet.
    pub(crate) state: PathBuf,
}

impl Place {
    /// The service that the command line means: by its own configuration, or by its name among those of a front.
    ///
    /// # Errors
    /// There is no configuration, or it does not say which service.
    pub(crate) fn find(global: &Global) -> Result<Place, Failure> {
        let mut all = Place::all(global)?;
        match (all.pop(), all.is_empty()) {
            (Some((_, only)), true) => Ok(only),
            (last, _) => Err(which(&all.into_iter().chain(last).map(|(name, _)| name).collect::<Vec<_>>())),
        }
    }

    /// All services that the command line may mean, with their names where there may be several.
    ///
    /// # Errors
    /// There is no configuration, it can't be read, or the service is none of its.
    pub(crate) fn all(global: &Global) -> Result<Vec<(String, Place)>, Failure> {
        let (front, own) = Place::found(global)?;
        let Some(front) = front else {
            let name = named(&own.config).map(|name| name.to_string()).unwrap_or_default();
            return match &global.service {
                Some(wanted) if wanted.as_str() != name => Err(Failure::usage(format!(
                    "{} is the configuration of {name:?}, not of {wanted}",
                    shown(&own.config)
                ))),
                _ => Ok(vec![(name, own)]),
            };
        };
        let text = read_config(&front.config)?;
        let members =
            front::members(&front.config, &text).map_err(|error| Failure::usage(error.to_string()))?;
        let mut all = Vec::new();
        for config in members {
            let name = named(&config).ok_or_else(|| {
                Failure::usage(format!("{} does not say the name of its service", shown(&config)))
                    .help("`tandem check` tells what is wrong with it")
            })?;
            let state = StateFolder::at(&front.state).service(&name).path().to_owned();
            all.push((name.to_string(), Place { config, state }));
        }
        let is_meant = |(name, place): &(String, Place)| match &global.service {
            Some(wanted) => wanted.as_str() == name,
            None => own.config == front.config || own.config == place.config,
        };
        let meant: Vec<_> = all.iter().filter(|one| is_meant(one)).cloned().collect();
        if meant.is_empty() {
            Err(which(&all.into_iter().map(|(name, _)| name).collect::<Vec<_>>()))
        } else {
            Ok(meant)
        }
    }

    /// What `tandem up` runs: the front, if the configuration is one or belongs to one, else the service alone.
    ///
    /// # Errors
    /// There is no configuration, or it can't be read.
    pub(crate) fn front(global: &Global) -> Result<Place, Failure> {
        let (front, own) = Place::found(global)?;
        Ok(front.unwrap_or(own))
    }

    /// What the command line names, be it a service or a front.
    ///
    /// # Errors
    /// There is no configuration.
    pub(crate) fn own(global: &Global) -> Result<Place, Failure> {
        Place::found(global).map(|(_, own)| own)
    }

    /// The front, if there is one, and what was found first: the front itself, or a service.
    fn found(global: &Global) -> Result<(Option<Place>, Place), Failure> {
        let here = std::env::current_dir()
            .map_err(|error| Failure::failed(format!("the current folder can't be read: {error}")))?;
        let config = match &global.config {
            Some(path) if path.is_dir() => here.join(path).join(NAME),
            Some(path) => here.join(path),
            None => here.ancestors().map(|folder| folder.join(NAME)).find(|path| path.is_file()).ok_or_else(
                || {
                    Failure::usage(format!("there is no {NAME} in {} or above it", here.display()))
                        .help("write one with `tandem init`, or name one with --config FILE")
                },
            )?,
        };
        let beside = |config: &Path| match &global.state {
            Some(path) => here.join(path),
            None => config.parent().unwrap_or(&here).join(".tandem"),
        };
        let own = Place { state: beside(&config), config };
        if is_front(&own.config) {
            return Ok((Some(own.clone()), own));
        }
        // A state folder that is named is that of the service.
        let above = match &global.state {
            Some(_) => None,
            None => front_of(&own.config).map(|config| Place { state: beside(&config), config }),
        };
        Ok((above, own))
    }

    /// Only the state folders of the services that the command line may mean, with what people call them; for verbs that
    /// need nothing else.
    ///
    /// # Errors
    /// None is named, and there is no configuration beside which it could be; or the service is none of those there.
    pub(crate) fn states(global: &Global) -> Result<Vec<(String, StateFolder)>, Failure> {
        let Some(path) = &global.state else {
            let all = Place::all(global)?;
            return Ok(all
                .iter()
                .map(|(_, place)| (shown(&place.config), StateFolder::at(&place.state)))
                .collect());
        };
        let state = StateFolder::at(path);
        let meant = match &global.service {
            _ if !state.services().is_dir() => vec![state],
            Some(name) => vec![state.service(name)],
            None => state.others(&[]),
        };
        Ok(meant.into_iter().map(|state| (shown(state.path()), state)).collect())
    }
}

/// The complaint that the service is not named, or not one of these.
pub(crate) fn which(names: &[String]) -> Failure {
    let names: Vec<String> = names.iter().map(|name| format!("--service {name}")).collect();
    Failure::usage("there are several services, and which one is meant is not said")
        .help(format!("say {}", names.join(" or ")))
}

/// Whether a file can be read and names several services.
fn is_front(config: &Path) -> bool {
    read_config(config).is_ok_and(|text| tandem_core::spec::is_front(&text))
}

/// The configuration above that of a service which names it among others.
fn front_of(config: &Path) -> Option<PathBuf> {
    let folder = config.parent()?.parent()?;
    let mut above = folder.ancestors().map(|folder| folder.join(NAME)).filter(|path| path.is_file());
    let config = config.canonicalize().ok()?;
    above.find(|path| {
        let Ok(text) = read_config(path) else { return false };
        let members =
            if tandem_core::spec::is_front(&text) { front::members(path, &text).ok() } else { None };
        members
            .unwrap_or_default()
            .iter()
            .any(|member| member.canonicalize().is_ok_and(|member| member == config))
    })
}

/// The name of the service in a configuration that need not be good.
fn named(config: &Path) -> Option<ServiceName> {
    tandem_core::spec::service_of(&read_config(config).ok()?)
}

/// The text of a configuration file.
///
/// # Errors
/// It can't be read, is too long, or is not UTF-8.
pub(crate) fn read_config(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let wrong = |error: std::io::Error| Failure::usage(format!("{shown} can't be read: {error}"));
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(wrong)?;
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(wrong)?;
    if bytes.len() as u64 > LONGEST {
        return Err(Failure::usage(format!("{shown} is longer than 1 MiB: that can't be a configuration")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line =
            error.as_bytes().iter().take(error.utf8_error().valid_up_to()).filter(|&&b| b == b'\n').count();
        Failure::usage(format!("{shown} is not UTF-8 text: line {} holds other bytes", line + 1))
    })
}

/// The path as people would write it from here.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}
