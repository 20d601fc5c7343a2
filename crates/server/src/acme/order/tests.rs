//! An authority that says when to renew (RFC 9773): Debian's Pebble is older than that.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use rcgen::{BasicConstraints, CertifiedIssuer, IsCa, KeyIdMethod, SerialNumber};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

use super::*;
use crate::acme::line::{Delay, Line};
use crate::acme::trouble::Trouble;

/// Serves one answer for each path, over TLS; the root that vouches for it.
fn authority(answers: impl Fn(SocketAddr, &str) -> Option<String> + Send + 'static) -> (SocketAddr, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![own.der().clone()], key).unwrap();
    let config = Arc::new(config);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = BufReader::new(StreamOwned::new(connection, stream.unwrap()));
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).is_ok_and(|read| read > 0) {}
            let path = head.split(' ').nth(1).unwrap_or_default();
            let answer = answers(address, path).unwrap_or_else(|| {
                "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()
            });
            let _ = stream.get_mut().write_all(answer.as_bytes());
        }
    });
    (address, own.pem())
}

fn answer(fields: &str, body: &serde_json::Value) -> String {
    let body = body.to_string();
    format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

fn directory(at: SocketAddr) -> serde_json::Value {
    let url = |path: &str| format!("https://{at}/{path}");
    json!({ "newNonce": url("nonce"), "newAccount": url("account"), "newOrder": url("order"), "renewalInfo": url("ari") })
}

/// An account that was made before.
async fn account(at: SocketAddr, root: &str) -> Result<Account, Trouble> {
    let line = Line::new(Some(root), Delay::default())?;
    let key = KeyPair::generate().unwrap();
    let builder = Account::builder_with_http(Box::new(line));
    let made = builder.from_parts("1".to_owned(), key.serialize_der().into(), format!("https://{at}/dir"));
    made.await.map_err(|error| Trouble::with_authority("it", &Cause::from(error), None))
}

/// A certificate whose name at the authority is `wP_u.AMr-`: the numbers of its issuer and its own.
fn chain() -> String {
    let mut issuer = CertificateParams::new(Vec::new()).unwrap();
    issuer.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    issuer.key_identifier_method = KeyIdMethod::PreSpecified(vec![0xC0, 0xFF, 0xEE]);
    let issuer = CertifiedIssuer::self_signed(issuer, KeyPair::generate().unwrap()).unwrap();
    let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    params.serial_number = Some(SerialNumber::from_slice(&[0xCA, 0xFE]));
    params.use_authority_key_identifier_extension = true;
    params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap().pem()
}

#[tokio::test]
async fn an_authority_says_when_a_certificate_is_to_be_renewed() {
    let (at, root) = authority(|at, path| match path {
        "/dir" => Some(answer("", &directory(at))),
        "/ari/wP_u.AMr-" => Some(answer(
            "Retry-After: 21600\r\n",
            &json!({ "suggestedWindow": { "start": "2026-01-02T04:00:00Z", "end": "2026-01-03T04:00:00Z" } }),
        )),
        _ => None,
    });
    let account = account(at, &root).await.unwrap();
    let (window, again) = window(&account, &chain()).await;
    assert_eq!(window, Some((Timestamp(1_767_326_400_000), Timestamp(1_767_412_800_000))));
    let again = again.unwrap();
    assert!(Millis::from_secs(21_500) < again && again <= Millis::from_secs(21_600), "{again}");
}

#[tokio::test]
async fn an_authority_that_does_not_say_leaves_it_to_us() {
    let (at, root) = authority(|at, path| (path == "/dir").then(|| answer("", &directory(at))));
    let account = account(at, &root).await.unwrap();
    assert_eq!(window(&account, &chain()).await, (None, None));
}

#[tokio::test]
async fn whom_nobody_vouches_for_is_not_asked() {
    let (at, _) = authority(|at, _| Some(answer("", &directory(at))));
    let (_, stranger) = authority(|_, _| None);
    let told = account(at, &stranger).await.err().unwrap().to_string();
    assert!(told.contains("certificate") && told.contains("`tls.acme.ca`"), "{told}");
}
