//! The keys of where people are answered over the network.

use super::super::admin;
use super::super::text;
use super::{Key, Kind, key};

pub(super) static ADMIN: &[Key] = &[
    key(
        "listen",
        Kind::Text(text::address),
        "\"127.0.0.1:7443\"",
        "Where people with a token, and the dashboard, are answered. Not set: only at the Unix sockets.",
    )
    .also(&["address", "port", "bind"]),
    key(
        "hosts",
        Kind::Words(admin::host),
        "[\"deploy.example.com\"]",
        "The names under which it is asked for, beside its address; others are refused.",
    )
    .also(&["host", "names", "domain"]),
    key(
        "certificate",
        Kind::Text(text::file),
        "\"certs/admin.pem\"",
        "The file with its certificate and chain. Needed unless it listens on loopback.",
    )
    .also(&["cert", "tls"]),
    key("key", Kind::Text(text::file), "\"certs/admin.key\"", "The file with the key of the certificate.")
        .also(&["private_key"]),
];
