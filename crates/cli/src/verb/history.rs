//! `tandem history`: the deployments, the newest first.

use tandem_core::workflow::{Kind, Verdict};
use tandem_server::api::{DeploymentRecord, Who};

use crate::args::Global;
use crate::client::Client;
use crate::columns::{Cell, Columns, bad, care, good, local, number, text};
use crate::failure::Exit;
use crate::terminal::Terminal;
use crate::verb::Ending;

pub(crate) async fn run(global: &Global, terminal: &Terminal) -> Ending {
    let records: Vec<DeploymentRecord> = Client::find(global)?.get("/v1/deployments").await?;
    if terminal.json {
        terminal.object(&records);
        return Ok(Exit::Done);
    }
    if records.is_empty() {
        terminal.say("nothing was deployed yet: tandem deploy PATH");
        return Ok(Exit::Done);
    }
    let heads = ["ID", "BEGAN", "VERSION", "FROM", "BY", "TOOK", "REQUESTS", "FAILED", "MIXED", "RESULT"];
    let mut columns = Columns::new(&heads);
    for record in &records {
        columns.row(row(record));
    }
    terminal.text(&columns.lines());
    Ok(Exit::Done)
}

fn row(record: &DeploymentRecord) -> Vec<Cell> {
    let receipt = record.receipt.as_ref();
    let counts = receipt.and_then(|receipt| receipt.counts);
    let from = receipt.and_then(|receipt| receipt.from.as_ref());
    let kind = match record.kind {
        Kind::Deploy if record.who == Who::Source => format!("{} (source)", record.strategy.name()),
        Kind::Deploy => record.strategy.name().to_owned(),
        Kind::Rollback => format!("{} (rollback)", record.strategy.name()),
    };
    let result = match receipt.map(|receipt| &receipt.verdict) {
        Some(Verdict::Settled) => good("settled"),
        Some(Verdict::RolledBack { reason }) => bad(&format!("rolled back: {reason}")),
        Some(Verdict::Failed { reason }) => bad(&format!("failed: {reason}")),
        None if record.turned_back.is_some() => care("going back"),
        None => care("under way"),
    };
    vec![
        text(&record.id.to_string()),
        text(&local(record.requested_at)),
        text(record.version.as_str()),
        text(from.map_or("-", |from| from.as_str())),
        text(&kind),
        number(receipt.map(|receipt| receipt.took.rough())),
        number(counts.map(|counts| counts.requests)),
        number(counts.map(|counts| counts.failed)),
        number(receipt.map(|receipt| receipt.mixed_state.rough())),
        result,
    ]
}
