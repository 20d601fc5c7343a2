//! The keys of `tandem.toml`: the one table from which files are read, explained, shown and described as a schema.
//!
//! Knows the shape of the file and the ranges of its values; not the defaults (`service` has those) and not what
//! values mean together (`check`). Tested by `check/tests.rs`: every key is read into a field and shown again.

mod admin;
mod balance;
mod data;
mod deploy;
mod docker;
mod door;
mod hook;
mod monitoring;
mod rule;
mod source;

use crate::base::Millis;

use super::service::Protocol;
use super::session::Pin;
use super::text::{self, Check};
use super::word;

/// One key that may be written in a table.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// A value as it could stand in the file.
    pub(super) example: &'static str,
    /// What the key says, for the schema and for `config show`.
    pub(super) about: &'static str,
    pub(super) required: bool,
    /// Another key of the table without which alone it is required.
    pub(super) unless: Option<&'static str>,
    /// Names that other programs give to the same thing.
    pub(super) also: &'static [&'static str],
}

/// What a key takes.
pub(super) enum Kind {
    /// A text with a check of its own.
    Text(Check),
    /// One of a few words, with a check that knows their other names.
    OneOf(&'static [&'static str], Check),
    /// A list of texts; the check sees each.
    Words(Check),
    /// Program and arguments.
    Command,
    /// Names and texts, for the environment.
    Environment,
    /// From header fields to values; the check sees each name.
    Fields(Check),
    /// From paths in URLs to folders.
    Folders,
    /// From files to files.
    Files,
    /// From services to files.
    Documents,
    /// A whole number, both ends included.
    Number(u64, u64),
    /// A number of bytes, both ends included.
    Size(u64, u64),
    /// A length of time, both ends included.
    Length(Millis, Millis),
    /// A number of instances or a percentage.
    Amount,
    /// Yes or no.
    Flag,
    /// A table.
    Table(&'static [Key]),
    /// A length of time for all, or a table with a length for each.
    LengthOrTable(&'static [Key]),
    /// A list of tables; at least one where the key is required.
    Tables(&'static [Key]),
}

impl Key {
    const fn required(mut self) -> Key {
        self.required = true;
        self
    }

    const fn unless(mut self, other: &'static str) -> Key {
        self.unless = Some(other);
        self
    }

    const fn also(mut self, names: &'static [&'static str]) -> Key {
        self.also = names;
        self
    }

    /// The keys below this one.
    pub(super) fn inner(&self) -> &'static [Key] {
        match self.kind {
            Kind::Table(keys) | Kind::LengthOrTable(keys) | Kind::Tables(keys) => keys,
            _ => &[],
        }
    }
}

const fn key(name: &'static str, kind: Kind, example: &'static str, about: &'static str) -> Key {
    Key { name, kind, example, about, required: false, unless: None, also: &[] }
}

const DAY: Millis = Millis::from_secs(86_400);
const HOUR: Millis = Millis::from_secs(3600);
const WEEK: Millis = Millis::from_secs(7 * 86_400);
const YEAR: Millis = Millis::from_secs(366 * 86_400);
/// From nothing to a day.
const UP_TO_A_DAY: Kind = Kind::Length(Millis::ZERO, DAY);
/// For waits of which zero would mean "never".
const SOME_TIME: Kind = Kind::Length(Millis(1), DAY);

/// The whole file of what stands in front of several services.
pub(super) static FRONT: &[Key] = &[
    key(
        "services",
        Kind::Words(text::folder),
        "[\"web\", \"api\"]",
        "The folders of the services, each with a tandem.toml of its own; or these files.",
    )
    .required(),
    key("log", Kind::Table(monitoring::LOG), "", "The log of requests, of all services together."),
    key("admin", Kind::Table(admin::ADMIN), "", "Where people are answered over the network."),
];

/// The whole file of a service.
pub(super) static FILE: &[Key] =
    &[
        key("service", Kind::Text(text::service_name), "\"shop\"", "The name of the service.")
            .required()
            .also(&["name", "app"]),
        key("run", Kind::Table(RUN), "", "How an instance is started, checked and stopped.").required(),
        key("listen", Kind::Tables(door::LISTEN), "", "Where requests arrive.").required(),
        key(
            "rule",
            Kind::Tables(rule::RULE),
            "",
            "What is done with some requests; the first one in the file that fits is obeyed.",
        )
        .also(&["rules", "route", "routes"]),
        key("deploy", Kind::Table(deploy::DEPLOY), "", "How a new version replaces the old one."),
        key("timeouts", Kind::Table(TIMEOUTS), "", "How long each phase of a request may take."),
        key(
            "limits",
            Kind::Table(LIMITS),
            "",
            "How large a request may be, and how many connections there may be.",
        ),
        key("balance", Kind::Table(balance::BALANCE), "", "How requests are divided among instances.")
            .also(&["load_balancing", "load_balancer", "lb"]),
        key("sessions", Kind::Table(SESSIONS), "", "How clients are held to the version that served them."),
        key(
            "assets",
            Kind::Table(ASSETS),
            "",
            "Files whose names tell their content, kept for the pages of other versions.",
        ),
        key(
            "database",
            Kind::Table(data::DATABASE),
            "",
            "The database whose schema goes along with the versions.",
        ),
        key("contract", Kind::Table(data::CONTRACT), "", "What versions promise to their clients."),
        key("tls", Kind::Table(door::TLS), "", "Certificates, for addresses where https is spoken.")
            .also(&["ssl", "https"]),
        key("metrics", Kind::Table(monitoring::METRICS), "", "Where metrics are told.").also(&["prometheus"]),
        key("log", Kind::Table(monitoring::LOG), "", "The log of requests.").also(&["logs", "logging"]),
        key("admin", Kind::Table(admin::ADMIN), "", "Where people are answered over the network.")
            .also(&["api", "dashboard"]),
        key(
            "source",
            Kind::Table(source::SOURCE),
            "",
            "Deliverables that come by themselves, and when they are deployed.",
        )
        .also(&["sources"]),
        key("hooks", Kind::Table(hook::HOOKS), "", "Commands that are asked whether a deployment may go on.")
            .also(&["hook"]),
        key("notify", Kind::Tables(hook::NOTIFY), "", "Who is told of deployments.").also(&[
            "notifications",
            "webhook",
            "webhooks",
        ]),
    ];

static RUN: &[Key] = &[
    key(
        "command",
        Kind::Command,
        "[\"bin/shop\", \"--port\", \"$PORT\"]",
        "Program and arguments, without a shell. $PORT stands for the instance's port.",
    )
    .required()
    .unless("docker")
    .also(&["cmd", "exec", "start"]),
    key("instances", Kind::Number(1, 1000), "4", "How many instances serve.")
        .also(&["replicas", "count", "scale"]),
    key(
        "env",
        Kind::Environment,
        "{ RAILS_ENV = \"production\", SECRET = \"env:SECRET\" }",
        "More environment for the instances; env:NAME is read from the environment of `tandem up`.",
    )
    .also(&["environment"]),
    key(
        "protocol",
        Kind::OneOf(Protocol::ALL, word::protocol),
        "\"http2\"",
        "What instances speak: http1, or http2 in clear text, as gRPC servers do.",
    ),
    key("ports", Kind::Text(text::ports), "\"20000-29999\"", "From which ports instances get theirs.")
        .also(&["port"]),
    key("ready", Kind::Table(READY), "{ http = \"/up\" }", "When an instance counts as ready.").also(&[
        "health",
        "healthcheck",
        "health_check",
    ]),
    key(
        "stop",
        Kind::Table(STOP),
        "{ drain = \"30s\", grace = \"30s\" }",
        "How an instance is taken out of service.",
    ),
    key("restart", Kind::Table(RESTART), "{ longest = \"60s\" }", "How a crashed instance is replaced."),
    key(
        "price",
        Kind::Text(text::price),
        "\"0.048 EUR\"",
        "What an instance costs in an hour, for `tandem plan` to reckon with.",
    )
    .also(&["cost"]),
    key(
        "docker",
        Kind::Table(docker::DOCKER),
        "",
        "How instances run as containers. Not there: as processes of this machine.",
    )
    .also(&["container", "containers", "image", "podman"]),
];

static READY: &[Key] = &[
    key("http", Kind::Text(text::path), "\"/up\"", "This path must answer GET with 200 to 299.")
        .also(&["path", "url", "endpoint"]),
    key(
        "grpc",
        Kind::Text(text::grpc_service),
        "\"shop.Orders\"",
        "This service must be healthy by gRPC's own check (grpc.health.v1), in place of the path. \"\": the whole server.",
    ),
    key(
        "host",
        Kind::Text(text::probe_host),
        "\"shop.example.com\"",
        "The Host that checks send. Not set: the instance's address.",
    ),
    key("every", Kind::Length(Millis(100), HOUR), "\"1s\"", "From one check to the next.")
        .also(&["interval"]),
    key("timeout", Kind::Length(Millis(10), HOUR), "\"5s\"", "The longest that one check may take."),
    key(
        "within",
        Kind::Length(Millis(100), DAY),
        "\"60s\"",
        "How long a new instance may take to become ready.",
    ),
    key("rise", Kind::Number(1, 100), "2", "So many good answers in a row make it healthy."),
    key("fall", Kind::Number(1, 100), "3", "So many bad answers in a row make it unhealthy.")
        .also(&["retries"]),
];

static STOP: &[Key] = &[
    key(
        "signal",
        Kind::OneOf(word::SIGNALS, word::signal),
        "\"TERM\"",
        "The signal that asks the app to stop.",
    ),
    key(
        "drain",
        Kind::LengthOrTable(DRAIN),
        "\"30s\"",
        "How long what is in flight may take: one length for all, or one for each class.",
    ),
    key("grace", UP_TO_A_DAY, "\"30s\"", "How long the app may take to exit after the signal."),
];

static DRAIN: &[Key] = &[
    key("requests", UP_TO_A_DAY, "\"30s\"", "Ordinary requests."),
    key("uploads", UP_TO_A_DAY, "\"10m\"", "Requests whose body is still arriving."),
    key("streams", UP_TO_A_DAY, "\"60s\"", "Answers that are being sent."),
    key("websockets", UP_TO_A_DAY, "\"60s\"", "Connections that were upgraded."),
];

static RESTART: &[Key] = &[
    key(
        "first",
        Kind::Length(Millis(10), HOUR),
        "\"100ms\"",
        "The wait before the first replacement; it doubles each time.",
    ),
    key("longest", Kind::Length(Millis(10), HOUR), "\"60s\"", "The longest wait."),
    key("forget", SOME_TIME, "\"60s\"", "A run of this length begins the count anew."),
];

static TIMEOUTS: &[Key] = &[
    key("head", SOME_TIME, "\"10s\"", "From the first byte of a request until its head is complete."),
    key("body", SOME_TIME, "\"30s\"", "The longest silence while a request's body arrives."),
    key("connect", SOME_TIME, "\"2s\"", "Opening a connection to an instance."),
    key("answer", SOME_TIME, "\"60s\"", "From the end of the request until the head of the answer.")
        .also(&["response", "request", "read"]),
    key("stream", SOME_TIME, "\"5m\"", "The longest silence while an answer's body is sent."),
    key("idle", SOME_TIME, "\"60s\"", "How long a client's connection may stay open between requests.")
        .also(&["keepalive", "keep_alive"]),
    key("pool_idle", SOME_TIME, "\"4s\"", "How long an unused connection to an instance is kept."),
    key(
        "hold",
        Kind::Length(Millis::ZERO, Millis::from_secs(60)),
        "\"5s\"",
        "How long a request is held while no instance can take it, before it is answered with 503.",
    ),
];

static LIMITS: &[Key] = &[
    key("head", Kind::Size(1024, 1 << 20), "\"32KiB\"", "The request line and all header fields together.")
        .also(&["headers", "header"]),
    key("fields", Kind::Number(1, 10_000), "100", "The number of header fields."),
    key("body", Kind::Size(0, 1 << 50), "\"100MiB\"", "The body of a request. 0: no limit.")
        .also(&["upload", "max_body"]),
    key(
        "connections",
        Kind::Number(1, 10_000_000),
        "20000",
        "Connections from clients, for the whole proxy.",
    ),
];

static SESSIONS: &[Key] = &[
    key(
        "pin",
        Kind::OneOf(Pin::ALL, word::pin),
        "\"forward\"",
        "none, forward (never back to the old version), or stay (after a flip with it, too).",
    )
    .also(&["sticky", "affinity", "mode"]),
    key(
        "cookie",
        Kind::Text(text::cookie),
        "\"tandem\"",
        "By which a client is known again. Set only while two versions serve, or with stay.",
    )
    .also(&["name", "cookie_name"]),
    key("idle", SOME_TIME, "\"15m\"", "stay: a session without a request for so long is over.")
        .also(&["timeout"]),
    key("limit", UP_TO_A_DAY, "\"1h\"", "stay: how long sessions may hold the old version after the switch.")
        .also(&["max_age"]),
];

static ASSETS: &[Key] = &[
    key(
        "folders",
        Kind::Folders,
        "{ \"/assets\" = \"public/assets\" }",
        "From the path in the URL to the folder in the deliverable. Those of Next.js and SvelteKit are found without it.",
    )
    .also(&["paths", "folder"]),
    key("size", Kind::Size(0, 1 << 50), "\"1GiB\"", "How many bytes are kept, of all versions together. 0: none.")
        .also(&["max_size"]),
    key(
        "keep",
        Kind::Length(Millis::ZERO, YEAR),
        "\"168h\"",
        "How long files are kept after the last deployment of a version that had them.",
    ),
];
