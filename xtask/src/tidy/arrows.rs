//! The rule on packages: who may import whom.

use super::Finding;
use super::house::ARROWS;
use super::manifests;
use super::tree::Tree;

/// Each package imports only the packages that its arrows allow. Tests (`dev-dependencies`) may look wider.
pub(super) fn packages(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        let arrows = ARROWS.iter().find(|(name, _)| *name == package.name);
        if arrows.is_none() {
            let what = format!("the package {} has no place among the arrows", package.name);
            findings.push(Finding::new(
                &package.manifest_path,
                1,
                what,
                "add it to ARROWS in xtask/src/tidy/house.rs",
            ));
        }
        let allowed = arrows.map_or(&[] as &[&str], |(_, allowed)| allowed);
        for dependency in manifests::dependencies(package, &["dependencies", "build-dependencies"]) {
            let ours = dependency.name.starts_with("tandem")
                || ARROWS.iter().any(|(name, _)| *name == dependency.name);
            if ours && !allowed.contains(&dependency.name.as_str()) {
                let what = format!("{} may not import {}", package.name, dependency.name);
                let instead = "move the shared value to core, or the wiring to server (DESIGN section 4)";
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
    fn a_wrong_arrow_is_found_and_dev_dependencies_are_free() {
        let manifest = "[dependencies]\ntandem-core.workspace = true\ntandem-engine.workspace = true\n\n[dev-dependencies]\ntandem-load.workspace = true\n";
        let findings = packages(&Tree::planted("tandem-proxy", manifest, &[]));
        assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn a_package_without_a_place_is_found() {
        assert_eq!(packages(&Tree::planted("tandem-new", "", &[])).len(), 1);
    }
}
