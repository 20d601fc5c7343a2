//! What the engine needs of the world. Each call is bounded in time by whoever implements it, and each change is
//! idempotent: the engine repeats what it is not sure of.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tandem_core::base::{Digest, InstanceId, Revision, Timestamp, VersionLabel};
use tandem_core::database::{Job, ObservedDatabase};
use tandem_core::deploy::{Asked, Call, ObservedSource, Preparation, Promise, Question, Rounds};
use tandem_core::fleet::{Findings, ObservedInstances};
use tandem_core::traffic::{Table, TrafficReport};
use tandem_core::workflow::{Deliverable, Recorded};

/// A port could not do what it was asked. Nothing follows but that it is tried again later, unless the engine is told
/// otherwise by what it observes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PortError(pub String);

/// The ports of one service.
pub struct Ports {
    /// Where events are kept.
    pub journal: Box<dyn Journal>,
    /// Where instances run.
    pub instances: Box<dyn Instances>,
    /// Through which requests go.
    pub traffic: Box<dyn Traffic>,
    /// The database below. None: the service has none.
    pub database: Option<Box<dyn Database>>,
    /// Whoever asks instances what their versions promise. None: nobody has to be asked.
    pub contracts: Option<Box<dyn Contracts>>,
    /// Whoever is asked whether a deployment may go on. None: nobody is.
    pub hooks: Option<Box<dyn Hooks>>,
    /// Where deliverables come from by themselves. None: nothing does.
    pub source: Option<Box<dyn Source>>,
    /// What time it is.
    pub clock: Box<dyn Clock>,
}

/// Where events are kept. From the moment that `append` returns, a crash finds them again: all of one call, or none.
pub trait Journal {
    /// All events, oldest first.
    ///
    /// # Errors
    /// The journal can't be read, or is damaged.
    fn load(&mut self) -> Result<Vec<Recorded>, PortError>;

    /// Adds events, all or none.
    ///
    /// # Errors
    /// They were not added (the disk is full …), or it is not known whether they were.
    fn append(&mut self, events: &[Recorded]) -> Result<(), PortError>;
}

/// An instance to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Its number.
    pub instance: InstanceId,
    /// What it is to run.
    pub version: VersionLabel,
    /// The revision of the schema that it is to find. None: it needs none.
    pub revision: Option<Revision>,
}

/// Where instances run.
pub trait Instances {
    /// Begins to make a version ready to run; that it is ready is observed. Returns at once. `known` are the revisions of the
    /// schema that deliverables were found to be written for before, `serving` the version beside which it would come.
    ///
    /// # Errors
    /// It could not be begun.
    fn prepare(
        &mut self,
        version: &VersionLabel,
        source: &str,
        known: &BTreeMap<Digest, Revision>,
        serving: Option<&VersionLabel>,
    ) -> Result<(), PortError>;

    /// The versions that are being made ready, are ready, or could not be made ready.
    ///
    /// # Errors
    /// Nothing is known.
    fn prepared(&mut self) -> Result<BTreeMap<VersionLabel, Preparation>, PortError>;

    /// Starts instances; answers in the same order with where each is to listen. An instance that was started before
    /// is not started again.
    fn start(&mut self, starts: &[Start]) -> Vec<Result<SocketAddr, PortError>>;

    /// The instances, dead ones included until they are removed.
    ///
    /// # Errors
    /// Nothing is known. Absence from the answer means that nothing is left of an instance.
    fn observe(&mut self) -> Result<ObservedInstances, PortError>;

    /// Asks an instance to stop. Returns at once.
    ///
    /// # Errors
    /// It could not be asked.
    fn stop(&mut self, instance: InstanceId) -> Result<(), PortError>;

    /// Removes what is left of an instance that has ended.
    ///
    /// # Errors
    /// Something is left.
    fn remove(&mut self, instance: InstanceId) -> Result<(), PortError>;

    /// What can be found out about an instance that does not do what it should.
    fn findings(&mut self, instance: InstanceId) -> Findings;
}

/// Through which requests go.
pub trait Traffic {
    /// Puts a table in force. When this returns, no request that comes in later is routed by an older one.
    ///
    /// # Errors
    /// It is not known to be in force.
    fn apply(&mut self, table: &Table) -> Result<(), PortError>;

    /// What the proxy reports. None: it does not answer, nothing is known.
    fn observe(&mut self) -> Option<TrafficReport>;
}

/// The database below a service.
pub trait Database {
    /// The database as it was seen last. None: it does not answer, nothing is known. What was seen before `since` is of little
    /// use: then it is looked at again soon. Returns at once.
    fn observe(&mut self, since: Timestamp) -> Option<ObservedDatabase>;

    /// Begins a job on the schema; how far it is is observed. Returns at once. While the same job runs, that is success;
    /// while another one runs, that one is cut off where it can be taken up later, and this one has to be asked for again.
    ///
    /// # Errors
    /// It could not be begun.
    fn begin(&mut self, job: &Job) -> Result<(), PortError>;
}

/// Whoever asks instances what their versions promise.
pub trait Contracts {
    /// What came of asking an instance. None: there is no answer yet. Asks if it was not asked yet, or had no answer for a
    /// while. Returns at once.
    fn observe(&mut self, question: &Question) -> Option<Promise>;
}

/// The commands of the team's that have a word in deployments.
pub trait Hooks {
    /// How far the one is that is asked. Begins it if it was not begun yet, and cuts off any other one. Returns at once. None: nobody
    /// is asked.
    fn observe(&mut self, call: Option<&Call>) -> Option<Asked>;

    /// What came by now of the one that is run again and again. Begins it if it was not begun yet, and ends any other one. Returns at
    /// once. None: none is.
    fn watch(&mut self, call: Option<&Call>) -> Option<Rounds>;
}

/// Where deliverables come from by themselves.
pub trait Source {
    /// What is known of it, and what came of the check of the deliverable that is asked about. Begins that check if it was not
    /// begun yet, and cuts off any other one. Returns at once.
    fn observe(&mut self, asked: Option<&Deliverable>) -> ObservedSource;
}

/// What time it is.
pub trait Clock {
    /// The time, on a clock that never goes back.
    fn now(&mut self) -> Timestamp;
}
