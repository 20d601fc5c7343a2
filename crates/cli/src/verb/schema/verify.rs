//! `tandem schema verify`: whether rows and clients are ready for the contract.

use std::sync::atomic::AtomicBool;

use serde::Serialize;
use tandem_server::schema::{Failure as Stop, Finding, Session, Site, Trouble};

use super::report::told;
use crate::failure::Exit;
use crate::terminal::{BAD, CARE, DIM, GOOD, Terminal, clean};
use crate::verb::Ending;

#[derive(Serialize)]
struct Verified {
    /// Rows that are not ready.
    findings: Vec<Finding>,
    /// Clients of the old revision.
    clients: Vec<Session>,
}

pub(super) fn run(site: &Site, terminal: &Terminal) -> Ending {
    let tell = |trouble: Trouble| told(trouble, terminal);
    let never = AtomicBool::new(false);
    let mut execution = site.operate(&never).map_err(tell)?;
    let active = execution.active().map_err(|why| tell(why.into()))?;
    let plan = active.ok_or_else(|| tell(Stop::Nothing("verify").into()))?.plan;
    let findings = execution.verify(&plan).map_err(|why| tell(why.into()))?;
    let clients = site.clients(&plan.old_lens).map_err(tell)?;
    let exit = if findings.is_empty() { Exit::Done } else { Exit::Failed };
    if terminal.json {
        terminal.object(&Verified { findings, clients });
        return Ok(exit);
    }
    for finding in &findings {
        terminal.line(format_args!("{BAD}✘{BAD:#} {} in {} rows", clean(&finding.meaning), finding.rows));
        for example in &finding.examples {
            terminal.line(format_args!("    {DIM}{}{DIM:#}", clean(example)));
        }
    }
    for client in &clients {
        let client = client.to_string();
        terminal.line(format_args!("{CARE}!{CARE:#} a client of the old revision: {}", clean(&client)));
    }
    if findings.is_empty() {
        terminal.line(format_args!("{GOOD}✔{GOOD:#} every row is ready for the contract"));
    }
    Ok(exit)
}
