//! `cargo xtask demo`: the main job, before one's eyes. A shop under load, on a database whose schema changes with it, is
//! upgraded, rolled back half-way and upgraded again; the generator outside judges whether anybody noticed. Then a version
//! that is worse comes as a canary and is taken back, and one comes by itself.
//!
//! Uses the program as a user would: a config file, `tandem up`, `tandem deploy`. Leaves nothing behind.
//! It is itself the test: it fails if any request was lost, crossed, doubled, or answered by the wrong version.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tandem_database::Server;
use tandem_load::{Journal, Load, Mix, Pace, Plan, UploadPlan};
use tandem_trial::{Daemon, Ledger, Shop, free_port, until};

use crate::machine;

/// What can be chosen.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Requests per second.
    #[arg(long, default_value_t = 200.0)]
    rate: f64,
    /// Instances of the shop.
    #[arg(long, default_value_t = 4)]
    instances: u32,
    /// So many demos in a row, each anew.
    #[arg(long, default_value_t = 1)]
    times: u32,
    /// Build with all optimisations, which takes some minutes more.
    #[arg(long)]
    release: bool,
}

/// How long anything that is waited for may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// The folder that is watched for deliverables.
const INCOMING: &str = "incoming";

/// Between two acts there is plain traffic for so many seconds.
const INTERLUDE: f64 = 1.5;

/// Builds and shows it.
pub(crate) fn run(root: &Path, options: &Options) -> Result<(), String> {
    machine::ensure_rust()?;
    machine::ensure(machine::SUITE)?;
    println!("── building tandem and the shop");
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["build", "--package", "tandem", "--package", "shop"]);
    if options.release {
        cargo.arg("--release");
    }
    machine::run(&mut cargo)?;
    let binaries = machine::target(root).join(if options.release { "release" } else { "debug" });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|why| format!("no runtime: {why}"))?;
    for round in 1..=options.times {
        if options.times > 1 {
            println!("══ demo {round} of {}", options.times);
        }
        runtime.block_on(async {
            tokio::select! {
                told = tell(root, &binaries, options) => told,
                _ = tokio::signal::ctrl_c() => Err("interrupted; everything was stopped".to_owned()),
            }
        })?;
    }
    Ok(())
}

/// The whole story, once.
async fn tell(root: &Path, binaries: &Path, options: &Options) -> Result<(), String> {
    let stage = tempfile::Builder::new()
        .prefix("tandem-demo-")
        .tempdir()
        .map_err(|why| format!("no folder: {why}"))?;
    println!("── a PostgreSQL, and three versions of the shop, in {}", stage.path().display());
    let (database, plain) =
        tokio::task::block_in_place(|| (Server::shared().database(), Server::shared().database()));
    let shop = Shop::new(root, &binaries.join("shop"), stage.path());
    let address = free_port();
    write_config(&stage.path().join("tandem.toml"), options, address, &database.url(), stage.path())?;

    println!("── tandem up, serving on http://{address}");
    let mut daemon = Daemon::new(&binaries.join("tandem"), stage.path());
    daemon.up().await?;
    let ledger = Ledger::new(root, &database.url());
    let scene = Scene { daemon: &daemon, shop: &shop, ledger: &ledger, options, address, plain: plain.url() };
    let told = scene.acts().await;
    let stopped = daemon.stop().await;
    tokio::task::block_in_place(|| drop((database, plain)));
    told.and(stopped)
}

/// What the acts are played with.
struct Scene<'a> {
    daemon: &'a Daemon,
    shop: &'a Shop,
    ledger: &'a Ledger,
    options: &'a Options,
    address: SocketAddr,
    /// An empty database, for comparison.
    plain: String,
}

impl Scene<'_> {
    async fn acts(&self) -> Result<(), String> {
        self.deploy("v1", &[]).await?;
        self.settled("0001_orders").await?;

        println!("── load: {} requests/s, evenly, whatever happens", self.options.rate);
        let load = Load::start(plan(self.options, self.address)).map_err(|why| why.to_string())?;
        self.interlude(&load).await;

        println!(
            "── v2 splits, retypes, renames and requires columns of a table that v1 writes all the time"
        );
        self.deploy("v2", &["--strategy", "rolling", "--detach"]).await?;
        self.status("both versions serve", |status| {
            let serve = |version: &str| {
                let instances = status["instances"].as_array().into_iter().flatten();
                instances.filter(|i| i["version"] == version && i["stage"] == "serving").count()
            };
            serve("v1") > 0 && serve("v2") > 0
        })
        .await?;
        self.compared()?;
        load.end_watch();
        println!("── half-way, somebody has second thoughts");
        self.show(&["rollback"]).await?;
        self.status("v1 serves again", |status| status["deployment"].is_null()).await?;
        self.interlude(&load).await;
        self.compared()?;

        println!("── and forward again, at one instant");
        load.watch_flip("v1", "v2");
        self.deploy("v2", &["--strategy", "flip"]).await?;
        self.interlude(&load).await;
        load.end_watch();
        self.settled("0002_names").await?;

        load.watch_visitors("v2", "v3");
        self.deploy("v3", &["--strategy", "rolling"]).await?;
        load.watch_flip("v3", "v2");
        self.show(&["rollback"]).await?;
        self.interlude(&load).await;
        load.end_watch();
        self.judge(load).await?;
        self.a_worse_version().await?;
        self.what_comes_by_itself().await?;
        self.show(&["history"]).await
    }

    /// A canary that the guard takes back, and whom it cost.
    async fn a_worse_version(&self) -> Result<(), String> {
        println!("── a version that fails a fifth of its answers is given to a twentieth of the clients");
        let load = Load::start(plan(self.options, self.address)).map_err(|why| why.to_string())?;
        self.interlude(&load).await;
        let deliverable = self.shop.deliverable("v2", "worse", Some("errors=20"))?;
        let deliverable = deliverable.to_string_lossy();
        let canary =
            ["deploy", &deliverable, "--version", "worse", "--strategy", "canary", "--steps", "5% for 1h"];
        let said = self.daemon.tandem(&canary).await;
        print!("{}{}", said.err, said.out);
        // So programs are told that it was rolled back by itself.
        if said.code != Some(3) {
            return Err(self.daemon.with_log(&format!("the guard did not take it back: {:?}", said.code)));
        }
        self.interlude(&load).await;
        let verdict = load.stop().await;
        let served = verdict.versions.get("worse").copied().unwrap_or_default();
        println!("── of {} requests it answered {served}; {} failed", verdict.sent, verdict.failed);
        if served == 0 || verdict.failed > served || served * 5 > verdict.sent {
            return Err("a canary of a twentieth cost more than that".to_owned());
        }
        Ok(())
    }

    /// A deliverable that appears in the watched folder.
    async fn what_comes_by_itself(&self) -> Result<(), String> {
        println!("── v4 is put into the watched folder, and nobody says anything");
        let load = Load::start(plan(self.options, self.address)).map_err(|why| why.to_string())?;
        self.interlude(&load).await;
        let deliverable = self.shop.deliverable("v3", "v4", None)?;
        let incoming = self.daemon.folder().join(INCOMING);
        // Complete when it has its name.
        let unfinished = incoming.join("shop-v4.tar.gz.part");
        let mut tar = Command::new("tar");
        machine::run(tar.arg("-czf").arg(&unfinished).arg("-C").arg(&deliverable).arg("."))?;
        let name = incoming.join("shop-v4.tar.gz");
        std::fs::rename(&unfinished, &name).map_err(|why| format!("no {}: {why}", name.display()))?;
        let serves = |status: &Value| status["current"] == "v4" && status["deployment"].is_null();
        self.status("v4 serves", serves).await?;
        self.interlude(&load).await;
        let verdict = load.stop().await;
        println!("── the generator's verdict\n{verdict}");
        match verdict.is_clean() && verdict.versions.contains_key("v4") {
            true => Ok(()),
            false => Err("users would have noticed".to_owned()),
        }
    }

    /// The generator's verdict, the shop's journal, and its database.
    async fn judge(&self, load: Load) -> Result<(), String> {
        let verdict = load.stop().await;
        println!("── the generator's verdict\n{verdict}");
        let journal =
            Journal::read(&self.shop.orders()).map_err(|why| format!("no journal of orders: {why}"))?;
        let journal = journal.check(&verdict.acknowledged);
        println!("{journal}");
        let entered = tokio::task::block_in_place(|| self.ledger.holds(&verdict.acknowledged))?;
        println!("{entered} rows in the database, each of them once and as it was ordered");
        tokio::task::block_in_place(|| self.ledger.is_plain(&self.plain, 2))?;
        println!("the schema is what plain SQL leaves: no view, trigger or column more");
        let seen: Vec<&str> = verdict.versions.keys().map(String::as_str).collect();
        if seen != ["v1", "v2", "v3"] {
            return Err(format!("not every version was seen by clients: {seen:?}"));
        }
        if verdict.is_clean() && journal.is_clean() {
            Ok(())
        } else {
            Err("users would have noticed".to_owned())
        }
    }

    async fn deploy(&self, version: &str, how: &[&str]) -> Result<(), String> {
        let deliverable = self.shop.deliverable(version, version, None)?;
        let deliverable = deliverable.to_string_lossy();
        self.show(&[&["deploy", &deliverable, "--version", version], how].concat()).await
    }

    /// One command as a user would give it.
    async fn show(&self, command: &[&str]) -> Result<(), String> {
        println!("── tandem {}", command.join(" "));
        self.daemon.show(command).await
    }

    /// Both versions' views of the orders are the same.
    fn compared(&self) -> Result<(), String> {
        let orders = tokio::task::block_in_place(|| self.ledger.is_the_same_for_both())?;
        println!("── {orders} orders, each the same through the schema of v1 and through that of v2");
        Ok(())
    }

    /// Only one revision is left, and nothing of another.
    async fn settled(&self, revision: &str) -> Result<(), String> {
        let is_settled = |status: &Value| {
            let standing = &status["database"]["standing"];
            standing["revision"] == revision && standing["change"].is_null()
        };
        self.status(&format!("the schema is {revision} alone"), is_settled).await
    }

    async fn status(&self, what: &str, is: impl Fn(&Value) -> bool) -> Result<(), String> {
        let look = async || is(&self.daemon.tandem(&["status", "--json"]).await.json()).then_some(());
        until(PATIENCE, look).await.ok_or_else(|| format!("it did not come to where {what}"))?;
        println!("── {what}");
        Ok(())
    }

    /// Plain traffic.
    async fn interlude(&self, load: &Load) {
        load.ended(load.so_far().sent + (self.options.rate * INTERLUDE) as u64).await;
    }
}

fn plan(options: &Options, address: SocketAddr) -> Plan {
    let mut plan = Plan::new(address);
    plan.rate = options.rate;
    plan.pace = Pace::Constant;
    plan.mix = Mix { get: 10, fresh: 5, post: 5, upload: 1 };
    let upload = UploadPlan { chunks: 10, every: Duration::from_millis(30), ..plan.upload };
    plan.upload = upload;
    plan
}

fn write_config(
    path: &Path,
    options: &Options,
    address: SocketAddr,
    database: &str,
    stage: &Path,
) -> Result<(), String> {
    let incoming = stage.join(INCOMING);
    std::fs::create_dir_all(&incoming).map_err(|why| format!("can't make {}: {why}", incoming.display()))?;
    let text = config(options.instances, address, database, stage);
    std::fs::write(path, text).map_err(|why| format!("can't write {}: {why}", path.display()))
}

fn config(instances: u32, address: SocketAddr, database: &str, stage: &Path) -> String {
    format!(
        r#"service = "shop"

[run]
command   = ["bin/shop"]
instances = {}
env       = {{ SHOP_DATA = "{}" }}
ready     = {{ http = "/up" }}

[[listen]]
address = "{address}"

[deploy]
strategy = "flip"
bake     = "2s"

[deploy.flip]
warm = "2s"

[database]
url  = "{database}"
keep = "2s"

[source]
folder = "{}"
settle = "1s"
"#,
        instances,
        stage.join("data").display(),
        stage.join(INCOMING).display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_is_good() {
        let text =
            config(4, SocketAddr::from(([127, 0, 0, 1], 18_000)), "postgres://db/shop", Path::new("/data"));
        let problems = tandem_core::spec::read(&text).err();
        assert!(problems.is_none(), "{problems:?}");
    }

    #[test]
    fn the_config_in_the_readme_is_good() {
        let readme = std::fs::read_to_string(crate::root().join("README.md")).expect("there is a README");
        let text = readme
            .split("```toml\n")
            .nth(1)
            .and_then(|rest| rest.split("```").next())
            .expect("it has a config");
        let problems = tandem_core::spec::read(text).err();
        assert!(problems.is_none(), "{problems:?}");
    }
}
