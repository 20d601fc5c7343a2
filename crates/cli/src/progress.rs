//! A deployment as it goes: live on a terminal, line by line otherwise. All of it goes to stderr.
//!
//! Shows what it is given and knows no daemon. Tested in `tests/cli`.

mod live;
mod plain;

use std::time::Instant;

use tandem_core::base::{Millis, Timestamp};
use tandem_server::api::{JournalEvent, Status};

use crate::story::{Line, Story, Tone};
use crate::terminal::{BAD, CARE, GOOD, Terminal};
use live::Live;
use plain::Plain;

/// Shows the way of one deployment.
pub(crate) struct Progress<'t> {
    story: Story,
    shown: Shown<'t>,
    /// The last state of things, and when it came.
    last: Option<(Status, Instant)>,
}

enum Shown<'t> {
    Live(Live),
    Plain(Plain<'t>),
}

impl<'t> Progress<'t> {
    pub(crate) fn new(terminal: &'t Terminal) -> Progress<'t> {
        let shown = if terminal.progress_is_seen {
            Shown::Live(Live::new(terminal.colors()))
        } else {
            Shown::Plain(Plain::new(terminal))
        };
        Progress { story: Story::default(), shown, last: None }
    }

    /// Somebody looks on, and may do something about a pause.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.shown, Shown::Live(_))
    }

    pub(crate) fn stands(&mut self, status: Status) {
        self.story.stands(&status);
        let told = self.last.as_ref().is_some_and(|(last, _)| last.config_changed);
        if status.config_changed && !told {
            self.remark(
                "the configuration on the disk has changed; this uses the one from before, until `tandem up` is \
                 restarted",
            );
        }
        self.last = Some((status, Instant::now()));
        self.tick();
    }

    pub(crate) fn happened(&mut self, event: &JournalEvent) {
        if let Some(line) = self.story.tell(&event.recorded.event) {
            match &mut self.shown {
                Shown::Live(live) => live.line(&line),
                Shown::Plain(plain) => plain.line(event.recorded.at, &line),
            }
        }
    }

    /// Time has passed: waits are shown with what is left of them.
    pub(crate) fn tick(&mut self) {
        let Some((status, came)) = &self.last else { return };
        let passed = u64::try_from(came.elapsed().as_millis()).unwrap_or(u64::MAX);
        let now = status.at + Millis(passed);
        match &mut self.shown {
            Shown::Live(live) => live.stands(status, now),
            Shown::Plain(plain) => plain.stands(status, now),
        }
    }

    /// A remark about the following itself.
    pub(crate) fn remark(&mut self, text: &str) {
        let line = Line { tone: Tone::Care, text: text.to_owned() };
        match &mut self.shown {
            Shown::Live(live) => live.line(&line),
            Shown::Plain(plain) => plain.remark(&line),
        }
    }

    /// Nothing more is shown. `good` tells whether all phases were gone through; None: it is not over.
    pub(crate) fn end(self, good: Option<bool>) {
        if let Shown::Live(live) = self.shown {
            live.end(good);
        }
    }
}

/// A line with its mark, in its colour.
fn painted(line: &Line) -> String {
    let text = &line.text;
    match line.tone {
        Tone::Plain => format!("  {text}"),
        Tone::Good => format!("{GOOD}✔{GOOD:#} {text}"),
        Tone::Care => format!("{CARE}!{CARE:#} {text}"),
        Tone::Bad => format!("{BAD}✘{BAD:#} {text}"),
    }
}

/// What is waited for, in sentences that are true now.
fn sentences(status: &Status, now: Timestamp) -> impl Iterator<Item = String> + '_ {
    let trouble = status.trouble.iter().map(|trouble| crate::terminal::clean(trouble).into_owned());
    let waits =
        status.waits.iter().map(move |wait| crate::terminal::clean(&wait.wait.sentence(now)).into_owned());
    trouble.chain(waits)
}
