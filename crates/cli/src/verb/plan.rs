//! `tandem plan` and `tandem rollback --plan`: what a deployment would do, and what each way of doing it would cost.

use std::fmt::Write as _;

use tandem_core::base::{Millis, Price, Share, VersionLabel};
use tandem_core::deploy::{Basis, Estimate, Fault, Forecast};
use tandem_core::workflow::{Figures, Verdict};
use tandem_server::api::PlanRequest;

use crate::args::{Global, Plan};
use crate::client::Client;
use crate::columns::{Columns, good, number, text};
use crate::contract;
use crate::failure::{Exit, Failure};
use crate::terminal::{CARE, Terminal};
use crate::verb::Ending;

pub(crate) async fn run(plan: &Plan, global: &Global, terminal: &Terminal) -> Ending {
    let request = PlanRequest {
        version: version(plan)?,
        source: plan.path.as_deref().map(super::deploy::source).transpose()?,
        how: super::deploy::choice(&plan.how),
        ways: plan.how.strategy.is_none() && plan.fault.is_none(),
        fault: plan.fault.map(|fault| fault.0),
        back: false,
    };
    tell(&request, global, terminal).await
}

/// What a rollback would do.
pub(crate) async fn back(to: Option<&VersionLabel>, global: &Global, terminal: &Terminal) -> Ending {
    let request = PlanRequest { version: to.cloned(), back: true, ..PlanRequest::default() };
    tell(&request, global, terminal).await
}

async fn tell(request: &PlanRequest, global: &Global, terminal: &Terminal) -> Ending {
    let client = Client::find(global)?;
    let forecast: Forecast = client.post("/v1/plan", request).await?;
    let refused = forecast.contract.as_ref().is_some_and(|contract| contract.hurts().next().is_some());
    let exit = if refused { Exit::Refused } else { Exit::Done };
    if terminal.json {
        terminal.object(&forecast);
        return Ok(exit);
    }
    show(&forecast, request, terminal);
    if let Some(path) = &forecast.asked {
        terminal.line("");
        terminal.line(format_args!(
            "its contract is compared only when an instance runs, which is asked for {path} before it gets requests"
        ));
    }
    if let Some(comparison) = &forecast.contract {
        contract::show(comparison, &forecast.to, terminal);
    }
    Ok(exit)
}

/// What the migrations of a deliverable would do.
pub(crate) fn schema(plan: &Plan, global: &Global, terminal: &Terminal) -> Ending {
    match plan.path.as_ref().filter(|_| !terminal.json) {
        Some(deliverable) => super::schema::plan_of(deliverable, global, terminal),
        None => Ok(Exit::Done),
    }
}

fn show(forecast: &Forecast, request: &PlanRequest, terminal: &Terminal) {
    let from = forecast.from.as_ref().map_or("nothing", |from| from.as_str());
    // What is under way is turned: that is what was asked about.
    let turns = request.back && forecast.end != Some(Verdict::Settled);
    let way = if turns { format!("back to {from}") } else { format!("{from} → {}", forecast.to) };
    terminal.line(format_args!("{way}: {}", price(forecast)));
    terminal.text(&steps(forecast, request.fault).lines());
    match &forecast.end {
        Some(Verdict::Settled) => {}
        Some(_) if turns => {}
        Some(Verdict::RolledBack { reason } | Verdict::Failed { reason }) => {
            terminal.line(format_args!("{CARE}!{CARE:#} it would go back, because {reason}"));
        }
        None => terminal.line(format_args!("{CARE}!{CARE:#} its end is too far away to be seen")),
    }
    for line in basis(&forecast.basis) {
        terminal.line(line);
    }
    if !forecast.ways.is_empty() {
        terminal.line("");
        terminal.text(&ways(forecast).lines());
    }
}

fn steps(forecast: &Forecast, fault: Option<Fault>) -> Columns {
    let mut columns = Columns::new(&["STEP", "AT", "WHAT", "NEW", "OLD", "RUNNING"]);
    for (at, step) in forecast.steps.iter().enumerate() {
        let (new, old, running) = (Some(step.new), Some(step.old), Some(step.running));
        let (when, count) = (Some(step.at.rough()), Some(at + 1));
        let cells =
            vec![number(count), number(when), text(&step.what), number(new), number(old), number(running)];
        columns.row(cells);
        if let Some(Fault { instance, step: _ }) = fault.filter(|fault| fault.step.max(1) == at + 1) {
            let dies = format!("{instance} dies, as soon as it runs");
            columns.row(vec![text(""), text(""), text(&dies)]);
        }
    }
    columns
}

/// What it costs, in a sentence.
fn price(forecast: &Forecast) -> String {
    let Figures { took, mixed_state, peak, lowest_capacity, extra, .. } = forecast.figures;
    let mut told =
        format!("{} steps in about {}, at most {peak} instances at once", forecast.steps.len(), took.rough());
    if let Some(lowest) = lowest_capacity {
        let wanted = forecast.wanted;
        let _ = write!(told, ", capacity never below {lowest}/{wanted}, mixed state {}", mixed_state.rough());
    }
    if let Some(price) = forecast.price.as_ref().filter(|_| extra > Millis::ZERO) {
        let _ = write!(told, ", {} for {} of extra instances", price.of(extra), extra.rough());
    }
    told
}

/// What the times are reckoned from.
fn basis(basis: &Basis) -> Vec<String> {
    let parts = [
        ("made ready to run", basis.prepare),
        ("up", basis.ready),
        ("drained", basis.drain),
        ("stopped", basis.stop),
    ];
    let hooks = basis.hooks.iter().map(|(hook, estimate)| (format!("hook `{}`", hook.name()), *estimate));
    let parts: Vec<(String, Estimate)> =
        parts.into_iter().map(|(what, estimate)| (what.to_owned(), estimate)).chain(hooks).collect();
    let told = |is: fn(&Estimate) -> bool| {
        let parts = parts.iter().filter(|(_, estimate)| is(estimate));
        parts.map(|(what, estimate)| format!("{what} in {}", estimate.typical.rough())).collect::<Vec<_>>()
    };
    let mut lines = Vec::new();
    for (parts, how) in [
        (told(|estimate| estimate.measured > 0), "as measured here"),
        (told(|estimate| estimate.measured == 0), "assumed: nothing was measured yet"),
    ] {
        if !parts.is_empty() {
            lines.push(format!("reckoned with: {} ({how})", parts.join(", ")));
        }
    }
    let off: Vec<String> = basis.judged.iter().map(|judged| format!("{}%", judged.percent_off())).collect();
    match off.as_slice() {
        [] => {}
        [one] => lines.push(format!("the last forecast was off by {one}")),
        several => {
            lines.push(format!("the last {} forecasts were off by {}", several.len(), several.join(", ")));
        }
    }
    lines
}

/// The trade-off between the ways to deploy, in numbers.
fn ways(forecast: &Forecast) -> Columns {
    let mut heads =
        vec!["WAY", "FIRST", "ALL NEW AFTER", "BACK IN", "MIXED STATE", "PEAK", "LOWEST", "EXTRA"];
    heads.extend(forecast.price.as_ref().map(|_| "COST"));
    let mut columns = Columns::new(&heads);
    for way in &forecast.ways {
        let Figures { first, served, back, mixed_state, peak, lowest_capacity, extra, .. } = way.figures;
        let length = |length: Millis| number(Some(length.rough()));
        let lowest = lowest_capacity.map(|lowest| format!("{lowest}/{}", forecast.wanted));
        let mut cells = vec![
            text(&way.name),
            number(Some(part(first))),
            length(served),
            number(back.map(Millis::rough)),
            length(mixed_state),
            number(Some(peak)),
            number(lowest),
            length(extra),
        ];
        let cost = |price: &Price| number(Some(price.of(extra)));
        cells.extend(forecast.price.as_ref().map(cost));
        cells.extend(way.unbeaten.then(|| good("unbeaten")));
        columns.row(cells);
    }
    columns
}

/// A part of the clients, as exactly as anybody looks at it.
fn part(share: Share) -> String {
    let percent = share.fraction() * 100.0;
    if percent < 10.0 { format!("{percent:.1}%") } else { format!("{percent:.0}%") }
}

fn version(plan: &Plan) -> Result<Option<VersionLabel>, Failure> {
    let Some(path) = &plan.path else { return Ok(plan.version.clone()) };
    if !path.exists() && super::deploy::image(path).is_none() {
        return Err(Failure::usage(format!("{} is not there", path.display()))
            .help("name a folder or a .tar.gz, or none for a plan for some new version"));
    }
    Ok(plan.version.clone().or_else(|| super::deploy::label(path)))
}
