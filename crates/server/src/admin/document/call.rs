//! The calls: what each takes and gives. Who may make them is said by `admin::permission`.

use schemars::generate::{Contract, SchemaGenerator};
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};
use tandem_core::base::{Digest, ServiceName, VersionLabel};
use tandem_core::deploy::Forecast;
use tandem_core::traffic::Gate;
use tandem_core::traffic::metrics::Metrics;

use crate::admin::permission::{HERE, OF_A_SERVICE, Row};
use crate::message::{
    Accepted, AuditEntry, ConfigInForce, DeployRequest, DeploymentRecord, Hold, LoginRequest, Me,
    PlanRequest, PromoteRequest, Pushed, QueueStatus, RollbackAccepted, RollbackRequest, Scale, ServiceEntry,
    SourceRequest, Status, VersionLink, Why,
};

pub(super) type Shape = fn(&mut SchemaGenerator) -> Schema;

fn shape<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Schema {
    schemas.subschema_for::<T>()
}

fn file(_: &mut SchemaGenerator) -> Schema {
    Schema::default()
}

const JSON: &str = "application/json";

/// One call.
pub(super) struct Call {
    pub(super) method: &'static str,
    /// As in the tables of `permission`.
    pub(super) path: &'static str,
    /// By which programs know it.
    pub(super) name: &'static str,
    /// One sentence.
    pub(super) about: &'static str,
    pub(super) takes: Option<Body>,
    /// Its parameters beside those of its path.
    with: &'static [&'static str],
    pub(super) gives: Given,
}

/// A body.
pub(super) struct Body {
    /// Its media type.
    pub(super) kind: &'static str,
    pub(super) shape: Shape,
    /// Whether it can't be empty.
    pub(super) is_required: bool,
}

/// What is answered when it is done.
pub(super) enum Given {
    /// A value, with this status.
    Value(u16, Shape),
    /// Text of one of these types.
    Text(&'static str, &'static [&'static str]),
    /// Events, as they happen.
    Stream,
    Nothing,
}

const fn call(
    method: &'static str,
    path: &'static str,
    name: &'static str,
    about: &'static str,
    gives: Given,
) -> Call {
    Call { method, path, name, about, takes: None, with: &[], gives }
}

impl Call {
    const fn takes(self, shape: Shape) -> Call {
        Call { takes: Some(Body { kind: JSON, shape, is_required: true }), ..self }
    }

    /// A body that may be empty.
    const fn may_take(self, shape: Shape) -> Call {
        Call { takes: Some(Body { kind: JSON, shape, is_required: false }), ..self }
    }

    /// A body that is a file.
    const fn takes_file(self) -> Call {
        Call {
            takes: Some(Body { kind: "application/octet-stream", shape: file, is_required: true }),
            ..self
        }
    }

    const fn with(self, with: &'static [&'static str]) -> Call {
        Call { with, ..self }
    }

    /// Who may make it. None: everybody.
    pub(super) fn row(&self) -> Option<&'static Row> {
        let is_its = |row: &&Row| row.method == self.method && row.path == self.path;
        HERE.iter().chain(OF_A_SERVICE).find(is_its)
    }

    fn is_of_a_service(&self) -> bool {
        OF_A_SERVICE.iter().any(|row| row.path == self.path)
    }

    /// As strangers call it.
    pub(super) fn public_path(&self) -> String {
        if !self.is_of_a_service() {
            return self.path.to_owned();
        }
        let path = self.path.replacen("/v1/", "/v1/services/{service}/", 1);
        path.replace("instances/{id}", "instances/{instance}")
            .replace("deployments/{id}", "deployments/{deployment}")
    }

    /// References to its parameters.
    pub(super) fn parameters(&self) -> impl Iterator<Item = String> {
        let service = self.is_of_a_service().then_some("service");
        let id = self.path.contains("{id}").then_some(match self.path.contains("instances") {
            true => "instance",
            false => "deployment",
        });
        let digest = self.path.contains("{digest}").then_some("digest");
        let all = service.into_iter().chain(id).chain(digest).chain(self.with.iter().copied());
        all.map(|name| format!("#/components/parameters/{name}"))
    }

    /// With which statuses it is refused, beside those that every call may be answered with.
    pub(super) fn refusals(&self) -> Vec<u16> {
        let changes = self.method == "POST" && self.is_of_a_service();
        let is_read = self.takes.is_some() || !self.with.is_empty() || self.path.contains('{');
        [
            (400, is_read),
            (401, true),
            (403, true),
            (404, self.is_of_a_service()),
            (409, changes),
            (413, self.takes.is_some() && self.is_of_a_service()),
            (422, self.with.contains(&"key")),
        ]
        .into_iter()
        .filter_map(|(status, may)| may.then_some(status))
        .collect()
    }
}

/// The parameters, by name.
pub(super) fn parameters() -> Value {
    let mut schemas = super::generator(Contract::Deserialize);
    let number = json!({ "type": "integer", "minimum": 0 });
    json!({
        "service": {
            "name": "service", "in": "path", "required": true, "schema": shape::<ServiceName>(&mut schemas),
        },
        "deployment": {
            "name": "deployment", "in": "path", "required": true,
            "description": "The number of a deployment: `7` or `d7`.",
            "schema": { "type": "string", "pattern": "^d?[0-9]{1,19}$" },
        },
        "instance": {
            "name": "instance", "in": "path", "required": true,
            "description": "The number of an instance: `3` or `i3`.",
            "schema": { "type": "string", "pattern": "^i?[0-9]{1,19}$" },
        },
        "digest": {
            "name": "digest", "in": "path", "required": true, "schema": shape::<Digest>(&mut schemas),
            "description": "Of what a deliverable is made.",
        },
        "label": {
            "name": "Tandem-Version", "in": "header", "required": true, "description": "The label of the version.",
            "schema": shape::<VersionLabel>(&mut schemas),
        },
        "content": {
            "name": "Content-Digest", "in": "header",
            "description": "The SHA-256 of the body (RFC 9530): `sha-256=:…:`, in base64. It is not taken in if another \
                            one came.",
            "schema": { "type": "string" },
        },
        "signature": {
            "name": "Tandem-Signature", "in": "header",
            "description": "The file of its minisign signature, in base64; needed where `source.public_key` is set.",
            "schema": { "type": "string" },
        },
        "hotfix": {
            "name": "Tandem-Hotfix", "in": "header", "schema": { "type": "string", "enum": ["1", "true"] },
            "description": "Whether it waits for no window and no interval.",
        },
        "version": {
            "name": "version", "in": "query",
            "description": "Of which version. Without it: of the one that comes, else of the one that serves.",
            "schema": shape::<VersionLabel>(&mut schemas),
        },
        "limit": {
            "name": "limit", "in": "query", "description": "How many at most.",
            "schema": { "type": "integer", "minimum": 0, "maximum": 1000, "default": 100 },
        },
        "lines": {
            "name": "lines", "in": "query", "description": "The last so many lines. Without it: all that is kept.",
            "schema": number,
        },
        "follow": {
            "name": "follow", "in": "query", "description": "Whether to go on until the instance has ended.",
            "schema": { "type": "boolean", "default": false },
        },
        "after": {
            "name": "Last-Event-ID", "in": "header",
            "description": "The `id` of the last event that was seen: the stream goes on after it. Without it: what \
                            happens from now on, or all of the deployment.",
            "schema": number,
        },
        "key": {
            "name": "Idempotency-Key", "in": "header",
            "description": "A text of the caller's own, another one for each request. What was done under a key is not \
                            done again: the same request gets the same answer, another one 422. A service remembers \
                            the last 100 keys, until its controller is started anew.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
        },
    })
}

/// The one call of those who are not known yet.
pub(super) const LOGIN: Call = call(
    "POST",
    "/v1/login",
    "logIn",
    "Opens a session for a browser, by a token or a ticket (`tandem dashboard`).",
    Given::Value(200, shape::<Me>),
)
.takes(shape::<LoginRequest>);

/// All others.
pub(super) const CALLS: &[Call] = &[
    call("GET", "/v1/me", "me", "Who asks.", Given::Value(200, shape::<Me>)),
    call(
        "GET",
        "/v1/services",
        "services",
        "The services that one may ask about.",
        Given::Value(200, shape::<Vec<ServiceEntry>>),
    ),
    call("POST", "/v1/logout", "logOut", "Ends the session.", Given::Nothing),
    call(
        "GET",
        "/v1/audit",
        "audit",
        "Who did what, the newest first; for tokens that are for all services.",
        Given::Value(200, shape::<Vec<AuditEntry>>),
    )
    .with(&["limit"]),
    call("GET", "/v1/status", "status", "How things stand.", Given::Value(200, shape::<Status>)),
    call("GET", "/v1/why", "why", "What is waited for, in sentences.", Given::Value(200, shape::<Why>)),
    call(
        "GET",
        "/v1/config",
        "config",
        "The configuration in force, defaults included; passwords may stand in it.",
        Given::Value(200, shape::<ConfigInForce>),
    ),
    call(
        "GET",
        "/v1/link",
        "link",
        "How one version can be seen, whether it has traffic or not.",
        Given::Value(200, shape::<VersionLink>),
    )
    .with(&["version"]),
    call("GET", "/v1/events", "events", "What happens, as it happens.", Given::Stream).with(&["after"]),
    call(
        "GET",
        "/v1/deployments",
        "deployments",
        "All deployments, the newest first.",
        Given::Value(200, shape::<Vec<DeploymentRecord>>),
    ),
    call("POST", "/v1/deployments", "deploy", "Begins a deployment.", Given::Value(202, shape::<Accepted>))
        .takes(shape::<DeployRequest>)
        .with(&["key"]),
    call(
        "GET",
        "/v1/deployments/{id}",
        "deployment",
        "One deployment.",
        Given::Value(200, shape::<DeploymentRecord>),
    ),
    call(
        "GET",
        "/v1/deployments/{id}/events",
        "deploymentEvents",
        "All that happens in a deployment, up to its end.",
        Given::Stream,
    )
    .with(&["after"]),
    call(
        "POST",
        "/v1/deployments/{id}/pause",
        "pause",
        "What has begun is finished, nothing new is begun.",
        Given::Value(200, shape::<Accepted>),
    ),
    call(
        "POST",
        "/v1/deployments/{id}/resume",
        "resume",
        "Lets a paused deployment go on.",
        Given::Value(200, shape::<Accepted>),
    ),
    call(
        "POST",
        "/v1/deployments/{id}/abort",
        "abort",
        "Turns a deployment back.",
        Given::Value(200, shape::<Accepted>),
    ),
    call(
        "POST",
        "/v1/deployments/{id}/promote",
        "promote",
        "Lets a canary, or a deployment that bakes, go on at once.",
        Given::Value(200, shape::<Accepted>),
    )
    .may_take(shape::<PromoteRequest>)
    .with(&["key"]),
    call(
        "POST",
        "/v1/rollback",
        "rollBack",
        "Goes back to the version before, or another one.",
        Given::Value(202, shape::<RollbackAccepted>),
    )
    .may_take(shape::<RollbackRequest>)
    .with(&["key"]),
    call(
        "POST",
        "/v1/push",
        "push",
        "Takes a deliverable in, to be deployed by itself; 200 if it was known already.",
        Given::Value(202, shape::<Pushed>),
    )
    .takes_file()
    .with(&["label", "content", "signature", "hotfix"]),
    call(
        "GET",
        "/v1/queue",
        "queue",
        "What came by itself, and what has become of it.",
        Given::Value(200, shape::<QueueStatus>),
    ),
    call(
        "POST",
        "/v1/queue/{digest}/approve",
        "approve",
        "Approves a deliverable that waits for it.",
        Given::Value(200, shape::<QueueStatus>),
    ),
    call(
        "POST",
        "/v1/source/pause",
        "pauseSource",
        "Has nothing begun by itself.",
        Given::Value(200, shape::<QueueStatus>),
    )
    .may_take(shape::<SourceRequest>),
    call(
        "POST",
        "/v1/source/resume",
        "resumeSource",
        "Has what waits begun by itself again.",
        Given::Value(200, shape::<QueueStatus>),
    ),
    call(
        "POST",
        "/v1/scale",
        "scale",
        "How many instances are wanted from now on.",
        Given::Value(200, shape::<Scale>),
    )
    .takes(shape::<Scale>),
    call(
        "POST",
        "/v1/gate",
        "gate",
        "Whether new requests go on, wait, or are told to come back; answered when it is in force.",
        Given::Value(200, shape::<Gate>),
    )
    .takes(shape::<Gate>),
    call(
        "POST",
        "/v1/hold",
        "hold",
        "Whether new requests wait; answered when it is in force.",
        Given::Value(200, shape::<Hold>),
    )
    .may_take(shape::<Hold>),
    call("POST", "/v1/plan", "plan", "What a deployment would do.", Given::Value(200, shape::<Forecast>))
        .may_take(shape::<PlanRequest>),
    call(
        "GET",
        "/v1/metrics",
        "metrics",
        "What was counted, as Prometheus reads it.",
        Given::Text("Metrics.", &["text/plain", "application/openmetrics-text"]),
    ),
    call("GET", "/v1/traffic", "traffic", "What the proxy counted.", Given::Value(200, shape::<Metrics>)),
    call(
        "GET",
        "/v1/instances/{id}/log",
        "log",
        "What an instance wrote.",
        Given::Text("Its log, as far as it is kept.", &["text/plain"]),
    )
    .with(&["lines", "follow"]),
];
