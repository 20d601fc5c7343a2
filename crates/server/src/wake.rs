//! The bell of the engine's loop: whoever knows that something may have changed rings it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tandem_engine::Message;

/// So many messages may wait for the engine.
const WAITING: usize = 64;

/// Sends messages to the engine. Any number of these may be about.
#[derive(Clone)]
pub(crate) struct Wake {
    sender: SyncSender<Message>,
    rung: Arc<AtomicBool>,
}

/// The engine's end.
pub(crate) struct Inbox {
    receiver: Receiver<Message>,
    rung: Arc<AtomicBool>,
}

/// Makes both ends.
pub(crate) fn bell() -> (Wake, Inbox) {
    let (sender, receiver) = sync_channel(WAITING);
    let rung = Arc::new(AtomicBool::new(false));
    (Wake { sender, rung: rung.clone() }, Inbox { receiver, rung })
}

/// The engine takes no more messages at the moment, or never again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotTaken;

impl Wake {
    /// Lets the engine look at the world soon. Rung twice before it does, it looks once.
    pub(crate) fn wake(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            // With messages waiting, the engine looks after them anyway.
            let _ = self.sender.try_send(Message::Look);
        }
    }

    /// Sends a message.
    pub(crate) fn send(&self, message: Message) -> Result<(), NotTaken> {
        self.sender.try_send(message).map_err(|error| match error {
            TrySendError::Full(_) | TrySendError::Disconnected(_) => NotTaken,
        })
    }

    /// Tells the engine to stop, after what waits already.
    pub(crate) fn stop(&self) {
        let _ = self.sender.send(Message::Stop);
    }
}

impl Inbox {
    /// The next message; after `at_most` a look.
    pub(crate) fn next(&self, at_most: Duration) -> Message {
        let message = match self.receiver.recv_timeout(at_most) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => Message::Look,
            Err(RecvTimeoutError::Disconnected) => Message::Stop,
        };
        // What changes from here on rings again.
        self.rung.store(false, Ordering::Release);
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_rung_often_is_heard_once_and_then_again() {
        let (wake, inbox) = bell();
        for _ in 0..1000 {
            wake.wake();
        }
        assert!(matches!(inbox.next(Duration::from_secs(60)), Message::Look));
        assert!(inbox.receiver.try_recv().is_err());
        wake.wake();
        assert!(inbox.receiver.try_recv().is_ok());
    }

    #[test]
    fn a_full_inbox_refuses_and_an_abandoned_one_ends_the_engine() {
        let (wake, inbox) = bell();
        while wake.send(Message::Look).is_ok() {}
        drop(wake);
        for _ in 0..WAITING {
            assert!(matches!(inbox.next(Duration::ZERO), Message::Look));
        }
        assert!(matches!(inbox.next(Duration::ZERO), Message::Stop));
    }
}
