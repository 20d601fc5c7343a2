//! The keys of commands that have a word in a deployment, and of who is told of it.

use super::super::notify::{self, MessageFormat};
use super::super::word;
use super::{DAY, HOUR, Key, Kind, Millis, key};

pub(super) static HOOKS: &[Key] = &[
    key(
        "begin",
        Kind::Command,
        "[\"bin/may-deploy\"]",
        "A command that must succeed before anything is done. It gets JSON on its stdin.",
    )
    .also(&["before", "pre_deploy", "pre-deploy"]),
    key(
        "release",
        Kind::Command,
        "[\"bin/rails\", \"db:seed\"]",
        "A command of the deliverable that must succeed before its first instance is started. It finds what an instance does.",
    )
    .also(&["release_command"]),
    key(
        "ready",
        Kind::Command,
        "[\"bin/smoke-test\"]",
        "A command that must succeed before the new version gets its first request; the JSON has the addresses of its instances.",
    )
    .also(&["smoke", "before_traffic", "pre_traffic"]),
    key(
        "watch",
        Kind::Command,
        "[\"bin/metrics-are-good\"]",
        "A command that is run again and again while the new version has requests and the old one can come back: by metrics of your own.",
    )
    .also(&["metrics", "monitor"]),
    key("watch_every", Kind::Length(Millis(100), HOUR), "\"30s\"", "The pause between two times."),
    key("watch_fails", Kind::Number(1, 1000), "2", "When it failed so often in a row, the deployment goes back."),
    key(
        "serving",
        Kind::Command,
        "[\"bin/verify\"]",
        "A command that must succeed when all clients are at the new version; else the deployment goes back.",
    )
    .also(&["after", "post_deploy", "post-deploy", "verify"]),
    key("within", Kind::Length(Millis(100), DAY), "\"5m\"", "How long each may take.").also(&["timeout"]),
];

pub(super) static NOTIFY: &[Key] = &[
    key(
        "url",
        Kind::Text(notify::target),
        "\"env:SLACK_URL\"",
        "Where messages are sent by POST; env:NAME is read from the environment of `tandem up`.",
    )
    .also(&["webhook", "slack"]),
    key(
        "command",
        Kind::Command,
        "[\"bin/mail-team\"]",
        "A command that gets each message on its stdin, in place of `url`.",
    )
    .also(&["exec", "cmd"]),
    key(
        "format",
        Kind::OneOf(MessageFormat::ALL, word::message_format),
        "\"slack\"",
        "How a message looks: json, with all that is known, or slack, as incoming webhooks take it.",
    )
    .also(&["type"]),
    key(
        "on",
        Kind::Words(word::occasion),
        "[\"turned-back\", \"asks\"]",
        "Of what is told: begun, settled, turned-back, rolled-back, asks, paused. Empty: of everything.",
    )
    .also(&["events", "when"]),
];
