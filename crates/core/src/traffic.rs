//! How requests find an instance: the route table and what is observed of the traffic.
//!
//! `table`, `gate` and `listener` are what the controller tells the proxy, `report`, `answers` and `metrics` are what the proxy tells the controller; `matching`, `asset`,
//! `session`, `rule`, `balance`, `health`, `outlier` and `retry` are the rules by which the proxy acts; `renewal` says when an authority is asked
//! for a certificate. Must not know deployments: it is given pools and answers. Tested in place, rule by rule.

pub mod answers;
pub mod asset;
pub mod balance;
pub mod gate;
pub mod health;
pub mod listener;
pub mod matching;
pub mod metrics;
pub mod outlier;
pub mod renewal;
pub mod report;
pub mod retry;
pub mod rule;
pub mod session;
pub mod table;

pub use answers::{Answers, Latencies};
pub use gate::{Gate, Maintenance};
pub use listener::{Certificate, Challenge, ClientCheck, Encryption, Listener, Secret};
pub use report::{Counts, Health, InFlight, InstanceReport, SessionReport, TrafficReport};
pub use session::{Chosen, LiveVersion, Sessions};
pub use table::{Member, Role, Route, RouteContract, Table};
