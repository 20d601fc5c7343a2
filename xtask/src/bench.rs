//! `cargo xtask bench`: what Tandem costs, beside its peers, in one run on one machine. Ratios, never absolute claims.

mod cpu;
mod figures;
mod peer;
mod pressure;
mod rounds;
mod scene;
mod speech;
mod traced;

use std::path::Path;
use std::process::Command;

use crate::machine::{self, Need};
use figures::Figures;
use scene::Scene;
use speech::Speech;

/// What can be measured.
#[derive(clap::Subcommand)]
pub(crate) enum Bench {
    /// CPU time per request of the proxy beside HAProxy and nginx.
    Proxy(Options),
    /// The schema engine beside plain statements and Reshape: stalls and errors of the nineteen operations of the Nemesis
    /// workload, rows per second of a backfill, what writers pay in mixed state.
    Schema(Schema),
}

/// How the schema engine is measured.
#[derive(clap::Args)]
pub(crate) struct Schema {
    /// Rows of the table; a backfill has at most a million.
    #[arg(long, default_value_t = 2_000_000)]
    rows: u64,
    /// Measure only these.
    #[arg(long, value_delimiter = ',', default_value = "backfill,writes,nemesis")]
    parts: Vec<String>,
    /// Of the operations, only those whose name holds this word.
    #[arg(long)]
    only: Option<String>,
}

/// How it is measured.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Interleaved rounds; the figures are medians over them.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Length of each measurement in seconds.
    #[arg(long, default_value_t = 3)]
    seconds: u32,
    /// Client connections.
    #[arg(long, default_value_t = 128)]
    connections: u32,
    /// Numbers of proxy threads.
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    threads: Vec<u32>,
    /// Answers: a is 100 bytes, b is 10 KB.
    #[arg(long, value_delimiter = ',', default_value = "a,b")]
    answers: Vec<char>,
    /// What clients speak: http, https (both HTTP/1.1), h2c, h2 (both HTTP/2).
    #[arg(long, value_delimiter = ',', default_value = "http")]
    speaks: Vec<String>,
    /// Measure only these.
    #[arg(long, value_delimiter = ',', default_value = "tandem,haproxy,nginx")]
    peers: Vec<String>,
    /// Also user instructions per request, by valgrind.
    #[arg(long)]
    instructions: bool,
    /// Also system calls per request, by strace.
    #[arg(long)]
    syscalls: bool,
    /// Leave the rounds out: only instructions and system calls.
    #[arg(long)]
    only_counts: bool,
    /// The figures as JSON on standard output.
    #[arg(long)]
    json: bool,
}

const NEEDS: &[Need] = &[
    ("haproxy", "haproxy"),
    ("nginx", "nginx-light"),
    ("wrk", "wrk"),
    ("taskset", "util-linux"),
    ("h2load", "nghttp2-client"),
    ("openssl", "openssl"),
];

/// Measures and prints.
pub(crate) fn run(root: &Path, bench: &Bench) -> Result<(), String> {
    match bench {
        Bench::Proxy(options) => proxy(root, options),
        Bench::Schema(options) => schema(root, options),
    }
}

/// The peer of the schema engine, and how to get it.
const RESHAPE: [&str; 4] = ["install", "reshape", "--version", "0.11.2"];

/// The measuring is done by the package `tandem-bench-schema`, which knows the schema engine.
fn schema(root: &Path, options: &Schema) -> Result<(), String> {
    machine::ensure(machine::SUITE)?;
    let peers = machine::target(root).join("peers");
    let reshape = peers.join("bin/reshape");
    if !reshape.is_file() && machine::find("reshape").is_none() {
        eprintln!("reshape is absent; to get it: cargo {} --root {}", RESHAPE.join(" "), peers.display());
    }
    for part in &options.parts {
        let mut cargo = Command::new("cargo");
        cargo.current_dir(root).args([
            "run",
            "--quiet",
            "--release",
            "--package",
            "tandem-bench-schema",
            "--",
        ]);
        if reshape.is_file() {
            cargo.env("RESHAPE", &reshape);
        }
        match part.as_str() {
            "backfill" => cargo.args([part, &options.rows.min(1_000_000).to_string()]),
            "writes" => cargo.args([part, &options.rows.to_string()]),
            "nemesis" => cargo.args([part, &options.rows.to_string()]).args(&options.only),
            _ => return Err(format!("{part:?} is no part: backfill, writes or nemesis")),
        };
        machine::run(&mut cargo)?;
    }
    Ok(())
}

fn proxy(root: &Path, options: &Options) -> Result<(), String> {
    machine::ensure(NEEDS)?;
    if options.instructions {
        machine::ensure(&[("valgrind", "valgrind")])?;
    }
    if options.syscalls {
        machine::ensure(&[("strace", "strace")])?;
    }
    let scene = Scene::set(root, options.peers.iter().any(|peer| peer == "tandem"))?;
    let mut figures = Figures::new(options.connections);
    if !options.only_counts {
        for &threads in &options.threads {
            for &answer in &options.answers {
                for name in &options.speaks {
                    let setting = rounds::Setting { threads, answer, speech: Speech::named(name)? };
                    figures.cpu.extend(rounds::measure(&scene, options, setting)?);
                }
            }
        }
    }
    if options.instructions {
        figures.instructions = traced::measure(&scene, options, traced::INSTRUCTIONS)?;
    }
    if options.syscalls {
        figures.syscalls = traced::measure(&scene, options, traced::SYSCALLS)?;
    }
    if options.json {
        let text = serde_json::to_string_pretty(&figures).map_err(|why| why.to_string())?;
        println!("{text}");
    } else {
        println!("{figures}");
    }
    Ok(())
}
