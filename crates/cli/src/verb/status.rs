//! `tandem status`: what runs and what is going on.

use tandem_core::database::ObservedDatabase;
use tandem_core::traffic::Health;
use tandem_core::workflow::Stage;
use tandem_server::api::{DeploymentStatus, InstanceStatus, Status};

use crate::args::Global;
use crate::client::Client;
use crate::columns::{Cell, Columns, bad, care, good, number, text};
use crate::contract;
use crate::failure::{Exit, Failure};
use crate::story;
use crate::terminal::{BAD, CARE, STRONG, Terminal, clean};
use crate::verb::Ending;

pub(crate) async fn run(watch: bool, global: &Global, terminal: &Terminal) -> Ending {
    if !watch {
        for (at, client) in Client::all(global)?.iter().enumerate() {
            if at > 0 && !terminal.json {
                terminal.line("");
            }
            show(&client.get("/v1/status").await?, terminal);
        }
        return Ok(Exit::Done);
    }
    let client = Client::find(global)?;
    let mut messages = client.messages("/v1/events", None).await?;
    loop {
        let message = tokio::select! {
            message = messages.next() => message,
            () = terminal.unread() => return Ok(Exit::Done),
        };
        let Some(message) = message else { break };
        if message.kind != "status" {
            continue;
        }
        let Ok(status) = serde_json::from_str::<Status>(&message.data) else { continue };
        if terminal.data_is_seen && !terminal.json {
            // Home, then clear what is below: the screen does not flicker as it would if cleared first.
            terminal.text("\u{1b}[H\u{1b}[J");
        }
        show(&status, terminal);
        if !terminal.data_is_seen && !terminal.json {
            terminal.line("");
        }
    }
    Err(Failure::new(Exit::NoDaemon, "the daemon went away").help("start one with `tandem up`"))
}

fn show(status: &Status, terminal: &Terminal) {
    if terminal.json {
        terminal.object(status);
        return;
    }
    terminal.line(summary(status));
    if let Some(trouble) = &status.trouble {
        terminal.line(format_args!("{BAD}✘{BAD:#} {}", clean(trouble)));
    }
    if status.config_changed {
        terminal.line(format_args!(
            "{CARE}!{CARE:#} the configuration on the disk has changed: `tandem reload` takes it"
        ));
    }
    if let Some(told) = &status.maintenance {
        let allowed = match told.allow.len() {
            0 => String::new(),
            _ => format!(
                ", but for {}",
                told.allow.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
        };
        terminal.line(format_args!(
            "{CARE}!{CARE:#} maintenance for {}: clients are told to come back{allowed}",
            status.at.since(told.since).rough()
        ));
    }
    if let Some(deployment) = &status.deployment {
        terminal.line(under_way(deployment, status));
        let broken = deployment.comparison.as_ref().and_then(contract::sentence);
        broken.iter().for_each(|sentence| terminal.line(format_args!("  {}", clean(sentence))));
        for found in &deployment.findings {
            terminal.line(format_args!("  {}", clean(&found.sentence)));
        }
    }
    if let Some(database) = &status.database {
        terminal.line(schema(database));
    }
    for (version, sessions) in status.sessions.iter().filter(|(_, sessions)| sessions.clients > 0) {
        let quiet = sessions.quiet.rough();
        terminal.line(format_args!(
            "  about {} sessions at {version}, the last request {quiet} ago",
            sessions.clients
        ));
    }
    for wait in &status.waits {
        terminal.line(format_args!("  waiting: {}", clean(&wait.sentence)));
    }
    for remark in &status.remarks {
        terminal.line(format_args!("  {CARE}!{CARE:#} {}", clean(remark)));
    }
    if status.instances.is_empty() {
        return;
    }
    let heads =
        ["INSTANCE", "VERSION", "STATE", "HEALTH", "IN FLIGHT", "REQUESTS", "FAILED", "ADDRESS", "SINCE"];
    let mut columns = Columns::new(&heads);
    for instance in &status.instances {
        columns.row(row(instance, status));
    }
    terminal.line("");
    terminal.text(&columns.lines());
}

fn summary(status: &Status) -> String {
    let listen: Vec<String> = status.listen.iter().map(ToString::to_string).collect();
    let runs = match &status.current {
        Some(current) => format!("{STRONG}{current}{STRONG:#}"),
        None => "nothing deployed yet".to_owned(),
    };
    let healthy = match status.healthy {
        Some(healthy) => format!("{healthy}/{} healthy", status.wanted),
        None => format!("{BAD}the proxy does not answer{BAD:#}"),
    };
    let counts = status.counts.map_or_else(String::new, |counts| {
        format!(", {} requests, {} failed", counts.requests, counts.failed)
    });
    format!("{STRONG}{}{STRONG:#}: {runs}, {healthy} on {}{counts}", status.service, listen.join(" and "))
}

/// Which revisions the schema serves, and how many sessions use each.
fn schema(database: &ObservedDatabase) -> String {
    let standing = story::stands(&database.standing);
    let sessions = match &database.standing.change {
        None => String::new(),
        Some(_) => {
            format!(": {} sessions of the older, {} of the newer", database.old_clients, database.new_clients)
        }
    };
    clean(&format!("  {standing}{sessions}")).into_owned()
}

pub(super) fn under_way(deployment: &DeploymentStatus, status: &Status) -> String {
    let from = deployment.from.as_ref().map_or("nothing", |from| from.as_str());
    let since = status.at.since(deployment.phase_since).rough();
    let ready =
        deployment.ready.map_or_else(String::new, |ready| format!(", {ready}/{} ready", deployment.wanted));
    let paused = if deployment.paused { format!(", {CARE}paused{CARE:#}") } else { String::new() };
    let back = match &deployment.turned_back {
        Some(reason) => format!(", {BAD}going back{BAD:#}: {}", clean(reason)),
        None => String::new(),
    };
    let (id, version, how) = (deployment.id, &deployment.version, deployment.strategy.name());
    format!("{id} {from} → {version} by {how}: {} for {since}{ready}{paused}{back}", deployment.phase)
}

fn row(instance: &InstanceStatus, status: &Status) -> Vec<Cell> {
    let health = match &instance.health {
        Some(Health::Up) => good("up"),
        Some(Health::Unknown) => text("not known yet"),
        Some(Health::Failing { last } | Health::Down { last }) => bad(last),
        None => text("-"),
    };
    let health = instance.exit.as_deref().map_or(health, bad);
    let stage = match instance.stage {
        Stage::Serving => good("serving"),
        Stage::Starting | Stage::Draining | Stage::Stopping => care(&instance.stage.to_string()),
        Stage::Standby | Stage::Ended => text(&instance.stage.to_string()),
    };
    vec![
        text(&instance.instance.to_string()),
        text(instance.version.as_str()),
        stage,
        health,
        number(instance.in_flight.map(|in_flight| in_flight.total())),
        number(instance.requests),
        number(instance.failed),
        text(&instance.address.map_or_else(|| "-".to_owned(), |address| address.to_string())),
        number(Some(status.at.since(instance.since).rough())),
    ]
}
