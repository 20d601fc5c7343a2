//! A compose file: of its services the one that is built here; the others are named.

use serde_json::Value;

use super::command;
use super::finding::Finding;
use super::folder::Folder;

const NAMES: &[&str] = &["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

pub(super) fn look(folder: &Folder) -> Option<Finding> {
    let (name, file) = NAMES.iter().find_map(|name| Some((*name, folder.yaml(name)?)))?;
    let services = file.get("services")?.as_object()?;
    let built = |service: &Value| service.get("build").is_some();
    let (own, service) = services
        .iter()
        .find(|(_, service)| built(service) && service.get("ports").is_some())
        .or_else(|| services.iter().find(|(_, service)| built(service)))?;
    let mut finding = Finding::of(format!("{name}, its service `{own}`"));
    if let Some((outside, inside)) = service.pointer("/ports/0").and_then(port) {
        finding.port = outside.parse().ok();
        finding.command =
            service.get("command").and_then(words).map(|words| command::on_any_port(words, &inside));
    } else {
        finding.command = service.get("command").and_then(words);
    }
    for (name, value) in service.get("environment").map(pairs).unwrap_or_default() {
        let given = value.is_empty() || value.contains("${") || value.contains("@");
        finding = if given { finding.secret(&name) } else { finding.set(&name, &value) };
    }
    finding.ready = service
        .pointer("/healthcheck/test")
        .map(Value::to_string)
        .and_then(|test| command::path_asked(&test));
    finding.instances = service.pointer("/deploy/replicas").and_then(Value::as_u64);
    let others: Vec<String> =
        services.keys().filter(|name| *name != own).map(|name| format!("`{name}`")).collect();
    if !others.is_empty() {
        finding = finding.remark(format!("not Tandem's to run: {}", others.join(", ")));
    }
    Some(finding)
}

fn words(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(line) => command::of_line(line),
        Value::Array(words) => words.iter().map(|word| word.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// The port outside and the one inside, of `8080:3000`.
fn port(value: &Value) -> Option<(String, String)> {
    if let (Some(outside), Some(inside)) = (value.get("published"), value.get("target")) {
        let plain = |value: &Value| value.to_string().trim_matches('"').to_owned();
        return Some((plain(outside), plain(inside)));
    }
    let mut parts = value.as_str()?.trim_end_matches("/tcp").rsplit(':');
    let inside = parts.next()?.to_owned();
    Some((parts.next()?.to_owned(), inside))
}

/// An environment, as a map or as a list of `NAME=value`.
fn pairs(value: &Value) -> Vec<(String, String)> {
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    match value {
        Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        Value::Array(list) => list
            .iter()
            .filter_map(Value::as_str)
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        _ => Vec::new(),
    }
}
