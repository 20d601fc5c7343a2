//! The keys of what is done with some requests and not with all.

use super::super::rule;
use super::super::template;
use super::super::text;
use super::{Key, Kind, key};

pub(super) static RULE: &[Key] = &[
    key(
        "name",
        Kind::Text(rule::name),
        "\"beta\"",
        "What the rule is called where it is told of. Not set: its path.",
    ),
    key(
        "path",
        Kind::Text(rule::path),
        "\"/api\"",
        "What paths begin with, by whole segments; \"=/api\": that path alone. Compared as it was sent. Not set: all.",
    )
    .also(&["prefix", "path_prefix", "location"]),
    key("hosts", Kind::Words(text::host), "[\"old.example.com\"]", "Host names, as in [[listen]]. Empty: all.")
        .also(&["host"]),
    key("methods", Kind::Words(rule::method), "[\"GET\", \"HEAD\"]", "Methods. Empty: all.").also(&["method"]),
    key(
        "headers",
        Kind::Fields(rule::any_field),
        "{ x-beta = \"1\", x-trace = \"*\" }",
        "Header fields that must all be there with this value; *: with any.",
    )
    .also(&["header"]),
    key(
        "redirect",
        Kind::Text(template::redirect),
        "\"https://new.example{path}\"",
        "Sends the client there. Places: {path}, {rest} (after the rule's path), {host}, {query}, which follows by itself.",
    ),
    key(
        "answer",
        Kind::Text(rule::body),
        "\"gone\"",
        "The body of an answer that is given in place of an instance's; perhaps empty.",
    )
    .also(&["body", "respond", "return"]),
    key(
        "status",
        Kind::Number(200, 599),
        "301",
        "The status of the redirect (308 unless it is set) or of the answer (200).",
    )
    .also(&["code"]),
    key(
        "type",
        Kind::Text(rule::value),
        "\"application/json\"",
        "The type of the answer's body. Not set: plain text.",
    )
    .also(&["content_type"]),
    key(
        "rewrite",
        Kind::Text(template::rewrite),
        "\"{rest}\"",
        "The path that the instance is asked for; the query stays. Places: {path}, {rest} (after the rule's path).",
    ),
    key("request", Kind::Table(CHANGES), "{ set = { x-env = \"prod\" } }", "Header fields of the request."),
    key("response", Kind::Table(CHANGES), "{ remove = [\"server\"] }", "Header fields of the answer."),
];

static CHANGES: &[Key] = &[
    key(
        "set",
        Kind::Fields(rule::changed_field),
        "{ x-env = \"prod\" }",
        "Header fields that are set; what the other side sent of them goes.",
    )
    .also(&["add"]),
    key("remove", Kind::Words(rule::changed_field), "[\"x-debug\"]", "Header fields that are removed.")
        .also(&["delete", "unset"]),
];
