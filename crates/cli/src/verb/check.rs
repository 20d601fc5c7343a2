//! `tandem check`: everything that is wrong with the configuration, at once.

use serde::Serialize;

use crate::args::Global;
use crate::failure::Exit;
use crate::place::{self, Place};
use crate::problems;
use crate::terminal::{GOOD, Terminal};
use crate::verb::Ending;

#[derive(Serialize)]
struct Good {
    config: String,
    problems: [(); 0],
}

pub(crate) fn run(global: &Global, terminal: &Terminal) -> Ending {
    let place = Place::find(global)?;
    let spec = problems::read(&place.config, terminal)?;
    let config = place::shown(&place.config);
    if terminal.json {
        terminal.object(&Good { config, problems: [] });
    } else {
        let (service, instances) = (&spec.service, spec.run.instances);
        let addresses: Vec<String> = spec.listen.iter().map(|listen| listen.address.to_string()).collect();
        terminal.say(format_args!(
            "{GOOD}✔{GOOD:#} {config} is good: {service}, {instances} instances behind {}",
            addresses.join(" and ")
        ));
    }
    Ok(Exit::Done)
}
