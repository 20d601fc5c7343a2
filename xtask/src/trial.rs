//! `cargo xtask trial`: the promises of Tandem tried many times over, from outside, with figures.
//!
//! Each trial runs the real program under open-loop load, prints a table and fails if a promise was broken. Knows
//! Tandem only by its command line, its processes and its answers. What is tried here often is tried once in
//! `crates/cli/tests/e2e`; the judging is tested in place.

mod applications;
mod database;
mod histories;
mod kills;
mod lasting;
mod strangers;
mod table;
mod wire;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::machine;

/// The trials.
#[derive(clap::Subcommand)]
pub(crate) enum Trial {
    /// Kill each kind of process with SIGKILL at random moments of deployments under load.
    Kills(kills::Options),
    /// Deployments that change a table under load, each with one kill: of a process of Tandem's, of an instance, of PostgreSQL.
    Database(database::Options),
    /// Deploy services that nobody here wrote, by every strategy, under the load that they bear.
    Strangers(strangers::Options),
    /// Deploy whole applications with databases from one published version to the next, back, and forward again.
    Applications(applications::Options),
    /// Keep slow requests, large transfers, events and WebSockets open across a deployment.
    Lasting(lasting::Options),
    /// Replay whole histories of migrations, step by step, and count what needs a word from the team.
    Histories(histories::Options),
}

/// What every trial needs.
struct Stage<'a> {
    /// The repository.
    root: &'a Path,
    /// Where the programs were built.
    binaries: PathBuf,
}

/// Runs one.
pub(crate) fn run(root: &Path, trial: &Trial) -> Result<(), String> {
    machine::ensure_rust()?;
    machine::ensure(machine::SUITE)?;
    match trial {
        Trial::Kills(options) => {
            let stage = Stage::build(root, options.release)?;
            block_on(kills::run(&stage, options))
        }
        Trial::Database(options) => {
            let stage = Stage::build(root, options.release)?;
            block_on(database::run(&stage, options))
        }
        Trial::Strangers(options) => {
            let stage = Stage::build(root, options.release)?;
            block_on(strangers::run(&stage, options))
        }
        Trial::Applications(options) => {
            let stage = Stage::build(root, options.release)?;
            block_on(applications::run(&stage, options))
        }
        Trial::Lasting(options) => {
            let stage = Stage::build(root, options.release)?;
            block_on(lasting::run(&stage, options))
        }
        Trial::Histories(options) => histories::run(root, options),
    }
}

impl Stage<'_> {
    fn build(root: &Path, release: bool) -> Result<Stage<'_>, String> {
        println!("── building tandem and the shop");
        let mut cargo = Command::new("cargo");
        cargo.current_dir(root).args(["build", "--quiet", "--package", "tandem", "--package", "shop"]);
        if release {
            cargo.arg("--release");
        }
        machine::run(&mut cargo)?;
        let binaries = machine::target(root).join(if release { "release" } else { "debug" });
        Ok(Stage { root, binaries })
    }

    fn tandem(&self) -> PathBuf {
        self.binaries.join("tandem")
    }

    fn shop(&self) -> PathBuf {
        self.binaries.join("shop")
    }
}

/// Runs a trial to its end, or until Ctrl-C; what it started ends with it.
fn block_on(trial: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|why| format!("no runtime: {why}"))?;
    runtime.block_on(async {
        tokio::select! {
            tried = trial => tried,
            _ = tokio::signal::ctrl_c() => Err("interrupted; everything was stopped".to_owned()),
        }
    })
}

/// A folder of its own for one daemon.
fn folder() -> Result<tempfile::TempDir, String> {
    let made = tempfile::Builder::new().prefix("tandem-trial-").tempdir();
    made.map_err(|why| format!("no folder: {why}"))
}

/// Writes a file of a trial.
fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|why| format!("can't write {}: {why}", path.display()))
}
