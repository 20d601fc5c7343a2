//! What is waited for, as values that people and programs can read.

mod step;

pub use step::StepEnd;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{InstanceId, Millis, Revision, Share, Timestamp, VersionLabel};
use crate::database::Job;
use crate::deploy::Condition;
use crate::fleet::Exit;
use crate::spec::Moment;
use crate::traffic::{Health, InFlight};

/// Something that is waited for. Each says what, and until when where there is an end to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "wait")]
pub enum Wait {
    /// The deliverable is being made ready.
    Preparing {
        /// Of this version.
        version: VersionLabel,
    },
    /// An instance does not answer its health checks yet.
    NotReady {
        /// The instance.
        instance: InstanceId,
        /// What its last check met.
        health: Health,
        /// When it must be ready.
        until: Timestamp,
    },
    /// Requests are still in flight on an instance that gets no more.
    Draining {
        /// The instance.
        instance: InstanceId,
        /// What is in flight. None: not known, the proxy did not answer.
        in_flight: Option<InFlight>,
        /// When the last of it is cut.
        until: Timestamp,
    },
    /// An instance was asked to stop and has not ended yet.
    Stopping {
        /// The instance.
        instance: InstanceId,
        /// When it is killed.
        until: Timestamp,
    },
    /// The new version is being watched.
    Baking {
        /// Until then.
        until: Timestamp,
    },
    /// The old pool is kept running, to go back at once if need be.
    Warm {
        /// Until then.
        until: Timestamp,
    },
    /// Clients stay with the old version until their sessions are over.
    Sessions {
        /// The old version.
        version: VersionLabel,
        /// About how many there are.
        clients: u64,
        /// How long ago the last of them was seen.
        quiet: Millis,
        /// When they are over if none comes again.
        until: Timestamp,
        /// When it is left at the latest.
        limit: Timestamp,
    },
    /// A version keeps dying; it is started again later.
    Backoff {
        /// The version.
        version: VersionLabel,
        /// How often it died in a row.
        crashes: u32,
        /// The last that died.
        instance: InstanceId,
        /// How it died.
        exit: Exit,
        /// When it is started again.
        until: Timestamp,
    },
    /// The database is looked at once more before an instance gets its first requests.
    Unseen {
        /// The instance.
        instance: InstanceId,
    },
    /// The database sessions of an instance have not said yet whose they are.
    Settling {
        /// The instance.
        instance: InstanceId,
        /// When they must have.
        until: Timestamp,
    },
    /// An instance is asked what its version promises, before that gets requests.
    Promise {
        /// The instance.
        instance: InstanceId,
        /// What it is asked for.
        path: String,
        /// Why there was no answer so far, for people.
        last: Option<String>,
        /// When it must have answered.
        until: Timestamp,
    },
    /// A command of the team's is asked whether the deployment may go on.
    Hook {
        /// At which moment.
        moment: Moment,
        /// The program.
        command: String,
        /// Since when.
        since: Timestamp,
        /// When it is ended.
        until: Timestamp,
    },
    /// The whole new pool must be ready before the flip.
    PoolNotReady {
        /// So many are ready.
        ready: u32,
        /// Out of so many.
        wanted: u32,
    },
    /// The next instance may leave only when more others are healthy.
    Floor {
        /// So many are healthy and serve.
        healthy: u32,
        /// So many must.
        floor: u32,
    },
    /// The schema is being changed.
    Schema {
        /// What is done.
        job: Job,
        /// How far it is, for people.
        progress: String,
    },
    /// A job on the schema failed and is tried again.
    SchemaFailed {
        /// What was to be done.
        job: Job,
        /// Why it failed, for people.
        error: String,
        /// How often in a row.
        attempts: u32,
        /// When it is tried again.
        until: Timestamp,
    },
    /// The old revision of the schema is kept, so that going back is possible.
    Kept {
        /// The old revision.
        revision: Revision,
        /// Until then.
        until: Timestamp,
    },
    /// Sessions of a revision that is to go are still open.
    Clients {
        /// The revision.
        revision: Option<Revision>,
        /// How many.
        clients: u32,
    },
    /// Somebody else is at work on the schema.
    Operator {
        /// Who.
        who: String,
    },
    /// A change of the schema is in the way that no deployment of this service began.
    ForeignChange {
        /// The revision that it goes to.
        to: Revision,
    },
    /// The database does not answer.
    DatabaseAway,
    /// The proxy does not answer; without its counts nothing may be stopped.
    ProxyAway,
    /// Somebody paused the deployment.
    Paused,
    /// A canary is at a step.
    Step {
        /// The step, from 1.
        at: usize,
        /// Out of so many.
        of: usize,
        /// The part of the clients.
        share: Share,
        /// What it waits for there.
        until: StepEnd,
    },
    /// A deliverable of the queue waits to be deployed.
    Queued {
        /// Its version.
        version: VersionLabel,
        /// What it waits for.
        condition: Condition,
        /// When it came.
        since: Timestamp,
        /// When that is out of the way by itself.
        until: Option<Timestamp>,
    },
    /// Somebody has new requests wait.
    Held {
        /// Until then.
        until: Timestamp,
    },
}

impl Wait {
    /// When the wait ends by itself.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Wait::NotReady { until, .. }
            | Wait::Draining { until, .. }
            | Wait::Stopping { until, .. }
            | Wait::Baking { until }
            | Wait::Warm { until }
            | Wait::Held { until }
            | Wait::Sessions { until, .. }
            | Wait::SchemaFailed { until, .. }
            | Wait::Kept { until, .. }
            | Wait::Settling { until, .. }
            | Wait::Promise { until, .. }
            | Wait::Hook { until, .. }
            | Wait::Backoff { until, .. } => Some(*until),
            Wait::Step { until, .. } => until.at(),
            Wait::Queued { until, .. } => *until,
            Wait::Preparing { .. }
            | Wait::Schema { .. }
            | Wait::Clients { .. }
            | Wait::Operator { .. }
            | Wait::ForeignChange { .. }
            | Wait::DatabaseAway
            | Wait::Unseen { .. }
            | Wait::PoolNotReady { .. }
            | Wait::Floor { .. }
            | Wait::ProxyAway
            | Wait::Paused => None,
        }
    }

    /// One sentence for people, without a full stop.
    pub fn sentence(&self, now: Timestamp) -> String {
        let left = self.until().map_or(Millis::ZERO, |until| round_up(until.since(now)));
        match self {
            Wait::Preparing { version } => format!("the deliverable of {version} is being made ready"),
            Wait::NotReady { instance, health, .. } => format!(
                "{instance} is not ready yet ({}); it has {left} left",
                crate::workflow::last_answer(health)
            ),
            Wait::Draining { instance, in_flight, .. } => draining(*instance, in_flight.as_ref(), left),
            Wait::Stopping { instance, .. } => {
                format!("{instance} was asked to stop; it is killed in {left} if it has not ended by then")
            }
            Wait::Baking { .. } => format!("the new version is watched for another {left}"),
            Wait::Warm { .. } => format!("the old pool is kept warm for another {left}"),
            Wait::Sessions { version, clients, quiet, limit, .. } => {
                sessions(version, *clients, *quiet, (left, round_up(limit.since(now))))
            }
            Wait::Backoff { version, crashes, instance, exit, .. } => format!(
                "{version} died {crashes} times in a row (the last: {instance} {exit}); it is started again in {left}"
            ),
            Wait::Schema { job, progress } if progress.is_empty() => job.to_string(),
            Wait::Schema { job, progress } => format!("{job}: {progress}"),
            Wait::SchemaFailed { job, error, attempts, .. } => {
                format!("{job}: {error}; tried {attempts} times, again in {left}")
            }
            Wait::Kept { revision, .. } => format!(
                "the schema of {revision} is kept for another {left}, so that going back is possible; then it is contracted"
            ),
            Wait::Clients { revision, clients } => {
                let revision = revision.as_ref().map_or("the empty schema", Revision::as_str);
                format!("{clients} database sessions of {revision} are still open")
            }
            Wait::Operator { who } => format!("{who} is at work on the schema"),
            Wait::ForeignChange { to } => format!(
                "the schema's change to {to} was begun by hand or by another service: end it with \
                 `tandem schema contract` or `tandem schema undo`"
            ),
            Wait::DatabaseAway => "the database does not answer".to_owned(),
            Wait::Unseen { instance } => {
                format!("the database sessions of {instance} are looked at before it gets requests")
            }
            Wait::Settling { instance, .. } => format!(
                "the database sessions of {instance} are new and not of its revision yet; they have {left} left to say so"
            ),
            Wait::Promise { instance, path, last, .. } => promise(*instance, path, last.as_deref(), left),
            Wait::Hook { moment, command, since, .. } => format!(
                "the hook `{}` ({command}) has run for {}; it has {left} left",
                moment.name(),
                ago(*since, now)
            ),
            Wait::PoolNotReady { ready, wanted } => {
                format!(
                    "clients move when all of the new instances that they need are ready: {ready}/{wanted}"
                )
            }
            Wait::Step { at, of, share, until } => {
                format!("step {at} of {of} ({share}): {}", until.sentence(now))
            }
            Wait::Floor { healthy, floor } => {
                format!("nothing may leave: {healthy} healthy instances serve, the floor is {floor}")
            }
            Wait::ProxyAway => "the proxy does not answer; nothing is stopped without its counts".to_owned(),
            Wait::Queued { version, condition, since, until } => {
                format!("{version} came {} ago and waits {condition}{}", ago(*since, now), when(*until, left))
            }
            Wait::Held { .. } => format!("new requests wait for another {left}; `tandem hold --end` ends it"),
            Wait::Paused => "the deployment is paused; `tandem resume` lets it go on".to_owned(),
        }
    }
}

fn sessions(
    version: &VersionLabel,
    clients: u64,
    quiet: Millis,
    (left, longest): (Millis, Millis),
) -> String {
    format!(
        "about {clients} sessions stay with {version}, the last request came {} ago; it is kept until none has come for {left} \
         more, at most for {longest}",
        quiet.rough()
    )
}

fn promise(instance: InstanceId, path: &str, last: Option<&str>, left: Millis) -> String {
    let last = last.map(|why| format!(" ({why})")).unwrap_or_default();
    format!(
        "{instance} is asked for its contract at {path} before its version gets requests{last}; it has {left} left"
    )
}

fn draining(instance: InstanceId, in_flight: Option<&InFlight>, left: Millis) -> String {
    let Some(f) = in_flight else {
        return format!("{instance} is draining, and the proxy has not said yet what is in flight on it");
    };
    format!(
        "{instance} is draining: {} requests, {} uploads, {} streams, {} WebSockets in flight; cut in {left} at the latest",
        f.requests, f.uploads, f.streams, f.websockets
    )
}

/// It changes no more often than once in a second.
fn ago(then: Timestamp, now: Timestamp) -> String {
    let passed = Millis::from_secs(now.since(then).0 / 1000);
    if passed < Millis::from_secs(60) { passed.to_string() } else { passed.rough() }
}

fn when(until: Option<Timestamp>, left: Millis) -> String {
    until.map_or_else(String::new, |_| format!(", in {left}"))
}

/// Whole seconds read better than milliseconds.
fn round_up(left: Millis) -> Millis {
    Millis::from_secs(left.0.div_ceil(1000))
}
