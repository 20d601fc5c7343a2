//! What is kept of an authority: the account, the certificates, and how each name stands. One file, for its owner alone.
//!
//! With it a restart asks for nothing. Lost, all is asked for anew.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tandem_core::base::Timestamp;
use tandem_core::traffic::renewal::{Lifetime, Renewal};
use tandem_core::traffic::{Certificate, Secret};

use crate::certificates;
use crate::state::{StateError, StateFolder, write_file};

/// What is kept.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Book {
    /// The directory of the authority where the account is.
    directory: String,
    /// The account.
    pub(crate) account: Option<Value>,
    /// By name.
    pub(crate) names: BTreeMap<String, Entry>,
}

/// What is kept for a name.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// What was had, and when it is to be had again.
    pub(crate) renewal: Renewal,
    /// The certificate, its own first, as PEM.
    pub(crate) chain: String,
    /// Its key.
    pub(crate) key: Option<Secret>,
}

impl Entry {
    /// What was had, if clients can still be shown it.
    pub(crate) fn certificate(&self, name: &str) -> Option<Certificate> {
        Some(Certificate { names: vec![name.to_owned()], chain: self.chain.clone(), key: self.key.clone()? })
    }

    /// The time for which a chain is good.
    ///
    /// # Errors
    /// It is not for that name, or can't be used with that key.
    pub(crate) fn check(name: &str, chain: &str, key: &Secret) -> Result<Lifetime, String> {
        let certificate =
            Certificate { names: vec![name.to_owned()], chain: chain.to_owned(), key: key.clone() };
        certificates::usable(&certificate)?;
        let face = certificates::look(chain)?;
        if !face.names.iter().any(|known| known == name) {
            return Err(format!("it is for {}", face.names.join(", ")));
        }
        Ok(Lifetime { from: face.begins, until: face.ends })
    }
}

impl Book {
    /// What was kept, as far as it is of use for these names at that authority.
    pub(crate) fn open(state: &StateFolder, directory: &str, names: &[String], now: Timestamp) -> Book {
        let mut book = Book::read(state);
        for (name, entry) in &mut book.names {
            let good = entry.key.as_ref().is_some_and(|key| Entry::check(name, &entry.chain, key).is_ok());
            if !good {
                entry.key = None;
            }
            if book.directory != directory || !good && entry.renewal.certificate().is_some() {
                entry.renewal.begin_anew();
            }
            entry.renewal.take_heart();
        }
        if book.directory != directory {
            (book.directory, book.account) = (directory.to_owned(), None);
        }
        // Those of names that nobody asks for any more are kept while they are good: a name may come back.
        let is_good = |entry: &Entry| certificates::look(&entry.chain).is_ok_and(|face| face.ends > now);
        book.names.retain(|name, entry| names.contains(name) || entry.key.is_some() && is_good(entry));
        book
    }

    fn read(state: &StateFolder) -> Book {
        let path = state.acme();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Book::default(),
            Err(error) => {
                tracing::warn!("can't read {}: {error}; certificates are asked for anew", path.display());
                return Book::default();
            }
        };
        serde_json::from_slice(&text).unwrap_or_else(|error| {
            tracing::warn!("{} is damaged: {error}; certificates are asked for anew", path.display());
            Book::default()
        })
    }

    /// Writes it down.
    ///
    /// # Errors
    /// The file can't be written.
    pub(crate) fn write(&self, state: &StateFolder) -> Result<(), StateError> {
        write_file(&state.acme(), &serde_json::to_vec(self).unwrap_or_default())
    }
}
