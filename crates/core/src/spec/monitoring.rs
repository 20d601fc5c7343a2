//! Where it can be seen what goes on: the checked values.
//!
//! Belongs to `service`, and holds the defaults of its part. Tested in `check/tests.rs`.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Where it can be seen what goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MonitoringSpec {
    /// Where metrics are told.
    pub metrics: MetricsSpec,
}

/// Where metrics are told, beside the admin socket.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MetricsSpec {
    /// The address at which Prometheus finds them. None: only the admin socket.
    pub listen: Option<SocketAddr>,
}
