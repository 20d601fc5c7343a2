//! Kamal's `config/deploy.yml`.

use serde_json::Value;

use super::finding::Finding;
use super::folder::Folder;

const FILE: &str = "config/deploy.yml";

pub(super) fn look(folder: &Folder) -> Option<Finding> {
    let file = folder.yaml(FILE)?;
    file.get("service")?;
    let mut finding = Finding::of(format!("{FILE} (Kamal)"));
    let text = |at: &str| file.pointer(at).and_then(Value::as_str);
    finding.hosts.extend(text("/proxy/host").map(str::to_owned));
    let hosts = file.pointer("/proxy/hosts").and_then(Value::as_array).into_iter().flatten();
    finding.hosts.extend(hosts.filter_map(Value::as_str).map(str::to_owned));
    finding.encrypted = file.pointer("/proxy/ssl") == Some(&Value::Bool(true));
    // Where nothing is said, Kamal asks for this one.
    finding.ready = Some(text("/proxy/healthcheck/path").unwrap_or("/up").to_owned());
    let clear =
        file.pointer("/env/clear").or_else(|| file.get("env").filter(|env| env.get("secret").is_none()));
    for (name, value) in clear.and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        finding = finding.set(name, &value);
    }
    let secrets = file.pointer("/env/secret").and_then(Value::as_array).into_iter().flatten();
    for secret in secrets.filter_map(Value::as_str) {
        // `NAME:OTHER` takes the value of another name.
        let (name, of) = secret.split_once(':').unwrap_or((secret, secret));
        finding = finding.set(name, &format!("env:{of}"));
    }
    let roles = file.get("servers").and_then(Value::as_object).into_iter().flatten();
    let others: Vec<String> =
        roles.map(|(role, _)| role).filter(|role| *role != "web").map(|role| format!("`{role}`")).collect();
    if !others.is_empty() {
        finding =
            finding.remark(format!("Tandem runs the web role alone: let systemd run {}", others.join(", ")));
    }
    if file.get("accessories").is_some() {
        finding = finding.remark("its accessories are not Tandem's to run");
    }
    Some(finding)
}
