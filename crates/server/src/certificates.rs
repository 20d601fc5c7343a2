//! Certificates as files: read, looked over, and made ready for the proxy.
//!
//! Says which file is wrong and why; that what was in force stays in force is seen to by `adapter::certificates`. Tested in
//! `tests/server/certificates.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tandem_core::spec::{ClientCertificate, ServiceSpec, Speaks, TlsSpec};
use tandem_core::traffic::{Certificate, ClientCheck, Encryption, Secret};
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;
/// An end that is nearer than this is told.
const SOON: Duration = Duration::from_secs(14 * 86_400);

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
        let (chain, key) = (base.join(chain), base.join(key));
        let text = text(&chain)?;
        let (names, ends) = look(&chain, &text)?;
        all.remarks.extend(remark(&chain, &names, ends, SystemTime::now()));
        let certificate = Certificate { names, chain: text, key: Secret(self::text(&key)?) };
        let alone = Encryption { certificates: vec![certificate.clone()], ..Encryption::default() };
        tandem_proxy::tls::check(&alone).map_err(|error| wrong(&chain, error.why))?;
        all.encryption.certificates.push(certificate);
    }
    if let Some(file) = &tls.client_ca {
        let file = base.join(file);
        let required = tls.client == ClientCertificate::Required;
        let check = ClientCheck { authorities: text(&file)?, required };
        let alone = Encryption { clients: Some(check.clone()), ..Encryption::default() };
        tandem_proxy::tls::check(&alone).map_err(|error| wrong(&file, error.why))?;
        all.encryption.clients = Some(check);
    }
    Ok(all)
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

/// The names that the first certificate of a chain is for, and when it ends.
fn look(file: &Path, text: &str) -> Result<(Vec<String>, SystemTime), CertificateError> {
    let pem = Pem::iter_from_buffer(text.as_bytes())
        .find(|pem| pem.as_ref().is_ok_and(|pem| pem.label == "CERTIFICATE"));
    let Some(Ok(pem)) = pem else { return Err(wrong(file, "it holds no certificate (PEM)")) };
    let (_, certificate) = X509Certificate::from_der(&pem.contents).map_err(|error| wrong(file, error))?;
    let ends = certificate.validity().not_after.timestamp();
    let ends = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(ends).unwrap_or_default());
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
    Ok((names, ends))
}

fn remark(file: &Path, names: &[String], ends: SystemTime, now: SystemTime) -> Option<String> {
    let (file, names) = (file.display(), names.join(", "));
    match ends.duration_since(now) {
        Ok(left) if left > SOON => None,
        Ok(left) => {
            let days = left.as_secs() / 86_400;
            Some(format!("the certificate {file} ({names}) ends in {days} days: renew it"))
        }
        Err(_) => Some(format!("the certificate {file} ({names}) has ended: clients refuse it")),
    }
}
