//! The command line: verbs and what may be said with them.
//!
//! Knows words, not what they do. Tested in `tests/cli`: the help of each verb, and what is refused.

pub(crate) mod schema;
pub(crate) mod source;
pub(crate) mod token;

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tandem_core::base::{Amount, DeploymentId, InstanceId, Millis, Network, ServiceName, VersionLabel};
use tandem_core::deploy::Fault;
use tandem_core::spec::{CanaryStep, StrategyKind};

const EXAMPLES: &str = "\
Examples:
  tandem init                      write a tandem.toml for the service in this folder
  tandem up                        run it: load balancer, deployer and instances
  tandem deploy shop-v42.tar.gz    replace the running version, without losing a request
  tandem rollback                  go back to the version from before
  tandem status --watch            what runs, and what is going on

Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 rolled back by itself,
4 waits for a person, 5 refused, 6 no daemon, 124 timed out, 130 interrupted";

/// Puts a new version of a web service into production without its users noticing.
#[derive(Debug, Parser)]
#[command(name = "tandem", version, after_help = EXAMPLES, disable_help_subcommand = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What may be said with every verb.
#[derive(Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// The configuration [default: tandem.toml here or in a folder above]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The state folder [default: .tandem beside the configuration]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Which service, where the configuration names several
    #[arg(long, short, global = true, value_name = "NAME")]
    pub(crate) service: Option<ServiceName>,
    /// Print data as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print without colours, as with NO_COLOR set
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Write a tandem.toml for the service in this folder
    #[command(
        after_help = "Example:\n  cd shop && tandem init\n\nLooks at what is there (Procfile, Dockerfile, compose file, Kamal's deploy.yml, a unit of systemd,\nwhat frameworks and tools for migrations leave), says what it found, and never overwrites a file."
    )]
    Init,
    /// Check the configuration and say everything that is wrong with it
    #[command(
        after_help = "Examples:\n  tandem check\n  tandem check --config shop/tandem.toml --json | jq .problems\n\nIn a job of GitHub or GitLab, problems are shown beside the lines of the file."
    )]
    Check,
    /// Say what is missing on this machine and in the database, and what to do
    #[command(
        after_help = "Examples:\n  tandem doctor\n  tandem doctor --json\n\nExit code 1 if something is missing without which nothing works."
    )]
    Doctor,
    /// Run the service here: load balancer, deployer and instances, in the foreground
    #[command(
        after_help = "Examples:\n  tandem up\n  tandem up --config /etc/shop/tandem.toml --state /var/lib/shop\n\nSIGTERM and Ctrl-C let requests finish, then end the instances. SIGHUP is `tandem reload`.\nKilled, it leaves everything running, and the next one takes it up."
    )]
    Up,
    /// Replace the running version by another, and wait until that is done
    #[command(after_help = DEPLOY_EXAMPLES)]
    Deploy(Deploy),
    /// Say what a deployment would do, step by step, without doing it
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(Plan),
    /// Show what runs and what is going on
    #[command(
        after_help = "Examples:\n  tandem status\n  tandem status --watch\n  tandem status --json | jq '.instances[].health'"
    )]
    Status {
        /// Show it anew whenever it changes, until interrupted
        #[arg(long, short)]
        watch: bool,
    },
    /// Show what goes on now, once a second, by version and instance
    #[command(after_help = "Example:\n  tandem top --once --json | jq .all.p99")]
    Top {
        /// Show one second, and end
        #[arg(long)]
        once: bool,
    },
    /// Follow a deployment until it is over
    #[command(
        after_help = "Examples:\n  tandem watch\n  tandem watch d7\n\nEnds with the exit code of the deployment; Ctrl-C stops watching it and nothing else."
    )]
    Watch {
        /// The deployment, such as d7 [default: the one under way]
        deployment: Option<DeploymentId>,
    },
    /// Say what the deployment under way waits for
    #[command(after_help = "Example:\n  tandem why")]
    Why,
    /// Print a link that shows one version, whether it has traffic or not
    #[command(after_help = LINK_EXAMPLES)]
    Link {
        /// The version; it must be running [default: the one that comes, else the one that serves]
        version: Option<VersionLabel>,
    },
    /// Go back to the version from before
    #[command(
        after_help = "Examples:\n  tandem rollback\n  tandem rollback --to v41\n  tandem rollback --plan"
    )]
    Rollback {
        /// Go back to this version instead
        #[arg(long, value_name = "LABEL")]
        to: Option<VersionLabel>,
        /// Return as soon as it has begun
        #[arg(long)]
        detach: bool,
        /// Say what it would do and cost, without doing it
        #[arg(long, conflicts_with = "detach")]
        plan: bool,
    },
    /// Let the deployment under way begin nothing new
    #[command(
        after_help = "Examples:\n  tandem pause\n  tandem pause d7\n\nWhat has begun is finished. `tandem resume` lets it go on, `tandem abort` turns it back."
    )]
    Pause(Steer),
    /// Let a paused deployment go on
    #[command(after_help = "Example:\n  tandem resume")]
    Resume(Steer),
    /// Turn the deployment under way back to the version that it came from
    #[command(after_help = "Example:\n  tandem abort\n\nOnce it is over: `tandem rollback`.")]
    Abort(Steer),
    /// Have a canary take its next step now, or let the old pool go
    #[command(after_help = PROMOTE_EXAMPLES)]
    Promote(Promote),
    /// List the deployments, the newest first
    #[command(after_help = "Examples:\n  tandem history\n  tandem history --json | jq '.[0].receipt'")]
    History,
    /// List what came by itself, and what became of it
    #[command(after_help = "Example:\n  tandem queue --json | jq '.entries[0].standing'")]
    Queue,
    /// Let a version that waits in the queue be deployed
    Approve(source::Approve),
    /// Have nothing deployed by itself, or go on with it
    Source(source::Source),
    /// Show what an instance wrote, or all of them
    #[command(after_help = "Examples:\n  tandem logs --follow\n  tandem logs i17")]
    Logs {
        /// The instance, such as i17 [default: every instance that runs]
        instance: Option<InstanceId>,
        /// Go on showing what is written, until interrupted
        #[arg(long, short)]
        follow: bool,
    },
    /// Run another number of instances from now on
    #[command(
        after_help = "Example:\n  tandem scale 6\n\nIt stays so over restarts of Tandem, whatever `run.instances` says."
    )]
    Scale {
        /// How many
        #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
        instances: u32,
    },
    /// Tell clients to come back later, or serve them again
    #[command(subcommand)]
    Maintenance(MaintenanceVerb),
    /// Have new requests wait for a moment; those that have begun go on
    #[command(after_help = HOLD_EXAMPLES)]
    Hold(Hold),
    /// Take the configuration and the program as they lie there now, without an interruption
    #[command(
        after_help = "Example:\n  tandem reload\n\nThe same as SIGHUP to `tandem up`. What can't be used changes nothing."
    )]
    Reload,
    /// Change the database's schema while two versions of the app use it
    Schema(schema::Schema),
    /// Say who may ask over the network
    Token(token::Token),
    /// Print a link that opens the dashboard
    #[command(
        after_help = "Example:\n  xdg-open $(tandem dashboard)\n\nThe link is good for one login, within a minute."
    )]
    Dashboard,
    /// Show the configuration, or describe it for editors
    #[command(subcommand)]
    Config(Config),
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  tandem completions bash > ~/.local/share/bash-completion/completions/tandem"
    )]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Write manual pages, one for each verb
    #[command(after_help = "Example:\n  tandem man ~/.local/share/man/man1 && man tandem-deploy")]
    Man {
        /// The folder to write them into
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// The data plane; started by `tandem up`
    #[command(hide = true)]
    Proxy {
        /// Whose requests arrive
        services: Vec<ServiceName>,
    },
    /// The deployer of one service; started by `tandem up`
    #[command(hide = true)]
    Controller {
        /// The state folder of the proxy
        #[arg(long, value_name = "DIR")]
        front: PathBuf,
    },
    /// The way in from the network; started by `tandem up`
    #[command(hide = true)]
    Admin(Admin),
}

#[derive(Debug, Args)]
pub(crate) struct Admin {
    /// What can be asked about
    pub(crate) services: Vec<ServiceName>,
    /// Each has a state folder of its own
    #[arg(long)]
    pub(crate) shared: bool,
    /// A name under which it is asked for
    #[arg(long = "host", value_name = "NAME")]
    pub(crate) hosts: Vec<String>,
    /// The certificate and its chain
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) certificate: Option<PathBuf>,
    /// Its key
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub(crate) key: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MaintenanceVerb {
    /// Answer requests with 503 and a page
    #[command(after_help = MAINTENANCE_EXAMPLES)]
    On(MaintenanceOn),
    /// Serve requests again
    #[command(after_help = "Example:\n  tandem maintenance off")]
    Off,
}

#[derive(Debug, Args)]
pub(crate) struct MaintenanceOn {
    /// What clients are told
    #[arg(long, value_name = "TEXT", default_value = "The service is being worked on.")]
    pub(crate) message: String,
    /// A page in HTML in place of our own
    #[arg(long, value_name = "FILE")]
    pub(crate) page: Option<PathBuf>,
    /// When clients are told to come back
    #[arg(long, value_name = "TIME", default_value = "10m")]
    pub(crate) retry_after: Millis,
    /// Serve clients of this network all the same; may be said several times
    #[arg(long, value_name = "NETWORK")]
    pub(crate) allow: Vec<Network>,
}

#[derive(Debug, Args)]
pub(crate) struct Hold {
    /// The longest that they wait
    #[arg(long = "for", value_name = "TIME", default_value = "10s")]
    pub(crate) longest: Millis,
    /// Let them go on now
    #[arg(long, conflicts_with = "longest")]
    pub(crate) end: bool,
}

const PLAN_EXAMPLES: &str = "\
Examples:
  tandem plan                                 the next deployment, and the ways in which it can be done
  tandem plan shop-v42.tar.gz                 that one, with its migrations and its contract
  tandem plan --strategy rolling --batch 2    one way, step by step
  tandem plan --break i7@3                    and if instance i7 died after step 3";

const MAINTENANCE_EXAMPLES: &str = "\
Examples:
  tandem maintenance on --message 'Back at noon.' --allow 192.0.2.0/24
  tandem maintenance on --page sorry.html --retry-after 30m

It stays so, also when everything is started anew, until `tandem maintenance off`.
Health checks and deployments go on; whoever is allowed sees the service as it is.";

const HOLD_EXAMPLES: &str = "\
Examples:
  tandem hold --for 5s && psql -f quick.sql && tandem hold --end

Requests that arrive meanwhile wait, up to a number, and are served then.";

const PROMOTE_EXAMPLES: &str = "\
Examples:
  tandem promote             to the next step
  tandem promote --all       to all clients
  tandem promote --step 2    only if it is at step 2: nobody else was quicker";

const LINK_EXAMPLES: &str = "\
Examples:
  tandem link v42        while v42 is paused before its first request, look at it yourself

Whoever opens the link sees that version for as long as it runs, in that browser;
the same address with =none instead of the key ends it.";

const DEPLOY_EXAMPLES: &str = "\
Examples:
  tandem deploy shop-v42.tar.gz
  tandem deploy build/ --version v42 --strategy flip
  tandem deploy shop-v42.tar.gz --batch 25% --surge 1 --floor 100%
  tandem deploy shop-v42.tar.gz --strategy canary --steps '5% for 10m, 50% for 10m'
  tandem deploy shop-v42.1.tar.gz --hotfix

Ctrl-C leaves the deployment running and only stops watching it.";

#[derive(Debug, Args)]
pub(crate) struct Deploy {
    /// The deliverable: a folder, a .tar.gz, or an image as registry.example/shop:v42
    pub(crate) path: PathBuf,
    /// The label of the version [default: made of the name of the deliverable]
    #[arg(long, value_name = "LABEL")]
    pub(crate) version: Option<VersionLabel>,
    #[command(flatten)]
    pub(crate) how: How,
    /// Go on although clients still call what the new version's contract takes away or changes
    #[arg(long)]
    pub(crate) break_contract: bool,
    /// Put it into the queue, before all others: it waits for what is being deployed, and for no window and no interval
    #[arg(long, conflicts_with_all = ["strategy", "batch", "surge", "floor", "steps", "warm", "break_contract"])]
    pub(crate) hotfix: bool,
    /// Return as soon as it has begun
    #[arg(long)]
    pub(crate) detach: bool,
    /// Stop watching after this time, with exit code 124; the deployment goes on
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<Millis>,
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// The deliverable [default: some new version]
    pub(crate) path: Option<PathBuf>,
    /// The label of the version [default: made of the name of the deliverable]
    #[arg(long, value_name = "LABEL")]
    pub(crate) version: Option<VersionLabel>,
    #[command(flatten)]
    pub(crate) how: How,
    /// Show what would be done if an instance died after a step, such as i7@3
    #[arg(long = "break", value_name = "INSTANCE@STEP")]
    pub(crate) fault: Option<Break>,
}

/// An instance that dies in a plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Break(pub(crate) Fault);

impl FromStr for Break {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Break, Self::Err> {
        let wrong = "write an instance and a step of the plan, such as i7@3";
        let (instance, step) = text.split_once('@').ok_or(wrong)?;
        let step = step.strip_prefix("step").unwrap_or(step);
        let fault = instance.parse().ok().zip(step.parse().ok());
        fault.map(|(instance, step)| Break(Fault { instance, step })).ok_or(wrong)
    }
}

/// How a deployment is carried out, where it is not as the configuration says.
#[derive(Debug, Args)]
pub(crate) struct How {
    /// How the new version replaces the old one [default: as the configuration says]
    #[arg(long, value_enum)]
    pub(crate) strategy: Option<StrategyName>,
    /// rolling: how many instances are replaced at a time, such as 2 or 25%
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) batch: Option<Amount>,
    /// rolling: how many instances there may be beyond the wanted number
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) surge: Option<Amount>,
    /// rolling: how many instances must serve at all times
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) floor: Option<Amount>,
    /// canary: what part of the clients get the new version, and for how long at least, such as "5% for 10m, 50% for 10m"
    #[arg(long, value_name = "STEPS", value_delimiter = ',')]
    pub(crate) steps: Option<Vec<CanaryStep>>,
    /// flip and canary: how long the old pool is kept running, so that going back is one switch
    #[arg(long, value_name = "TIME")]
    pub(crate) warm: Option<Millis>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum StrategyName {
    /// A few instances at a time
    Rolling,
    /// A second pool, switched to at one instant
    Flip,
    /// A second pool that gets more and more of the clients
    Canary,
}

impl From<StrategyName> for StrategyKind {
    fn from(name: StrategyName) -> StrategyKind {
        match name {
            StrategyName::Rolling => StrategyKind::Rolling,
            StrategyName::Flip => StrategyKind::Flip,
            StrategyName::Canary => StrategyKind::Canary,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Steer {
    /// The deployment, such as d7 [default: the one under way]
    pub(crate) deployment: Option<DeploymentId>,
}

#[derive(Debug, Args)]
pub(crate) struct Promote {
    /// The deployment, such as d7 [default: the one under way]
    pub(crate) deployment: Option<DeploymentId>,
    /// Past all its steps at once
    #[arg(long)]
    pub(crate) all: bool,
    /// Only if it is at this step
    #[arg(long, value_name = "STEP", conflicts_with = "all")]
    pub(crate) step: Option<usize>,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Config {
    /// The whole configuration in effect, every default written out
    #[command(after_help = "Example:\n  tandem config show | less")]
    Show,
    /// A JSON schema of tandem.toml, for editors
    #[command(after_help = "Example:\n  tandem config schema > tandem.schema.json")]
    Schema,
}

/// Reads the command line; if it asks only for help, or is wrong, that is told and the exit code is left.
pub(crate) fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| {
        // A closed pipe is no failure here either.
        let _ = error.print();
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
    })
}
