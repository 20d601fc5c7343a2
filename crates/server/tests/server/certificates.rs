//! Certificates as files: which are used, and what is said of those that can't be.

use std::path::Path;

use rcgen::{CertificateParams, KeyPair};
use tandem_core::spec::TlsSpec;
use tandem_server::certificates::read;

/// Writes a certificate for `names` that ends so many days after 2000-01-01, and its key.
fn write(folder: &Path, file: &str, names: &[&str], ends: (i32, u8, u8)) {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_after = rcgen::date_time_ymd(ends.0, ends.1, ends.2);
    let key = KeyPair::generate().unwrap();
    std::fs::write(folder.join(file), params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(folder.join(file.replace(".pem", ".key")), key.serialize_pem()).unwrap();
}

fn spec(pairs: &[(&str, &str)]) -> TlsSpec {
    let own = |&(chain, key): &(&str, &str)| (chain.to_owned(), key.to_owned());
    TlsSpec { certificates: pairs.iter().map(own).collect(), ..TlsSpec::default() }
}

#[test]
fn certificates_are_read_with_their_names() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.pem", &["Shop.example", "*.shop.example"], (2099, 1, 1));
    write(folder.path(), "b.pem", &["old.example"], (2020, 1, 1));
    let all = read(&spec(&[("a.pem", "a.key"), ("b.pem", "b.key")]), folder.path()).unwrap();
    let names: Vec<&[String]> = all.encryption.certificates.iter().map(|c| c.names.as_slice()).collect();
    assert_eq!(
        names,
        [&["shop.example".to_owned(), "*.shop.example".to_owned()][..], &["old.example".to_owned()]]
    );
    assert_eq!(all.remarks.len(), 1);
    assert!(all.remarks[0].contains("b.pem (old.example) has ended"), "{:?}", all.remarks);
}

#[test]
fn what_can_t_be_used_is_told_by_its_file() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.pem", &["a.example"], (2099, 1, 1));
    write(folder.path(), "b.pem", &["b.example"], (2099, 1, 1));
    std::fs::write(folder.path().join("text"), "no certificate").unwrap();
    let told = |pair| read(&spec(&[pair]), folder.path()).unwrap_err().to_string();
    for (pair, why) in [
        (("none.pem", "a.key"), "none.pem can't be used: No such file"),
        (("text", "a.key"), "text can't be used: it holds no certificate"),
        (("a.pem", "text"), "a.pem can't be used: the key is not PEM"),
        (("a.pem", "b.key"), "a.pem can't be used"),
    ] {
        let told = told(pair);
        assert!(told.contains(why), "{told}");
    }
    let mut strangers = spec(&[]);
    strangers.client_ca = Some("text".to_owned());
    assert!(read(&strangers, folder.path()).unwrap_err().to_string().contains("text can't be used"));
}
