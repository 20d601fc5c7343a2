//! What the team wants: the checked configuration of a service.
//!
//! `service` holds the checked values that all other code works with, and every default. `key` is the table of what
//! may be written; along it a text is read (`found`, `value`, `text`), put into fields (`field`), checked as a whole
//! (`check`), shown (`show`) and described (`schema`). Must not know how instances, traffic or deployments are carried
//! out, nor files or the environment. Tested in `check/tests.rs`.

mod acme;
mod admin;
mod balance;
mod check;
mod contract;
mod database;
mod deploy;
mod docker;
mod field;
mod found;
mod front;
mod guard;
mod hook;
mod key;
mod limit;
mod listen;
mod monitoring;
mod notify;
mod problem;
mod rule;
mod schema;
mod service;
mod session;
mod show;
mod source;
mod template;
mod text;
mod tls;
mod value;
mod vocabulary;
mod window;
mod word;

pub use admin::AdminSpec;
pub use balance::{Affinity, BalanceSpec, EjectSpec, NoAffinity, Policy};
pub use check::{read, read_database};
pub use contract::ContractSpec;
pub use database::{Access, DatabaseSpec, Names, Naming};
pub use deploy::{
    CanarySpec, CanaryStep, DeploySpec, FlipSpec, RollingSpec, StepError, Strategy, StrategyKind,
};
pub use docker::{Cpus, DockerSpec, EngineHost, NoCpus, NoEngine, Reach, RegistrySpec};
pub use front::{FrontSpec, disagreement, is_front, read_front, service_of};
pub use guard::{ErrorLimit, GuardSpec, LatencyLimit, LimitError, Unclear};
pub use hook::{HookSpec, Moment};
pub use limit::{LimitSpec, TimeoutSpec};
pub use listen::{ListenSpec, Speaks, Told};
pub use monitoring::{LogFormat, LogSpec, MetricsSpec, MonitoringSpec, Queries};
pub use notify::{MessageFormat, NotifySpec, Occasion};
pub use problem::{Problem, ProblemCode};
pub use rule::{ANY_VALUE, FieldChanges, RuleSpec, is_own_field};
pub use schema::schema;
pub use service::{
    DrainSpec, HttpProbe, PortRange, Protocol, RestartSpec, RunSpec, ServiceSpec, Signal, StopSpec,
};
pub use session::{AssetSpec, Pin, SessionSpec};
pub use show::show;
pub use source::SourceSpec;
pub use template::{Part, Template};
pub use text::like_a_name;
pub use tls::{AcmeChallenge, AcmeSpec, ClientCertificate, TlsSpec, TlsVersion};
pub use window::{WallMinute, Window, WindowError};
