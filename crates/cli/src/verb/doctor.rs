//! `tandem doctor`: what the configuration needs of this machine and its database, and what to do where it is missing.
//!
//! Only looks: nothing is changed, and what is listened on is let go at once. What is wrong with the configuration itself
//! is `check`'s. Tested in `tests/cli/doctor.rs`.

mod database;
mod engines;
mod machine;
mod ports;

use serde::Serialize;
use tandem_server::state::{Part, StateFolder};

use crate::args::Global;
use crate::failure::Exit;
use crate::place::Place;
use crate::problems;
use crate::terminal::{BAD, CARE, DIM, GOOD, Terminal, clean};
use crate::verb::Ending;

/// Something that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    /// Of which field: one word.
    about: &'static str,
    state: Health,
    /// How it is.
    what: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Health {
    Good,
    /// It works, and may not always.
    Care,
    /// Something can't work.
    Bad,
}

impl Finding {
    fn good(about: &'static str, what: impl Into<String>) -> Finding {
        Finding { about, state: Health::Good, what: what.into(), help: None }
    }

    fn care(about: &'static str, what: impl Into<String>, help: impl Into<String>) -> Finding {
        Finding { about, state: Health::Care, what: what.into(), help: Some(help.into()) }
    }

    fn bad(about: &'static str, what: impl Into<String>, help: impl Into<String>) -> Finding {
        Finding { about, state: Health::Bad, what: what.into(), help: Some(help.into()) }
    }
}

#[derive(Serialize)]
struct All {
    findings: Vec<Finding>,
}

pub(crate) fn run(global: &Global, terminal: &Terminal) -> Ending {
    let place = Place::front(global)?;
    let front = problems::front(&place.config, &place.state, terminal)?;
    let daemon = StateFolder::at(&place.state).holder(Part::Supervisor);
    let mut findings = machine::look(daemon, &place.state);
    findings.extend(ports::look(&front, daemon));
    for service in &front.services {
        findings.extend(database::look(&service.path, &service.config.spec));
        findings.extend(engines::look(&service.path, &service.config.spec));
    }
    let is_bad = findings.iter().any(|finding| finding.state == Health::Bad);
    tell(findings, terminal);
    Ok(if is_bad { Exit::Failed } else { Exit::Done })
}

fn tell(findings: Vec<Finding>, terminal: &Terminal) {
    if terminal.json {
        return terminal.object(&All { findings });
    }
    for Finding { about, state, what, help } in &findings {
        let (style, sign) = match state {
            Health::Good => (GOOD, '✔'),
            Health::Care => (CARE, '!'),
            Health::Bad => (BAD, '✘'),
        };
        terminal.line(format_args!("{style}{sign}{style:#} {about}: {}", clean(what)));
        if let Some(help) = help {
            terminal.line(format_args!("  {DIM}help:{DIM:#} {}", clean(help)));
        }
    }
}
