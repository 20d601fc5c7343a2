//! `tandem reload`: the configuration and the program as they lie there now, without an interruption.

use serde::Serialize;
use tandem_server::state::StateFolder;
use tandem_server::supervisor::{self, ReloadError};

use crate::args::Global;
use crate::failure::{Exit, Failure};
use crate::place::{self, Place};
use crate::problems;
use crate::terminal::{GOOD, Terminal};
use crate::verb::Ending;

#[derive(Serialize)]
struct Reloaded {
    config: String,
}

pub(crate) fn run(global: &Global, terminal: &Terminal) -> Ending {
    let place = Place::front(global)?;
    let front = problems::front(&place.config, &place.state, terminal)?;
    let config = place::shown(&place.config);
    supervisor::reload(&StateFolder::at(&place.state), &front).map_err(|error| {
        let exit = match &error {
            ReloadError::NotRunning(_) => Exit::NoDaemon,
            ReloadError::Refused(_) => Exit::Refused,
            ReloadError::Silent => Exit::TimedOut,
        };
        Failure::new(exit, error.to_string())
    })?;
    if terminal.json {
        terminal.object(&Reloaded { config });
    } else {
        terminal.say(format_args!("{GOOD}✔{GOOD:#} {config} is in force"));
    }
    Ok(Exit::Done)
}
