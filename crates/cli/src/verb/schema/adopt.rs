//! `tandem schema adopt`: a database whose migrations another tool has run is taken over as it is.

use std::sync::atomic::AtomicBool;

use serde::Serialize;
use tandem_server::schema::{Folder, Site, Trouble, adopt, adopt_as};

use super::report::told;
use crate::failure::{Exit, Failure};
use crate::terminal::{CARE, GOOD, Terminal, clean};
use crate::verb::Ending;

#[derive(Serialize)]
struct Adopted {
    revision: String,
    /// What the tool's own table says.
    head: Option<String>,
}

/// Without a folder, a framework's own command runs the migrations, and revisions are called as it calls them.
pub(super) fn run(at: Option<&str>, site: &Site, folder: Option<&Folder>, terminal: &Terminal) -> Ending {
    let tell = |trouble: Trouble| told(trouble, terminal);
    let head = site.head(folder).map_err(tell)?;
    let Some(name) = at.or(head.as_deref()) else {
        return Err(Failure::usage("which migration has run last is not known: no tool's table tells it")
            .help("say it: tandem schema adopt --at NAME"));
    };
    let never = AtomicBool::new(false);
    let revision = match folder {
        Some(folder) => {
            let place = folder.find(name).map_err(tell)?;
            let standing = site.standing(Some(folder)).map_err(tell)?;
            let mut execution = site.operate(&never).map_err(tell)?;
            adopt(&mut execution, folder, &standing, place).map_err(tell)?
        }
        None => {
            adopt_as(&mut site.operate(&never).map_err(tell)?, name).map_err(tell)?;
            name.to_owned()
        }
    };
    if site.qualified {
        site.complete_lens(&revision).map_err(tell)?;
    }
    if terminal.json {
        terminal.object(&Adopted { revision, head });
        return Ok(Exit::Done);
    }
    terminal.say(format_args!("{GOOD}✔{GOOD:#} the database is taken over at {}", clean(&revision)));
    if let Some(head) = head.filter(|head| *head != revision) {
        terminal.say(format_args!("{CARE}!{CARE:#} the migration tool's own table says {}", clean(&head)));
    }
    Ok(Exit::Done)
}
