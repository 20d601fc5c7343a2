//! The rule on manifests: versions of dependencies are chosen once, in the workspace.

use super::Finding;
use super::tree::{Package, Tree};

/// A dependency as a manifest names it.
pub(super) struct Dependency {
    /// The package's name.
    pub(super) name: String,
    /// The line, from 1.
    pub(super) line: usize,
    inherited: bool,
}

/// The dependencies in the given tables, those under `[target.…]` included.
pub(super) fn dependencies(package: &Package, tables: &[&str]) -> Vec<Dependency> {
    let Ok(manifest) = toml::from_str::<toml::Table>(&package.manifest) else { return Vec::new() };
    let targets = manifest
        .get("target")
        .and_then(toml::Value::as_table)
        .into_iter()
        .flat_map(|targets| targets.values());
    let places: Vec<&toml::Table> =
        std::iter::once(&manifest).chain(targets.filter_map(toml::Value::as_table)).collect();
    let mut found = Vec::new();
    for table in places.iter().flat_map(|place| tables.iter().filter_map(|name| place.get(*name)?.as_table()))
    {
        for (name, value) in table {
            let inherited = value.get("workspace").and_then(toml::Value::as_bool).unwrap_or(false);
            found.push(Dependency { name: name.clone(), line: line_of(&package.manifest, name), inherited });
        }
    }
    found
}

fn line_of(manifest: &str, name: &str) -> usize {
    let named = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', ' ', '=']));
    manifest.lines().position(named).map_or(1, |index| index + 1)
}

/// Every dependency is taken from the workspace's list.
pub(super) fn workspace_dependencies(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        for dependency in dependencies(package, &["dependencies", "dev-dependencies", "build-dependencies"]) {
            if !dependency.inherited {
                let what = format!("{} is not taken from the workspace", dependency.name);
                let instead = "name it in the root Cargo.toml and write `workspace = true` here";
                findings.push(Finding::new(&package.manifest_path, dependency.line, what, instead));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_of_its_own_is_found() {
        let manifest = "[dependencies]\nserde.workspace = true\ntokio = { workspace = true, features = [\"rt\"] }\nlibc = \"0.2\"\n[target.'cfg(unix)'.dependencies]\nnix = { version = \"1\" }\n";
        let findings = workspace_dependencies(&Tree::planted("p", manifest, &[]));
        assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [4, 6]);
    }
}
