//! The keys of how a new version replaces the old one.

use super::super::deploy::{self, StrategyKind};
use super::super::guard::{self, Unclear};
use super::super::rule;
use super::super::text;
use super::super::word;
use super::{Key, Kind, UP_TO_A_DAY, WEEK, key};
use crate::base::Millis;

pub(super) static DEPLOY: &[Key] = &[
    key(
        "strategy",
        Kind::OneOf(StrategyKind::ALL, word::strategy),
        "\"rolling\"",
        "The strategy of deployments that name none.",
    ),
    key("batch", Kind::Amount, "\"25%\"", "rolling: how many instances are replaced at a time.")
        .also(&["parallelism"]),
    key(
        "surge",
        Kind::Amount,
        "1",
        "rolling: how many instances there may be beyond the wanted number. Not set: as many as batch.",
    )
    .also(&["max_surge", "maxSurge"]),
    key(
        "floor",
        Kind::Amount,
        "\"75%\"",
        "rolling: how many instances must serve at all times. Not set: all that surge allows to keep.",
    )
    .also(&["min_healthy", "min_available", "minAvailable"]),
    key(
        "bake",
        UP_TO_A_DAY,
        "\"10s\"",
        "How long the new version is watched under traffic before it counts as done.",
    ),
    key("flip", Kind::Table(FLIP), "{ warm = \"30s\" }", "Parameters of the strategy flip."),
    key("canary", Kind::Table(CANARY), "", "Parameters of the strategy canary."),
    key("guard", Kind::Table(GUARD), "{ crashes = 1 }", "What makes a deployment go back by itself."),
];

static FLIP: &[Key] =
    &[key("warm", UP_TO_A_DAY, "\"30s\"", "How long the old pool is kept running after the switch.")];

static CANARY: &[Key] = &[
    key(
        "steps",
        Kind::Words(deploy::step),
        "[\"5% for 10m\", \"50% for 10m\"]",
        "What part of the clients the new version gets, and for how long at least; all of them follow after the last step.",
    )
    .also(&["weights", "stages"]),
    key(
        "headers",
        Kind::Fields(rule::any_field),
        "{ x-canary = \"1\" }",
        "Requests with any of these header fields get the new version from the first step on; *: with any value.",
    )
    .also(&["header", "match"]),
    key(
        "cookies",
        Kind::Fields(text::cookie),
        "{ beta = \"*\" }",
        "Requests with any of these cookies get the new version from the first step on; *: with any value.",
    )
    .also(&["cookie"]),
    key("warm", UP_TO_A_DAY, "\"30s\"", "How long the old pool is kept running after the last step."),
];

static GUARD: &[Key] = &[
    key("crashes", Kind::Number(0, 1000), "1", "So many new instances may die after having been ready."),
    key(
        "errors",
        Kind::Text(guard::errors),
        "\"< 1%\"",
        "How many answers of the new version may be failures (5xx, or none); < +1%: so much more than the old version's; any: no limit.",
    )
    .also(&["error_rate", "failures"]),
    key("p50", Kind::Text(guard::latency), "\"< 1.2x\"", "The same as p99, of half of the answers."),
    key("p95", Kind::Text(guard::latency), "\"< 300ms\"", "The same as p99, of 95 % of the answers."),
    key(
        "p99",
        Kind::Text(guard::latency),
        "\"< 1.5x\"",
        "How long 99 % of the new version's answers may take, to the head; 1.5x: of what the old version takes; any: no limit.",
    )
    .also(&["latency"]),
    key(
        "sample",
        Kind::Number(1, 1_000_000),
        "200",
        "canary: a step is passed when so many answers of the new version were counted in it.",
    )
    .also(&["samples", "min_requests"]),
    key(
        "extend",
        Kind::Length(Millis::ZERO, WEEK),
        "\"30m\"",
        "canary: how much longer than it should a step may last until it is clear whether the new version is good.",
    ),
    key(
        "unclear",
        Kind::OneOf(Unclear::ALL, word::unclear),
        "\"ask\"",
        "canary: what is done if there was too little traffic by then: ask (wait for `tandem promote`), pass or back.",
    ),
    key(
        "patience",
        Kind::Length(Millis::from_secs(60), WEEK),
        "\"24h\"",
        "canary: how long somebody who is asked may take; then the deployment goes back.",
    ),
];
