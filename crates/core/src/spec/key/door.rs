//! The keys of where requests arrive: addresses and certificates.

use super::super::acme;
use super::super::listen::{Speaks, Told};
use super::super::text;
use super::super::tls::{AcmeChallenge, ClientCertificate, TlsVersion};
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
        "paths",
        Kind::Words(text::path),
        "[\"/api\"]",
        "What paths begin with, by whole segments; where services share a host, the longest one decides. Empty: all.",
    )
    .also(&["path", "prefix", "path_prefix", "location"]),
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
    key(
        "acme",
        Kind::Table(ACME),
        "",
        "Certificates that an authority gives and renews by itself (ACME), beside those of files or in place of them.",
    )
    .also(&["letsencrypt", "auto"]),
];

static ACME: &[Key] = &[
    key(
        "terms",
        Kind::OneOf(&[acme::ACCEPTED], acme::terms),
        "\"accepted\"",
        "That you accept the authority's terms. Nothing is asked of it before.",
    )
    .also(&["accept_terms", "agree_tos", "accept_tos", "tos", "enabled"]),
    key(
        "directory",
        Kind::Text(acme::directory),
        "\"letsencrypt-staging\"",
        "The authority: letsencrypt, letsencrypt-staging (for trials), or the URL of its directory.",
    )
    .also(&["server", "authority", "ca_url", "url"]),
    key(
        "contact",
        Kind::Text(acme::contact),
        "\"ops@example.com\"",
        "A mail address by which the authority can reach you.",
    )
    .also(&["email", "mail"]),
    key(
        "hosts",
        Kind::Words(acme::host),
        "[\"shop.example.com\"]",
        "The names to have certificates for, one each. Empty: those of the addresses where https is spoken.",
    )
    .also(&["host", "domains", "domain", "names"]),
    key(
        "challenge",
        Kind::OneOf(AcmeChallenge::ALL, word::acme_challenge),
        "\"http\"",
        "How a name is shown to be yours: http (asked on port 80) or tls (on port 443). Not set: tls if https is on port 443.",
    ),
    key(
        "eab_kid",
        Kind::Text(acme::account_number),
        "\"kid-1\"",
        "Where the authority wants an account that it knows already: its number.",
    ),
    key(
        "eab_key",
        Kind::Text(acme::account_key),
        "\"env:ACME_KEY\"",
        "The key of that account (base64url); env:NAME is read from the environment.",
    ),
    key(
        "ca",
        Kind::Text(text::file),
        "\"certs/authority.pem\"",
        "A file with the authorities that vouch for the directory itself. Not set: those of the system.",
    )
    .also(&["root", "roots", "ca_file"]),
];
