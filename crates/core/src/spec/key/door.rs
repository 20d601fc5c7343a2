//! The keys of where requests arrive: addresses and certificates.

use super::super::text;
use super::super::tls::{ClientCertificate, Speaks, TlsVersion, Told};
use super::super::word;
use super::{Key, Kind, key};

pub(super) static LISTEN: &[Key] = &[
    key("address", Kind::Text(text::address), "\"0.0.0.0:8080\"", "The address and port to listen on.")
        .required()
        .also(&["port", "bind", "addr", "listen"]),
    key(
        "hosts",
        Kind::Words(text::host),
        "[\"shop.example.com\", \"*.example.com\"]",
        "Host names that are served; *.example.com matches one label. Empty: all.",
    )
    .also(&["host", "domains", "domain", "server_name"]),
    key(
        "speaks",
        Kind::OneOf(Speaks::ALL, word::speaks),
        "\"https\"",
        "http, https (with the certificates of [tls]), or redirect, which sends clients to https.",
    )
    .also(&["scheme", "tls", "ssl", "protocol"]),
    key(
        "trusted",
        Kind::Words(text::network),
        "[\"10.0.0.0/8\"]",
        "Networks of proxies of your own, which are believed what they tell of clients.",
    )
    .also(&["trusted_proxies", "set_real_ip_from"]),
    key(
        "told",
        Kind::OneOf(Told::ALL, word::told),
        "\"proxy\"",
        "How they tell it: fields (X-Forwarded-*, Forwarded), or proxy (PROXY protocol, version 1 or 2).",
    )
    .also(&["proxy_protocol", "accept_proxy"]),
];

pub(super) static TLS: &[Key] = &[
    key(
        "certificates",
        Kind::Files,
        "{ \"certs/shop.pem\" = \"certs/shop.key\" }",
        "From the file with a certificate and its chain to the file with its key. The first one serves unknown names.",
    )
    .also(&["certificate", "cert"]),
    key(
        "oldest",
        Kind::OneOf(TlsVersion::ALL, word::tls_version),
        "\"1.3\"",
        "The oldest version of TLS that is spoken.",
    )
    .also(&["min_version", "minimum"]),
    key(
        "client_ca",
        Kind::Text(text::file),
        "\"certs/clients.pem\"",
        "A file with the authorities that vouch for clients. Not set: clients are not asked for a certificate.",
    ),
    key(
        "client",
        Kind::OneOf(ClientCertificate::ALL, word::client_certificate),
        "\"optional\"",
        "With client_ca: whether clients must show a certificate (required) or may (optional).",
    ),
];
