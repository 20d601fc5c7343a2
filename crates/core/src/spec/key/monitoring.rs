//! The keys of what lets it be seen what goes on.

use super::{Key, Kind, UP_TO_A_DAY, key, text, word};
use crate::spec::monitoring::{LogFormat, Queries};

pub(super) static METRICS: &[Key] = &[key(
    "listen",
    Kind::Text(text::address),
    "\"127.0.0.1:9090\"",
    "Where Prometheus finds them, under /metrics; nothing else is there. Not set: only at the admin socket.",
)
.also(&["address", "port", "bind"])];

pub(super) static LOG: &[Key] = &[
    key(
        "access",
        Kind::Text(text::log_file),
        "\"/var/log/shop/access.log\"",
        "The file, by an absolute path, or - for the standard output of `tandem up`. Not set: there is no log.",
    )
    .also(&["path", "file"]),
    key(
        "format",
        Kind::OneOf(LogFormat::ALL, word::log_format),
        "\"combined\"",
        "How a line looks: json, or combined, as other servers have it.",
    ),
    key(
        "sample",
        Kind::Text(text::share),
        "\"1%\"",
        "Which part is logged of the requests that went well and were quick; the others are in any case.",
    )
    .also(&["rate", "sampling"]),
    key("slow", UP_TO_A_DAY, "\"250ms\"", "Requests that took longer than this are logged in any case."),
    key(
        "queries",
        Kind::OneOf(Queries::ALL, word::queries),
        "\"shown\"",
        "Whether what follows the ? of a path is logged: hidden or shown.",
    ),
];
