//! The pages of the guide that list verbs and exit codes, `docs/src/reference/verbs.md` and `exit-codes.md`: made of what the
//! command line says, and compared with the files, so that neither changes without the other. Only tests know it.

use std::fmt::Write;

use clap::{Arg, ArgAction, Command, CommandFactory, Id};

use crate::args::Cli;
use crate::failure::Exit;

/// Where the pages are.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/reference/");
/// Has them written anew.
const WRITE: &str = "TANDEM_WRITE_DOCUMENT";

const VERBS: &str = "\
# Verbs

<!-- Made by crates/cli/src/reference.rs. -->

As `tandem VERB --help` has them. Data goes to standard output, progress and messages to standard error. [How each can end](exit-codes.md).
";

const EXITS: &str = "\
# Exit codes

<!-- Made by crates/cli/src/reference.rs. -->

The same for all verbs, so that scripts can rely on them:

| code | it means |
| --- | --- |
";

const ALL: [Exit; 9] = [
    Exit::Done,
    Exit::Failed,
    Exit::Usage,
    Exit::RolledBack,
    Exit::Waiting,
    Exit::Refused,
    Exit::NoDaemon,
    Exit::TimedOut,
    Exit::Interrupted,
];

fn meaning(exit: Exit) -> &'static str {
    match exit {
        Exit::Done => "It was done.",
        Exit::Failed => "It was tried and failed.",
        Exit::Usage => "The command line or the configuration is wrong; nothing was tried.",
        Exit::RolledBack => "The deployment went back by itself; the version from before serves.",
        Exit::Waiting => "It waits for a person: the deployment is paused, or asks for `tandem promote`.",
        Exit::Refused => {
            "It was refused, because of something else that is going on, a migration, or a contract; nothing was done."
        }
        Exit::NoDaemon => "No `tandem up` is running, or it is not to be reached.",
        Exit::TimedOut => "It took longer than `--timeout`; a deployment goes on.",
        Exit::Interrupted => "Somebody interrupted it (Ctrl-C); a deployment goes on.",
    }
}

fn exits() -> String {
    let rows = ALL.iter().map(|exit| format!("| {} | {} |\n", *exit as u8, meaning(*exit)));
    EXITS.chars().chain(rows.collect::<String>().chars()).collect()
}

fn verbs() -> String {
    let mut command = Cli::command();
    command.build();
    let mut page = VERBS.to_owned();
    page.push_str("\n## With every verb\n\n");
    rows(command.get_arguments().filter(|argument| argument.is_global_set()), &mut page);
    let told: Vec<Id> = command.get_arguments().map(|argument| argument.get_id().clone()).collect();
    for verb in command.get_subcommands_mut().filter(|verb| !verb.is_hide_set()) {
        describe("tandem", &told, verb, &mut page);
    }
    page
}

/// A verb and those below it, without arguments that were told further up.
fn describe(before: &str, told: &[Id], verb: &mut Command, page: &mut String) {
    let name = format!("{before} {}", verb.get_name());
    let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = write!(
        page,
        "\n{} `{name}`\n\n{}.\n",
        "#".repeat(name.split(' ').count()),
        about.trim_end_matches('.')
    );
    if !verb.has_subcommands() {
        let usage = verb.render_usage().to_string();
        let _ = write!(page, "\n```text\n{}\n```\n", usage.trim_start_matches("Usage: "));
    }
    let asks = |argument: &Arg| matches!(argument.get_action(), ArgAction::Help | ArgAction::Version);
    let is_own = |argument: &&Arg| {
        !argument.is_hide_set()
            && !asks(argument)
            && (!argument.is_global_set() || !told.contains(argument.get_id()))
    };
    let own: Vec<&Arg> = verb.get_arguments().filter(is_own).collect();
    if !own.is_empty() {
        page.push('\n');
        rows(own.iter().copied(), page);
    }
    let mut told = told.to_vec();
    told.extend(own.iter().map(|argument| argument.get_id().clone()));
    if let Some(after) = verb.get_after_help() {
        let _ = write!(page, "\n```text\n{}\n```\n", after.to_string().trim_end());
    }
    for verb in verb.get_subcommands_mut().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
        describe(&name, &told, verb, page);
    }
}

fn rows<'a>(arguments: impl Iterator<Item = &'a Arg>, page: &mut String) {
    page.push_str("| argument | what it says |\n| --- | --- |\n");
    for argument in arguments {
        let about = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let about = about.replace('|', "\\|").replace('<', "&lt;").replace('\n', " ");
        let words: Vec<String> = argument
            .get_possible_values()
            .iter()
            .filter(|_| argument.get_action().takes_values())
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        let words = if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) };
        let _ = writeln!(page, "| `{}` | {about}{words} |", spelled(argument));
    }
}

/// As one writes it.
fn spelled(argument: &Arg) -> String {
    let value = argument.get_value_names().and_then(|names| names.first()).map(|name| name.to_string());
    let value = value.filter(|_| argument.get_action().takes_values());
    let long = argument.get_long().map(|long| format!("--{long}"));
    let short = argument.get_short().map(|short| format!("-{short}"));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    match (names.is_empty(), value) {
        (true, value) => value.unwrap_or_default(),
        (false, Some(value)) => format!("{} {value}", names.join(", ")),
        (false, None) => names.join(", "),
    }
}

#[test]
fn the_guide_lists_every_verb_and_every_exit_code() {
    for (name, made) in [("verbs.md", verbs()), ("exit-codes.md", exits())] {
        let path = format!("{FOLDER}{name}");
        if std::env::var_os(WRITE).is_some() {
            std::fs::write(&path, &made).expect("the page can be written");
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            made == written,
            "{path} is not what the code says: {WRITE}=1 cargo test -p tandem reference"
        );
    }
}
