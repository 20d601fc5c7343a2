//! What goes over the network beside what goes over the sockets of services: who asks, and what was done.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tandem_core::base::{Millis, ServiceName, Timestamp};

/// What somebody may do; each may also do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks on.
    Viewer,
    /// Deploys and goes back.
    Deployer,
    /// Changes what the service is made of.
    Admin,
}

impl Role {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Deployer => "deployer",
            Role::Admin => "admin",
        }
    }
}

/// `GET /v1/me`, and the answer to a login: who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Me {
    /// The name of the token; `uid:1000` for one who came by a ticket.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The services that they may ask about.
    pub services: Vec<ServiceName>,
    /// When that ends, by the clock on the wall. None: it does not end by itself.
    pub expires: Option<Timestamp>,
}

/// `GET /v1/services`: a list of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceEntry {
    /// Its name; what is asked about it goes to `/v1/services/NAME/…`.
    pub name: ServiceName,
}

/// `POST /v1/login`: one of both.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// A token.
    #[serde(default)]
    pub token: Option<String>,
    /// A ticket, which is good for one login.
    #[serde(default)]
    pub ticket: Option<String>,
}

/// `POST /v1/tickets` at the socket for tickets: a way in for a browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The address of the dashboard, with the ticket where no server sees it.
    pub url: String,
    /// How long it is good.
    pub within: Millis,
}

/// `GET /v1/audit`: a list of these, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditEntry {
    /// When, by the clock on the wall.
    pub at: Timestamp,
    /// Who asked; `?`: nobody knows.
    pub who: String,
    /// What they may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// From which address. None: at a socket of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// By which method.
    pub method: String,
    /// For which path, without its query.
    pub path: String,
    /// How it was answered.
    pub status: u16,
}

/// `POST /v1/hold`, and its answer: new requests wait for a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// The longest that they wait. None: they go on now.
    #[serde(default)]
    pub longest: Option<Millis>,
}
