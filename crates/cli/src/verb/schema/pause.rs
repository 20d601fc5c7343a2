//! `tandem schema pause`: fills wait, in whatever process they are done.

use serde::Serialize;
use tandem_server::schema::Site;

use super::report::told;
use crate::failure::Exit;
use crate::terminal::Terminal;
use crate::verb::Ending;

#[derive(Serialize)]
struct Paused {
    paused: bool,
}

pub(super) fn run(site: &Site, terminal: &Terminal) -> Ending {
    site.pause().map_err(|trouble| told(trouble, terminal))?;
    if terminal.json {
        terminal.object(&Paused { paused: true });
    } else {
        terminal.say("rows are not filled any more: tandem schema resume goes on");
    }
    Ok(Exit::Done)
}
