//! The loop itself: a pass whenever something happened, and at the latest when the last decision said to look again.

use tandem_core::base::{Millis, Timestamp};
use tandem_core::deploy::Command;
use tandem_core::workflow::Event;

use crate::engine::{Engine, EngineError, View};

/// After a failed pass, the next one follows after this time, unless something happens before.
const RETRY_AFTER: Millis = Millis::from_secs(1);

/// Without any reason to, the engine looks at the world again after this time: a notice may have been lost.
const LOOK_AGAIN: Millis = Millis::from_secs(5);

/// What comes to the engine from outside.
pub enum Message {
    /// Something may have changed, or the time has come.
    Look,
    /// Somebody asks for something.
    Command {
        /// What.
        command: Command,
        /// Takes the answer.
        answer: Box<dyn FnOnce(Result<Vec<Event>, EngineError>) + Send>,
    },
    /// The loop is to end.
    Stop,
}

/// The loop was told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop;

/// The world around the loop.
pub trait Outside {
    /// Waits for a message, at the longest until `until`; then the answer is [`Message::Look`].
    fn next(&mut self, until: Timestamp) -> Message;

    /// Is told after each pass how things stand, and what went wrong if something did.
    fn publish(&mut self, view: &View, error: Option<&EngineError>);
}

/// Runs until it is told to stop. Whatever goes wrong is published and tried again.
pub fn run(engine: &mut Engine, outside: &mut dyn Outside) -> Stop {
    let mut trouble: Option<String> = None;
    loop {
        let until = match engine.pass() {
            Ok(pass) => {
                if trouble.take().is_some() {
                    tracing::info!("passes succeed again");
                }
                outside.publish(engine.view(), None);
                let now = engine.view().at;
                // What was done has changed the world: look at once. What failed would fail again.
                if pass.events > 0 && !pass.failed {
                    now
                } else {
                    pass.wake_at.unwrap_or(now + LOOK_AGAIN).min(now + LOOK_AGAIN)
                }
            }
            Err(error) => {
                // A full disk fails once a second, and is no news after the first time.
                let text = error.to_string();
                if trouble.as_ref() != Some(&text) {
                    tracing::warn!(%error, "a pass failed and is tried again until it succeeds");
                }
                trouble = Some(text);
                outside.publish(engine.view(), Some(&error));
                engine.view().at + RETRY_AFTER
            }
        };
        match outside.next(until) {
            Message::Look => {}
            Message::Command { command, answer } => {
                let taken = engine.command(&command);
                // Whoever asked may look at once, and must find what was asked for. A refusal changes nothing, and says
                // nothing of what went wrong before.
                if taken.is_ok() {
                    outside.publish(engine.view(), None);
                }
                answer(taken);
            }
            Message::Stop => return Stop,
        }
    }
}
