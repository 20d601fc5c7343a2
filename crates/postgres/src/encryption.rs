//! Encrypted connections: which server is believed to be the one meant.
//!
//! As libpq does: `prefer` and `require` encrypt and believe anybody, `verify-ca` and `verify-full` hold the server's
//! certificate against roots (`sslrootcert`, else the system's). Not there: client certificates, revocation lists.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use postgres::config::SslMode;
use postgres::{Client, Config, NoTls};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Where systems keep the roots that they believe.
const SYSTEM_ROOTS: &[&str] =
    &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// How a connection is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Encryption {
    /// libpq's word.
    pub(crate) word: String,
    /// A file of roots, where one was given.
    pub(crate) roots: Option<PathBuf>,
}

/// Why there is no connection.
pub(crate) enum Failed {
    /// The roots could not be read.
    Files(String),
    /// The library's reason.
    Connect(postgres::Error),
}

impl Encryption {
    /// By libpq's word.
    pub(crate) fn new(word: &str, roots: Option<PathBuf>) -> Result<Encryption, String> {
        let known = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
        if !known.contains(&word) {
            return Err(format!("sslmode is one of {}", known.join(", ")));
        }
        Ok(Encryption { word: word.to_owned(), roots: roots.filter(|path| path.as_os_str() != "system") })
    }

    /// Whether to encrypt.
    pub(crate) fn mode(&self) -> SslMode {
        match self.word.as_str() {
            "disable" => SslMode::Disable,
            "allow" | "prefer" => SslMode::Prefer,
            _ => SslMode::Require,
        }
    }

    /// Connects.
    pub(crate) fn connect(&self, config: &Config) -> Result<Client, Failed> {
        if self.mode() == SslMode::Disable {
            return config.connect(NoTls).map_err(Failed::Connect);
        }
        let provider = Arc::new(ring::default_provider());
        let verifier = self.verifier(&provider).map_err(Failed::Files)?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| Failed::Files(why.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.connect(MakeRustlsConnect::new(client)).map_err(Failed::Connect)
    }

    fn verifier(&self, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, String> {
        let is_full = self.word == "verify-full";
        // As libpq: `require` with a file of roots holds the certificate against them.
        let checks = is_full || self.word == "verify-ca" || (self.word == "require" && self.roots.is_some());
        if !checks {
            return Ok(Arc::new(Lenient { chain: None, provider: Arc::clone(provider) }));
        }
        let roots = Arc::new(self.read_roots()?);
        let chain = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider));
        let chain = chain.build().map_err(|why| why.to_string())?;
        if is_full {
            return Ok(chain);
        }
        Ok(Arc::new(Lenient { chain: Some(chain), provider: Arc::clone(provider) }))
    }

    fn read_roots(&self) -> Result<RootCertStore, String> {
        let system = || SYSTEM_ROOTS.iter().map(PathBuf::from).find(|path| path.is_file());
        let path = self.roots.clone().or_else(system).ok_or("this system has no roots: give sslrootcert")?;
        let mut roots = RootCertStore::empty();
        for certificate in read(&path)? {
            // A single strange certificate in the system's file is no reason to believe none.
            let _ = roots.add(certificate);
        }
        if roots.is_empty() {
            return Err(format!("{} holds no certificate", path.display()));
        }
        Ok(roots)
    }
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let told = |why| format!("{}: {why}", path.display());
    CertificateDer::pem_file_iter(path).map_err(told)?.collect::<Result<_, _>>().map_err(told)
}

/// Believes any certificate, or any that a root vouches for, whatever name is in it.
#[derive(Debug)]
struct Lenient {
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match chain.verify_server_cert(end, between, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
