//! All findings together: what is said in several places is taken from the one that is trusted most.

use std::collections::BTreeMap;

use super::finding::{Finding, Migrations};
use super::folder::Folder;
use super::{
    compiled, compose, docker, kamal, laravel, migrations, node, phoenix, postgres, procfile, python, ruby,
    systemd,
};

type Look = fn(&Folder) -> Option<Finding>;

/// What is looked for; what is trusted most stands first.
const LOOKS: &[Look] = &[
    procfile::look,
    ruby::look,
    python::look,
    laravel::look,
    phoenix::look,
    node::look,
    kamal::look,
    docker::look,
    compose::look,
    systemd::look,
    compiled::go,
    compiled::rust,
    compiled::bin,
    migrations::look,
];

/// What parts of names say that a value is nobody's to read.
const SECRETS: &[&str] = &["SECRET", "PASSWORD", "PASSWD", "TOKEN", "KEY", "CREDENTIAL"];

/// A value, and where it was found.
pub(super) type From<T> = Option<(T, String)>;

pub(super) struct Draft {
    pub(super) service: String,
    pub(super) command: From<Vec<String>>,
    pub(super) ready: From<String>,
    pub(super) instances: From<u64>,
    pub(super) port: From<u64>,
    pub(super) hosts: From<Vec<String>>,
    pub(super) encrypted: bool,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) migrations: From<Migrations>,
    /// The file that names PostgreSQL.
    pub(super) postgres: Option<String>,
    /// Where something was found, with what is to be known about it.
    pub(super) found: Vec<(String, Vec<String>)>,
}

impl Draft {
    pub(super) fn of(folder: &Folder) -> Draft {
        let mut findings: Vec<Finding> = LOOKS.iter().filter_map(|look| look(folder)).collect();
        let mut named = postgres::named_in(folder);
        for finding in &mut findings {
            if postgres::without_url(finding) && named.is_none() {
                named = Some(finding.of.clone());
            }
        }
        // SQL files are what they are; a command is asked only where there are none.
        let folders_first = |finding: &&Finding| matches!(finding.migrations, Some(Migrations::Folder(_)));
        let sql = findings.iter().find(folders_first).and_then(|finding| of(finding, &finding.migrations));
        let hosts = |finding: &Finding| (!finding.hosts.is_empty()).then(|| finding.hosts.clone());
        let mut environment = BTreeMap::new();
        for (name, value) in findings.iter().rev().flat_map(|finding| &finding.environment) {
            let is_secret = SECRETS.iter().any(|sign| name.to_ascii_uppercase().contains(sign));
            let value =
                if is_secret && !value.starts_with("env:") { format!("env:{name}") } else { value.clone() };
            environment.insert(name.clone(), value);
        }
        environment.remove("PORT");
        Draft {
            service: service_name(folder),
            command: first(&findings, |finding| finding.command.clone()),
            ready: first(&findings, |finding| finding.ready.clone()),
            instances: first(&findings, |finding| {
                finding.instances.filter(|count| (1..=1000).contains(count))
            }),
            port: first(&findings, |finding| finding.port.filter(|port| (1..=65535).contains(port))),
            hosts: first(&findings, hosts),
            encrypted: findings.iter().any(|finding| finding.encrypted),
            environment,
            migrations: sql.or_else(|| first(&findings, |finding| finding.migrations.clone())),
            postgres: named,
            found: findings.into_iter().map(|finding| (finding.of, finding.remarks)).collect(),
        }
    }
}

fn of<T: Clone>(finding: &Finding, value: &Option<T>) -> From<T> {
    value.clone().map(|value| (value, finding.of.clone()))
}

fn first<T: Clone>(findings: &[Finding], value: impl Fn(&Finding) -> Option<T>) -> From<T> {
    findings.iter().find_map(|finding| of(finding, &value(finding)))
}

/// The name that Kamal knows, or that of the folder, as far as it can be the name of a service.
fn service_name(folder: &Folder) -> String {
    let kamal = folder.yaml("config/deploy.yml");
    let named = kamal.as_ref().and_then(|file| file.get("service")?.as_str());
    let name = named.map_or_else(|| folder.name(), str::to_owned);
    Some(tandem_core::spec::like_a_name(&name))
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "web".to_owned())
}
