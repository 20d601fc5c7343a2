//! The checked configuration. A value of these types is known to make sense; only `spec::check` builds one from text.
//! Every default of Tandem stands in this file, in `admin`, `balance`, `contract`, `database`, `docker`, `hook`, `session` or `source`, in a `Default` or a constructor.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{Millis, Price, ServiceName};

use super::admin::AdminSpec;
use super::balance::BalanceSpec;
use super::contract::ContractSpec;
use super::database::DatabaseSpec;
use super::deploy::DeploySpec;
use super::docker::DockerSpec;
use super::hook::HookSpec;
use super::limit::{LimitSpec, TimeoutSpec};
use super::listen::ListenSpec;
use super::monitoring::MonitoringSpec;
use super::notify::NotifySpec;
use super::rule::RuleSpec;
use super::session::{AssetSpec, SessionSpec};
use super::source::SourceSpec;
use super::tls::TlsSpec;
use super::vocabulary::words;

/// One service, as its team wants it to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSpec {
    /// The name, used in messages, ids and the admin API.
    pub service: ServiceName,
    /// How an instance is started, checked and stopped.
    pub run: RunSpec,
    /// Where requests arrive. At least one.
    pub listen: Vec<ListenSpec>,
    /// What is done with some requests and not with all, in the order in which it is looked at.
    #[serde(default)]
    pub rules: Vec<RuleSpec>,
    /// How a new version replaces the old one.
    pub deploy: DeploySpec,
    /// How long each phase of a request may take.
    pub timeouts: TimeoutSpec,
    /// How large a request may be, and how many connections there may be.
    pub limits: LimitSpec,
    /// How requests are divided among instances.
    #[serde(default)]
    pub balance: BalanceSpec,
    /// How clients are held to versions.
    #[serde(default)]
    pub sessions: SessionSpec,
    /// Files that pages of other versions may still ask for.
    #[serde(default)]
    pub assets: AssetSpec,
    /// The database whose schema goes along with the versions.
    #[serde(default)]
    pub database: DatabaseSpec,
    /// What versions promise to their clients.
    #[serde(default)]
    pub contract: ContractSpec,
    /// What encrypted connections need.
    #[serde(default)]
    pub tls: TlsSpec,
    /// Where it can be seen what goes on.
    pub monitoring: MonitoringSpec,
    /// Where people are answered over the network.
    #[serde(default)]
    pub admin: AdminSpec,
    /// Where deliverables come from by themselves.
    #[serde(default)]
    pub source: SourceSpec,
    /// Commands that are asked whether a deployment may go on.
    #[serde(default)]
    pub hooks: HookSpec,
    /// Who is told of deployments.
    #[serde(default)]
    pub notify: Vec<NotifySpec>,
}

impl ServiceSpec {
    /// The defaults with what has none.
    pub fn new(service: ServiceName, command: Vec<String>, address: SocketAddr) -> ServiceSpec {
        let mut spec = ServiceSpec::draft();
        spec.service = service;
        spec.run.command = command;
        spec.listen = vec![ListenSpec { address, ..ListenSpec::draft() }];
        spec
    }

    /// The defaults, with the parts that have none left empty: to be filled before anyone sees it.
    pub(super) fn draft() -> ServiceSpec {
        ServiceSpec {
            service: ServiceName::unnamed(),
            run: RunSpec::default(),
            listen: Vec::new(),
            rules: Vec::new(),
            deploy: DeploySpec::default(),
            timeouts: TimeoutSpec::default(),
            limits: LimitSpec::default(),
            balance: BalanceSpec::default(),
            sessions: SessionSpec::default(),
            assets: AssetSpec::default(),
            database: DatabaseSpec::default(),
            contract: ContractSpec::default(),
            tls: TlsSpec::default(),
            monitoring: MonitoringSpec::default(),
            admin: AdminSpec::default(),
            source: SourceSpec::default(),
            hooks: HookSpec::default(),
            notify: Vec::new(),
        }
    }
}

/// What an instance speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2 in clear text, without asking first: what gRPC servers speak.
    Http2,
}

words!(Protocol: Http1 = "http1", Http2 = "http2");

/// How an instance is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSpec {
    /// Program and arguments; never passed through a shell. `$PORT` in an argument stands for the instance's port. In a
    /// container it may be empty: then the image says what is run.
    pub command: Vec<String>,
    /// How many instances serve. 1 to 1000.
    pub instances: u32,
    /// More environment for the instance. A value `env:NAME` is read from the environment of `tandem up`.
    pub env: BTreeMap<String, String>,
    /// What it speaks.
    #[serde(default)]
    pub protocol: Protocol,
    /// From which ports instances get theirs.
    pub ports: PortRange,
    /// When an instance counts as ready.
    pub ready: HttpProbe,
    /// How an instance is taken out of service.
    pub stop: StopSpec,
    /// How a crashed instance is replaced.
    pub restart: RestartSpec,
    /// What an instance costs in an hour. None: nobody reckons with it.
    #[serde(default)]
    pub price: Option<Price>,
    /// How instances run as containers. None: they are processes of this machine.
    #[serde(default)]
    pub docker: Option<DockerSpec>,
}

impl Default for RunSpec {
    /// Two instances of nothing: what is run has no default.
    fn default() -> Self {
        RunSpec {
            command: Vec::new(),
            instances: 2,
            env: BTreeMap::new(),
            protocol: Protocol::default(),
            ports: PortRange::default(),
            ready: HttpProbe::default(),
            stop: StopSpec::default(),
            restart: RestartSpec::default(),
            price: None,
            docker: None,
        }
    }
}

/// Ports for instances, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRange {
    /// The lowest port, 1024 or more.
    pub first: u16,
    /// The highest port, not below `first`.
    pub last: u16,
}

impl Default for PortRange {
    /// 20000 to 29999: below the ports that Linux hands to outgoing connections (32768 and up).
    fn default() -> Self {
        PortRange { first: 20_000, last: 29_999 }
    }
}

/// An HTTP health check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HttpProbe {
    /// The path that is asked for with `GET`; an answer of 200 to 299 is healthy.
    pub path: String,
    /// The service whose health is asked for by gRPC, in place of the path; empty for the whole server.
    #[serde(default)]
    pub grpc: Option<String>,
    /// The `Host` that is sent. None: the instance's address.
    pub host: Option<String>,
    /// Time from one check to the next once the instance serves. 100 ms or more.
    pub every: Millis,
    /// The longest that one check may take in all.
    pub timeout: Millis,
    /// How long a new instance may take to become ready.
    pub within: Millis,
    /// So many good answers in a row make an instance healthy. At least 1.
    pub rise: u32,
    /// So many bad ones in a row make it unhealthy. At least 1.
    pub fall: u32,
}

impl Default for HttpProbe {
    fn default() -> Self {
        HttpProbe {
            path: "/up".to_owned(),
            grpc: None,
            host: None,
            every: Millis::from_secs(1),
            timeout: Millis::from_secs(5),
            within: Millis::from_secs(60),
            rise: 2,
            fall: 3,
        }
    }
}

/// How an instance is taken out of service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopSpec {
    /// The signal that asks the app to stop, sent when nothing is in flight any more.
    pub signal: Signal,
    /// How long what is in flight may take before it is cut.
    pub drain: DrainSpec,
    /// How long the app may take to exit after the signal before it is killed.
    pub grace: Millis,
}

impl Default for StopSpec {
    fn default() -> Self {
        StopSpec { signal: Signal::Term, drain: DrainSpec::default(), grace: Millis::from_secs(30) }
    }
}

/// Drain deadlines by class of what is in flight, counted from the moment of unrouting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DrainSpec {
    /// Ordinary requests: those that are neither of the classes below.
    pub requests: Millis,
    /// Requests whose body is still arriving.
    pub uploads: Millis,
    /// Answers that are being sent: downloads, server-sent events.
    pub streams: Millis,
    /// Connections that were upgraded. They are closed one after the other over the last quarter of this time, so that
    /// their clients do not all come back at once.
    pub websockets: Millis,
}

impl Default for DrainSpec {
    fn default() -> Self {
        DrainSpec {
            requests: Millis::from_secs(30),
            uploads: Millis::from_secs(600),
            streams: Millis::from_secs(60),
            websockets: Millis::from_secs(60),
        }
    }
}

impl DrainSpec {
    /// The last of the deadlines: after it nothing can be in flight any more.
    pub fn longest(&self) -> Millis {
        self.requests.max(self.uploads).max(self.streams).max(self.websockets)
    }
}

/// A signal that a web server may understand as "stop".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Signal {
    /// SIGTERM
    Term,
    /// SIGINT
    Int,
    /// SIGQUIT
    Quit,
    /// SIGHUP
    Hup,
    /// SIGUSR1
    Usr1,
    /// SIGUSR2
    Usr2,
    /// SIGWINCH
    Winch,
}

impl Signal {
    const ALL: [Signal; 7] =
        [Signal::Term, Signal::Int, Signal::Quit, Signal::Hup, Signal::Usr1, Signal::Usr2, Signal::Winch];

    /// The name without `SIG`, as the configuration has it.
    pub fn name(self) -> &'static str {
        match self {
            Signal::Term => "TERM",
            Signal::Int => "INT",
            Signal::Quit => "QUIT",
            Signal::Hup => "HUP",
            Signal::Usr1 => "USR1",
            Signal::Usr2 => "USR2",
            Signal::Winch => "WINCH",
        }
    }

    /// The signal of that name.
    pub fn named(name: &str) -> Option<Signal> {
        Signal::ALL.into_iter().find(|signal| signal.name() == name)
    }
}

/// How a crashed instance is replaced: after `first`, then twice as long each time up to `longest`; the count begins
/// anew when an instance has run for `forget`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartSpec {
    /// The wait before the first replacement.
    pub first: Millis,
    /// The longest wait.
    pub longest: Millis,
    /// A run of this length clears the count.
    pub forget: Millis,
}

impl Default for RestartSpec {
    fn default() -> Self {
        RestartSpec { first: Millis(100), longest: Millis::from_secs(60), forget: Millis::from_secs(60) }
    }
}
