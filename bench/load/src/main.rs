//! `tandem-load`: the generator as a program, for trying things by hand. Ends with 0 only if the verdict is clean.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line program speaks on these")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tandem_load::{Journal, Load, Mix, Pace, Plan};

/// Open-loop load with a verdict.
#[derive(Parser)]
#[command(name = "tandem-load", version)]
struct Arguments {
    /// Where to send to.
    target: SocketAddr,
    /// The Host to name; the target if not given.
    #[arg(long)]
    host: Option<String>,
    /// Requests per second.
    #[arg(long, default_value_t = 200.0)]
    rate: f64,
    /// How long to send. Ctrl-C ends it sooner.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// As independent users come, instead of evenly.
    #[arg(long)]
    poisson: bool,
    /// Shares of the kinds of request.
    #[arg(long, default_value = "get=2,fresh=1,post=1,upload=0")]
    mix: Mix,
    /// Path for GET; may be repeated.
    #[arg(long = "path")]
    paths: Vec<String>,
    /// The answer's header that names the version.
    #[arg(long, default_value = "tandem-shop-version")]
    version_header: String,
    /// OLD:NEW. Old answers to requests sent after the first new answer count as wrong.
    #[arg(long, value_name = "OLD:NEW")]
    flip: Option<String>,
    /// The shop's journal of orders, checked at the end.
    #[arg(long)]
    journal: Option<PathBuf>,
    /// How long one request may take, in seconds.
    #[arg(long, default_value_t = 30.0)]
    timeout: f64,
    /// The verdict as JSON.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("tandem-load: {why}");
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: Arguments) -> Result<bool, Box<dyn std::error::Error>> {
    let mut plan = Plan::new(arguments.target);
    plan.host = arguments.host.unwrap_or(plan.host);
    plan.rate = arguments.rate;
    plan.lasting = Duration::try_from_secs_f64(arguments.seconds)?;
    plan.timeout = Duration::try_from_secs_f64(arguments.timeout)?;
    plan.pace = if arguments.poisson { Pace::Poisson } else { Pace::Constant };
    plan.mix = arguments.mix;
    plan.version_header = arguments.version_header;
    if !arguments.paths.is_empty() {
        plan.paths = arguments.paths;
    }
    let lasting = plan.lasting;
    let load = Load::start(plan)?;
    if let Some((old, new)) = arguments.flip.as_deref().and_then(|flip| flip.split_once(':')) {
        load.watch_flip(old, new);
    }
    let verdict = tokio::select! {
        interrupted = tokio::signal::ctrl_c() => { interrupted?; load.stop().await }
        () = tokio::time::sleep(lasting) => load.stop().await,
    };
    let journal = match arguments.journal {
        Some(path) => Some(Journal::read(&path)?.check(&verdict.acknowledged)),
        None => None,
    };
    if arguments.json {
        println!("{}", serde_json::json!({ "verdict": verdict, "journal": journal }));
    } else {
        println!("{verdict}");
        journal.iter().for_each(|journal| println!("{journal}"));
    }
    Ok(verdict.is_clean() && journal.is_none_or(|journal| journal.is_clean()))
}
