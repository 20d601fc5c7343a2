//! Why an engine did not do what it was asked for.
//!
//! Must not know what that was. Tested in place.

use std::error::Error as _;

use bollard::errors::Error;

/// What came instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    /// It can't be reached or does not answer: what it did is not known.
    #[error("it does not answer: {0}")]
    Away(String),
    /// It answered that it won't.
    #[error("{message}")]
    Refused {
        /// The status of its answer. 0: the answer began well.
        status: u16,
        /// What it said.
        message: String,
    },
}

impl Trouble {
    pub(super) fn refused(message: impl Into<String>) -> Trouble {
        Trouble::Refused { status: 0, message: message.into() }
    }

    pub(super) fn is_away(&self) -> bool {
        matches!(self, Trouble::Away(_))
    }

    /// There is no such thing.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Trouble::Refused { status: 404, .. })
    }

    /// It is there already, or somebody uses it.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Trouble::Refused { status: 409, .. })
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        match error {
            Error::DockerResponseServerError { status_code, message } => {
                Trouble::Refused { status: status_code, message: plain(&message) }
            }
            Error::DockerStreamError { error } => Trouble::refused(plain(&error)),
            Error::DockerContainerWaitError { error, .. } => Trouble::refused(plain(&error)),
            Error::JsonDataError { message, .. } => {
                Trouble::refused(format!("its answer is not understood: {message}"))
            }
            Error::RequestTimeoutError => Trouble::Away("its time is over".to_owned()),
            Error::SocketNotFoundError(path) => Trouble::Away(format!("there is no socket {path}")),
            other => Trouble::Away(with_causes(&other)),
        }
    }
}

/// The error with what lies under it, which says more than the error itself.
fn with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    // A chain of causes is short; one that is not must not hold us.
    for _ in 0..8 {
        let Some(error) = cause else { break };
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

/// What an engine said, without control characters, of bounded length.
fn plain(message: &str) -> String {
    const LONGEST: usize = 600;
    let line = message.trim().split(|c: char| c.is_control()).filter(|part| !part.is_empty());
    let text = line.collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_engine_says_is_plain_and_bounded() {
        let said = |message: &str| {
            let error = Error::DockerResponseServerError { status_code: 404, message: message.to_owned() };
            Trouble::from(error)
        };
        assert!(said("x").is_missing() && !said("x").is_away() && !said("x").is_conflict());
        assert_eq!(said(" a\r\nb\u{1b}[0m ").to_string(), "a b [0m");
        assert_eq!(said(&"x".repeat(5000)).to_string().chars().count(), 601);
        assert!(Trouble::from(Error::RequestTimeoutError).is_away());
    }
}
