//! `tandem schema role`: a role per revision, for poolers that share sessions and forget what a URL said.

use serde::Serialize;
use tandem_server::schema::{Site, lens};

use super::report::told;
use crate::failure::Exit;
use crate::terminal::{GOOD, Terminal};
use crate::verb::Ending;

/// Which role is wanted.
pub(super) struct Wanted<'a> {
    pub(super) revision: &'a str,
    pub(super) of: Option<&'a str>,
    pub(super) login: bool,
    pub(super) print: bool,
}

#[derive(Serialize)]
struct Made {
    role: String,
    statements: Vec<String>,
}

pub(super) fn run(wanted: &Wanted<'_>, site: &Site, terminal: &Terminal) -> Ending {
    let revision = super::url::known(wanted.revision, site, terminal)?;
    let statements = site
        .role(&revision, wanted.of, wanted.login, !wanted.print)
        .map_err(|trouble| told(trouble, terminal))?;
    let role = lens(&revision);
    if terminal.json {
        terminal.object(&Made { role, statements });
    } else if wanted.print {
        statements.iter().for_each(|statement| terminal.line(format_args!("{statement};")));
    } else {
        terminal.say(format_args!("{GOOD}✔{GOOD:#} apps of {revision} connect as {role}"));
        if wanted.login {
            terminal
                .say(format_args!("  it has no password until you set one: ALTER ROLE {role} PASSWORD '…'"));
        }
        if wanted.of.is_none() {
            terminal.say("  it has no rights yet: name the app's role with --member-of");
        }
    }
    Ok(Exit::Done)
}
