//! A Procfile: `web` is the service, `release` may be its migrations, all else is not Tandem's.

use super::command;
use super::finding::{Finding, Migrations};
use super::folder::Folder;

pub(super) fn look(folder: &Folder) -> Option<Finding> {
    let text = folder.text("Procfile")?;
    let mut finding = Finding::of("Procfile");
    let mut others = Vec::new();
    for (name, line) in text.lines().filter_map(|line| line.split_once(':')) {
        match name.trim() {
            "web" => finding.command = command::of_line(line),
            "release" if line.contains("migrate") || line.contains("alembic") => {
                finding.migrations = command::of_line(line).map(Migrations::Command);
            }
            name if name.starts_with('#') => {}
            name => others.push(format!("`{name}`")),
        }
    }
    if !others.is_empty() {
        let others = others.join(", ");
        finding = finding.remark(format!("Tandem runs the web process alone: let systemd run {others}"));
    }
    Some(finding)
}
