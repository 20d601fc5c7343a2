//! The keys of how requests are divided among instances.

use super::super::balance::Policy;
use super::super::text;
use super::super::word;
use super::{DAY, HOUR, Key, Kind, key};
use crate::base::Millis;

pub(super) static BALANCE: &[Key] = &[
    key(
        "policy",
        Kind::OneOf(Policy::ALL, word::policy),
        "\"hash\"",
        "least (the less loaded of two that are drawn), round-robin, or hash (the same for the same key).",
    )
    .also(&["algorithm", "method", "strategy", "lb_policy"]),
    key(
        "by",
        Kind::Text(text::affinity),
        "\"cookie:session\"",
        "Of hash: client, path, cookie:NAME or header:NAME. Requests without it go anywhere.",
    )
    .also(&["key", "hash", "hash_on"]),
    key(
        "slow_start",
        Kind::Length(Millis::ZERO, HOUR),
        "\"30s\"",
        "Over how long a new instance gets its full part. 0s: at once.",
    )
    .also(&["slowstart", "warmup", "ramp"]),
    key(
        "concurrent",
        Kind::Number(0, 1_000_000),
        "100",
        "So many requests at once on one instance; more wait for as long as timeouts.hold says. 0: any number.",
    )
    .also(&["maxconn", "max_connections", "max_requests", "max_conns"]),
    key("eject", Kind::Table(EJECT), "", "When an instance is left alone although its checks are good.")
        .also(&["outlier_detection", "outlier", "outliers"]),
];

static EJECT: &[Key] = &[
    key(
        "errors",
        Kind::Text(text::share),
        "\"50%\"",
        "The part of its requests that failed (5xx, or no answer), at least twice that of the others. 0%: none is ejected.",
    ),
    key("requests", Kind::Number(1, 1_000_000), "20", "Of so many requests at least."),
    key(
        "within",
        Kind::Length(Millis::from_secs(1), Millis::from_secs(300)),
        "\"10s\"",
        "Within this time; whole seconds count.",
    ),
    key(
        "rest",
        Kind::Length(Millis::from_secs(1), DAY),
        "\"30s\"",
        "For so long the first time; each time longer, up to ten times.",
    ),
    key("most", Kind::Text(text::share), "\"50%\"", "No more than this part of the instances at once."),
];
