//! `tandem schema undo`: the old revision is the only one again.

use tandem_server::schema::{Failure as Stop, Phase, Plan, Site, Trouble, interrupted};

use super::report::told;
use super::start::Reached;
use super::watch::shown;
use crate::failure::Exit;
use crate::terminal::{GOOD, Terminal, clean};
use crate::verb::Ending;

pub(super) fn run(site: &Site, terminal: &Terminal) -> Ending {
    let tell = |trouble: Trouble| told(trouble, terminal);
    let stop = super::resume::stop(interrupted())?;
    let mut execution = site.operate(&stop).map_err(tell)?;
    let active = execution.active().map_err(|why| tell(why.into()))?;
    let plan = active.ok_or_else(|| tell(Stop::Nothing("undo").into()))?.plan;
    shown(terminal, |watch| execution.undo(watch)).map_err(|why| tell(why.into()))?;
    back(&plan, terminal);
    Ok(Exit::Done)
}

/// The old revision is the only one again.
pub(super) fn back(plan: &Plan, terminal: &Terminal) {
    if terminal.json {
        let phase = Phase::Undone;
        return terminal.object(&Reached { from: &plan.from, to: &plan.to, phase, differences: &[] });
    }
    let from = if plan.from.is_empty() { "the empty schema" } else { &plan.from };
    terminal.say(format_args!("{GOOD}✔{GOOD:#} back at {}", clean(from)));
}
