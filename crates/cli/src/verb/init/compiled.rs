//! What is compiled to one program: Go, Rust, and whatever lies in `bin`.

use super::finding::Finding;
use super::folder::Folder;

pub(super) fn go(folder: &Folder) -> Option<Finding> {
    let module = folder.text("go.mod")?;
    let path = module.lines().find_map(|line| line.strip_prefix("module "))?.trim();
    let name = path.rsplit('/').find(|part| !is_major(part)).filter(|name| is_plain(name))?;
    let remark = format!("the deliverable is to hold the program {name}, which listens on 127.0.0.1:$PORT");
    Some(Finding::of("go.mod").command(&[&format!("./{name}")]).remark(remark))
}

/// `v2`, which is no name.
fn is_major(part: &str) -> bool {
    part.strip_prefix('v').is_some_and(|rest| rest.parse::<u32>().is_ok())
}

pub(super) fn rust(folder: &Folder) -> Option<Finding> {
    let text = folder.text("Cargo.toml")?;
    let after = text.split("[package]").nth(1)?;
    let name = after.lines().find_map(|line| line.trim().strip_prefix("name"))?;
    let name = name.trim().strip_prefix('=')?.trim().trim_matches(['"', '\'']);
    let remark = format!("the deliverable is to hold the program {name}");
    is_plain(name).then(|| Finding::of("Cargo.toml").command(&[&format!("./{name}")]).remark(remark))
}

pub(super) fn bin(folder: &Folder) -> Option<Finding> {
    let names: Vec<String> = folder.names("bin").into_iter().filter(|name| !name.starts_with('.')).collect();
    let liked = |name: &&String| matches!(name.as_str(), "server" | "web" | "start" | "app");
    let name = names.iter().find(liked).or(names.first())?;
    Some(Finding::of(format!("bin/{name}")).command(&[&format!("bin/{name}")]))
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}
