//! The keys of deliverables that come by themselves.

use super::super::source;
use super::super::text;
use super::super::window::window;
use super::{DAY, HOUR, Key, Kind, Millis, WEEK, key};

pub(super) static SOURCE: &[Key] = &[
    key(
        "folder",
        Kind::Text(text::folder),
        "\"/srv/shop/incoming\"",
        "The folder in which archives appear that are deployed by themselves. Not set: they are only pushed.",
    )
    .also(&["watch", "path", "dir"]),
    key(
        "settle",
        Kind::Length(Millis(100), HOUR),
        "\"3s\"",
        "A file there that has not changed for so long is complete.",
    ),
    key("max_size", Kind::Size(1, 1 << 40), "\"1GiB\"", "No archive that comes by itself is larger.")
        .also(&["size", "limit"]),
    key(
        "checksum",
        Kind::Flag,
        "true",
        "Whether each archive must bring its SHA-256: X.sha256 beside X. One that is there is looked at in any case.",
    )
    .also(&["sha256"]),
    key(
        "public_key",
        Kind::Text(source::public_key),
        "\"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\"",
        "By which each archive must be signed: X.minisig beside X, made by minisign. Not set: signatures are not looked at.",
    )
    .also(&["minisign", "key"]),
    key(
        "hotfix",
        Kind::Text(source::pattern),
        "\"*-hotfix*\"",
        "What archives are called that wait for no window and no interval; * stands for any text.",
    )
    .also(&["hotfixes"]),
    key(
        "windows",
        Kind::Words(window),
        "[\"Mon-Thu 09:00-16:00 Europe/Berlin\"]",
        "Only in these times a deployment begins by itself. Empty: at any time.",
    )
    .also(&["window"]),
    key(
        "freezes",
        Kind::Words(window),
        "[\"2026-12-20 to 2027-01-03 12:00 Europe/Berlin\"]",
        "In these times none begins by itself.",
    )
    .also(&["freeze"]),
    key(
        "interval",
        Kind::Length(Millis::ZERO, WEEK),
        "\"30m\"",
        "So long after the beginning of a deployment the next one begins by itself at the earliest.",
    )
    .also(&["min_interval"]),
    key(
        "check",
        Kind::Command,
        "[\"bin/may-deploy\", \"$DIGEST\"]",
        "A command that must succeed before an archive is deployed. $DIGEST, $VERSION and $FILE stand for those of the archive.",
    )
    .also(&["verify"]),
    key("check_within", Kind::Length(Millis(100), DAY), "\"10m\"", "How long it may take."),
    key(
        "approve",
        Kind::Flag,
        "true",
        "Whether each archive waits until somebody has approved it: tandem approve.",
    )
    .also(&["approval"]),
];
