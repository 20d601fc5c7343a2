//! The keys of containers.

use super::super::docker;
use super::super::text;
use super::{HOUR, Key, Kind, Millis, key};

pub(super) static DOCKER: &[Key] = &[
    key(
        "hosts",
        Kind::Words(docker::host),
        "[\"unix:///var/run/docker.sock\"]",
        "The engines on which instances run, spread evenly: unix://SOCKET, or tcp://HOST:PORT with `certificates`.",
    )
    .also(&["host", "socket", "servers"]),
    key(
        "certificates",
        Kind::Text(text::folder),
        "\"/etc/tandem/docker\"",
        "The folder with ca.pem, cert.pem and key.pem for engines behind tcp://.",
    )
    .also(&["tls", "cert_path"]),
    key("port", Kind::Number(1, 65_535), "3000", "The port on which the app listens in its container, in $PORT.")
        .also(&["container_port", "expose", "app_port"]),
    key(
        "reach",
        Kind::OneOf(docker::Reach::ALL, docker::reach),
        "\"port\"",
        "How instances are reached: address (the container's own) or port (one of the host). Not set: address with unix://, port with tcp://.",
    ),
    key(
        "network",
        Kind::Text(docker::network),
        "\"shop\"",
        "The network of the engine that containers are on; it must be there. Not set: the engine's own bridge.",
    )
    .also(&["networks"]),
    key("memory", Kind::Size(0, 1 << 50), "\"512MiB\"", "The most memory of an instance. 0: no limit.")
        .also(&["mem_limit", "memory_limit"]),
    key("cpus", Kind::Text(docker::cpus), "\"1.5\"", "The most processors of an instance. Not set: no limit.")
        .also(&["cpu", "cpu_limit"]),
    key(
        "volumes",
        Kind::Words(docker::volume),
        "[\"uploads:/data\"]",
        "What of the host is seen in containers: VOLUME-OR-PATH:PATH, or with :ro at its end.",
    )
    .also(&["mounts", "volume"]),
    key(
        "pull_within",
        Kind::Length(Millis::from_secs(1), HOUR),
        "\"10m\"",
        "How long an image may take to be pulled or loaded.",
    )
    .also(&["pull_timeout"]),
    key("registry", Kind::Table(REGISTRY), "", "Who we are at a registry that asks.").also(&["login", "auth"]),
];

static REGISTRY: &[Key] = &[
    key(
        "host",
        Kind::Text(docker::registry),
        "\"registry.example.com\"",
        "The registry, as names of images begin. No other one is told the rest.",
    )
    .also(&["server", "url"]),
    key("user", Kind::Text(docker::user), "\"deploy\"", "The user.").also(&["username"]),
    key(
        "password",
        Kind::Text(docker::password),
        "\"env:REGISTRY_PASSWORD\"",
        "The variable of `tandem up` that holds the password or token.",
    )
    .also(&["token"]),
];
