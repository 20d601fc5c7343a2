//! `tandem schema start`: expand and backfill, until both revisions are served.

use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use tandem_server::schema::{Active, Folder, Next, Phase, Plan, Site, Trouble, interrupted};

use super::plan;
use super::report::{self, told};
use super::watch::shown;
use crate::args::schema;
use crate::failure::{Exit, Failure};
use crate::terminal::{GOOD, Terminal, clean};
use crate::verb::Ending;

/// How a change stands when a verb is done, as `--json` prints it.
#[derive(Serialize)]
pub(super) struct Reached<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) phase: Phase,
    /// What differs from the schema that the plain migrations would have left.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) differences: &'a [String],
}

pub(super) fn run(step: &schema::Step, site: &Site, folder: &Folder, terminal: &Terminal) -> Ending {
    let tell = |trouble: Trouble| told(trouble, terminal);
    let stop = super::resume::stop(interrupted())?;
    let standing = site.standing(Some(folder)).map_err(tell)?;
    if standing.state.change.is_some() {
        return again(step.to.as_deref(), site, folder, &stop, terminal);
    }
    let given = plan::given(step, site, terminal)?;
    let prepared = match site.prepare(folder, &standing, step.to.as_deref(), given).map_err(tell)? {
        Next::Plan(prepared) => prepared,
        Next::Nothing => {
            if terminal.json {
                let at = standing.state.revision.as_ref().map_or("", |revision| revision.name.as_str());
                terminal.object(&Reached { from: at, to: at, phase: Phase::Settled, differences: &[] });
            } else {
                terminal.say("nothing is pending: every migration of the folder has run");
            }
            return Ok(Exit::Done);
        }
    };
    report::notes(&prepared.plan.notes, terminal);
    plan::left_out(&prepared.left_out, terminal);
    if !prepared.broken.is_empty() {
        plan::broke(&prepared.broken, terminal);
        return Err(Failure::new(Exit::Refused, "statements would break, so nothing was begun"));
    }
    if stop.load(Ordering::Relaxed) {
        return Err(Failure::new(Exit::Interrupted, "stopped before anything was begun"));
    }
    let mut execution = site.operate(&stop).map_err(tell)?;
    shown(terminal, |watch| execution.start(&prepared.plan, watch)).map_err(|why| tell(why.into()))?;
    started(&prepared.plan, terminal);
    Ok(Exit::Done)
}

/// What was begun already is gone on with, if it is the same.
fn again(to: Option<&str>, site: &Site, folder: &Folder, stop: &AtomicBool, terminal: &Terminal) -> Ending {
    let tell = |trouble: Trouble| told(trouble, terminal);
    let mut execution = site.operate(stop).map_err(tell)?;
    let Some(Active { plan, phase, .. }) = execution.active().map_err(|why| tell(why.into()))? else {
        return Err(Failure::failed("the change ended while this was begun").help("tandem schema status"));
    };
    let wanted = match to {
        Some(name) => folder.migrations.get(folder.find(name).map_err(tell)?),
        None => folder.migrations.last(),
    };
    if wanted.is_some_and(|wanted| wanted.name != plan.to) {
        let why = tandem_server::schema::Failure::Active { to: plan.to, phase };
        return Err(tell(why.into()));
    }
    shown(terminal, |watch| execution.start(&plan, watch)).map_err(|why| tell(why.into()))?;
    started(&plan, terminal);
    Ok(Exit::Done)
}

/// Both revisions are served: what comes next.
pub(super) fn started(plan: &Plan, terminal: &Terminal) {
    if terminal.json {
        terminal.object(&Reached { from: &plan.from, to: &plan.to, phase: Phase::Mixed, differences: &[] });
        return;
    }
    let from = if plan.from.is_empty() { "the empty schema" } else { &plan.from };
    let (from, to) = (clean(from), clean(&plan.to));
    terminal.say(format_args!("{GOOD}✔{GOOD:#} {from} and {to} are both served"));
    let form = if plan.qualified { " --form prisma" } else { "" };
    terminal.say(format_args!("  the new app's URL:  tandem schema url --revision {to}{form}"));
    terminal.say("  when no old app is left: tandem schema contract; to go back: tandem schema undo");
}
