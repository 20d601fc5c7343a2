//! A unit of systemd that lies in the folder.

use super::command;
use super::finding::Finding;
use super::folder::Folder;

const FOLDERS: &[&str] = &["", "systemd", "deploy", "config", "etc", "packaging"];

pub(super) fn look(folder: &Folder) -> Option<Finding> {
    FOLDERS.iter().find_map(|below| {
        let names = folder.names(below).into_iter().filter(|name| name.ends_with(".service"));
        names
            .map(|name| if below.is_empty() { name } else { format!("{below}/{name}") })
            .find_map(|path| unit(folder, &path))
    })
}

fn unit(folder: &Folder, path: &str) -> Option<Finding> {
    let text = folder.text(path)?.replace("\\\n", " ");
    let mut finding = Finding::of(format!("{path} (systemd)"));
    let values = |key: &'static str| {
        text.lines().filter_map(move |line| line.trim().strip_prefix(key)?.trim_start().strip_prefix('='))
    };
    let start = values("ExecStart").next()?.trim().trim_start_matches(['-', '@', ':', '+', '!']);
    finding.command = command::of_line(&start.replace("%i", "").replace("%%", "%"));
    for pair in values("Environment") {
        let pair = pair.trim().trim_matches('"');
        if let Some((name, value)) = pair.split_once('=').filter(|(name, _)| *name != "PORT") {
            finding = finding.set(name, value);
        }
    }
    if start.starts_with('/') {
        finding = finding.remark("the command is an absolute path: make it one in the deliverable");
    }
    if values("EnvironmentFile").next().is_some() {
        finding = finding.remark("its EnvironmentFile belongs into the unit that runs `tandem up`");
    }
    Some(finding)
}
