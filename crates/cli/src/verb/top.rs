//! `tandem top`: what goes on now, once a second.
//!
//! `figures` makes rates of two looks at the proxy's sums; here they are asked for and shown. Tested in `tests/cli/top.rs`, and
//! end to end.

mod figures;

use std::time::{Duration, Instant};

use tandem_core::base::Millis;
use tandem_core::traffic::Health;
use tandem_core::traffic::metrics::Metrics;
use tandem_server::api::Status;
use tokio::time::MissedTickBehavior;

use crate::args::Global;
use crate::client::Client;
use crate::columns::{Cell, Columns, bad, care, good, number, text};
use crate::failure::{Exit, Failure};
use crate::terminal::{CARE, STRONG, Terminal};
use crate::verb::{Ending, status};

use figures::{Figures, InstanceFigures, Top};

/// From one look to the next.
const EVERY: Duration = Duration::from_secs(1);

pub(crate) async fn run(once: bool, global: &Global, terminal: &Terminal) -> Ending {
    let client = Client::find(global)?;
    let mut before = look(&client).await?;
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first one is due at once.
    tick.tick().await;
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = terminal.unread() => return Ok(Exit::Done),
        }
        let now = look(&client).await?;
        let status: Status = client.get("/v1/status").await?;
        let between = now.1.duration_since(before.1);
        // Of another run of the proxy there is nothing to subtract.
        if let Some(top) = Top::of(&status, &before.0, &now.0, between) {
            show(&top, &status, once, terminal);
            if once {
                return Ok(Exit::Done);
            }
        }
        before = now;
    }
}

async fn look(client: &Client) -> Result<(Metrics, Instant), Failure> {
    let metrics = client.get("/v1/traffic").await?;
    Ok((metrics, Instant::now()))
}

fn show(top: &Top, status: &Status, once: bool, terminal: &Terminal) {
    if terminal.json {
        return terminal.object(top);
    }
    if terminal.data_is_seen && !once {
        // Home, then clear what is below: the screen does not flicker as it would if cleared first.
        terminal.text("\u{1b}[H\u{1b}[J");
    }
    terminal.line(summary(top));
    if let Some(deployment) = &status.deployment {
        terminal.line(status::under_way(deployment, status));
    }
    for wait in &status.waits {
        terminal.line(format_args!("  waiting: {}", crate::terminal::clean(&wait.sentence)));
    }
    let mut columns = Columns::new(&[
        "VERSION",
        "INSTANCE",
        "STATE",
        "HEALTH",
        "REQ/S",
        "5XX",
        "P50",
        "P99",
        "IN FLIGHT",
        "ENDS",
    ]);
    for (version, figures) in &top.versions {
        let names = vec![text(version.as_str()), text(""), text(""), text("")];
        columns.row(names.into_iter().chain(cells(figures)).chain([text("")]).collect());
        for instance in top.instances.iter().filter(|instance| instance.version == *version) {
            columns.row(row(instance));
        }
    }
    if !top.versions.is_empty() {
        terminal.line("");
        terminal.text(&columns.lines());
    }
    if !once && !terminal.data_is_seen {
        terminal.line("");
    }
}

fn summary(top: &Top) -> String {
    let current = top.current.as_ref().map_or("nothing deployed yet", |current| current.as_str());
    let all = &top.all;
    let lengths = match (all.p50, all.p99) {
        (Some(p50), Some(p99)) => format!(", p50 {}, p99 {}", length(p50), length(p99)),
        _ => String::new(),
    };
    let failed = all.errors.map_or_else(String::new, |errors| format!(", {} failed", share(errors)));
    let dropped = match top.log_dropped {
        0 => String::new(),
        count => format!(", {CARE}{count} lines of the log dropped{CARE:#}"),
    };
    format!(
        "{STRONG}{}{STRONG:#}: {STRONG}{current}{STRONG:#}, {:.1} requests/s{failed}{lengths}, {} in flight, {} connections{dropped}",
        top.service, all.rate, all.in_flight, top.connections
    )
}

fn row(instance: &InstanceFigures) -> Vec<Cell> {
    let health = match &instance.health {
        Health::Up => good("up"),
        Health::Unknown => text("not known yet"),
        Health::Failing { last } | Health::Down { last } => bad(last),
    };
    let stage = match instance.stage.as_deref() {
        Some("serving") => good("serving"),
        Some(stage) => care(stage),
        None => text("-"),
    };
    let names = vec![text(""), text(&instance.instance.to_string()), stage, health];
    names.into_iter().chain(cells(&instance.figures)).chain([text(&ends(instance))]).collect()
}

fn cells(figures: &Figures) -> [Cell; 5] {
    [
        number(Some(format!("{:.1}", figures.rate))),
        number(figures.errors.map(share)),
        number(figures.p50.map(length)),
        number(figures.p99.map(length)),
        number(Some(figures.in_flight)),
    ]
}

/// When what is in flight on a leaving instance is cut, class by class.
fn ends(instance: &InstanceFigures) -> String {
    let Some(left) = instance.left else { return String::new() };
    let seen = instance.classes;
    let classes: [(&str, u64, Millis); 4] = [
        ("request", seen.requests, left.requests),
        ("upload", seen.uploads, left.uploads),
        ("stream", seen.streams, left.streams),
        ("websocket", seen.websockets, left.websockets),
    ];
    let there = classes.iter().filter(|(_, count, _)| *count > 0);
    let told: Vec<String> = there
        .map(|(name, count, left)| {
            format!("{count} {name}{} in {}", if *count == 1 { "" } else { "s" }, left.rough())
        })
        .collect();
    told.join(", ")
}

fn share(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

/// Seconds in the unit that suits them.
fn length(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.0} ms", (seconds * 1000.0).max(1.0)) } else { format!("{seconds:.1} s") }
}
