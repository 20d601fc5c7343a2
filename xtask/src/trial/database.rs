//! Deployments that change a table which is written all the time, each with one `kill -9` at a random moment: of a process of
//! Tandem's, of an instance, of PostgreSQL.
//!
//! At the end every acknowledged order is in the database once, and the catalog is what the plain migrations leave. The
//! moments are fixed by the seed; what runs at them is not.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tandem_database::Server;
use tandem_load::{Journal, Load, Mix, Outcome, Pace, Plan, Record};
use tandem_trial::{Daemon, Kind, Ledger, Setup, Shop, free_port, kill};

use super::kills::judgement::{Moment, Tally};
use super::kills::shop::{INSTANCES, misplaced, over, wait};
use super::kills::{Random, traffic};
use super::{Stage, folder};

/// What can be chosen.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Deployments, each with one kill.
    #[arg(long, default_value_t = 100)]
    times: u32,
    /// Requests per second.
    #[arg(long, default_value_t = 60.0)]
    rate: f64,
    /// Decides the moments of the kills and which of several processes is hit.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Build with all optimisations, which takes some minutes more.
    #[arg(long)]
    pub(super) release: bool,
}

/// A process of this kind, or the database's server.
const TARGETS: [Option<Kind>; 6] = [
    Some(Kind::Controller),
    None,
    Some(Kind::Instance),
    Some(Kind::Supervisor),
    Some(Kind::Keeper),
    Some(Kind::Proxy),
];

/// For so long after the server is back, an app may not have noticed. Microseconds.
const SLACK: u64 = 2_000_000;

/// What is under test.
struct Ground {
    server: &'static Server,
    daemon: Daemon,
    shop: Shop,
    load: Load,
    /// How long a deployment takes when nobody disturbs it.
    usual: Duration,
}

/// What came of all kills.
#[derive(Default)]
struct Sum {
    tally: Tally,
    /// Requests that failed while the server of the database was away.
    away: u64,
    broken: Vec<String>,
}

/// Tries it.
pub(super) async fn run(stage: &Stage<'_>, options: &Options) -> Result<(), String> {
    let folder = folder()?;
    // The server ends with this process, and its databases with it.
    let (server, url, plain_url) = tokio::task::block_in_place(|| {
        let server: &'static Server = Box::leak(Box::new(Server::start(&[("synchronous_commit", "on")])));
        let [one, other] = [(); 2].map(|()| Box::leak(Box::new(server.database())).url());
        (server, one, other)
    });
    let mut ground = Ground::prepare(stage, folder.path(), (server, &url), options.rate).await?;
    let mut random = Random(options.seed);
    let (mut sum, mut seen) = (Sum::default(), 0);
    for number in 1..=options.times {
        let target = TARGETS[number as usize % TARGETS.len()];
        let moment = ground.strike(number, target, &mut random).await?;
        traffic(&ground.load, (options.rate * 0.7) as u64).await;
        let records = ground.load.records();
        sum.judge(target, &moment, records.get(seen..).unwrap_or_default());
        seen = records.len();
    }
    // Whatever is left over of the last one is settled by one more.
    let last = ground.deploy(options.times + 1).await?;
    over(&ground.daemon).await?;
    settled(&ground.daemon).await?;
    let ledger = Ledger::new(stage.root, &url);
    let verdict = ground.load.stop().await;
    let orders = Journal::read(&ground.shop.orders()).map_err(|why| format!("no journal: {why}"))?;
    let orders = orders.check(&verdict.acknowledged);
    println!("{verdict}\n{orders}");
    let migrations = last.join("db/migrations");
    let held = tokio::task::block_in_place(|| {
        let entered = ledger.holds(&verdict.acknowledged)?;
        ledger.is_as_by_folder(&plain_url, &migrations)?;
        Ok::<usize, String>(entered)
    });
    ground.daemon.stop().await?;
    match held {
        Ok(entered) => {
            println!("{entered} orders in the database; the catalog is that of the plain migrations");
        }
        Err(why) => sum.broken.push(why),
    }
    if !orders.twice.is_empty() {
        sum.broken.push(format!("orders executed twice: {:?}", orders.twice));
    }
    println!(
        "{} deployments with a kill: {} requests, {} lost in flight, {} failed while PostgreSQL was away, {} otherwise, {} refused",
        options.times,
        sum.tally.requests,
        sum.tally.in_flight,
        sum.away,
        sum.tally.otherwise,
        sum.tally.refused
    );
    if sum.broken.is_empty() { Ok(()) } else { Err(sum.broken.join("\n")) }
}

impl Ground {
    async fn prepare(
        stage: &Stage<'_>,
        folder: &Path,
        (server, url): (&'static Server, &str),
        rate: f64,
    ) -> Result<Ground, String> {
        let address = free_port();
        let shop = Shop::new(stage.root, &stage.shop(), folder);
        let mut setup = Setup::new(address);
        (setup.instances, setup.bake, setup.warm) = (INSTANCES, "300ms", "300ms");
        setup.more = format!("[database]\nurl = \"{url}\"\nkeep = \"0s\"\n");
        shop.configure(&setup)?;
        let mut daemon = Daemon::new(&stage.tandem(), folder);
        daemon.up().await?;
        let mut plan = Plan::new(address);
        (plan.rate, plan.pace, plan.mix) =
            (rate, Pace::Poisson, Mix { get: 2, fresh: 1, post: 3, upload: 0 });
        (plan.lasting, plan.at_most) = (Duration::from_secs(24 * 3600), u64::MAX);
        deploy(&daemon, &shop, 0, 0).await?;
        over(&daemon).await?;
        if daemon.tandem(&["status", "--json"]).await.json()["current"] != "r0" {
            return Err(daemon.with_log(&daemon.tandem(&["history"]).await.out));
        }
        settled(&daemon).await?;
        let load = Load::start(plan).map_err(|why| why.to_string())?;
        Ok(Ground { server, daemon, shop, load, usual: Duration::from_secs(8) })
    }

    /// Deploys the version of that number without waiting for its end; hands its folder back.
    async fn deploy(&self, number: u32) -> Result<PathBuf, String> {
        deploy(&self.daemon, &self.shop, number, number).await
    }

    /// A deployment, and a kill at a moment of it; returns when all is in its place again.
    async fn strike(
        &mut self,
        number: u32,
        target: Option<Kind>,
        random: &mut Random,
    ) -> Result<Moment, String> {
        let deliverable = self.deploy(number).await?;
        let begun = Instant::now();
        // The moment itself is what is wanted here, no condition.
        tokio::time::sleep(self.usual.mul_f64(random.share())).await;
        let (since, into) = (self.load.now(), begun.elapsed());
        let pid = match target {
            Some(kind) => {
                let pids = self.daemon.pids(kind);
                let pid = random.pick(&pids).ok_or_else(|| format!("there is no {} to kill", kind.name()))?;
                kill(pid);
                pid
            }
            None => {
                tokio::task::block_in_place(|| {
                    self.server.kill();
                    self.server.again();
                });
                0
            }
        };
        let until = self.load.now();
        if target == Some(Kind::Supervisor) {
            self.daemon.up().await?;
        }
        let label = format!("r{number}, {} {into:.1?} into it", target.map_or("PostgreSQL", Kind::name));
        println!("   {label}");
        over(&self.daemon).await.map_err(|why| format!("{label}: {why}"))?;
        let placed =
            wait(&self.daemon, "instances lost or doubled", |status| misplaced(&self.daemon, status));
        placed.await.map_err(|why| format!("{label}: {why}"))?;
        if begun.elapsed() < self.usual * 2 {
            self.usual = (self.usual + begun.elapsed()) / 2;
        }
        let _ = fs::remove_dir_all(deliverable);
        Ok(Moment { label, pid, since, until, into })
    }
}

impl Sum {
    fn judge(&mut self, target: Option<Kind>, moment: &Moment, records: &[Record]) {
        if let Some(kind) = target {
            for (record, why) in self.tally.judge(kind, moment, records) {
                self.broken.push(format!("{}: {why}: {record:?}", moment.label));
            }
            return;
        }
        self.tally.requests += records.len() as u64;
        for record in records.iter().filter(|record| matches!(record.outcome, Outcome::Failed { .. })) {
            if record.sent <= moment.until + SLACK && record.end >= moment.since {
                self.away += 1;
            } else {
                self.broken.push(format!("{}: a request was lost: {record:?}", moment.label));
            }
        }
    }
}

/// Deploys the shop with so many migrations more than its own two.
async fn deploy(daemon: &Daemon, shop: &Shop, number: u32, migrations: u32) -> Result<PathBuf, String> {
    let label = format!("r{number}");
    let deliverable = shop.deliverable("v2", &label, None)?;
    for step in 1..=migrations {
        let file = deliverable.join(format!("db/migrations/{:04}_step.sql", step + 2));
        fs::write(&file, migration(step)).map_err(|why| format!("{}: {why}", file.display()))?;
    }
    let path = deliverable.to_string_lossy();
    let by = if number.is_multiple_of(2) { "rolling" } else { "flip" };
    let said = daemon.tandem(&["deploy", &path, "--version", &label, "--strategy", by, "--detach"]).await;
    match said.code {
        Some(0) => Ok(deliverable),
        _ => Err(daemon.with_log(&format!("deploying {label} was refused: {}", said.err))),
    }
}

/// One change after the other of the table that orders are written to.
fn migration(step: u32) -> String {
    let before = step.saturating_sub(1);
    let turn = step - step % 6;
    match step % 6 {
        1 => format!("ALTER TABLE orders ADD COLUMN number_{turn} int NOT NULL DEFAULT 7;\n"),
        2 => format!("ALTER TABLE orders ALTER COLUMN number_{turn} TYPE bigint;\n"),
        3 => format!("CREATE INDEX orders_{turn} ON orders (number_{turn});\n"),
        4 => format!("ALTER TABLE orders RENAME COLUMN number_{turn} TO renamed_{turn};\n"),
        5 => format!("ALTER TABLE orders ADD CONSTRAINT small_{turn} CHECK (renamed_{turn} < 1000);\n"),
        _ => format!("ALTER TABLE orders DROP COLUMN renamed_{};\n", before - before % 6),
    }
}

/// Waits until only one revision is left.
async fn settled(daemon: &Daemon) -> Result<(), String> {
    wait(daemon, "the schema is not settled", |status| {
        let change = &status["database"]["standing"]["change"];
        (status["database"].is_null() || !change.is_null()).then(|| change.to_string())
    })
    .await
}
