//! `tandem init`: a configuration for what is in the folder.
//!
//! Each kind of file that says something of a service has a file here that reads it (`procfile`, `docker`, `ruby`, …) and knows
//! no other; `draft` puts together what they found, `page` writes it down with the reasons. What nothing says stands in the
//! configuration as a question. Never overwrites anything. Tested in `tests.rs` with sample folders, and in `tests/cli`.

mod command;
mod compiled;
mod compose;
mod docker;
mod draft;
mod finding;
mod folder;
mod kamal;
mod laravel;
mod migrations;
mod node;
mod page;
mod phoenix;
mod postgres;
mod procfile;
mod python;
mod ruby;
mod systemd;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::Write;

use crate::args::Global;
use crate::failure::{Exit, Failure};
use crate::place;
use crate::terminal::{CARE, GOOD, Terminal};
use crate::verb::Ending;
use draft::Draft;
use folder::Folder;

pub(crate) fn run(global: &Global, terminal: &Terminal) -> Ending {
    let here = std::env::current_dir()
        .map_err(|error| Failure::failed(format!("the current folder can't be read: {error}")))?;
    let path = match &global.config {
        Some(path) => here.join(path),
        None => here.join("tandem.toml"),
    };
    let draft = Draft::of(&Folder::at(path.parent().unwrap_or(&here)));
    let shown = place::shown(&path);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&path).map_err(|error| {
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            Failure::usage(format!("{shown} is there already")).help("check it with `tandem check`")
        } else {
            Failure::failed(format!("{shown} can't be written: {error}"))
        }
    })?;
    file.write_all(page::page(&draft).as_bytes())
        .map_err(|error| Failure::failed(format!("{shown} can't be written: {error}")))?;
    tell(&draft, &shown, terminal);
    Ok(Exit::Done)
}

fn tell(draft: &Draft, shown: &str, terminal: &Terminal) {
    let command = draft.command.as_ref();
    if terminal.json {
        let found: Vec<_> = draft
            .found
            .iter()
            .map(|(of, remarks)| serde_json::json!({ "in": of, "remarks": remarks }))
            .collect();
        let command = command.map(|(command, _)| command);
        terminal.object(&serde_json::json!({ "config": shown, "command": command, "found": found }));
        return;
    }
    let because = match command {
        Some((_, of)) => format!("the command is that of {of}"),
        None => "nothing here says how the service is started: put its command in".to_owned(),
    };
    terminal.say(format_args!("{GOOD}✔{GOOD:#} wrote {shown}: {because}"));
    for (of, remarks) in &draft.found {
        terminal.say(format_args!("  found {of}"));
        for remark in remarks {
            terminal.say(format_args!("  {CARE}!{CARE:#} {remark}"));
        }
    }
    terminal.say("  read it, then: tandem up, and in another terminal: tandem deploy PATH");
}
