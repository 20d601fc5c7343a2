//! Progress without a terminal: a line for each thing that happens, and for each wait that lasts.

use std::collections::BTreeMap;
use std::mem::discriminant;

use tandem_core::base::{Millis, Timestamp};
use tandem_core::deploy::Wait;
use tandem_server::api::Status;

use super::painted;
use crate::story::{Line, Tone};
use crate::terminal::{Terminal, clean};

/// A wait is worth a line when it has lasted so long, and again after each [`AGAIN`].
const LASTS: Millis = Millis::from_secs(5);
const AGAIN: Millis = Millis::from_secs(30);

pub(super) struct Plain<'t> {
    terminal: &'t Terminal,
    began: Option<Timestamp>,
    /// The waits that last: since when, and when they were last told.
    waits: BTreeMap<String, (Timestamp, Option<Timestamp>)>,
}

impl<'t> Plain<'t> {
    pub(super) fn new(terminal: &'t Terminal) -> Plain<'t> {
        Plain { terminal, began: None, waits: BTreeMap::new() }
    }

    pub(super) fn line(&mut self, at: Timestamp, line: &Line) {
        let began = *self.began.get_or_insert(at);
        self.terminal.say(format_args!("{:>8} {}", at.since(began).rough(), painted(line)));
    }

    pub(super) fn remark(&self, line: &Line) {
        self.terminal.say(format_args!("{:>8} {}", "", painted(line)));
    }

    pub(super) fn stands(&mut self, status: &Status, now: Timestamp) {
        let mut still = BTreeMap::new();
        for wait in &status.waits {
            let key = same(&wait.wait);
            let (since, mut told) = self.waits.remove(&key).unwrap_or((now, None));
            let due = told.map_or(now.since(since) >= LASTS, |told| now.since(told) >= AGAIN);
            if due {
                let text = format!("waiting: {}", clean(&wait.wait.sentence(now)));
                self.line(now, &Line { tone: Tone::Plain, text });
                told = Some(now);
            }
            still.insert(key, (since, told));
        }
        self.waits = still;
    }
}

/// Two waits with the same name are the same wait, though its figures may change.
fn same(wait: &Wait) -> String {
    let instance = match wait {
        Wait::NotReady { instance, .. }
        | Wait::Draining { instance, .. }
        | Wait::Stopping { instance, .. } => Some(*instance),
        _ => None,
    };
    format!("{:?} {instance:?}", discriminant(wait))
}
