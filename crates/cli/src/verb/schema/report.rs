//! Troubles of schema changes told to people: exit codes, places in files, what to do next.

use serde::Serialize;
use tandem_server::schema::{DatabaseError, Failure as Stop, Note, Remark, Trouble, Weight};

use crate::excerpt::Excerpt;
use crate::failure::{Exit, Failure};
use crate::place;
use crate::terminal::{CARE, DIM, Terminal, clean};

/// After whatever ended a change in the middle.
const AGAIN: &str = "nothing is half-done: tandem schema resume tries again, tandem schema undo goes back";

/// A refusal, or an error in a file, as `--json` prints it.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    code: &'a str,
    message: &'a str,
    help: Option<&'a str>,
}

#[derive(Serialize)]
struct All<'a> {
    refusals: Vec<Told<'a>>,
}

/// Tells what points into files; what is left is a failure with its exit code.
pub(super) fn told(trouble: Trouble, terminal: &Terminal) -> Failure {
    let message = trouble.to_string();
    match trouble {
        Trouble::Sources(remarks) => remarked(&remarks, Exit::Usage, terminal),
        Trouble::Migration(remark) => remarked(&[*remark], Exit::Refused, terminal),
        Trouble::Refused(remarks) => remarked(&remarks, Exit::Refused, terminal),
        Trouble::Unread { .. } => {
            Failure::usage(message).help("name the folder with --migrations DIR, or in [database] of tandem.toml")
        }
        Trouble::Folder { .. } => Failure::usage(message),
        Trouble::Unknown { last, .. } => Failure::usage(message).help(match last {
            Some(last) => format!("the last one there is `{last}`"),
            None => "there is none at all".to_owned(),
        }),
        Trouble::Ran { .. } => Failure::usage(message).help("see `tandem schema status`"),
        Trouble::History(_) => Failure::new(Exit::Refused, message).help(
            "what has run stays as it is: bring the file back and write another migration after the last one; if the \
             database is as the folder says, say so with `tandem schema adopt --at NAME`",
        ),
        Trouble::NotAdopted { .. } | Trouble::NotAdmitted { .. } => Failure::new(Exit::Refused, message),
        Trouble::Backwards { .. } => {
            Failure::new(Exit::Refused, message).help("Tandem goes forward from where the database is")
        }
        Trouble::Unplanned(_) | Trouble::Breaks(_) => Failure::new(Exit::Refused, message)
            .help("this is a case that Tandem does not know; nothing was changed. Please report it with the migration"),
        Trouble::Unusable(_) => Failure::new(Exit::Refused, message),
        Trouble::Server(error) => database(&error),
        Trouble::Failure(stop) => stopped(&stop),
    }
}

/// A failure of the database's, by whose fault it is.
fn database(error: &DatabaseError) -> Failure {
    let exit = match error {
        DatabaseError::Address { .. } => Exit::Usage,
        DatabaseError::MayNot { .. } => Exit::Refused,
        _ => Exit::Failed,
    };
    let failure = Failure::new(exit, error.to_string());
    if matches!(error, DatabaseError::Lost { .. }) { failure.help(AGAIN) } else { failure }
}

/// Why a change was not begun or carried on.
fn stopped(stop: &Stop) -> Failure {
    let message = stop.to_string();
    let refused = |help: &str| Failure::new(Exit::Refused, message.clone()).help(help);
    match stop {
        Stop::Connection(error) => database(error),
        Stop::Stopped => {
            Failure::new(Exit::Interrupted, "stopped between two transactions, nothing is half-done")
                .help("tandem schema resume goes on, tandem schema undo goes back")
        }
        Stop::Busy(_) => refused("tandem schema status shows what it does"),
        Stop::Drifted(_) | Stop::Moved(_) | Stop::Revision { .. } => {
            refused("run it again: it makes a plan of what is there now")
        }
        Stop::Active { .. } => refused("tandem schema status, then tandem schema resume, contract or undo"),
        Stop::Nothing(_) => refused("tandem schema status shows where the database stands"),
        Stop::Phase { .. } => refused("tandem schema resume finishes what was begun"),
        Stop::Rows(_) => {
            refused("write those rows through the app or by hand, then try again; tandem schema verify looks")
        }
        Stop::Clients(_) => refused("stop those apps first, or say --force: they will fail"),
        Stop::Blocked { .. } => Failure::failed(message).help(AGAIN),
        Stop::Taken => Failure::failed(message).help("tandem schema status"),
        Stop::Database(_) | Stop::Statement { .. } => Failure::failed(message).help(AGAIN),
        Stop::Format { .. } | Stop::Unreadable(_) => Failure::failed(message),
    }
}

fn remarked(remarks: &[Remark], exit: Exit, terminal: &Terminal) -> Failure {
    if terminal.json {
        terminal.object(&All { refusals: remarks.iter().map(Told::of).collect() });
        return Failure::told(exit);
    }
    for remark in remarks {
        let (message, help) = (clean(&remark.message), remark.help.as_deref());
        match &remark.spot {
            Some(spot) => {
                let file = place::shown(&spot.file);
                let span = spot.start..spot.end;
                Excerpt { file: &file, text: &spot.text, span, message: &message, help }.say(terminal);
            }
            None => {
                terminal.error(&message);
                help.into_iter().for_each(|help| terminal.hint(help));
            }
        }
    }
    Failure::told(exit)
}

impl<'a> Told<'a> {
    fn of(remark: &'a Remark) -> Told<'a> {
        let place = remark.spot.as_ref().map(|spot| {
            let file = place::shown(&spot.file);
            let span = spot.start..spot.end;
            let excerpt = Excerpt { file: &file, text: &spot.text, span, message: "", help: None };
            let (line, column) = excerpt.position();
            (file, line, column)
        });
        Told {
            line: place.as_ref().map(|place| place.1),
            column: place.as_ref().map(|place| place.2),
            file: place.map(|place| place.0),
            code: &remark.code,
            message: &remark.message,
            help: remark.help.as_deref(),
        }
    }
}

/// Notes of a plan, on stderr.
pub(super) fn notes(notes: &[Note], terminal: &Terminal) {
    for note in notes {
        let message = clean(&note.message);
        match note.weight {
            Weight::Warning => terminal.say(format_args!("{CARE}!{CARE:#} {message}")),
            Weight::Hint => terminal.say(format_args!("  {message}")),
        }
        if let Some(help) = &note.help {
            terminal.say(format_args!("  {DIM}help: {DIM:#}{}", clean(help)));
        }
    }
}
