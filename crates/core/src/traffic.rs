//! How requests find an instance: the route table and what is observed of the traffic.
//!
//! `table` is what the controller tells the proxy, `report` is what the proxy tells the controller. Must not know
//! deployments: it is given pools and answers.

pub mod report;
pub mod table;

pub use report::{Counts, Health, InFlight, InstanceReport, TrafficReport};
pub use table::{Member, Role, Route, Table};
