//! The commands for everybody who works on Tandem: `cargo xtask test`, `demo`, `tidy`, `bench`, `trial`, `web`,
//! `package`.
//!
//! One file per command. Knows the packages only from outside, by their commands and files.
//! Tested in place; `cargo xtask test` runs the whole.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line program speaks on these")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod demo;
mod machine;
mod package;
mod suite;
mod tidy;
mod trial;
mod web;

/// Commands for working on Tandem.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check the house rules (CONTRIBUTING.md) that a program can check.
    Tidy {
        /// Another checkout than this one.
        folder: Option<PathBuf>,
    },
    /// Show the main job: a shop under load is upgraded twice and rolled back once.
    Demo(demo::Options),
    /// Measure Tandem beside its peers.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Try the promises many times over, and show the figures.
    #[command(subcommand)]
    Trial(trial::Trial),
    /// Build the dashboard, which the next build of the program takes in.
    Web,
    /// Make what is handed out: a Debian package, an archive, a container image, a bill of materials, checksums.
    Package(package::Options),
    /// Run the whole suite: format, house rules, lints, documentation, tests.
    Test,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Tidy { folder } => tidy::run(&folder.unwrap_or_else(root)),
        Command::Demo(options) => demo::run(&root(), &options),
        Command::Bench(bench) => bench::run(&root(), &bench),
        Command::Trial(trial) => trial::run(&root(), &trial),
        Command::Web => web::run(&root()),
        Command::Package(options) => package::run(&root(), &options),
        Command::Test => suite::run(&root()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace: that from which Cargo runs this, which need not be that where it was built.
fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR");
    let here = here.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().unwrap_or(&here).to_path_buf()
}
