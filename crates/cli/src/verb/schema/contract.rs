//! `tandem schema contract`: the new revision is the only one.

use tandem_server::schema::{Failure as Stop, Phase, Plan, Site, Trouble, interrupted};

use super::report::told;
use super::start::Reached;
use super::watch::shown;
use crate::failure::Exit;
use crate::terminal::{CARE, GOOD, Terminal, clean};
use crate::verb::Ending;

pub(super) fn run(force: bool, site: &Site, terminal: &Terminal) -> Ending {
    let tell = |trouble: Trouble| told(trouble, terminal);
    let stop = super::resume::stop(interrupted())?;
    let mut execution = site.operate(&stop).map_err(tell)?;
    let active = execution.active().map_err(|why| tell(why.into()))?;
    let plan = active.ok_or_else(|| tell(Stop::Nothing("contract").into()))?.plan;
    let contracted = shown(terminal, |watch| execution.contract(force, watch));
    let differences = contracted.map_err(|why| tell(why.into()))?;
    settled(&plan, &differences, terminal);
    Ok(Exit::Done)
}

/// One revision is left: what is not as it should be there.
pub(super) fn settled(plan: &Plan, differences: &[String], terminal: &Terminal) {
    if terminal.json {
        let (from, to, phase) = (&plan.from, &plan.to, Phase::Settled);
        return terminal.object(&Reached { from, to, phase, differences });
    }
    terminal.say(format_args!("{GOOD}✔{GOOD:#} {} is the only revision", clean(&plan.to)));
    for difference in differences {
        terminal.say(format_args!(
            "{CARE}!{CARE:#} not as the plain migrations would have left it: {}",
            clean(difference)
        ));
    }
}
