//! Containers: the checked values, and what may be written for them.
//!
//! Belongs to `service`, and holds the defaults of its part. What they mean together is checked in `check/docker.rs`.
//! Tested in `check/tests/docker.rs`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Wrong, quoted};
use super::vocabulary::words;
use crate::base::Millis;

/// How the instances of a service run as containers. Without it they are processes of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DockerSpec {
    /// The engines, as `unix:///var/run/docker.sock` or `tcp://10.0.0.5:2376`. At least one.
    pub hosts: Vec<EngineHost>,
    /// The folder with `ca.pem`, `cert.pem` and `key.pem`, by which engines behind `tcp://` know us and we know them.
    pub certificates: Option<String>,
    /// The port on which the app listens in its container. 1 to 65535.
    pub port: u32,
    /// How instances are reached. None: as fits the host.
    pub reach: Option<Reach>,
    /// The network of the engine that containers are on. None: the engine's own.
    pub network: Option<String>,
    /// The most memory that an instance may take, in bytes. 0: no limit.
    pub memory: u64,
    /// How much of the processors an instance may take. None: no limit.
    pub cpus: Option<Cpus>,
    /// What of the host is seen in containers, as `uploads:/data` or `/srv/shop:/data:ro`.
    pub volumes: Vec<String>,
    /// How long an image may take to be pulled or loaded.
    pub pull_within: Millis,
    /// Who we are at a registry.
    pub registry: RegistrySpec,
}

impl Default for DockerSpec {
    fn default() -> DockerSpec {
        DockerSpec {
            hosts: vec![EngineHost::Socket("/var/run/docker.sock".to_owned())],
            certificates: None,
            port: 8080,
            reach: None,
            network: None,
            memory: 0,
            cpus: None,
            volumes: Vec::new(),
            pull_within: Millis::from_secs(600),
            registry: RegistrySpec::default(),
        }
    }
}

/// Who we are at a registry. Nothing of it is told to any other one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RegistrySpec {
    /// The registry, as it stands in the names of images.
    pub host: Option<String>,
    /// The user.
    pub user: Option<String>,
    /// Where the password is: `env:NAME`.
    pub password: Option<String>,
}

/// How instances in containers are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// At the container's own address, which only its host knows.
    Address,
    /// At a port of the host that leads to the container.
    Port,
}

words!(Reach: Address = "address", Port = "port");

/// Where an engine listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum EngineHost {
    /// A Unix socket of this machine.
    Socket(String),
    /// Host and port.
    Network(String),
}

impl EngineHost {
    /// Whether whoever listens there is on this machine.
    pub fn is_here(&self) -> bool {
        match self {
            EngineHost::Socket(_) => true,
            EngineHost::Network(place) => {
                let host = place.rsplit_once(':').map_or(place.as_str(), |(host, _)| host);
                let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
                host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
            }
        }
    }
}

impl fmt::Display for EngineHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EngineHost::Socket(path) => write!(f, "unix://{path}"),
            EngineHost::Network(place) => write!(f, "tcp://{place}"),
        }
    }
}

impl From<EngineHost> for String {
    fn from(host: EngineHost) -> String {
        host.to_string()
    }
}

impl TryFrom<String> for EngineHost {
    type Error = NoEngine;

    fn try_from(text: String) -> Result<EngineHost, NoEngine> {
        text.parse()
    }
}

/// A text that says no place of an engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write \"unix:///var/run/docker.sock\" or \"tcp://10.0.0.5:2376\"")]
pub struct NoEngine;

impl FromStr for EngineHost {
    type Err = NoEngine;

    fn from_str(text: &str) -> Result<EngineHost, NoEngine> {
        if let Some(path) = text.strip_prefix("unix://") {
            let good = path.starts_with('/') && !path.ends_with('/') && !path.chars().any(char::is_control);
            return if good { Ok(EngineHost::Socket(path.to_owned())) } else { Err(NoEngine) };
        }
        let place = text.strip_prefix("tcp://").ok_or(NoEngine)?.trim_end_matches('/');
        let (host, port) = place.rsplit_once(':').ok_or(NoEngine)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '[' | ']' | ':');
        let good =
            !host.is_empty() && host.chars().all(fits) && port.parse::<u16>().is_ok_and(|port| port > 0);
        if good { Ok(EngineHost::Network(place.to_owned())) } else { Err(NoEngine) }
    }
}

/// A number of processors, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpus(pub u32);

/// A text that is no number of processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a number from 0.01 to 512, such as \"1.5\"")]
pub struct NoCpus;

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = format!("{:03}", self.0 % 1000);
        match part.trim_end_matches('0') {
            "" => write!(f, "{}", self.0 / 1000),
            part => write!(f, "{}.{part}", self.0 / 1000),
        }
    }
}

impl FromStr for Cpus {
    type Err = NoCpus;

    fn from_str(text: &str) -> Result<Cpus, NoCpus> {
        let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || whole.len() > 3 || part.len() > 3 || !digits(whole) || !digits(part) {
            return Err(NoCpus);
        }
        let thousandths = format!("{whole}{part:0<3}").parse().map_err(|_| NoCpus)?;
        if (10..=512_000).contains(&thousandths) { Ok(Cpus(thousandths)) } else { Err(NoCpus) }
    }
}

/// The place of an engine, as it may be written.
pub(super) fn host(text: &str) -> Result<String, Wrong> {
    if text.starts_with("ssh://") {
        return Err(Wrong::new(
            format!("holds {}, and engines are not reached by ssh", quoted(text)),
            "forward its socket (ssh -L /run/shop.sock:/var/run/docker.sock HOST) and write \"unix:///run/shop.sock\", or have \
             the engine listen with TLS and write \"tcp://HOST:2376\"",
        ));
    }
    if text.starts_with('/') {
        return Err(Wrong::new(
            format!("holds {}", quoted(text)),
            format!("write {}", quoted(&format!("unix://{text}"))),
        ));
    }
    let wrong = |error: NoEngine| {
        Wrong::new(format!("holds {}, where no engine listens", quoted(text)), error.to_string())
    };
    text.parse::<EngineHost>().map(|host| host.to_string()).map_err(wrong)
}

pub(super) fn cpus(text: &str) -> Result<String, Wrong> {
    let wrong = |error: NoCpus| {
        Wrong::new(format!("is {}, no number of processors", quoted(text)), error.to_string())
    };
    text.parse::<Cpus>().map(|cpus| cpus.to_string()).map_err(wrong)
}

pub(super) fn reach(text: &str) -> Result<String, Wrong> {
    match Reach::named(text.trim()) {
        Some(reach) => Ok(reach.name().to_owned()),
        None => Err(Wrong::new(
            format!("is {}, which is not known here", quoted(text)),
            "possible are \"address\" (the container's own) and \"port\" (one of the host)",
        )),
    }
}

fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.len() <= 128 && text.chars().all(fits)
}

pub(super) fn network(text: &str) -> Result<String, Wrong> {
    match text.trim() {
        "host" | "none" => Err(Wrong::new(
            format!("is {}, where two instances would have one address, or none", quoted(text)),
            "make one (docker network create shop) and write network = \"shop\"; or leave it out",
        )),
        name if is_name(name) => Ok(name.to_owned()),
        _ => Err(Wrong::new(
            format!("is {}, which is not the name of a network", quoted(text)),
            "write what `docker network ls` calls it",
        )),
    }
}

pub(super) fn volume(text: &str) -> Result<String, Wrong> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, mode) = match parts.as_slice() {
        [source, target] => (*source, *target, "rw"),
        [source, target, mode] => (*source, *target, *mode),
        _ => ("", "", ""),
    };
    let plain = |path: &str| {
        path.len() > 1
            && path.starts_with('/')
            && !path.chars().any(char::is_control)
            && !path.split('/').any(|part| part == "..")
    };
    if (plain(source) || is_name(source)) && plain(target) && matches!(mode, "rw" | "ro") {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(
        format!("holds {}, which does not say what is seen where", quoted(text)),
        "write a volume or an absolute path of the host, and where it is in the container: \"uploads:/data\" or \
         \"/srv/shop:/data:ro\"",
    ))
}

pub(super) fn registry(text: &str) -> Result<String, Wrong> {
    let name = format!("{}/x:x", text.trim());
    let read = name.parse::<crate::base::ImageReference>();
    match read.as_ref().ok().and_then(|image| image.registry()) {
        Some(host) => Ok(host.to_owned()),
        None => Err(Wrong::new(
            format!("is {}, which is not a registry", quoted(text)),
            "write what names of images begin with, for example \"registry.example.com\"",
        )),
    }
}

pub(super) fn user(text: &str) -> Result<String, Wrong> {
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        return Err(Wrong::new(
            format!("is {}, which is no user", quoted(text)),
            "write for example \"deploy\"",
        ));
    }
    Ok(text.to_owned())
}

/// A secret does not stand in the file.
pub(super) fn password(text: &str) -> Result<String, Wrong> {
    match text.strip_prefix("env:") {
        Some(name) if !name.is_empty() => Ok(text.to_owned()),
        // What was written may be the secret itself, so it is not shown.
        _ => Err(Wrong::new(
            "is not a reference to the environment",
            "write password = \"env:REGISTRY_PASSWORD\", and set that variable for `tandem up`",
        )),
    }
}
