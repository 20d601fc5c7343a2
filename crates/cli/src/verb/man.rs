//! `tandem man`: manual pages, made of the same words as the help. Tested in `tests/cli`.

use std::fs;
use std::path::Path;

use clap::CommandFactory;

use crate::args::Cli;
use crate::failure::{Exit, Failure};
use crate::terminal::{GOOD, Terminal};
use crate::verb::Ending;

pub(crate) fn run(folder: &Path, terminal: &Terminal) -> Ending {
    let written = fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
    let shown = folder.display();
    written.map_err(|error| Failure::failed(format!("the pages can't be written into {shown}: {error}")))?;
    terminal.say(format_args!("{GOOD}✔{GOOD:#} wrote the manual pages into {shown}"));
    Ok(Exit::Done)
}
