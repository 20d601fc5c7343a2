//! Who is told must be within reach in one way. Tested in `tests/hook.rs`.

use super::super::found::Found;
use super::super::notify::{MOST_TARGETS, NotifySpec};
use super::super::problem::{Problem, ProblemCode};
use super::contradiction;

pub(super) fn each_is_told_somehow(notify: &[NotifySpec], found: &mut Found) {
    if notify.len() > MOST_TARGETS {
        let message = format!("{} are to be told, more than {MOST_TARGETS}", notify.len());
        let problem = Problem::new(ProblemCode::OutOfRange, found.table_span("notify[0]"), message);
        found.problems.push(problem.help("let one program of yours tell the others"));
    }
    for (at, target) in notify.iter().enumerate() {
        let (url, command) = (format!("notify[{at}].url"), format!("notify[{at}].command"));
        if target.url.is_some() && target.command.is_some() {
            let message = "`notify.command` is told, and `notify.url` too".to_owned();
            contradiction(found, &command, message, "write a [[notify]] of its own for one of them");
        } else if target.url.is_none() && target.command.is_none() && found.good(&[&url, &command]) {
            let message = "`notify` says neither `url` nor `command`: nobody would be told".to_owned();
            let problem =
                Problem::new(ProblemCode::MissingKey, found.table_span(&format!("notify[{at}]")), message);
            found.problems.push(problem.help("write for example url = \"env:SLACK_URL\""));
        }
    }
}
