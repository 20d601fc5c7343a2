//! Certificates as files: read, looked over, and made ready for the proxy.
//!
//! Says which file is wrong and why; that what was in force stays in force is seen to by `adapter::certificates`. Tested in
//! `tests/server/certificates.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use tandem_core::base::{Millis, Timestamp};
use tandem_core::spec::{ClientCertificate, ServiceSpec, Speaks, TlsSpec};
use tandem_core::traffic::{Certificate, ClientCheck, Encryption, Secret};
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::clock::wall_time;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;
/// An end that is nearer than this is told.
const SOON: Millis = Millis::from_secs(14 * 86_400);

/// A certificate can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the certificate {} can't be used: {why}", file.display())]
pub struct CertificateError {
    file: PathBuf,
    why: String,
}

/// Certificates that can be used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Certificates {
    /// For the proxy.
    pub encryption: Encryption,
    /// What people should know of them: those that end soon, or have ended.
    pub remarks: Vec<String>,
}

/// What a certificate says of itself.
pub(crate) struct Face {
    /// The names it is for, in lower case.
    pub(crate) names: Vec<String>,
    /// The first moment at which it is good.
    pub(crate) begins: Timestamp,
    /// The last.
    pub(crate) ends: Timestamp,
}

/// The files that a configuration names, by absolute path. `base`: where relative ones begin.
pub(crate) fn files(tls: &TlsSpec, base: &Path) -> Vec<PathBuf> {
    let pairs = tls.certificates.iter().flat_map(|(chain, key)| [chain, key]);
    pairs.chain(&tls.client_ca).map(|file| base.join(file)).collect()
}

/// Whether connections are encrypted at any address.
pub(crate) fn are_wanted(spec: &ServiceSpec) -> bool {
    spec.listen.iter().any(|listen| listen.speaks == Speaks::Https)
}

/// Reads the certificates that a configuration names. `base`: the folder of the configuration.
///
/// # Errors
/// One of them can't be used: which, and why.
pub fn read(tls: &TlsSpec, base: &Path) -> Result<Certificates, CertificateError> {
    let mut all = Certificates::default();
    all.encryption.oldest = tls.oldest;
    for (chain, key) in &tls.certificates {
        let chain = base.join(chain);
        let (certificate, face) = pair(&chain, &base.join(key))?;
        all.remarks.extend(remark(&chain, &face, wall_time()));
        all.encryption.certificates.push(certificate);
    }
    if let Some(file) = &tls.client_ca {
        let file = base.join(file);
        let required = tls.client == ClientCertificate::Required;
        all.encryption.clients = Some(ClientCheck { authorities: authorities(&file)?, required });
    }
    Ok(all)
}

/// Reads a certificate that can be used, with its key, and what it says of itself.
///
/// # Errors
/// It can't be used.
pub(crate) fn pair(chain: &Path, key: &Path) -> Result<(Certificate, Face), CertificateError> {
    let shown = text(chain)?;
    let face = look(&shown).map_err(|why| wrong(chain, why))?;
    let certificate = Certificate { names: face.names.clone(), chain: shown, key: Secret(text(key)?) };
    usable(&certificate).map_err(|why| wrong(chain, why))?;
    Ok((certificate, face))
}

/// Reads a file with the certificates of authorities.
///
/// # Errors
/// It can't be used.
pub(crate) fn authorities(file: &Path) -> Result<String, CertificateError> {
    let authorities = text(file)?;
    let check = ClientCheck { authorities: authorities.clone(), required: true };
    let alone = Encryption { clients: Some(check), ..Encryption::default() };
    tandem_proxy::tls::check(&alone).map_err(|error| wrong(file, error.why))?;
    Ok(authorities)
}

/// Whether the proxy could use it.
///
/// # Errors
/// Why it could not.
pub(crate) fn usable(certificate: &Certificate) -> Result<(), String> {
    let alone = Encryption { certificates: vec![certificate.clone()], ..Encryption::default() };
    tandem_proxy::tls::check(&alone).map_err(|error| error.why)
}

fn wrong(file: &Path, why: impl ToString) -> CertificateError {
    CertificateError { file: file.to_owned(), why: why.to_string() }
}

fn text(file: &Path) -> Result<String, CertificateError> {
    let failed = |error: std::io::Error| wrong(file, error);
    if fs::metadata(file).map_err(failed)?.len() > LARGEST {
        return Err(wrong(file, "it is larger than 1 MiB"));
    }
    fs::read_to_string(file).map_err(failed)
}

/// What the first certificate of a chain says of itself.
///
/// # Errors
/// There is none, or it can't be read.
pub(crate) fn look(chain: &str) -> Result<Face, String> {
    let pem = Pem::iter_from_buffer(chain.as_bytes())
        .find(|pem| pem.as_ref().is_ok_and(|pem| pem.label == "CERTIFICATE"));
    let Some(Ok(pem)) = pem else { return Err("it holds no certificate (PEM)".to_owned()) };
    let (_, certificate) = X509Certificate::from_der(&pem.contents).map_err(|error| error.to_string())?;
    let time = |seconds: i64| Timestamp(u64::try_from(seconds).unwrap_or_default().saturating_mul(1000));
    let validity = certificate.validity();
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let alternatives = alternatives.iter().flat_map(|names| &names.value.general_names);
    let mut names: Vec<String> = alternatives
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .collect();
    if names.is_empty() {
        let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
        names.extend(common.map(str::to_ascii_lowercase));
    }
    let (begins, ends) = (time(validity.not_before.timestamp()), time(validity.not_after.timestamp()));
    Ok(Face { names, begins, ends })
}

fn remark(file: &Path, face: &Face, now: Timestamp) -> Option<String> {
    let (file, names) = (file.display(), face.names.join(", "));
    if face.ends < now {
        return Some(format!("the certificate {file} ({names}) has ended: clients refuse it"));
    }
    let left = face.ends.since(now);
    let days = left.0 / 86_400_000;
    (left <= SOON).then(|| format!("the certificate {file} ({names}) ends in {days} days: renew it"))
}
