//! `tandem queue`, `tandem approve` and `tandem source`: what comes by itself, listed, approved, held up.

use tandem_core::workflow::{Origin, QueueStanding};
use tandem_server::api::{QueueEntry, QueueStatus, SourceRequest};

use crate::args::Global;
use crate::args::source::{Approve, SourceVerb};
use crate::client::Client;
use crate::columns::{Cell, Columns, bad, care, good, local, text};
use crate::failure::{Exit, Failure};
use crate::terminal::{CARE, Terminal, clean};
use crate::verb::Ending;

/// `tandem queue`.
pub(crate) async fn list(global: &Global, terminal: &Terminal) -> Ending {
    let queue: QueueStatus = Client::find(global)?.get("/v1/queue").await?;
    if terminal.json {
        terminal.object(&queue);
        return Ok(Exit::Done);
    }
    if let Some(pause) = &queue.paused {
        let since = queue.at.since(pause.since).rough();
        let why = clean(&pause.why);
        terminal.line(format_args!(
            "{CARE}!{CARE:#} paused for {since}, because {why}: `tandem source resume` ends it"
        ));
    }
    for entry in &queue.entries {
        entry
            .waits
            .iter()
            .for_each(|wait| terminal.line(format_args!("  waiting: {}", clean(&wait.sentence))));
    }
    if queue.entries.is_empty() && queue.declined.is_empty() {
        terminal.say("nothing came by itself yet: [source] in tandem.toml says where from");
        return Ok(Exit::Done);
    }
    let mut columns = Columns::new(&["CAME", "VERSION", "DIGEST", "FROM", "RESULT"]);
    let mut rows: Vec<_> = queue.entries.iter().map(|entry| (entry.arrived_at, row(entry))).collect();
    rows.extend(queue.declined.iter().map(|declined| {
        let from = if declined.mark.is_some() { declined.name.as_str() } else { "push" };
        let label = if declined.mark.is_some() { "-" } else { declined.name.as_str() };
        let why = bad(&format!("refused: {}", declined.why));
        (declined.at, vec![text(&local(declined.at)), text(label), text("-"), text(from), why])
    }));
    rows.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    rows.into_iter().for_each(|(_, row)| columns.row(row));
    terminal.text(&columns.lines());
    Ok(Exit::Done)
}

fn row(entry: &QueueEntry) -> Vec<Cell> {
    let from = match &entry.origin {
        Origin::Folder { file, .. } => file.as_str(),
        Origin::Push => "push",
    };
    let told = entry.standing.to_string();
    let told = if entry.hotfix { format!("{told} (hotfix)") } else { told };
    let result = match &entry.standing {
        QueueStanding::Settled { .. } => good(&told),
        QueueStanding::Refused { .. } | QueueStanding::WentBack { .. } => bad(&told),
        QueueStanding::Waiting | QueueStanding::Deploying { .. } => care(&told),
        QueueStanding::Superseded { .. } => text(&told),
    };
    vec![
        text(&local(entry.arrived_at)),
        text(entry.version.as_str()),
        text(entry.digest.short()),
        text(from),
        result,
    ]
}

/// `tandem approve`.
pub(crate) async fn approve(wish: &Approve, global: &Global, terminal: &Terminal) -> Ending {
    let client = Client::find(global)?;
    let queue: QueueStatus = client.get("/v1/queue").await?;
    let of_label = || queue.entries.iter().filter(|entry| entry.version == wish.version);
    let waiting = of_label().find(|entry| entry.standing == QueueStanding::Waiting);
    let Some(entry) = waiting.or_else(|| of_label().next()) else {
        let none = format!("no deliverable {} is in the queue", wish.version);
        return Err(Failure::new(Exit::Refused, none).help("`tandem queue` tells which ones are"));
    };
    let path = format!("/v1/queue/{}/approve", entry.digest.as_str());
    let queue: QueueStatus = client.post(&path, &serde_json::json!({})).await?;
    say(&queue, &format!("{} ({}) is approved", entry.version, entry.digest.short()), terminal)
}

/// `tandem source`.
pub(crate) async fn source(verb: &SourceVerb, global: &Global, terminal: &Terminal) -> Ending {
    let client = Client::find(global)?;
    let (queue, said): (QueueStatus, _) = match verb {
        SourceVerb::Pause { why } => {
            let request = SourceRequest { why: why.clone() };
            let said = "nothing is begun by itself from now on; `tandem source resume` ends it";
            (client.post("/v1/source/pause", &request).await?, said)
        }
        SourceVerb::Resume => {
            let request = SourceRequest::default();
            (client.post("/v1/source/resume", &request).await?, "what waits is begun by itself again")
        }
    };
    say(&queue, said, terminal)
}

fn say(queue: &QueueStatus, said: &str, terminal: &Terminal) -> Ending {
    if terminal.json {
        terminal.object(queue);
    } else {
        terminal.say(said);
    }
    Ok(Exit::Done)
}
