//! What the team wants: the checked configuration of a service.
//!
//! `service` holds the checked values that all other code works with. Must not know how instances, traffic or
//! deployments are carried out.

mod service;

pub use service::{
    DeploySpec, DrainSpec, FlipSpec, GuardSpec, HttpProbe, LimitSpec, ListenSpec, PortRange, RestartSpec,
    RollingSpec, RunSpec, ServiceSpec, Signal, StopSpec, Strategy, StrategyKind, TimeoutSpec,
};
