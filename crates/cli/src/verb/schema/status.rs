//! `tandem schema status`: where the database stands.

use tandem_server::schema::{ChangeState, Folder, Phase, Site, Standing};

use super::report::{notes, told};
use crate::failure::Exit;
use crate::terminal::{CARE, STRONG, Terminal, clean};
use crate::verb::Ending;

pub(super) fn run(site: &Site, terminal: &Terminal) -> Ending {
    let tell = |trouble| told(trouble, terminal);
    // A database can be looked at without the folder; what is pending is not known then.
    let folder =
        if site.migrations.is_dir() { Some(Folder::read(&site.migrations).map_err(tell)?) } else { None };
    let standing = site.standing(folder.as_ref()).map_err(tell)?;
    if terminal.json {
        terminal.object(&standing);
        return Ok(Exit::Done);
    }
    show(&standing, terminal);
    Ok(Exit::Done)
}

fn show(standing: &Standing, terminal: &Terminal) {
    match &standing.state.revision {
        Some(revision) => {
            let adopted = if revision.adopted { ", adopted" } else { "" };
            let (name, at) = (clean(&revision.name), clean(&revision.at));
            terminal.line(format_args!("revision {STRONG}{name}{STRONG:#} since {at}{adopted}"));
        }
        None => terminal.line("no revision yet: nothing was started here, and nothing adopted"),
    }
    if let Some(change) = &standing.state.change {
        active(change, terminal);
    }
    if let Some(operator) = &standing.state.operator {
        terminal.line(format_args!("at work now: {}", clean(&operator.to_string())));
    }
    match &standing.pending {
        None => terminal.line("what is pending is not known: there is no folder of migrations here"),
        Some(pending) if pending.is_empty() => terminal.line("nothing is pending"),
        Some(pending) => {
            terminal.line(format_args!("{} pending: {}", pending.len(), clean(&pending.join(", "))));
        }
    }
    for odd in &standing.odd {
        terminal.line(format_args!("{CARE}!{CARE:#} {}", clean(&odd.to_string())));
    }
    if let Some(change) = &standing.state.change {
        notes(&change.notes, terminal);
    }
}

fn active(change: &ChangeState, terminal: &Terminal) {
    let from = if change.from.is_empty() { "the empty schema" } else { &change.from };
    let paused = if change.paused { ", paused" } else { "" };
    terminal.line(format_args!(
        "change {STRONG}{} → {}{STRONG:#}: {}{paused}, begun {} by {}",
        clean(from),
        clean(&change.to),
        change.phase,
        clean(&change.begun),
        clean(&change.by)
    ));
    if let Some(step) = &change.step {
        let rows = match (step.rows_done, step.rows_total) {
            (Some(done), Some(total)) => format!(", {done} of about {total} rows"),
            _ => String::new(),
        };
        terminal.line(format_args!(
            "  step {} of {}: {}{rows}",
            step.index + 1,
            step.count,
            clean(&step.title)
        ));
    }
    let next = match change.phase {
        Phase::Mixed => "both are served; next: tandem schema contract, or tandem schema undo",
        _ => "if nobody is at work: tandem schema resume, or tandem schema undo",
    };
    terminal.line(format_args!("  {next}"));
}
