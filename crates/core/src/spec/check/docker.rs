//! What the values of containers mean together. Tested in `tests/docker.rs`.

use std::collections::BTreeSet;

use super::super::docker::{DockerSpec, EngineHost};
use super::super::found::Found;
use super::contradiction;

pub(super) fn engines_can_be_used(docker: Option<&DockerSpec>, found: &mut Found) {
    let Some(docker) = docker.filter(|_| found.good(&["run.docker.hosts"])) else { return };
    let hosts = "run.docker.hosts";
    if docker.hosts.is_empty() {
        let message = "`run.docker.hosts` is empty".to_owned();
        contradiction(found, hosts, message, "name an engine: hosts = [\"unix:///var/run/docker.sock\"]");
    }
    if docker.hosts.iter().collect::<BTreeSet<_>>().len() < docker.hosts.len() {
        let message = "`run.docker.hosts` names an engine twice".to_owned();
        contradiction(found, hosts, message, "name each one once: instances are spread evenly over them");
    }
    let open = docker.hosts.iter().find(|host| matches!(host, EngineHost::Network(_)) && !host.is_here());
    if let Some(host) =
        open.filter(|_| docker.certificates.is_none() && found.good(&["run.docker.certificates"]))
    {
        let message = format!("`run.docker.hosts` names {host}, and there are no certificates for it");
        let help = "whoever reaches an engine is root on its machine: have it ask for certificates (dockerd --tlsverify), and name the \
                    folder with ca.pem, cert.pem and key.pem in `certificates`";
        contradiction(found, hosts, message, help);
    }
    let registry = &docker.registry;
    let parts = [("host", &registry.host), ("user", &registry.user), ("password", &registry.password)];
    let paths = parts.map(|(name, _)| format!("run.docker.registry.{name}"));
    let written: Vec<&String> =
        paths.iter().zip(&parts).filter(|(_, (_, part))| part.is_some()).map(|(path, _)| path).collect();
    if let Some(path) = written.first().filter(|_| written.len() < parts.len())
        && found.good(&paths.iter().map(String::as_str).collect::<Vec<_>>())
    {
        let message = format!("`{path}` says only a part of who we are at a registry");
        contradiction(found, path, message, "write host, user and password");
    }
}
