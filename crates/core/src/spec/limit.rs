//! How long a request may take, and how large it may be: the checked values.
//!
//! Belongs to `service`, and holds the defaults of its part. Tested in `check/tests.rs`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::Millis;

/// How long each phase of a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimeoutSpec {
    /// From the first byte of a request until its head is complete.
    pub head: Millis,
    /// The longest silence while the body of a request arrives.
    pub body: Millis,
    /// Opening a connection to an instance.
    pub connect: Millis,
    /// From the end of the request until the head of the answer.
    pub answer: Millis,
    /// The longest silence while the body of the answer is sent, by the instance or towards the client.
    pub stream: Millis,
    /// How long a client's connection may stay open between requests.
    pub idle: Millis,
    /// How long an unused connection to an instance is kept.
    pub pool_idle: Millis,
    /// How long a request is held while no instance can take it.
    #[serde(default = "TimeoutSpec::default_hold")]
    pub hold: Millis,
}

impl TimeoutSpec {
    /// Long enough for an instance that is started again.
    fn default_hold() -> Millis {
        Millis::from_secs(5)
    }
}

impl Default for TimeoutSpec {
    fn default() -> Self {
        TimeoutSpec {
            head: Millis::from_secs(10),
            body: Millis::from_secs(30),
            connect: Millis::from_secs(2),
            answer: Millis::from_secs(60),
            stream: Millis::from_secs(300),
            idle: Millis::from_secs(60),
            pool_idle: Millis::from_secs(4),
            hold: TimeoutSpec::default_hold(),
        }
    }
}

/// How large things may be. Sizes are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LimitSpec {
    /// The request line and all header fields together.
    pub head: u32,
    /// The number of header fields.
    pub fields: u32,
    /// The body of a request. 0: no limit.
    pub body: u64,
    /// Connections from clients, for the whole proxy.
    pub connections: u32,
}

impl Default for LimitSpec {
    fn default() -> Self {
        LimitSpec { head: 32 * 1024, fields: 100, body: 0, connections: 20_000 }
    }
}
