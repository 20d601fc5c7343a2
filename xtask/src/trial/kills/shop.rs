//! The shop under load in which processes are killed, and the conditions that must hold afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use tandem_load::{Journal, Load, Mix, Pace, Plan, UploadPlan};
use tandem_trial::{Daemon, Kind, Setup, Shop, free_port, kill, of_folder, until};

use super::judgement::{Moment, Tally};
use super::{Random, Stage};

/// How many instances there are to be.
pub(in crate::trial) const INSTANCES: u32 = 3;
/// How long a deployment may take to end after a kill, with everything in its place again.
const PATIENCE: Duration = Duration::from_secs(60);
/// Deployments take turns.
const STRATEGIES: [&str; 2] = ["rolling", "flip"];

/// A daemon, its shop, and load on it.
pub(super) struct Ground {
    pub(super) daemon: Daemon,
    pub(super) load: Load,
    shop: Shop,
    /// How long a deployment by each strategy takes when nobody disturbs it.
    usual: [Duration; 2],
}

impl Ground {
    /// Starts it all, with two deployments to see how long they take.
    pub(super) async fn prepare(stage: &Stage<'_>, folder: &Path, rate: f64) -> Result<Ground, String> {
        let address = free_port();
        let shop = Shop::new(stage.root, &stage.shop(), folder);
        let mut setup = Setup::new(address);
        (setup.instances, setup.bake, setup.warm) = (INSTANCES, "300ms", "300ms");
        shop.configure(&setup)?;
        let mut daemon = Daemon::new(&stage.tandem(), folder);
        daemon.up().await?;
        deploy(&daemon, &shop, "v1", "v1", "rolling", &[]).await?;
        over(&daemon).await?;
        let load = Load::start(plan(address, rate)).map_err(|why| why.to_string())?;
        let mut usual = [Duration::ZERO; 2];
        for ((release, strategy), usual) in ["v2", "v3"].into_iter().zip(STRATEGIES).zip(&mut usual) {
            let begun = Instant::now();
            deploy(&daemon, &shop, release, release, strategy, &[]).await?;
            over(&daemon).await?;
            *usual = begun.elapsed();
        }
        println!("   undisturbed: rolling {:.1?}, flip {:.1?}", usual[0], usual[1]);
        Ok(Ground { daemon, load, shop, usual })
    }

    pub(super) fn shop(&self) -> &Shop {
        &self.shop
    }

    /// Deploys a version, kills a process of that kind at a moment of it, and waits until all is in its place.
    pub(super) async fn kill(
        &mut self,
        kind: Kind,
        number: u32,
        random: &mut Random,
    ) -> Result<Moment, String> {
        let turn = number as usize % STRATEGIES.len();
        let (strategy, usual) = (STRATEGIES[turn], self.usual[turn]);
        let release = ["v1", "v2", "v3"][number as usize % 3];
        let label = format!("{}-{number}", kind.name());
        let deliverable = deploy(&self.daemon, &self.shop, release, &label, strategy, &[]).await?;
        let begun = Instant::now();
        // The moment itself is what is wanted here, no condition.
        tokio::time::sleep(usual.mul_f64(random.share())).await;
        let pids = self.daemon.pids(kind);
        let pid = random.pick(&pids).ok_or_else(|| format!("there is no {} to kill", kind.name()))?;
        let since = self.load.now();
        kill(pid);
        let moment = Moment { label, pid, since, until: self.load.now(), into: begun.elapsed() };
        if kind == Kind::Supervisor {
            self.daemon.up().await?;
        }
        over(&self.daemon).await.map_err(|why| {
            format!("{}: {pid} was killed {:.1?} into {strategy}: {why}", moment.label, moment.into)
        })?;
        let _ = fs::remove_dir_all(deliverable);
        Ok(moment)
    }

    /// Whether the deployment of that version settled, or went back; anything else is an error.
    pub(super) async fn settled(&self, label: &str) -> Result<bool, String> {
        let history = self.daemon.tandem(&["history", "--json"]).await;
        let json = history.json();
        let last = json.as_array().and_then(|records| records.first()).cloned().unwrap_or_default();
        let current = self.daemon.tandem(&["status", "--json"]).await.json()["current"].clone();
        let (verdict, from) = (last["receipt"]["verdict"].as_str(), &last["receipt"]["from"]);
        match verdict {
            _ if last["version"] != label => Err(format!("the last deployment is not {label}: {history:?}")),
            Some("settled") if current == label => Ok(true),
            Some("rolled_back") if current == *from => {
                println!("   {label} rolled back: {}", last["turned_back"]);
                Ok(false)
            }
            _ => Err(format!("{label} ended strangely, {current} serves: {last}")),
        }
    }

    /// Waits until all instances are healthy, and there is one process of each that should be.
    pub(super) async fn in_place(&self) -> Result<(), String> {
        wait(&self.daemon, "instances lost or doubled", |status| misplaced(&self.daemon, status)).await
    }

    /// Ends the load and the daemon, and holds the orders against each other.
    pub(super) async fn finish(self, tally: &mut Tally) -> Result<(), String> {
        let verdict = self.load.stop().await;
        let orders = Journal::read(&self.shop.orders()).map_err(|why| format!("no journal: {why}"))?;
        let orders = orders.check(&verdict.acknowledged);
        (tally.twice, tally.missing) = (orders.twice.len() as u64, orders.missing.len() as u64);
        tally.longest_gap = verdict.longest_gap;
        if !orders.is_clean() {
            println!("✘ {orders}");
            tally.broken += tally.twice + tally.missing;
        }
        self.daemon.stop().await
    }
}

/// Deploys without waiting for the end; hands the deliverable's folder back.
pub(super) async fn deploy(
    daemon: &Daemon,
    shop: &Shop,
    release: &str,
    label: &str,
    by: &str,
    more: &[&str],
) -> Result<PathBuf, String> {
    let deliverable = shop.deliverable(release, label, None)?;
    let path = deliverable.to_string_lossy();
    let words = ["deploy", &path, "--version", label, "--strategy", by, "--detach"];
    let said = daemon.tandem(&[&words, more].concat()).await;
    match said.code {
        Some(0) => Ok(deliverable),
        // A controller that was killed before it answered has begun it all the same, and so the second try is told.
        _ if said.err.contains(&format!("to {label} is under way")) => Ok(deliverable),
        _ => Err(daemon.with_log(&format!("deploying {label} was refused: {}", said.err))),
    }
}

/// Waits until no deployment is under way.
pub(in crate::trial) async fn over(daemon: &Daemon) -> Result<(), String> {
    wait(daemon, "the deployment does not end", |status| {
        let deployment = &status["deployment"];
        (!deployment.is_null()).then(|| deployment.to_string())
    })
    .await
}

/// Waits until `wrong` finds nothing any more in a status that the daemon itself gave.
pub(in crate::trial) async fn wait(
    daemon: &Daemon,
    what: &str,
    wrong: impl Fn(&Value) -> Option<String>,
) -> Result<(), String> {
    let mut last = String::new();
    let done = until(PATIENCE, async || {
        let said = daemon.tandem(&["status", "--json"]).await;
        let status = said.json();
        let wrong = match said.code {
            Some(0) if status.is_object() => wrong(&status),
            code => Some(format!("`tandem status` ended with {code:?}: {}{}", said.out, said.err)),
        };
        last = wrong.unwrap_or_default();
        last.is_empty().then_some(())
    });
    done.await.ok_or_else(|| daemon.with_log(&format!("{what}: {last}")))
}

/// What is not as it must be when no deployment is under way: neither lost nor doubled.
pub(in crate::trial) fn misplaced(daemon: &Daemon, status: &Value) -> Option<String> {
    let serving = |instance: &&Value| instance["stage"] == "serving";
    let instances = status["instances"].as_array().map_or(&[][..], Vec::as_slice);
    let serving = instances.iter().filter(serving).count();
    let mut processes = BTreeMap::new();
    for process in of_folder(daemon.folder()) {
        *processes.entry(process.kind).or_insert(0) += 1;
    }
    let wanted = INSTANCES as usize;
    let expected = BTreeMap::from([
        (Kind::Supervisor, 1),
        (Kind::Proxy, 1),
        (Kind::Controller, 1),
        (Kind::Keeper, wanted),
        (Kind::Instance, wanted),
    ]);
    let good = status["healthy"] == INSTANCES && serving == wanted && processes == expected;
    (!good).then(|| format!("{serving} serving, {} healthy, {processes:?}: {status}", status["healthy"]))
}

fn plan(address: SocketAddr, rate: f64) -> Plan {
    let mut plan = Plan::new(address);
    (plan.rate, plan.pace) = (rate, Pace::Poisson);
    plan.mix = Mix { get: 10, fresh: 5, post: 5, upload: 1 };
    plan.upload = UploadPlan { chunks: 10, every: Duration::from_millis(30), ..plan.upload };
    // It ends when the trial does.
    (plan.lasting, plan.at_most) = (Duration::from_secs(24 * 3600), u64::MAX);
    plan
}
