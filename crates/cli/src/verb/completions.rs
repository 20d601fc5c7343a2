//! `tandem completions`: scripts by which shells complete the command line.

use clap::CommandFactory;

use crate::args::Cli;
use crate::failure::Exit;
use crate::terminal::Terminal;
use crate::verb::Ending;

pub(crate) fn run(shell: clap_complete::Shell, terminal: &Terminal) -> Ending {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tandem", &mut script);
    terminal.text(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
