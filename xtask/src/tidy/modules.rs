//! Rules on the modules inside a package: their order in `core`, and no circles anywhere.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::house::{CORE_ORDER, KNOWN_CIRCLES};
use super::tree::{Package, Tree};
use super::uses;

/// In `core` a module uses only modules to its left.
pub(super) fn order(tree: &Tree) -> Vec<Finding> {
    let place = |name: &str| CORE_ORDER.iter().position(|module| *module == name);
    let mut findings = Vec::new();
    for source in
        tree.packages.iter().filter(|package| package.name == "tandem-core").flat_map(|p| &p.sources)
    {
        let module = source.module();
        let Some(own) = module.first() else { continue };
        let Some(here) = place(own) else {
            let instead = "give it a place in CORE_ORDER in xtask/src/tidy/house.rs";
            findings.push(Finding::new(
                &source.path,
                1,
                format!("the module {own} has no place in core"),
                instead,
            ));
            continue;
        };
        for (line, used) in crate_modules(&uses::paths(source)) {
            if place(&used).is_some_and(|there| there > here) {
                let what = format!("{own} may not use {used}: core goes {}", CORE_ORDER.join(" → "));
                findings.push(Finding::new(
                    &source.path,
                    line,
                    what,
                    "move the value to the left, or the code to the right",
                ));
            }
        }
    }
    findings
}

/// The top-level modules of a package form no circle.
pub(super) fn circles(tree: &Tree) -> Vec<Finding> {
    tree.packages.iter().filter_map(circle).collect()
}

/// Edges of a package: module → (used module → where).
type Graph = BTreeMap<String, BTreeMap<String, (String, usize)>>;

fn circle(package: &Package) -> Option<Finding> {
    let mut graph = Graph::new();
    for source in &package.sources {
        let Some(own) = source.module().first().map(|module| (*module).to_owned()) else { continue };
        let edges = graph.entry(own.clone()).or_default();
        for (line, used) in crate_modules(&uses::paths(source)).into_iter().filter(|(_, used)| *used != own) {
            edges.entry(used).or_insert((source.path.clone(), line));
        }
    }
    for (_, from, to, _) in KNOWN_CIRCLES.iter().filter(|known| known.0 == package.name) {
        if graph.get_mut(*from).and_then(|edges| edges.remove(*to)).is_none() {
            let what = format!("{from} does not use {to} any more");
            return Some(Finding::new(
                &package.manifest_path,
                1,
                what,
                "strike it from KNOWN_CIRCLES in house.rs",
            ));
        }
    }
    let way = graph.keys().find_map(|start| way_back(&graph, start))?;
    let (file, line) = graph.get(way.first()?)?.get(way.get(1)?)?;
    let what = format!("the modules of {} go in a circle: {}", package.name, way.join(" → "));
    Some(Finding::new(file, *line, what, "move what both need into a module of its own below them"))
}

/// The shortest way from `start` back to it.
fn way_back(graph: &Graph, start: &str) -> Option<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut ways = vec![vec![start.to_owned()]];
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            let nexts = way.last().and_then(|last| graph.get(last)).into_iter().flat_map(BTreeMap::keys);
            for next in nexts.filter(|next| graph.contains_key(*next)) {
                let further: Vec<String> = way.iter().chain([next]).cloned().collect();
                if next == start {
                    return Some(further);
                }
                if seen.insert(next.clone()) {
                    longer.push(further);
                }
            }
        }
        ways = longer;
    }
    None
}

fn crate_modules(paths: &[uses::Named]) -> Vec<(usize, String)> {
    let of_crate = paths.iter().filter(|named| named.is_under("crate"));
    of_crate.filter_map(|named| Some((named.line, named.parts.get(1)?.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_to_the_right_is_found() {
        let files = [
            ("crates/core/src/spec.rs", "use crate::deploy::X;\nuse crate::base::Y;"),
            ("crates/core/src/deploy/gate.rs", "use crate::{base::Y, traffic::Z};"),
            ("crates/core/src/loose.rs", ""),
        ];
        let findings = order(&Tree::planted("tandem-core", "", &files));
        assert_eq!(
            findings.iter().map(|f| f.file.as_str()).collect::<Vec<_>>(),
            ["crates/core/src/spec.rs", "crates/core/src/loose.rs"]
        );
    }

    #[test]
    fn circles_are_found() {
        let files = [
            ("p/src/a.rs", "use crate::b::X;"),
            ("p/src/b/x.rs", "use super::super::c;"),
            ("p/src/c.rs", "fn f() { crate::a::g() }"),
            ("p/src/d.rs", "use crate::a::X;"),
        ];
        let findings = circles(&Tree::planted("p", "", &files));
        assert_eq!(findings.len(), 1);
        assert!(findings.iter().all(|f| f.what.contains("a → b → c → a")), "{findings:?}");
        assert!(circles(&Tree::planted("p", "", files.get(1..).unwrap_or_default())).is_empty());
    }
}
