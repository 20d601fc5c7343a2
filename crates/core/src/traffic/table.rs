//! The route table: the immutable value by which the proxy routes.
//!
//! A service's table is whole: it names every instance of it that the proxy has to do with. Whatever is not in it is not
//! served, and a newer table replaces the older one at one instant. What a proxy has of several services is put together
//! by `matching`.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{Generation, InstanceId, ServiceName, VersionLabel};
use crate::contract::Operation;
use crate::spec::{BalanceSpec, DrainSpec, HttpProbe, LimitSpec, Protocol, RuleSpec, TimeoutSpec};
use crate::traffic::{Gate, Listener, Sessions};

/// Everything by which the proxy routes, under one generation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Table {
    /// Grows with each table; the proxy refuses one that is not newer than its own.
    pub generation: Generation,
    /// What is done with the connections of each address.
    #[serde(default)]
    pub listeners: Vec<Listener>,
    /// One entry per service.
    pub routes: Vec<Route>,
}

/// One service: who is served, by which instances, under which rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Route {
    /// The service.
    pub service: ServiceName,
    /// Host names, lower case, without port; `*.example.com` matches one label. Empty: all hosts.
    pub hosts: Vec<String>,
    /// What paths begin with, by whole segments. Empty: all paths.
    #[serde(default)]
    pub paths: Vec<String>,
    /// How instances are checked.
    pub probe: HttpProbe,
    /// How long what is in flight on a leaving instance may take.
    pub drain: DrainSpec,
    /// How long each phase of a request may take.
    pub timeouts: TimeoutSpec,
    /// How large a request may be.
    pub limits: LimitSpec,
    /// How requests are divided among instances.
    #[serde(default)]
    pub balance: BalanceSpec,
    /// What is done with some requests; the first one that fits is obeyed.
    #[serde(default)]
    pub rules: Vec<RuleSpec>,
    /// How clients are divided between versions.
    #[serde(default)]
    pub sessions: Sessions,
    /// Paths below which files have names that tell their content: what one version lacks, another has.
    #[serde(default)]
    pub assets: Vec<String>,
    /// What the instances speak.
    #[serde(default)]
    pub protocol: Protocol,
    /// Whose calls are counted by operation. None: there is no contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<RouteContract>,
    /// Whether requests go on to instances.
    #[serde(default, skip_serializing_if = "Gate::is_open")]
    pub gate: Gate,
    /// The instances, in the order of their ids.
    pub members: Vec<Member>,
}

impl Route {
    /// A route for all hosts with every default.
    pub fn new(service: ServiceName, members: Vec<Member>) -> Route {
        Route {
            service,
            hosts: Vec::new(),
            paths: Vec::new(),
            probe: HttpProbe::default(),
            drain: DrainSpec::default(),
            timeouts: TimeoutSpec::default(),
            limits: LimitSpec::default(),
            balance: BalanceSpec::default(),
            rules: Vec::new(),
            sessions: Sessions::default(),
            assets: Vec::new(),
            protocol: Protocol::default(),
            contract: None,
            gate: Gate::default(),
            members,
        }
    }
}

/// What is counted of a service's requests, beside their number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RouteContract {
    /// The header field whose first word names the caller.
    pub caller: String,
    /// The operations of all versions that live, in order.
    pub operations: Vec<Operation>,
}

/// One instance as the proxy sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Member {
    /// The instance.
    pub instance: InstanceId,
    /// Which version it runs.
    pub version: VersionLabel,
    /// Where it listens.
    pub address: SocketAddr,
    /// What it is there for.
    pub role: Role,
}

/// What an instance is in the table for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "InstanceRole")]
pub enum Role {
    /// Checked, and given only requests that ask for its version: a new instance before its first request, or an old one
    /// that is kept warm. What it is still doing may finish, without a deadline.
    Standby,
    /// Given requests.
    Serve,
    /// Given no new request; what it is still doing may finish until the deadline of its class.
    Drain,
}
