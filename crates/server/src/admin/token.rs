//! Tokens: who may do what, in a file of the state folder, for its owner alone.
//!
//! The file is read for each request, so a change is in force at once, whoever made it; whoever wrote it has the right to
//! the folder. Of a token only its digest is kept. Tested in `tests/server/admin/tokens.rs`.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tandem_core::base::{Millis, ServiceName, Timestamp};

use super::digest::{Digest, secret};
use crate::clock::wall_time;
use crate::message::Role;
use crate::state::{Part, StateError, StateFolder, write_file};

/// By which people, and programs that look for lost secrets, know a token.
const PREFIX: &str = "tdm_";
/// So many tokens there may be.
const MOST: usize = 1000;
/// The largest file that is read, in bytes.
const LARGEST: u64 = 4 << 20;

/// What a token is called: letters, digits, `.`, `-` and `_`, at most 64 of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenName(String);

/// A text that can't be the name of a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the name of a token has 1 to 64 letters, digits, '.', '-' or '_'")]
pub struct NotATokenName;

impl FromStr for TokenName {
    type Err = NotATokenName;

    fn from_str(text: &str) -> Result<TokenName, NotATokenName> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        let is_name = (1..=64).contains(&text.len()) && text.bytes().all(fits);
        if is_name { Ok(TokenName(text.to_owned())) } else { Err(NotATokenName) }
    }
}

impl TryFrom<String> for TokenName {
    type Error = NotATokenName;

    fn try_from(text: String) -> Result<TokenName, NotATokenName> {
        text.parse()
    }
}

impl From<TokenName> for String {
    fn from(name: TokenName) -> String {
        name.0
    }
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// What it is called.
    pub name: TokenName,
    /// What it is good for.
    pub role: Role,
    /// For which services. Empty: for all.
    #[serde(default)]
    pub services: Vec<ServiceName>,
    /// When it was made, by the clock on the wall.
    pub created: Timestamp,
    /// When it ends. None: it does not end by itself.
    #[serde(default)]
    pub expires: Option<Timestamp>,
}

impl Token {
    /// Whether it is over.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// A token and what is kept of its secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    #[serde(flatten)]
    pub(super) token: Token,
    pub(super) digest: Digest,
}

/// Why tokens could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The state folder can't be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The file can't be read.
    #[error("can't read the tokens in {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No random bytes can be had.
    #[error("can't make a secret: {0}")]
    Random(io::Error),
    /// What is written there its daemon could not read.
    #[error("the state folder {} belongs to the user {owner}: run this as that user (sudo -u '#{owner}' tandem …)", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// The number of its owner.
        owner: u32,
    },
    /// There is one of that name.
    #[error("there is a token {0} already: revoke it first, or choose another name")]
    Taken(TokenName),
    /// There is none of that name.
    #[error("there is no token {0}: see `tandem token list`")]
    Unknown(TokenName),
    /// There are too many.
    #[error("there are {MOST} tokens already: revoke those that nobody needs")]
    Full,
}

/// The tokens of a state folder.
#[derive(Debug, Clone)]
pub struct TokenBook {
    state: StateFolder,
}

impl TokenBook {
    /// Those of a front.
    pub fn of(state: &StateFolder) -> TokenBook {
        TokenBook { state: state.clone() }
    }

    /// Makes a token that ends after `lasts`, and gives its secret, which can't be had again.
    ///
    /// # Errors
    /// Nothing was made.
    pub fn create(
        &self,
        name: TokenName,
        role: Role,
        services: Vec<ServiceName>,
        lasts: Option<Millis>,
    ) -> Result<(Token, String), TokenError> {
        let secret = format!("{PREFIX}{}", secret().map_err(TokenError::Random)?);
        let created = wall_time();
        let token = Token { name, role, services, created, expires: lasts.map(|lasts| created + lasts) };
        let kept = Kept { token: token.clone(), digest: Digest::of(&secret) };
        self.change(|all| match all {
            _ if all.iter().any(|kept| kept.token.name == token.name) => {
                Err(TokenError::Taken(token.name.clone()))
            }
            _ if all.len() >= MOST => Err(TokenError::Full),
            _ => {
                all.push(kept);
                Ok(())
            }
        })?;
        Ok((token, secret))
    }

    /// Takes a token out of force.
    ///
    /// # Errors
    /// Nothing was changed.
    pub fn revoke(&self, name: &TokenName) -> Result<(), TokenError> {
        self.change(|all| {
            let before = all.len();
            all.retain(|kept| kept.token.name != *name);
            if all.len() < before { Ok(()) } else { Err(TokenError::Unknown(name.clone())) }
        })
    }

    /// All of them, the oldest first; those that are over, too.
    ///
    /// # Errors
    /// They can't be read.
    pub fn all(&self) -> Result<Vec<Token>, TokenError> {
        Ok(self.kept()?.into_iter().map(|kept| kept.token).collect())
    }

    /// The token with this digest, if it is in force. Looks at each of them, whichever it is.
    pub(super) fn find(&self, digest: &Digest, now: Timestamp) -> Result<Option<Token>, TokenError> {
        let mut found = None;
        for kept in self.kept()? {
            if kept.digest.is(digest) {
                found = Some(kept.token);
            }
        }
        Ok(found.filter(|token| !token.has_ended(now)))
    }

    fn kept(&self) -> Result<Vec<Kept>, TokenError> {
        let path = self.state.tokens();
        let failed = |source| TokenError::Read { path: path.clone(), source };
        match fs::metadata(&path) {
            Ok(file) if file.len() > LARGEST => {
                return Err(failed(io::Error::other("the file is too large")));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            _ => {}
        }
        let text = fs::read(&path).map_err(failed)?;
        serde_json::from_slice(&text).map_err(|error| failed(error.into()))
    }

    fn change(
        &self,
        change: impl FnOnce(&mut Vec<Kept>) -> Result<(), TokenError>,
    ) -> Result<(), TokenError> {
        self.state.prepare()?;
        let (path, me) = (self.state.path(), rustix::process::geteuid().as_raw());
        if let Some(owner) = fs::metadata(path).ok().map(|folder| folder.uid()).filter(|owner| *owner != me) {
            return Err(TokenError::Foreign { path: path.to_owned(), owner });
        }
        let lock = self.state.lock(Part::Tokens)?;
        let mut all = self.kept()?;
        change(&mut all)?;
        let text = serde_json::to_vec_pretty(&all)
            .map_err(|error| TokenError::Read { path: self.state.tokens(), source: error.into() })?;
        write_file(&self.state.tokens(), &text)?;
        lock.release();
        Ok(())
    }
}
