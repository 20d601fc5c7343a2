//! What the program is made of, as CycloneDX 1.5: every crate that is linked into it or builds it, from `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{Release, said};

pub(super) fn write(root: &Path, release: &Release, path: &Path) -> Result<(), String> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args([
        "metadata",
        "--locked",
        "--format-version",
        "1",
        "--filter-platform",
        &target,
    ]);
    let metadata: Value =
        serde_json::from_str(&said(&mut cargo)?).map_err(|why| format!("cargo metadata: {why}"))?;
    let lock =
        fs::read_to_string(root.join("Cargo.lock")).map_err(|why| format!("can't read Cargo.lock: {why}"))?;
    let bill = bill(&metadata, &checksums(&lock)?, &release.version)?;
    let text = serde_json::to_string_pretty(&bill).map_err(|why| why.to_string())? + "\n";
    fs::write(path, text).map_err(|why| format!("can't write {}: {why}", path.display()))
}

/// The checksum of each crate by name and version.
fn checksums(lock: &str) -> Result<BTreeMap<(String, String), String>, String> {
    let lock: toml::Table = lock.parse().map_err(|why| format!("Cargo.lock: {why}"))?;
    let packages = lock.get("package").and_then(toml::Value::as_array).into_iter().flatten();
    let text = |package: &toml::Value, key: &str| Some(package.get(key)?.as_str()?.to_owned());
    Ok(packages
        .filter_map(|package| {
            Some(((text(package, "name")?, text(package, "version")?), text(package, "checksum")?))
        })
        .collect())
}

fn bill(metadata: &Value, sums: &BTreeMap<(String, String), String>, version: &str) -> Result<Value, String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let packages: BTreeMap<String, Value> =
        list(&metadata["packages"]).into_iter().map(|package| (id(&package["id"]), package)).collect();
    let nodes: BTreeMap<String, Value> =
        list(&metadata["resolve"]["nodes"]).into_iter().map(|node| (id(&node["id"]), node)).collect();
    let own = packages.iter().find(|(_, package)| package["name"] == "tandem").map(|(id, _)| id.clone());
    let own = own.ok_or("cargo metadata knows no package tandem")?;
    let mut reached = BTreeSet::from([own.clone()]);
    let mut ahead = vec![own.clone()];
    while let Some(node) = ahead.pop().and_then(|id| nodes.get(&id)) {
        for next in list(&node["deps"]).iter().filter(|next| !only_for_tests(next)) {
            if reached.insert(id(&next["pkg"])) {
                ahead.push(id(&next["pkg"]));
            }
        }
    }
    let mut components: Vec<Value> = reached
        .iter()
        .filter(|id| **id != own)
        .filter_map(|id| packages.get(id))
        .map(|package| component(package, sums))
        .collect();
    components.sort_by_key(|component| component["bom-ref"].to_string());
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": {
            "type": "application", "bom-ref": "tandem", "name": "tandem", "version": version,
            "licenses": [{ "expression": "MIT OR Apache-2.0" }],
        }},
        "components": components,
    }))
}

fn id(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn only_for_tests(dependency: &Value) -> bool {
    let kinds = dependency["dep_kinds"].as_array();
    kinds.is_some_and(|kinds| !kinds.is_empty() && kinds.iter().all(|kind| kind["kind"] == "dev"))
}

fn component(package: &Value, sums: &BTreeMap<(String, String), String>) -> Value {
    let (name, version) = (id(&package["name"]), id(&package["version"]));
    let link = format!("pkg:cargo/{name}@{version}");
    let mut component =
        json!({ "type": "library", "bom-ref": link, "name": name, "version": version, "scope": "required" });
    if package["source"].is_string() {
        component["purl"] = json!(link);
    }
    if let Some(license) = package["license"].as_str() {
        component["licenses"] = json!([{ "expression": license.replace('/', " OR ") }]);
    }
    if let Some(sum) = sums.get(&(name, version)) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
    }
    component
}
