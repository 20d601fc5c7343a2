//! `tandem config`: the configuration in effect, and its schema.

use crate::args::{Config, Global};
use crate::failure::Exit;
use crate::place::{self, Place};
use crate::problems;
use crate::terminal::Terminal;
use crate::verb::Ending;

pub(crate) fn run(what: Config, global: &Global, terminal: &Terminal) -> Ending {
    match what {
        Config::Schema => terminal.text(&tandem_core::spec::schema()),
        Config::Show => {
            let path = Place::find(global)?.config;
            let text = place::read_config(&path)?;
            let shown = tandem_core::spec::show(&text);
            let shown = shown.map_err(|found| problems::tell(&path, &text, &found, terminal))?;
            if terminal.json {
                terminal.object(&problems::read(&path, terminal)?);
            } else {
                terminal.text(&shown);
            }
        }
    }
    Ok(Exit::Done)
}
