//! `tandem schema resume`: what was stopped, killed or paused goes on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tandem_server::schema::{Failure as Stop, Phase, Site, Trouble, interrupted};

use super::contract::settled;
use super::report::told;
use super::start::started;
use super::undo::back;
use super::watch::shown;
use crate::failure::{Exit, Failure};
use crate::terminal::Terminal;
use crate::verb::Ending;

pub(super) fn run(site: &Site, terminal: &Terminal) -> Ending {
    let tell = |trouble: Trouble| told(trouble, terminal);
    let stop = stop(interrupted())?;
    let mut execution = site.operate(&stop).map_err(tell)?;
    let active = execution.active().map_err(|why| tell(why.into()))?;
    let plan = active.ok_or_else(|| tell(Stop::Nothing("resume").into()))?.plan;
    let end = shown(terminal, |watch| execution.resume(watch)).map_err(|why| tell(why.into()))?;
    match end.phase {
        Phase::Mixed => started(&plan, terminal),
        Phase::Settled => settled(&plan, &end.differences, terminal),
        _ => back(&plan, terminal),
    }
    Ok(Exit::Done)
}

/// The flag that Ctrl-C raises.
pub(super) fn stop(raised: io::Result<Arc<AtomicBool>>) -> Result<Arc<AtomicBool>, Failure> {
    raised.map_err(|error| Failure::failed(format!("can't listen for signals: {error}")))
}
