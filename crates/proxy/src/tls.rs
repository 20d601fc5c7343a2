//! Encrypted connections: which certificate a handshake gets.
//!
//! Certificates are exchanged as a whole, and only for handshakes that begin afterwards: connections never notice. Tickets
//! stay good over an exchange. Knows names and keys, not where they come from; `handshake` uses
//! it. Tested through the whole proxy.

use std::sync::{Arc, OnceLock};

use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{
    ClientHello, NoClientAuth, ProducesTickets, ResolvesServerCert, ServerConfig, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use tandem_core::spec::TlsVersion;
use tandem_core::traffic::{Certificate, Challenge, ClientCheck, Encryption, listener};

/// What an authority that asks by a handshake names as its protocol (RFC 8737).
pub(crate) const ASKING: &[u8] = b"acme-tls/1";
/// HTTP/2 and HTTP/1.1 as protocols of a handshake.
pub(crate) const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// What handshakes need, ready for use.
#[derive(Debug)]
pub(crate) struct Tls {
    /// For clients.
    pub(crate) usual: Arc<ServerConfig>,
    /// For authorities that ask.
    pub(crate) asking: Arc<ServerConfig>,
    /// Answers to authorities that ask by HTTP: token and answer.
    pub(crate) answers: Vec<(String, String)>,
}

/// A certificate can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the certificate for {name} can't be used: {why}")]
pub struct BadCertificate {
    /// The first name it is for.
    pub name: String,
    /// What is wrong with it.
    pub why: String,
}

/// Whether handshakes could use this.
///
/// # Errors
/// Something in it can't be used.
pub fn check(encryption: &Encryption) -> Result<(), BadCertificate> {
    Tls::new(encryption).map(drop)
}

/// The names of a certificate, and what signs for it.
type Named = (Vec<String>, Arc<CertifiedKey>);

/// Chooses by name; the first one serves unknown names and clients that say none.
#[derive(Debug)]
struct Names {
    all: Vec<Named>,
    otherwise: bool,
}

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        let found = name.and_then(|name| listener::find_name(&self.all, &name));
        let first = || self.all.first().filter(|_| self.otherwise).map(|(_, key)| key);
        found.or_else(first).cloned()
    }
}

impl Tls {
    /// Makes it ready.
    ///
    /// # Errors
    /// Something in it can't be used. What is in force stays.
    pub(crate) fn new(encryption: &Encryption) -> Result<Tls, BadCertificate> {
        let provider = Arc::new(ring::default_provider());
        let all = certified(encryption.certificates.iter(), |c| certified_key(c, &provider))?;
        let usual = Names { all, otherwise: true };
        let asked = encryption.challenges.iter().filter_map(|challenge| match challenge {
            Challenge::Handshake(certificate) => Some(certificate),
            Challenge::Http { .. } => None,
        });
        let asking = Names { all: certified(asked, |c| answer_key(c, &provider))?, otherwise: false };
        let answers = encryption.challenges.iter().filter_map(|challenge| match challenge {
            Challenge::Http { token, answer } => Some((token.clone(), answer.clone())),
            Challenge::Handshake(_) => None,
        });
        Ok(Tls {
            usual: Arc::new(config(
                &provider,
                encryption,
                encryption.clients.as_ref(),
                usual,
                &[HTTP2, HTTP1],
            )?),
            // Authorities are no clients, and have no certificate to show.
            asking: Arc::new(config(&provider, encryption, None, asking, &[ASKING])?),
            answers: answers.collect(),
        })
    }
}

fn config(
    provider: &Arc<CryptoProvider>,
    encryption: &Encryption,
    clients: Option<&ClientCheck>,
    names: Names,
    protocols: &[&[u8]],
) -> Result<ServerConfig, BadCertificate> {
    let wrong = |why: String| BadCertificate { name: "clients".to_owned(), why };
    let versions: &[_] = match encryption.oldest {
        TlsVersion::V1_2 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        TlsVersion::V1_3 => &[&rustls::version::TLS13],
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider));
    let builder = builder.with_protocol_versions(versions).map_err(|error| wrong(error.to_string()))?;
    let verifier = match clients {
        None => Arc::new(NoClientAuth),
        Some(check) => verifier(check, provider).map_err(wrong)?,
    };
    let mut config = builder.with_client_cert_verifier(verifier).with_cert_resolver(Arc::new(names));
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    config.ticketer = tickets();
    Ok(config)
}

fn verifier(
    check: &ClientCheck,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(check.authorities.as_bytes()) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = if check.required { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|error| error.to_string())
}

/// The one maker of tickets of this process. Its keys change by themselves.
fn tickets() -> Arc<dyn ProducesTickets> {
    static TICKETS: OnceLock<Option<Arc<dyn ProducesTickets>>> = OnceLock::new();
    let made = TICKETS.get_or_init(|| ring::Ticketer::new().ok());
    made.clone().unwrap_or_else(|| Arc::new(NoTickets))
}

/// The system gave no random numbers for ticket keys: every handshake is a whole one.
#[derive(Debug)]
struct NoTickets;

impl ProducesTickets for NoTickets {
    fn enabled(&self) -> bool {
        false
    }

    fn lifetime(&self) -> u32 {
        0
    }

    fn encrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn decrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

fn certified<'a>(
    certificates: impl Iterator<Item = &'a Certificate>,
    key: impl Fn(&Certificate) -> Result<CertifiedKey, String>,
) -> Result<Vec<Named>, BadCertificate> {
    let one = |certificate: &Certificate| match key(certificate) {
        Ok(key) => Ok((certificate.names.clone(), Arc::new(key))),
        Err(why) => {
            let name = certificate.names.first().map_or("?", String::as_str).to_owned();
            Err(BadCertificate { name, why })
        }
    };
    certificates.map(one).collect()
}

fn certified_key(certificate: &Certificate, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let (chain, key) = parts(certificate)?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| error.to_string())
}

/// What answers an authority is marked as no certificate that anybody should accept (RFC 8737), so no rules for such apply.
fn answer_key(certificate: &Certificate, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let (chain, key) = parts(certificate)?;
    let key = provider.key_provider.load_private_key(key).map_err(|error| error.to_string())?;
    let answer = CertifiedKey::new(chain, key);
    answer.end_entity_cert().map_err(|error| error.to_string())?;
    Ok(answer)
}

type Parts = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn parts(certificate: &Certificate) -> Result<Parts, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.chain.as_bytes()).collect();
    let chain = chain.map_err(|error| format!("the chain is not PEM: {error}"))?;
    let key = PrivateKeyDer::from_pem_slice(certificate.key.0.as_bytes())
        .map_err(|error| format!("the key is not PEM: {error}"))?;
    Ok((chain, key))
}
