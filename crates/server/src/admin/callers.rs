//! Who asks: by a token, or by the session of a browser that has logged in.
//!
//! A session is as good as what it was opened with, at each moment: with the token it ends. Tested in
//! `tests/server/admin`.

use std::io;

use tandem_core::base::{Millis, ServiceName, Timestamp};

use super::digest::Digest;
use super::keyring::Keyring;
use super::token::{TokenBook, TokenError};
use crate::message::Role;
use crate::state::StateFolder;

/// How long a session lasts.
pub(super) const SESSION: Millis = Millis::from_secs(12 * 3600);
/// How long a ticket is good.
pub(super) const TICKET: Millis = Millis::from_secs(60);
/// So many sessions there may be.
const SESSIONS: usize = 1000;
/// So many tickets there may be.
const TICKETS: usize = 100;

/// By what somebody shows who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Credential {
    Token(Digest),
    Session(Digest),
}

/// With what a session was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opened {
    Token(Digest),
    /// A ticket, by a user of this machine who may use the sockets.
    Ticket(u32),
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) name: String,
    pub(super) role: Role,
    /// Empty: all.
    pub(super) services: Vec<ServiceName>,
    pub(super) expires: Option<Timestamp>,
}

impl Caller {
    /// Whether they may ask about a service.
    pub(super) fn knows(&self, service: &ServiceName) -> bool {
        self.services.is_empty() || self.services.contains(service)
    }
}

/// All who may ask.
pub(super) struct Callers {
    tokens: TokenBook,
    sessions: Keyring<Opened>,
    tickets: Keyring<u32>,
}

impl Callers {
    pub(super) fn of(state: &StateFolder) -> Callers {
        Callers {
            tokens: TokenBook::of(state),
            sessions: Keyring::new(SESSIONS),
            tickets: Keyring::new(TICKETS),
        }
    }

    /// Who has this credential now.
    ///
    /// # Errors
    /// The tokens can't be read, so nobody knows.
    pub(super) fn find(&self, by: Credential, now: Timestamp) -> Result<Option<Caller>, TokenError> {
        let (opened, ends) = match by {
            Credential::Token(digest) => (Opened::Token(digest), None),
            Credential::Session(digest) => match self.sessions.find(&digest, now) {
                Some((ends, opened)) => (opened, Some(ends)),
                None => return Ok(None),
            },
        };
        let caller = match opened {
            Opened::Token(digest) => self.tokens.find(&digest, now)?.map(|token| Caller {
                name: token.name.to_string(),
                role: token.role,
                services: token.services,
                expires: token.expires,
            }),
            Opened::Ticket(uid) => Some(Caller {
                name: format!("uid:{uid}"),
                role: Role::Admin,
                services: Vec::new(),
                expires: None,
            }),
        };
        let earlier = |expires: Option<Timestamp>| ends.into_iter().chain(expires).min();
        Ok(caller.map(|caller| Caller { expires: earlier(caller.expires), ..caller }))
    }

    /// A ticket for a user of this machine.
    pub(super) fn ticket(&self, uid: u32, now: Timestamp) -> io::Result<String> {
        self.tickets.keep(uid, now + TICKET, now)
    }

    /// Opens a session by a ticket, which is used up. None: it is not good.
    pub(super) fn use_ticket(&self, ticket: &str, now: Timestamp) -> io::Result<Option<String>> {
        let uid = self.tickets.take(&Digest::of(ticket), now);
        uid.map(|uid| self.sessions.keep(Opened::Ticket(uid), now + SESSION, now)).transpose()
    }

    /// Opens a session by a token that is good.
    pub(super) fn open(&self, token: Digest, now: Timestamp) -> io::Result<String> {
        self.sessions.keep(Opened::Token(token), now + SESSION, now)
    }

    /// Ends a session.
    pub(super) fn close(&self, session: &Digest, now: Timestamp) {
        let _over = self.sessions.take(session, now);
    }
}
