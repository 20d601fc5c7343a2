//! `tandem plan`: what a deployment would do, and what each strategy would cost.

use tandem_core::base::{VersionLabel, label_of};
use tandem_core::deploy::Forecast;
use tandem_core::spec::StrategyKind;
use tandem_server::api::{PlanRequest, StrategyChoice};

use crate::args::{Global, Plan};
use crate::client::Client;
use crate::columns::{Columns, number, text};
use crate::contract;
use crate::failure::{Exit, Failure};
use crate::terminal::Terminal;
use crate::verb::Ending;

pub(crate) async fn run(plan: &Plan, global: &Global, terminal: &Terminal) -> Ending {
    let client = Client::find(global)?;
    let version = version(plan)?;
    let how = super::deploy::choice(&plan.how);
    let source = plan.path.as_deref().map(super::deploy::source).transpose()?;
    let request = PlanRequest { version: version.clone(), source, how };
    let forecast: Forecast = client.post("/v1/plan", &request).await?;
    let refused = forecast.contract.as_ref().is_some_and(|contract| contract.hurts().next().is_some());
    let exit = if refused { Exit::Refused } else { Exit::Done };
    if terminal.json {
        terminal.object(&forecast);
        return Ok(exit);
    }
    let mut columns = Columns::new(&["STEP", "WHAT", "NEW", "OLD", "RUNNING"]);
    for (at, step) in forecast.steps.iter().enumerate() {
        let (new, old, running) = (Some(step.new), Some(step.old), Some(step.running));
        columns.row(vec![number(Some(at + 1)), text(&step.what), number(new), number(old), number(running)]);
    }
    let from = forecast.from.as_ref().map_or("nothing", |from| from.as_str());
    terminal.line(format_args!("{from} → {}: {}", forecast.to, price(&forecast)));
    terminal.text(&columns.lines());
    if plan.how.strategy.is_none() {
        compare(&client, version.as_ref(), terminal).await?;
    }
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

/// The trade-off between the strategies, in numbers.
async fn compare(
    client: &Client,
    version: Option<&VersionLabel>,
    terminal: &Terminal,
) -> Result<(), Failure> {
    terminal.line("");
    for kind in [StrategyKind::Rolling, StrategyKind::Flip, StrategyKind::Canary] {
        let how = StrategyChoice { strategy: Some(kind), ..StrategyChoice::default() };
        let request = PlanRequest { version: version.cloned(), source: None, how };
        let forecast: Forecast = client.post("/v1/plan", &request).await?;
        terminal.line(format_args!("{:8} {}", kind.name(), price(&forecast)));
    }
    Ok(())
}

fn price(forecast: &Forecast) -> String {
    let steps = forecast.steps.len();
    let capacity = match forecast.from {
        Some(_) => format!(", capacity never below {}/{}", forecast.lowest_capacity, forecast.wanted),
        None => String::new(),
    };
    format!("{steps} steps, at most {} instances at once{capacity}", forecast.peak)
}

fn version(plan: &Plan) -> Result<Option<VersionLabel>, Failure> {
    let Some(path) = &plan.path else { return Ok(plan.version.clone()) };
    if !path.exists() {
        return Err(Failure::usage(format!("{} is not there", path.display()))
            .help("name a folder or a .tar.gz, or none for a plan for some new version"));
    }
    let named = || label_of(path.file_name()?.to_str()?);
    Ok(plan.version.clone().or_else(named))
}
