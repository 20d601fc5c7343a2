//! The guide as a book: its pages, its links, and the configurations that it shows.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::tandem;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

/// All files with this ending below a folder.
fn below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => below(&path, ending),
            false => Vec::from_iter(path.to_str().is_some_and(|name| name.ends_with(ending)).then_some(path)),
        })
        .collect()
}

/// What the links of a text lead to, outside of blocks of code.
fn links(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2);
    let ends = prose.flat_map(|prose| prose.split("](").skip(1));
    ends.filter_map(|rest| rest.split_once(')')).map(|(link, _)| link).collect()
}

/// As a heading is named in links.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn has_heading(text: &str, wanted: &str) -> bool {
    let headings = text.lines().filter_map(|line| line.strip_prefix('#'));
    headings.map(|heading| anchor(heading.trim_start_matches('#'))).any(|heading| heading == wanted)
}

fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

#[test]
fn every_page_is_in_the_summary() {
    let pages = root().join("docs/src");
    let summary = fs::read_to_string(pages.join("SUMMARY.md")).expect("a summary");
    let named: BTreeSet<PathBuf> = links(&summary).into_iter().map(|link| pages.join(link)).collect();
    let mut there: BTreeSet<PathBuf> = below(&pages, ".md").into_iter().collect();
    there.remove(&pages.join("SUMMARY.md"));
    assert_eq!(named, there);
}

#[test]
fn every_link_leads_somewhere() {
    let root = root();
    let mut files = below(&root.join("docs/src"), ".md");
    files.extend(["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"].map(|name| root.join(name)));
    files.extend(below(&root.join("examples"), ".md"));
    let mut wrong = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("text");
        for link in links(&text).into_iter().filter(|link| !link.contains("://")) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let to = if path.is_empty() {
                file.clone()
            } else {
                plain(&file.parent().expect("a folder").join(path))
            };
            let leads = match heading {
                "" => to.exists(),
                heading => fs::read_to_string(&to).is_ok_and(|text| has_heading(&text, heading)),
            };
            if !leads {
                wrong.push(format!("{}: {link}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What stands in a page is completed by what has to be in each file.
#[test]
fn every_configuration_in_the_guide_is_good() {
    let folder = tempfile::tempdir().expect("a folder");
    for file in below(&root().join("docs/src"), ".md") {
        let text = fs::read_to_string(&file).expect("text");
        for (at, block) in text.split("\n```toml").skip(1).enumerate() {
            let block = block.split("\n```").next().unwrap_or_default();
            let mut config = block.split_once('\n').map_or("", |(_, rest)| rest).to_owned();
            let has = |config: &str, start: &str| config.lines().any(|line| line.starts_with(start));
            if has(&config, "services ") {
                continue;
            }
            // Whatever comes before the first table belongs to no table.
            if !has(&config, "[run") && !has(&config, "run.") {
                config = format!("run.command = [\"x\"]\n{config}");
            }
            if !has(&config, "service ") {
                config = format!("service = \"shop\"\n{config}");
            }
            if !has(&config, "[[listen]]") {
                config = format!("{config}\n[[listen]]\naddress = \"127.0.0.1:8080\"\n");
            }
            if config.contains("\"https\"") && !has(&config, "[tls") {
                config.push_str("\n[tls.acme]\nterms = \"accepted\"\n");
            }
            fs::write(folder.path().join("tandem.toml"), &config).expect("it can be written");
            let said = tandem(folder.path(), &["check"]).output().expect("it runs");
            let err = String::from_utf8_lossy(&said.stderr);
            assert!(said.status.success(), "{} block {}:\n{config}\n{err}", file.display(), at + 1);
        }
    }
}

/// The program of CI jobs is told by variables: what the action and the component set is what it reads.
#[test]
fn jobs_set_what_their_program_reads() {
    let read = |name: &str| fs::read_to_string(root().join(name)).expect("text");
    let program = read("packaging/push.py");
    let named = program.split("given(").skip(1).filter(|rest| rest.starts_with(['"', '\'']));
    let reads: BTreeSet<&str> = named.filter_map(|rest| rest.split(['"', '\'']).nth(1)).collect();
    for name in ["action.yml", "templates/deploy.yml"] {
        let text = read(name);
        for part in text.split("\n---\n") {
            tandem_core::contract::read_yaml(part).unwrap_or_else(|why| panic!("{name}: {why}"));
        }
        let sets = text.lines().filter_map(|line| line.trim().strip_prefix("TANDEM_")?.split_once(": "));
        let sets: BTreeSet<&str> = sets.map(|(name, _)| name).collect();
        let missing: Vec<_> =
            reads.difference(&sets).filter(|name| !["HOTFIX", "TOKEN"].contains(name)).collect();
        assert!(missing.is_empty(), "{name} sets no {missing:?}");
        assert!(sets.is_subset(&reads), "{name}: {sets:?} {reads:?}");
    }
}
