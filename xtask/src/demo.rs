//! `cargo xtask demo`: the main job, before one's eyes. A shop under load is upgraded twice and rolled back once; the
//! generator outside judges whether anybody noticed.
//!
//! Uses the program as a user would: a config file, `tandem up`, `tandem deploy`. Leaves nothing behind.
//! It is itself the test: it fails if any request was lost, crossed, doubled, or answered by the wrong version.

mod deliverables;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tandem_load::{Journal, Load, Mix, Pace, Plan, UploadPlan};
use tandem_trial::{Daemon, free_port};

use crate::machine;
use deliverables::Deliverables;

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
    println!("── three versions of the shop, in {}", stage.path().display());
    let versions = Deliverables::make(root, &binaries.join("shop"), stage.path())?;
    let address = free_port();
    let data = stage.path().join("data");
    write_config(&stage.path().join("tandem.toml"), options, address, &data)?;

    println!("── tandem up, serving on http://{address}");
    let mut daemon = Daemon::new(&binaries.join("tandem"), stage.path());
    daemon.up().await?;
    acts(&daemon, &versions, options, address, &data).await?;
    daemon.stop().await
}

async fn acts(
    daemon: &Daemon,
    versions: &Deliverables,
    options: &Options,
    address: SocketAddr,
    data: &Path,
) -> Result<(), String> {
    show(daemon, &["deploy", &versions.v1, "--version", "v1"]).await?;

    println!("── load: {} requests/s, evenly, whatever happens", options.rate);
    let load = Load::start(plan(options, address)).map_err(|why| why.to_string())?;
    let interlude =
        async |load: &Load| load.ended(load.so_far().sent + (options.rate * INTERLUDE) as u64).await;
    interlude(&load).await;

    show(daemon, &["deploy", &versions.v2, "--version", "v2", "--strategy", "rolling"]).await?;
    interlude(&load).await;

    load.watch_flip("v2", "v3");
    show(daemon, &["deploy", &versions.v3, "--version", "v3", "--strategy", "flip"]).await?;
    interlude(&load).await;

    load.watch_flip("v3", "v2");
    show(daemon, &["rollback"]).await?;
    interlude(&load).await;
    load.end_watch();

    show(daemon, &["history"]).await?;
    let verdict = load.stop().await;
    println!("── the generator's verdict\n{verdict}");
    let journal =
        Journal::read(&data.join("orders.jsonl")).map_err(|why| format!("no journal of orders: {why}"))?;
    let journal = journal.check(&verdict.acknowledged);
    println!("{journal}");
    let seen: Vec<&str> = verdict.versions.keys().map(String::as_str).collect();
    if seen != ["v1", "v2", "v3"] {
        return Err(format!("not every version was seen by clients: {seen:?}"));
    }
    if verdict.is_clean() && journal.is_clean() { Ok(()) } else { Err("users would have noticed".to_owned()) }
}

/// One command as a user would give it.
async fn show(daemon: &Daemon, command: &[&str]) -> Result<(), String> {
    println!("── tandem {}", command.join(" "));
    daemon.show(command).await
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

fn write_config(path: &Path, options: &Options, address: SocketAddr, data: &Path) -> Result<(), String> {
    let text = config(options.instances, address, data);
    std::fs::write(path, text).map_err(|why| format!("can't write {}: {why}", path.display()))
}

fn config(instances: u32, address: SocketAddr, data: &Path) -> String {
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
"#,
        instances,
        data.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_is_good() {
        let text = config(4, SocketAddr::from(([127, 0, 0, 1], 18_000)), Path::new("/data"));
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
