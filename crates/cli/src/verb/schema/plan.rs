//! `tandem schema plan`: what the pending migrations would do, phase by phase, without doing it.

use serde::Serialize;
use tandem_server::schema::{
    Broken, Examined, Folder, Next, Plan, Prepared, Seen, Site, Standing, Statements, Step, Work, lens,
    statements,
};

use super::report::{self, told};
use crate::args::schema;
use crate::columns::{Columns, text};
use crate::failure::{Exit, Failure};
use crate::terminal::{BAD, CARE, DIM, STRONG, Terminal, clean};
use crate::verb::Ending;

/// So many rows are taken to be filled each second, where nothing was measured.
const RATE: u64 = 100_000;

/// A plan as `--json` prints it.
#[derive(Serialize)]
struct Shown<'a> {
    plan: Option<&'a Plan>,
    /// What the scratch copy could not repeat.
    left_out: &'a [String],
    /// Statements that would break.
    broken: &'a [Broken],
    /// The estimate for filling rows, in seconds.
    fill_seconds: u64,
}

pub(super) fn run(step: &schema::Step, site: &Site, folder: &Folder, terminal: &Terminal) -> Ending {
    let tell = |trouble| told(trouble, terminal);
    let standing = site.standing(Some(folder)).map_err(tell)?;
    if let Some(change) = &standing.state.change {
        return Err(Failure::new(
            Exit::Refused,
            format!("a change to `{}` is active ({})", change.to, change.phase),
        )
        .help("tandem schema status, then tandem schema resume, contract or undo"));
    }
    pending(step, site, folder, &standing, terminal)
}

/// The plan where nothing is going on.
pub(super) fn pending(
    step: &schema::Step,
    site: &Site,
    folder: &Folder,
    standing: &Standing,
    terminal: &Terminal,
) -> Ending {
    let tell = |trouble| told(trouble, terminal);
    let given = given(step, site, terminal)?;
    match site.prepare(folder, standing, step.to.as_deref(), given).map_err(tell)? {
        Next::Nothing => Ok(nothing("every migration of the folder has run", terminal)),
        Next::Plan(prepared) => Ok(planned(&prepared, terminal)),
    }
}

/// The plan of what a framework's own command has done to a copy.
pub(super) fn recorded(examined: Examined, terminal: &Terminal) -> Ending {
    Ok(match examined {
        Examined::Pending(_, prepared) => planned(&prepared, terminal),
        Examined::There(_) => nothing("the command changes nothing", terminal),
        Examined::Unsettled => {
            terminal.say("a change has begun meanwhile: planned when it is over");
            Exit::Done
        }
    })
}

fn nothing(why: &str, terminal: &Terminal) -> Exit {
    if terminal.json {
        terminal.object(&Shown { plan: None, left_out: &[], broken: &[], fill_seconds: 0 });
    } else {
        terminal.say(format_args!("nothing is pending: {why}"));
    }
    Exit::Done
}

fn planned(prepared: &Prepared, terminal: &Terminal) -> Exit {
    let Prepared { plan, left_out: missing, broken } = prepared;
    if terminal.json {
        let fill_seconds = rows(plan).div_ceil(RATE);
        terminal.object(&Shown { plan: Some(plan), left_out: missing, broken, fill_seconds });
    } else {
        show(plan, terminal);
        left_out(missing, terminal);
        broke(broken, terminal);
    }
    if broken.is_empty() { Exit::Done } else { Exit::Refused }
}

/// The statements that the command line names; those of the version that runs else as the database has collected them.
pub(super) fn given(step: &schema::Step, site: &Site, terminal: &Terminal) -> Result<Statements, Failure> {
    let tell = |trouble| told(trouble, terminal);
    let old = match &step.statements {
        Some(path) => statements(path),
        None => site.collected(),
    };
    let new = step.new_statements.as_deref().map_or_else(|| Ok(Vec::new()), statements);
    Ok(Statements { old: old.map_err(tell)?, new: new.map_err(tell)? })
}

/// Rows that are to be filled, by the server's estimate.
fn rows(plan: &Plan) -> u64 {
    let rows = |step: &Step| match &step.work {
        Work::Fill(fill) => fill.rows,
        Work::Transaction { .. } | Work::Alone { .. } => 0,
    };
    plan.start.iter().chain(&plan.contract).map(rows).sum()
}

fn show(plan: &Plan, terminal: &Terminal) {
    let from = if plan.from.is_empty() { "nothing" } else { &plan.from };
    let names: Vec<&str> = plan.migrations.iter().map(|one| one.name.as_str()).collect();
    terminal.line(format_args!(
        "{STRONG}{} → {}{STRONG:#}: {} in one step ({})",
        clean(from),
        clean(&plan.to),
        counted(names.len(), "migration"),
        clean(&names.join(", "))
    ));
    for change in &plan.changes {
        terminal.line(format_args!("\n{STRONG}{}{STRONG:#}: {}", clean(&change.kind), clean(&change.object)));
        let parts =
            [("expand", &change.expand), ("backfill", &change.backfill), ("contract", &change.contract)];
        for (phase, what) in parts {
            if let Some(what) = what {
                terminal.line(format_args!("  {phase:8} {}", clean(what)));
            }
        }
    }
    steps("start", &plan.start, terminal);
    steps("contract", &plan.contract, terminal);
    seen(plan, terminal);
    report::notes(&plan.notes, terminal);
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The steps of a phase with what each holds up.
fn steps(phase: &str, steps: &[Step], terminal: &Terminal) {
    if steps.is_empty() {
        return;
    }
    terminal.line(format_args!("\n{STRONG}{phase}{STRONG:#}"));
    for (at, step) in steps.iter().enumerate() {
        terminal.line(format_args!("  {:>2}. {}", at + 1, clean(&step.title)));
        match &step.work {
            Work::Transaction { locks, .. } => {
                for lock in locks {
                    let mode = lock.mode.to_string().to_lowercase();
                    terminal.line(format_args!(
                        "      {DIM}locks{DIM:#} {} ({mode})",
                        clean(&lock.table.to_string())
                    ));
                }
            }
            Work::Alone { .. } => {
                terminal.line(format_args!("      {DIM}beside the clients, outside of a transaction{DIM:#}"));
            }
            Work::Fill(fill) => {
                if fill.rows == 0 {
                    let none = "none by the server's statistics, which ANALYZE brings up to date";
                    terminal.line(format_args!("      {DIM}rows{DIM:#}  {none}"));
                    continue;
                }
                let seconds = fill.rows.div_ceil(RATE);
                terminal.line(format_args!(
                    "      {DIM}rows{DIM:#}  about {}, {} if {RATE} rows are filled each second",
                    fill.rows,
                    long(seconds)
                ));
            }
        }
    }
}

/// A length of time for people.
fn long(seconds: u64) -> String {
    match seconds {
        0 | 1 => "a second".to_owned(),
        2..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3600)),
    }
}

/// What the clients of each side see.
fn seen(plan: &Plan, terminal: &Terminal) {
    let viewed: Vec<&Seen> = plan.views.iter().filter(|seen| seen.old_by_view || seen.new_by_view).collect();
    let old = if plan.from.is_empty() { "nothing".to_owned() } else { plan.from.clone() };
    let mut columns = Columns::new(&["WHILE BOTH ARE ALIVE", &old, &plan.to]);
    let by = |view: bool| text(if view { "by a view" } else { "itself" });
    for seen in &viewed {
        columns.row(vec![text(&seen.name), by(seen.old_by_view), by(seen.new_by_view)]);
    }
    terminal.line("");
    if viewed.is_empty() {
        terminal.line("both revisions see the tables themselves");
    } else {
        terminal.text(&columns.lines());
    }
    terminal.line(format_args!(
        "{DIM}search_path of the new one: {}, {}{DIM:#}",
        lens(&plan.to),
        clean(&plan.home)
    ));
}

pub(super) fn left_out(left_out: &[String], terminal: &Terminal) {
    for what in left_out {
        terminal.say(format_args!("{CARE}!{CARE:#} not in the scratch copy: {}", clean(what)));
    }
}

/// Statements that would break.
pub(super) fn broke(broken: &[Broken], terminal: &Terminal) {
    for one in broken {
        terminal.say(format_args!(
            "{BAD}✘{BAD:#} breaks for the {} version while {}: {}",
            one.side,
            if one.state == "mixed" { "both are alive" } else { "only the new one is" },
            clean(&one.why)
        ));
        terminal.say(format_args!("    {DIM}{}{DIM:#}", clean(&one.statement)));
    }
}
