//! The admin API: HTTP and JSON over the Unix socket `admin.sock` in the state folder.
//!
//! `message` holds what goes over it. Must not decide anything: what changes the service goes to the engine as a
//! command and is answered when it is recorded. Tested in `tests/server/api.rs`.

mod message;

pub use message::{
    Accepted, ConfigInForce, DeployRequest, DeploymentRecord, DeploymentStatus, InstanceStatus, JournalEvent,
    PlanRequest, Problem, ProblemCode, RollbackRequest, Scale, Status, StrategyChoice, WaitStatus, Why,
};
