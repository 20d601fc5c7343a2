//! A Dockerfile: what its last stage runs. What it builds is not looked at.

use super::command;
use super::finding::Finding;
use super::folder::Folder;

pub(super) fn look(folder: &Folder) -> Option<Finding> {
    let text = folder.text("Dockerfile")?.replace("\\\n", " ");
    let last = text.lines().enumerate().filter(|(_, line)| word(line, "FROM").is_some()).last();
    let (mut start, mut more, mut port) = (Vec::new(), Vec::new(), None);
    let mut finding = Finding::of("Dockerfile");
    for line in text.lines().skip(last.map_or(0, |(at, _)| at)) {
        if let Some(rest) = word(line, "ENTRYPOINT") {
            start = instruction(rest);
        } else if let Some(rest) = word(line, "HEALTHCHECK") {
            finding.ready = command::path_asked(rest);
        } else if let Some(rest) = word(line, "EXPOSE") {
            port =
                rest.split(['/', ' ']).next().filter(|port| port.parse::<u16>().is_ok()).map(str::to_owned);
        } else if let Some(rest) = word(line, "CMD") {
            more = instruction(rest);
        }
    }
    start.append(&mut more);
    if let Some(port) = port {
        start = command::on_any_port(start, &port);
        finding = finding.remark(format!("in the container it listens on {port}; here the port is in PORT"));
    }
    // Where the container keeps things is not where the deliverable has them.
    let absolute =
        start.first().is_some_and(|program| program.starts_with('/') && !program.starts_with("/usr/bin/"));
    if absolute {
        finding = finding.remark(format!("it runs {}, a path in the container", start.join(" ")));
    } else if !start.is_empty() {
        finding.command = Some(start);
    }
    Some(finding)
}

/// What follows this word at the beginning of a line.
fn word<'l>(line: &'l str, word: &str) -> Option<&'l str> {
    let (first, rest) = line.trim().split_once(char::is_whitespace)?;
    first.eq_ignore_ascii_case(word).then(|| rest.trim())
}

fn instruction(text: &str) -> Vec<String> {
    serde_json::from_str(text).ok().or_else(|| command::of_line(text)).unwrap_or_default()
}
