//! Services that nobody here wrote, deployed as they are: Python's, nginx and Node, one and two at a time and by flip,
//! under the load that they bear, half of it on kept connections, half on new ones.
//!
//! Nothing is adapted for Tandem but the port that they are told. No request may fail.

mod service;

use std::net::SocketAddr;
use std::path::Path;

use tandem_load::{FailureKind, Load, Pace, Plan, Verdict};
use tandem_trial::{Daemon, free_port};

use super::table::{Table, millis};
use super::{Stage, folder, wire};
use crate::machine;
use service::{SERVICES, Service};

/// What can be chosen.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Deployments of each service by each strategy.
    #[arg(long, default_value_t = 10)]
    times: u32,
    /// Requests per second, instead of what each service is known to bear.
    #[arg(long)]
    rate: Option<f64>,
    /// Decides when requests are sent.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Build with all optimisations, which takes some minutes more.
    #[arg(long)]
    pub(super) release: bool,
}

/// What `deploy` is told, by the name of it.
const STRATEGIES: [(&str, &[&str]); 3] = [
    ("rolling, 1 at a time", &["--strategy", "rolling", "--batch", "1"]),
    ("rolling, 2 at a time", &["--strategy", "rolling", "--batch", "2"]),
    ("flip", &["--strategy", "flip"]),
];

/// So often the rate is halved for a machine that can't even send it.
const HALVINGS: u32 = 3;

/// Tries all of them.
pub(super) async fn run(stage: &Stage<'_>, options: &Options) -> Result<(), String> {
    for service in SERVICES {
        machine::ensure(&[service.need])?;
    }
    let heads = [
        "SERVICE",
        "STRATEGY",
        "RATE",
        "DEPLOYMENTS",
        "REQUESTS",
        "FAILED",
        "RETRIED",
        "P50",
        "P99",
        "LONGEST",
    ];
    let (mut table, mut broken) = (Table::new(&heads), 0);
    for service in SERVICES {
        println!("── {}", service.name);
        let folder = folder()?;
        let address = free_port();
        service.configure(folder.path(), address)?;
        let mut daemon = Daemon::new(&stage.tandem(), folder.path());
        daemon.up().await?;
        let mut host = Host { daemon, service, folder: folder.path(), address, deployed: 0 };
        host.deploy(&[]).await?;
        let mut rate = options.rate.unwrap_or(service.rate);
        for (name, how) in STRATEGIES {
            let row = host.series(name, how, &mut rate, options).await?;
            broken += row.verdict.failed;
            if row.verdict.failed > 0 {
                println!("✘ {} by {name}: {}", service.name, host.daemon.with_log(&row.verdict.to_string()));
            }
            table.row(row.cells(service, name, rate));
        }
        host.daemon.stop().await?;
    }
    println!("{table}");
    if broken == 0 { Ok(()) } else { Err(format!("requests lost: {broken}")) }
}

/// A service in its place.
struct Host<'a> {
    daemon: Daemon,
    service: &'static Service,
    folder: &'a Path,
    address: SocketAddr,
    deployed: u32,
}

/// The figures of one service by one strategy.
struct Row {
    deployments: u32,
    /// What Tandem says that it repeated.
    retried: u64,
    verdict: Verdict,
}

impl Row {
    fn cells(&self, service: &Service, strategy: &str, rate: f64) -> Vec<String> {
        let Verdict { sent, failed, latency, .. } = &self.verdict;
        let mut cells = vec![service.name.to_owned(), strategy.to_owned(), format!("{rate}/s")];
        cells.extend([u64::from(self.deployments), *sent, *failed, self.retried].map(|n| n.to_string()));
        cells.extend([latency.p50, latency.p99, latency.max].map(millis));
        cells
    }
}

impl Host<'_> {
    /// All deployments by one strategy, at the rate that can be sent.
    async fn series(
        &mut self,
        name: &str,
        how: &[&str],
        rate: &mut f64,
        options: &Options,
    ) -> Result<Row, String> {
        for _ in 0..HALVINGS {
            let row = self.try_series(how, *rate, options).await?;
            if !row.verdict.failures.contains_key(&FailureKind::Overload) {
                return Ok(row);
            }
            *rate /= 2.0;
            println!("   {name}: too much for this machine, again with {rate} requests/s");
        }
        self.try_series(how, *rate, options).await
    }

    async fn try_series(&mut self, how: &[&str], rate: f64, options: &Options) -> Result<Row, String> {
        let mut plan = Plan::new(self.address).only_get("/");
        (plan.rate, plan.pace, plan.seed) = (rate, Pace::Poisson, options.seed);
        let load = Load::start(plan).map_err(|why| why.to_string())?;
        let mut retried = 0;
        for _ in 0..options.times {
            load.ended(load.so_far().sent + (rate * 0.3) as u64).await;
            retried += self.deploy(how).await?;
        }
        load.ended(load.so_far().sent + (rate * 0.5) as u64).await;
        Ok(Row { deployments: options.times, retried, verdict: load.stop().await })
    }

    /// Deploys the next version, and sees that it is the one that answers. The answer is how many requests were retried.
    async fn deploy(&mut self, how: &[&str]) -> Result<u64, String> {
        self.deployed += 1;
        let label = format!("n{}", self.deployed);
        let deliverable = self.service.deliverable(self.folder, &label)?;
        let path = deliverable.to_string_lossy();
        let said = self.daemon.tandem(&[&["deploy", &path, "--version", &label], how].concat()).await;
        if said.code != Some(0) {
            let why = format!("{} {label} was not deployed: {}{}", self.service.name, said.out, said.err);
            return Err(self.daemon.with_log(&why));
        }
        let (head, body) = wire::get(self.address, "/").await.map_err(|why| why.to_string())?;
        if head.status() != 200 || !body.contains(&format!("this is {label}.")) {
            return Err(format!("{label} was deployed, but the answer is {}: {body}", head.status()));
        }
        let history = self.daemon.tandem(&["history", "--json"]).await.json();
        history[0]["receipt"]["counts"]["retried"]
            .as_u64()
            .or((self.deployed == 1).then_some(0))
            .ok_or_else(|| format!("no counts in the receipt of {label}: {}", history[0]))
    }
}
