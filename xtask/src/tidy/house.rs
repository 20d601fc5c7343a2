//! What the house rules allow: the one place to read, and to change by a decision that is written down.

/// Which of our packages may import which (DESIGN section 4). A package that is not named here may import none.
pub(super) const ARROWS: &[(&str, &[&str])] = &[
    ("tandem-core", &[]),
    ("tandem-schema", &["tandem-core"]),
    ("tandem-engine", &["tandem-core"]),
    ("tandem-proxy", &["tandem-core"]),
    ("tandem-drivers", &["tandem-core"]),
    ("tandem-postgres", &["tandem-core", "tandem-schema"]),
    (
        "tandem-server",
        &[
            "tandem-core",
            "tandem-schema",
            "tandem-engine",
            "tandem-proxy",
            "tandem-drivers",
            "tandem-postgres",
        ],
    ),
    // One program is several processes: the command line holds the entry points of proxy and keeper.
    ("tandem", &["tandem-core", "tandem-server", "tandem-proxy", "tandem-drivers"]),
    ("tandem-sim", &["tandem-core", "tandem-engine"]),
    ("tandem-database", &[]),
    ("tandem-docker", &[]),
    ("tandem-load", &[]),
    ("tandem-trial", &[]),
    ("tandem-bench-proxy", &["tandem-core", "tandem-proxy"]),
    ("tandem-bench-schema", &["tandem-database", "tandem-postgres", "tandem-schema"]),
    ("shop", &[]),
    ("xtask", &["tandem-database", "tandem-load", "tandem-trial"]),
];

/// Paths that a package's code (not its tests) may not name, and why.
pub(super) const BANS: &[(&[&str], &[&str], &str)] = &[
    (
        &["tandem-core", "tandem-schema"],
        &["std::time::Instant", "std::time::SystemTime"],
        "has no clock: take the time as an argument (`base::Timestamp`)",
    ),
    (
        &["tandem-core", "tandem-schema"],
        &["std::fs", "std::env", "std::thread", "std::process", "std::io", "std::os"],
        "does no I/O: take the value as an argument, let the caller in the I/O ring fetch it",
    ),
    (
        &["tandem-core", "tandem-schema", "tandem-engine"],
        &[
            "std::net::TcpStream",
            "std::net::TcpListener",
            "std::net::UdpSocket",
            "std::net::ToSocketAddrs",
            "std::os::unix::net",
        ],
        "has no sockets: name what is needed as a value or a port (trait), carry it out in the I/O ring",
    ),
    (
        &["tandem-core", "tandem-schema"],
        &["std::collections::HashMap", "std::collections::HashSet", "std::hash::RandomState"],
        "has a fixed order: use BTreeMap or BTreeSet",
    ),
    (
        &["tandem-core", "tandem-schema", "tandem-engine", "tandem-sim"],
        &["tokio", "rand", "hyper", "axum", "rusqlite", "rustix", "socket2"],
        "has no runtime, no randomness and no I/O library: decisions are pure",
    ),
    (
        &["tandem-engine"],
        &["std::time::Instant", "std::time::SystemTime", "std::fs", "std::env", "std::process"],
        "meets the world only through its ports: add a method to one of them",
    ),
];

/// Macros and attributes that no file holds.
pub(super) const BANNED_TEXT: &[(&str, &str)] = &[
    ("todo!", "finish it, or leave it out and say so in the issue"),
    ("unimplemented!", "finish it, or leave it out and say so in the issue"),
    ("dbg!", "use tracing, or remove it"),
    ("#[ignore", "a test runs or is deleted: nothing is skipped silently"),
];

/// The modules of `core` from left to right: each may use those before it.
pub(super) const CORE_ORDER: &[&str] =
    &["base", "spec", "contract", "traffic", "fleet", "database", "workflow", "deploy"];

/// File names that say nothing, and what to do instead.
pub(super) const EMPTY_NAMES: &[&str] =
    &["util", "utils", "helper", "helpers", "common", "types", "misc", "shared", "mod"];

/// Files that may sleep, and why that is not sleeping instead of waiting for a condition.
pub(super) const MAY_SLEEP: &[(&str, &str)] = &[
    (
        "crates/cli/src/client.rs",
        "the time between two tries to reach a daemon that is being replaced, with a deadline",
    ),
    (
        "crates/cli/src/follow.rs",
        "the time between two tries to reach a daemon that is being replaced, with a deadline",
    ),
    (
        "crates/proxy/src/control/server.rs",
        "no descriptors were left to accept with: nothing tells when there are some",
    ),
    (
        "crates/proxy/src/listener.rs",
        "no descriptors were left to accept with: nothing tells when there are some",
    ),
    ("crates/proxy/src/prober.rs", "the time between two checks is what the config asks for"),
    (
        "crates/server/src/admin/connection.rs",
        "no descriptors were left to accept with: nothing tells when there are some",
    ),
    (
        "crates/server/src/notify/target.rs",
        "whoever could not be told is tried again later: nothing says when it can be reached",
    ),
    ("crates/server/src/api/log.rs", "a log that grows gives no sign that every file system passes on"),
    (
        "crates/server/src/api/metrics.rs",
        "no descriptors were left to accept with: nothing tells when there are some",
    ),
    (
        "crates/server/src/api/socket.rs",
        "no descriptors were left to accept with: nothing tells when there are some",
    ),
    (
        "crates/server/tests/server/supervisor.rs",
        "a stand-in that lives on until it is killed, and not for ever",
    ),
];

/// Uses of one module by another (package, from, to) that close a circle and are left for now, and why.
pub(super) const KNOWN_CIRCLES: &[(&str, &str, &str, &str)] = &[];

/// Files that may hold `unsafe`, and the measured need.
pub(super) const MAY_BE_UNSAFE: &[(&str, &str)] = &[];

/// The most lines that a file may have.
pub(super) const LONGEST_FILE: usize = 500;
