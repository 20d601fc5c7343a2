//! `tandem check`: everything that is wrong with the configuration, at once.

use std::path::Path;

use serde::Serialize;
use tandem_core::spec::ServiceSpec;
use tandem_server::config::ConfigError;

use crate::args::Global;
use crate::failure::Exit;
use crate::place::{self, Place};
use crate::problems;
use crate::terminal::{CARE, GOOD, Terminal};
use crate::verb::Ending;

#[derive(Serialize)]
struct Good {
    config: String,
    problems: [(); 0],
    /// Variables that `tandem up` would need and that are not set here.
    unset: Vec<String>,
}

pub(crate) fn run(global: &Global, terminal: &Terminal) -> Ending {
    let place = match global.service {
        Some(_) => Place::find(global)?,
        None => Place::own(global)?,
    };
    for service in problems::front(&place.config, &place.state, terminal)?.services {
        tell(&service.path, &service.config.spec, terminal);
    }
    Ok(Exit::Done)
}

fn tell(path: &Path, spec: &ServiceSpec, terminal: &Terminal) {
    let config = place::shown(path);
    // No problem of the file: it may well be checked where its secrets are not.
    let mut missing = unset(tandem_server::config::environment(spec));
    missing.extend(unset(tandem_server::config::database(spec)));
    missing.extend(unset(tandem_server::config::targets(spec)));
    if terminal.json {
        terminal.object(&Good { config, problems: [], unset: missing });
    } else {
        let (service, instances) = (&spec.service, spec.run.instances);
        let addresses: Vec<String> = spec.listen.iter().map(|listen| listen.address.to_string()).collect();
        terminal.say(format_args!(
            "{GOOD}✔{GOOD:#} {config} is good: {service}, {instances} instances behind {}",
            addresses.join(" and ")
        ));
        if let Some(path) = spec.contract.asked() {
            terminal.say(format_args!(
                "the contract is compared only when an instance of a new version runs, which is asked for {path}"
            ));
        }
        if !missing.is_empty() {
            terminal.say(format_args!(
                "{CARE}!{CARE:#} not set here, and `tandem up` needs it: {}",
                missing.join(", ")
            ));
        }
    }
}

/// The variables that were not found.
fn unset<T>(resolved: Result<T, ConfigError>) -> Vec<String> {
    match resolved {
        Err(ConfigError::Environment { names }) => names,
        _ => Vec::new(),
    }
}
