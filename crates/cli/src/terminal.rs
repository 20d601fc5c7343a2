//! The way to the screen: data on stdout, everything else on stderr, colours only where they are wanted.
//!
//! What comes from outside goes through [`clean`] first, so that no log line or label can move the cursor. Tested in
//! place and in `tests/cli`.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::OnceLock;

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;

/// Good news.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Bad news.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Something to watch.
pub(crate) const CARE: Style = AnsiColor::Yellow.on_default();
/// Less important.
pub(crate) const DIM: Style = Style::new().dimmed();
/// More important.
pub(crate) const STRONG: Style = Style::new().bold();

/// Where output goes and in which form.
pub(crate) struct Terminal {
    /// Data is to be JSON.
    pub(crate) json: bool,
    /// Somebody looks at stdout.
    pub(crate) data_is_seen: bool,
    /// Somebody looks at stderr.
    pub(crate) progress_is_seen: bool,
    colors: bool,
    /// The first failure to write data.
    unwritten: OnceLock<io::Error>,
}

impl Terminal {
    /// The terminal of this process. `NO_COLOR` and `CLICOLOR_FORCE` are honoured.
    pub(crate) fn new(json: bool, no_color: bool) -> Terminal {
        if no_color {
            anstream::ColorChoice::Never.write_global();
        }
        let choice = anstream::AutoStream::choice(&io::stderr());
        let named = std::env::var("TERM").map_or(true, |term| term != "dumb");
        Terminal {
            json,
            data_is_seen: io::stdout().is_terminal(),
            progress_is_seen: io::stderr().is_terminal() && named,
            colors: choice != anstream::ColorChoice::Never,
            unwritten: OnceLock::new(),
        }
    }

    /// Whether stderr takes colours.
    pub(crate) fn colors(&self) -> bool {
        self.colors
    }

    /// A line of data.
    pub(crate) fn line(&self, line: impl fmt::Display) {
        self.data(format_args!("{line}\n"));
    }

    /// Data that has its line ends already.
    pub(crate) fn text(&self, text: &str) {
        self.data(format_args!("{text}"));
    }

    fn data(&self, data: fmt::Arguments<'_>) {
        let mut out = anstream::stdout().lock();
        if let Err(error) = out.write_fmt(data).and_then(|()| out.flush()) {
            // Only the first one is told.
            let _ = self.unwritten.set(error);
        }
    }

    /// Why data did not get where it should. A closed pipe is no failure: nobody reads any more.
    pub(crate) fn unwritten(&self) -> Option<&io::Error> {
        self.unwritten.get().filter(|error| error.kind() != ErrorKind::BrokenPipe)
    }

    /// Ends when nobody can read our data any more: a pipe whose reader is gone.
    pub(crate) async fn unread(&self) {
        // A file can't be waited for, and is always there.
        let out = io::stdout().as_fd().try_clone_to_owned().and_then(Sender::from_owned_fd_unchecked);
        match out {
            Ok(out) if out.ready(Interest::ERROR).await.is_ok() => {}
            _ => std::future::pending().await,
        }
    }

    /// Data as one JSON document: indented for people, on one line otherwise.
    pub(crate) fn object(&self, object: &impl Serialize) {
        let text = if self.data_is_seen {
            serde_json::to_string_pretty(object)
        } else {
            serde_json::to_string(object)
        };
        match text {
            Ok(text) => self.line(text),
            Err(error) => self.error(&error.to_string()),
        }
    }

    /// Progress, or a remark.
    pub(crate) fn say(&self, line: impl fmt::Display) {
        let _ = writeln!(anstream::stderr().lock(), "{line}");
    }

    pub(crate) fn error(&self, message: &str) {
        self.say(format_args!("{BAD}error{BAD:#}: {}", clean(message)));
    }

    pub(crate) fn hint(&self, help: &str) {
        for (at, line) in help.lines().enumerate() {
            let head = if at == 0 { "help: " } else { "      " };
            self.say(format_args!("  {DIM}{head}{DIM:#}{}", clean(line)));
        }
    }
}

/// The text without what a terminal would obey: escape sequences and control characters. Line ends and tabs become
/// blanks.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| c.is_control() || is_invisible(c);
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let stripped = anstream::adapter::strip_str(text).to_string();
    let kept = stripped.chars().filter_map(|c| match c {
        '\t' | '\n' => Some(' '),
        c if obeyed(c) => None,
        c => Some(c),
    });
    Cow::Owned(kept.collect())
}

/// Characters that change the direction of text or hide in it.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        assert_eq!(clean("plain"), "plain");
        assert_eq!(clean("\u{1b}[31mred\u{7}\r\n\u{202e}x\tä"), "red x ä");
        assert!(!clean("\u{9b}2J\u{9d}0;t\u{9c}\u{1b}").contains(char::is_control));
    }
}
