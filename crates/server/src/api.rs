//! The admin API: HTTP and JSON over the Unix socket `admin.sock` in the state folder.
//!
//! `crate::message` holds what goes over it, `route` what is answered. Must not decide anything: what changes the service
//! goes to the engine as a command and is answered when it is recorded. Tested in `tests/server/api.rs`.

mod choice;
mod link;
mod log;
pub(crate) mod metrics;
mod note;
mod push;
mod queue;
mod refusal;
mod repeat;
mod route;
mod socket;
mod status;
mod stream;

use std::io;
use std::path::Path;
use std::sync::Arc;

pub use crate::message::{
    Accepted, AuditEntry, CanaryStatus, ConfigInForce, DeployRequest, DeploymentRecord, DeploymentStatus,
    FindingStatus, Hold, InstanceStatus, JournalEvent, LoginRequest, MaintenanceStatus, Me, PlanRequest,
    Problem, ProblemCode, PromoteRequest, Pushed, QueueEntry, QueueStatus, Role, RollbackAccepted,
    RollbackRequest, Scale, ServiceEntry, SourceRequest, Status, StrategyChoice, Ticket, VersionLink,
    WaitStatus, Who, Why,
};

pub(crate) use note::NOTED;
pub(crate) use socket::{AdminSocket, Peer};

use crate::office::Office;

/// Listens on the socket.
pub(crate) fn listen(path: &Path) -> io::Result<AdminSocket> {
    AdminSocket::bind(path)
}

/// Answers until the runtime ends.
pub(crate) async fn serve(socket: AdminSocket, office: Arc<Office>) {
    let router = note::noted(route::router(office.clone()), office);
    let service = router.into_make_service_with_connect_info::<Peer>();
    if let Err(error) = axum::serve(socket, service).await {
        tracing::error!(%error, "the admin API ended");
    }
}
