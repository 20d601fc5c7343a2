//! Misbehaviour on demand, for the tests of what stands around the shop: `SHOP_FAULT`, or a file `fault` in the
//! release folder, so that a release can be a bad one.

use std::io;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Exits at once with a message.
    Start,
    /// Runs, but never listens.
    Bind,
    /// Answers 500 to health checks.
    Up,
    /// Answers 301 to health checks.
    Redirect,
    /// Accepts requests and answers none.
    Hang,
    /// Answers so many of each hundred requests with 500, but health checks.
    Errors(u64),
    /// Takes so many milliseconds longer for each answer, but for health checks.
    Slow(u64),
    /// Exits after so many seconds.
    ExitAfter(u64),
    /// Holds a session on the database at `SHOP_URL`, as if that were written into it, and none with its own URL.
    Url(Since),
}

/// Since when the wrong session is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    Start,
    /// Since the first request that is no health check.
    FirstRequest,
}

impl Fault {
    /// The fault that was asked for, if one was.
    pub(crate) fn read() -> Result<Option<Fault>, String> {
        let text = match (std::env::var("SHOP_FAULT"), std::fs::read_to_string("fault")) {
            (Ok(text), _) | (Err(_), Ok(text)) => text,
            (Err(_), Err(why)) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            (Err(_), Err(why)) => return Err(format!("can't read the file fault: {why}")),
        };
        match text.trim() {
            "" => Ok(None),
            "start" => Ok(Some(Fault::Start)),
            "bind" => Ok(Some(Fault::Bind)),
            "up" => Ok(Some(Fault::Up)),
            "redirect" => Ok(Some(Fault::Redirect)),
            "hang" => Ok(Some(Fault::Hang)),
            "url" => Ok(Some(Fault::Url(Since::Start))),
            "url-late" => Ok(Some(Fault::Url(Since::FirstRequest))),
            other => match other.split_once('=').map(|(what, number)| (what, number.parse())) {
                Some(("errors", Ok(percent @ 0..=100))) => Ok(Some(Fault::Errors(percent))),
                Some(("slow", Ok(millis))) => Ok(Some(Fault::Slow(millis))),
                Some(("exit-after", Ok(seconds))) => Ok(Some(Fault::ExitAfter(seconds))),
                _ => Err(format!(
                    "{other:?} is no fault: start, bind, up, redirect, hang, url, url-late, errors=PERCENT, slow=MILLIS or \
                     exit-after=SECONDS"
                )),
            },
        }
    }
}
