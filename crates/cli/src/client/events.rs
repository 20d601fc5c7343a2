//! Server-sent events, read from the body of an answer.
//!
//! Only what the admin API sends: `event`, `data` and `id`. Tested in place.

use std::collections::VecDeque;

use http_body_util::BodyExt;
use hyper::body::Incoming;

/// No event is longer, in bytes.
const LONGEST: usize = 16 << 20;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Message {
    /// Its kind: `journal`, `status`.
    pub(crate) kind: String,
    pub(crate) data: String,
}

/// The events of a stream, in order.
pub(crate) struct Messages {
    body: Incoming,
    parser: Parser,
}

impl Messages {
    pub(super) fn new(body: Incoming) -> Messages {
        Messages { body, parser: Parser::default() }
    }

    /// The next event. None: the stream is over, by its end or because the daemon went away.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.parser.ready.pop_front() {
                return Some(message);
            }
            let frame = self.body.frame().await?.ok()?;
            if let Some(bytes) = frame.data_ref()
                && !self.parser.feed(bytes)
            {
                return None;
            }
        }
    }
}

#[derive(Default)]
struct Parser {
    line: Vec<u8>,
    message: Message,
    ready: VecDeque<Message>,
}

impl Parser {
    /// False if an event is longer than any may be.
    fn feed(&mut self, bytes: &[u8]) -> bool {
        for &byte in bytes {
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                self.line(&String::from_utf8_lossy(&line));
            } else {
                self.line.push(byte);
            }
            if self.line.len() + self.message.data.len() > LONGEST {
                return false;
            }
        }
        true
    }

    fn line(&mut self, line: &str) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            let message = std::mem::take(&mut self.message);
            if !message.data.is_empty() {
                self.ready.push_back(message);
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.message.kind = value.to_owned(),
            "data" => {
                if !self.message.data.is_empty() {
                    self.message.data.push('\n');
                }
                self.message.data.push_str(value);
            }
            // The id stands in the data, too; comments only keep the connection alive.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_they_are_cut() {
        let text =
            b": alive\n\nevent: journal\nid: 7\ndata: {\"a\":\r\ndata: 1}\n\ndata: x\n\ndata: unfinished";
        for cut in 0..text.len() {
            let mut parser = Parser::default();
            let (first, second) = text.split_at(cut);
            assert!(parser.feed(first) && parser.feed(second));
            let message = |kind: &str, data: &str| Message { kind: kind.to_owned(), data: data.to_owned() };
            assert_eq!(parser.ready, [message("journal", "{\"a\":\n1}"), message("", "x")]);
        }
    }

    #[test]
    fn an_endless_event_is_given_up() {
        assert!(!Parser::default().feed(&vec![b'a'; LONGEST + 1]));
    }
}
