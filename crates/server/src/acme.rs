//! A certificate authority that is asked by ACME (RFC 8555): what it takes to ask it, and the asking.
//!
//! Must not know when to ask (`tandem_core::traffic::renewal` does) nor where certificates go (`adapter::acme` does). Tested
//! against a real authority in `crates/cli/tests/e2e/certificates.rs`.

pub(crate) mod book;
pub(crate) mod line;
pub(crate) mod order;
pub(crate) mod trouble;

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use instant_acme::{Account, AccountCredentials, ExternalAccountKey, NewAccount};
use serde::Deserialize;
use serde_json::Value;
use tandem_core::spec::{AcmeChallenge, ServiceSpec};

use crate::certificates::{self, CertificateError};
use line::{Delay, Line};
use trouble::{Cause, Trouble};

/// The account that an authority knows already, where it wants one.
#[derive(Clone)]
pub(crate) struct ExternalAccount {
    number: String,
    key: Vec<u8>,
}

/// The key of an account is not what the authority has shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key in `tls.acme.eab_key` is not base64url: copy it as the authority shows it")]
pub struct BadAccountKey;

impl ExternalAccount {
    /// The account of that number, with its key in base64url.
    pub(crate) fn new(number: &str, key: &str) -> Result<ExternalAccount, BadAccountKey> {
        let key = BASE64_URL_SAFE_NO_PAD.decode(key.trim().trim_end_matches('='));
        Ok(ExternalAccount { number: number.to_owned(), key: key.map_err(|_| BadAccountKey)? })
    }
}

/// What it takes to ask an authority.
pub(crate) struct Authority {
    /// The URL of its directory.
    pub(crate) directory: String,
    /// How it is shown that a name is ours.
    pub(crate) challenge: AcmeChallenge,
    contact: Option<String>,
    external: Option<ExternalAccount>,
    /// A file with those that vouch for it.
    roots: Option<PathBuf>,
}

/// An account at an authority.
pub(crate) struct Known {
    pub(crate) account: Account,
    /// What is kept of it.
    pub(crate) kept: Value,
    /// How long the authority wants us to wait, as it said last.
    pub(crate) delay: Delay,
}

impl Authority {
    /// The one that a configuration names. None: its terms are not accepted, or nothing is encrypted.
    pub(crate) fn of(
        spec: &ServiceSpec,
        base: &Path,
        external: Option<ExternalAccount>,
    ) -> Option<Authority> {
        let acme = &spec.tls.acme;
        (acme.accepted && certificates::are_wanted(spec)).then(|| Authority {
            directory: acme.url().to_owned(),
            challenge: spec.acme_challenge(),
            contact: acme.contact.as_ref().map(|address| format!("mailto:{address}")),
            external,
            roots: acme.ca.as_ref().map(|file| base.join(file)),
        })
    }

    /// Those that vouch for it, as PEM. None: those of the system.
    ///
    /// # Errors
    /// The file can't be used.
    pub(crate) fn roots(&self) -> Result<Option<String>, CertificateError> {
        self.roots.as_deref().map(certificates::authorities).transpose()
    }

    /// The account that was `kept`, or a new one.
    pub(crate) async fn account(&self, kept: Option<&Value>) -> Result<Known, Trouble> {
        let roots = self.roots().map_err(|error| Trouble::new(error, "mend the file"))?;
        let delay = Delay::default();
        let line = Line::new(roots.as_deref(), delay.clone())?;
        let failed = |error| Trouble::with_authority(&self.directory, &Cause::from(error), delay.take());
        let builder = Account::builder_with_http(Box::new(line));
        let credentials = kept.and_then(|kept| Some((AccountCredentials::deserialize(kept).ok()?, kept)));
        if let Some((credentials, kept)) = credentials {
            let account = builder.from_credentials(credentials).await.map_err(failed)?;
            return Ok(Known { account, kept: kept.clone(), delay });
        }
        let contact: Vec<&str> = self.contact.as_deref().into_iter().collect();
        let wanted =
            NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let external = self.external.as_ref();
        let external = external.map(|known| ExternalAccountKey::new(known.number.clone(), &known.key));
        let made = builder.create(&wanted, self.directory.clone(), external.as_ref()).await;
        let (account, credentials) = made.map_err(failed)?;
        let kept = serde_json::to_value(&credentials)
            .map_err(|error| Trouble::new(format!("the account can't be kept: {error}"), "report it"))?;
        Ok(Known { account, kept, delay })
    }
}
