//! What lasts longer than a deployment: slow requests, large uploads and downloads, events and WebSockets, opened before
//! a rolling deployment and kept across it.
//!
//! What can finish within the deadline of its class must finish; what can't must not be cut before it, and must be seen
//! to be cut. All old instances leave at once, so that everything that is open has to do with it.

mod judgement;
mod witness;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tandem_load::{Load, Mix, Plan};
use tandem_trial::{Daemon, Setup, Shop, free_port};
use tokio::task::JoinSet;

use super::table::Table;
use super::{Stage, folder, wire};
use judgement::{Expected, Seen, judge};
use witness::Watch;

/// What can be chosen.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Requests per second beside what lasts.
    #[arg(long, default_value_t = 50.0)]
    rate: f64,
    /// Build with all optimisations, which takes some minutes more.
    #[arg(long)]
    pub(super) release: bool,
}

const DRAIN: &str = r#"{ requests = "30s", uploads = "60s", streams = "12s", websockets = "12s" }"#;
/// `streams` and `websockets` of it.
const DEADLINE: Duration = Duration::from_secs(12);
/// WebSockets are closed over the last quarter of their time, so that their clients don't all come back at once.
const SPREAD: Duration = Duration::from_secs(3);

/// What is opened, in this order, when, and what is to become of it.
const WATCHES: [(Watch, Early, Expected); 6] = [
    (Watch::Download { pause: 11 }, Early::Long, Expected::Whole),
    (Watch::Download { pause: 60 }, Early::Long, Expected::Cut { after: DEADLINE, spread: Duration::ZERO }),
    (Watch::Events, Early::Long, Expected::Cut { after: DEADLINE, spread: Duration::ZERO }),
    (Watch::Socket, Early::Long, Expected::Cut { after: DEADLINE, spread: SPREAD }),
    (Watch::Slow, Early::Just, Expected::Whole),
    (Watch::Upload, Early::Just, Expected::Whole),
];

/// When something is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Early {
    /// Ten seconds before the deployment.
    Long,
    /// Right before it.
    Just,
}

/// So many of each, which spreads them over the instances.
const EACH: usize = 3;

/// Shows it once.
pub(super) async fn run(stage: &Stage<'_>, options: &Options) -> Result<(), String> {
    let folder = folder()?;
    let address = free_port();
    let shop = Shop::new(stage.root, &stage.shop(), folder.path());
    let mut setup = Setup::new(address);
    (setup.instances, setup.drain) = (3, DRAIN);
    shop.configure(&setup)?;
    let mut daemon = Daemon::new(&stage.tandem(), folder.path());
    daemon.up().await?;
    deploy(&daemon, &shop, "v1", &[]).await?;
    let load = Load::start(plan(address, options.rate)).map_err(|why| why.to_string())?;

    println!("── opened on v1: {EACH} each of downloads, events and WebSockets");
    let mut open = JoinSet::new();
    watch(&mut open, Early::Long, address);
    load.ended((options.rate * 10.0) as u64).await;
    println!("── and slow requests and uploads; now v2, all instances at once");
    watch(&mut open, Early::Just, address);
    load.ended(load.so_far().sent + options.rate as u64 / 2).await;
    let begun = now();
    let mut left = BTreeMap::new();
    let deployed = tokio::select! {
        deployed = deploy(&daemon, &shop, "v2", &["--strategy", "rolling", "--batch", "100%"]) => deployed?,
        never = see_leaving(&daemon, &mut left) => never,
    };
    println!("{deployed}");
    let seen = open.join_all().await;
    let broken = tell(begun, &left, seen) + arrivals(address).await?;
    let verdict = load.stop().await;
    println!("── everything else meanwhile\n{verdict}");
    if !verdict.is_clean() || broken > 0 {
        return Err(daemon.with_log(&format!("promises broken: {}", broken + verdict.failed)));
    }
    daemon.stop().await
}

type Open = JoinSet<(usize, Result<Seen, String>)>;

fn watch(open: &mut Open, early: Early, address: SocketAddr) {
    for (index, (watch, when, _)) in WATCHES.into_iter().enumerate() {
        for _ in (0..EACH).filter(|_| when == early) {
            open.spawn(async move { (index, watch.run(address).await) });
        }
    }
}

async fn deploy(daemon: &Daemon, shop: &Shop, label: &str, how: &[&str]) -> Result<String, String> {
    let deliverable = shop.deliverable(label, label, None)?;
    let path = deliverable.to_string_lossy();
    let said = daemon.tandem(&[&["deploy", &path, "--version", label], how].concat()).await;
    match said.code {
        Some(0) => Ok(said.out.trim_end().to_owned()),
        _ => Err(daemon.with_log(&format!("{label} was not deployed: {}{}", said.out, said.err))),
    }
}

/// Notes, until it is dropped, when which instance began to leave, by its number.
async fn see_leaving(daemon: &Daemon, left: &mut BTreeMap<u64, u64>) -> String {
    let mut look = tokio::time::interval(Duration::from_millis(200));
    loop {
        look.tick().await;
        let status = daemon.tandem(&["status", "--json"]).await.json();
        for instance in status["instances"].as_array().into_iter().flatten() {
            if let (Some(id), Some(since), Some("draining")) =
                (instance["instance"].as_u64(), instance["since"].as_u64(), instance["stage"].as_str())
            {
                left.entry(id).or_insert(since);
            }
        }
    }
}

/// Prints what became of what was open; how many did not go as expected?
fn tell(begun: u64, left: &BTreeMap<u64, u64>, mut seen: Vec<(usize, Result<Seen, String>)>) -> u64 {
    seen.sort_by_key(|(index, _)| *index);
    let heads =
        ["WHAT", "INSTANCE", "OPENED", "INSTANCE LEFT", "ENDED", "AFTER LEAVING", "HOW", "AS PROMISED"];
    let (mut table, mut broken) = (Table::new(&heads), 0);
    let seconds = |at: u64| format!("{:+.2} s", (at as f64 - begun as f64) / 1e3);
    for (index, seen) in seen {
        let Some((watch, _, expected)) = WATCHES.get(index) else { continue };
        let name = watch.name().to_owned();
        let judged = seen.and_then(|seen| {
            let since = left.get(&seen.instance).copied();
            let judged = judge(expected, &seen, since);
            let after = since.map_or_else(String::new, |since| {
                format!("{:.2} s", (seen.ended as f64 - since as f64) / 1e3)
            });
            let verdict = judged.as_ref().map_or_else(|why| format!("NO: {why}"), |()| "yes".to_owned());
            let (instance, since) = (format!("i{}", seen.instance), since.map_or_else(String::new, seconds));
            let how = seen.how.clone();
            table.row([
                name.clone(),
                instance,
                seconds(seen.began),
                since,
                seconds(seen.ended),
                after,
                how,
                verdict,
            ]);
            judged
        });
        if let Err(why) = judged {
            println!("✘ {name}: {why}");
            broken += 1;
        }
    }
    println!("{table}");
    broken
}

/// Whether all that comes new is answered by v2.
async fn arrivals(address: SocketAddr) -> Result<u64, String> {
    let mut broken = 0;
    for path in ["/", "/slow?ms=10", "/download?bytes=100000"] {
        let (head, _) = wire::get(address, path).await.map_err(|why| format!("{path}: {why}"))?;
        broken += u64::from((head.status(), head.field("tandem-shop-version")) != (200, "v2"));
    }
    for (what, version) in
        [("events", witness::first_event(address).await?), ("WebSocket", witness::one_echo(address).await?)]
    {
        println!("   a new one of {what} says: {version}");
        broken += u64::from(!version.starts_with("v2 "));
    }
    Ok(broken)
}

/// Milliseconds since 1970, as the status has them.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

fn plan(address: SocketAddr, rate: f64) -> Plan {
    let mut plan = Plan::new(address);
    plan.rate = rate;
    plan.mix = Mix { get: 10, fresh: 5, post: 5, upload: 1 };
    plan
}
