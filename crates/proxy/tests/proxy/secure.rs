//! Encrypted connections: which certificate, which protocol, and that an exchange disturbs nobody.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{CertificateParams, CertifiedIssuer, CustomExtension, IsCa, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme, StreamOwned,
};
use tandem_core::spec::{Speaks, TlsVersion};
use tandem_core::traffic::{Certificate, Challenge, ClientCheck, Encryption, Listener, Secret};

use crate::instance::{instance, named};
use crate::proxy::{PATIENCE, Proxy, shop, status};

/// An authority that tests trust.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate for the given names, with its key.
    pub fn certificate(&self, names: &[&str]) -> Certificate {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let chain = CertificateParams::new(names.clone()).unwrap().signed_by(&key, &self.0).unwrap().pem();
        Certificate { names, chain, key: Secret(key.serialize_pem()) }
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// What a client that trusts it, and speaks `protocols`, is made of.
    pub fn client(&self, protocols: &[&str], shows: Option<&Certificate>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.unwrap().with_root_certificates(roots);
        let mut config = match shows {
            None => builder.with_no_client_auth(),
            Some(shown) => {
                let chain = CertificateDer::pem_slice_iter(shown.chain.as_bytes());
                let key = PrivateKeyDer::from_pem_slice(shown.key.0.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain.map(Result::unwrap).collect(), key).unwrap()
            }
        };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}

/// A proxy that speaks `https`.
pub fn secure(instances: &[std::net::SocketAddr], encryption: &Encryption) -> Proxy {
    let mut proxy = Proxy::start(instances);
    proxy.listeners = vec![Listener { speaks: Speaks::Https, ..Listener::new(proxy.address) }];
    proxy.apply();
    proxy.control().encrypt(&shop(), encryption).unwrap();
    proxy
}

fn certificates(list: Vec<Certificate>) -> Encryption {
    Encryption { certificates: list, ..Encryption::default() }
}

pub type Secured = BufReader<StreamOwned<ClientConnection, TcpStream>>;

pub fn connect(proxy: &Proxy, config: &Arc<ClientConfig>, name: &str) -> std::io::Result<Secured> {
    let stream = TcpStream::connect(proxy.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut connection = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut stream = stream;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    Ok(BufReader::new(StreamOwned::new(connection, stream)))
}

fn ask(stream: &mut Secured, request: &str) -> std::io::Result<(String, Vec<u8>)> {
    stream.get_mut().write_all(request.as_bytes())?;
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let length = head
        .to_lowercase()
        .split_once("content-length: ")
        .map(|(_, rest)| rest.lines().next().unwrap().parse::<u64>().unwrap());
    let mut body = Vec::new();
    stream.take(length.unwrap_or_default()).read_to_end(&mut body)?;
    Ok((head, body))
}

/// The names in the certificate that the proxy showed.
fn shown(stream: &Secured) -> Vec<u8> {
    stream.get_ref().conn.peer_certificates().unwrap()[0].to_vec()
}

fn der(certificate: &Certificate) -> Vec<u8> {
    CertificateDer::from_pem_slice(certificate.chain.as_bytes()).unwrap().to_vec()
}

#[test]
fn a_name_gets_its_certificate_and_requests_are_told_as_secret() {
    let echo = instance(|arrived| {
        let told = format!(
            "{} {}",
            arrived.field("x-forwarded-proto").unwrap_or_default(),
            arrived.field("forwarded").unwrap_or_default()
        );
        arrived.reply(told);
        true
    });
    let authority = Authority::new();
    let (first, second) = (authority.certificate(&["a.example"]), authority.certificate(&["*.b.example"]));
    let proxy = secure(&[echo], &certificates(vec![first.clone(), second.clone()]));
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    let config = authority.client(&[], None);
    for (name, certificate) in [("a.example", &first), ("x.b.example", &second)] {
        let mut stream = connect(&proxy, &config, name).unwrap();
        assert_eq!(shown(&stream), der(certificate));
        let (head, body) = ask(&mut stream, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").unwrap();
        assert_eq!(status(&head), 200, "{head}");
        let body = String::from_utf8(body).unwrap();
        assert!(body.starts_with("https ") && body.contains("proto=https"), "{body}");
        // The connection is kept.
        assert!(ask(&mut stream, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").is_ok());
    }
    // Clear text is not answered in clear text.
    let mut raw = proxy.connect();
    raw.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    assert!(!String::from_utf8_lossy(&raw.rest().0).contains("HTTP/1.1"));
}

#[test]
fn an_end_is_announced_if_all_was_said_and_only_then() {
    let scripted = instance(|arrived| {
        match arrived.path() {
            // Longer than what comes: the rest is missing.
            "/cut" => arrived.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"),
            _ => arrived.write("HTTP/1.1 200 OK\r\n\r\nabc"),
        }
        false
    });
    let authority = Authority::new();
    let proxy = secure(&[scripted], &certificates(vec![authority.certificate(&["a.example"])]));
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    let config = authority.client(&[], None);
    let ended = |path: &str| {
        let mut stream = connect(&proxy, &config, "a.example").unwrap();
        stream.get_mut().write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).map(|_| String::from_utf8(rest).unwrap())
    };
    assert!(ended("/").unwrap().ends_with("\r\n\r\nabc"));
    assert!(ended("/cut").is_err());
}

#[test]
fn an_exchange_of_certificates_is_whole_or_not_at_all() {
    let authority = Authority::new();
    let (old, new) = (authority.certificate(&["a.example"]), authority.certificate(&["a.example"]));
    let mut proxy = secure(&[named("one")], &certificates(vec![old.clone()]));
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    let config = authority.client(&["http/1.1"], None);
    let mut before = connect(&proxy, &config, "a.example").unwrap();
    let mut wrong = old.clone();
    wrong.key = new.key.clone();
    let error = proxy.control().encrypt(&shop(), &certificates(vec![new.clone(), wrong])).unwrap_err();
    assert!(error.to_string().contains("a.example"), "{error}");
    assert_eq!(shown(&connect(&proxy, &config, "a.example").unwrap()), der(&old), "the old one stays");
    proxy.control().encrypt(&shop(), &certificates(vec![new.clone()])).unwrap();
    assert_eq!(shown(&connect(&proxy, &config, "a.example").unwrap()), der(&new));
    assert!(ask(&mut before, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").is_ok(), "open connections go on");
    // A proxy that is started again has what was in force.
    proxy.restart();
    assert_eq!(shown(&connect(&proxy, &config, "a.example").unwrap()), der(&new));
    let kept = std::fs::metadata(proxy.folder.path().join("proxy/shop.encryption")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&kept.permissions()) & 0o777, 0o600);
}

#[test]
fn old_versions_and_strangers_are_turned_away() {
    let (authority, strangers) = (Authority::new(), Authority::new());
    let check = ClientCheck { authorities: authority.pem(), required: true };
    let encryption = Encryption {
        oldest: TlsVersion::V1_3,
        clients: Some(check.clone()),
        certificates: vec![authority.certificate(&["a.example"])],
        challenges: Vec::new(),
    };
    let proxy = secure(&[named("one")], &encryption);
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    let served = |shows: Option<&Certificate>| {
        let config = authority.client(&[], shows);
        let mut stream = connect(&proxy, &config, "a.example").ok()?;
        ask(&mut stream, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").ok()
    };
    assert!(served(Some(&authority.certificate(&["client"]))).is_some());
    assert!(served(None).is_none(), "without a certificate");
    assert!(served(Some(&strangers.certificate(&["client"]))).is_none(), "with one of a stranger");
    let optional = ClientCheck { required: false, ..check };
    proxy.control().encrypt(&shop(), &Encryption { clients: Some(optional), ..encryption }).unwrap();
    assert!(served(None).is_some());
    assert!(served(Some(&strangers.certificate(&["client"]))).is_none());
    let mut config = ClientConfig::clone(&authority.client(&[], None));
    let provider = Arc::clone(config.crypto_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    config = builder
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    assert!(connect(&proxy, &Arc::new(config), "a.example").is_err(), "1.2");
}

#[test]
fn clear_text_is_sent_on_and_authorities_get_their_answers() {
    let mut proxy = Proxy::start(&[named("one")]);
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    proxy.listeners = vec![
        Listener { speaks: Speaks::Redirect, ..Listener::new(proxy.address) },
        Listener { speaks: Speaks::Https, ..Listener::new("127.0.0.1:8443".parse().unwrap()) },
    ];
    proxy.apply();
    let challenges = vec![Challenge::Http { token: "tok".to_owned(), answer: "tok.thumb".to_owned() }];
    proxy.control().encrypt(&shop(), &Encryption { challenges, ..Encryption::default() }).unwrap();
    let answer = proxy.ask("GET /a?b=c HTTP/1.1\r\nHost: shop.example:80\r\n\r\n");
    assert_eq!(status(&answer), 308);
    assert!(answer.contains("Location: https://shop.example:8443/a?b=c\r\n"), "{answer}");
    let mut raw = proxy.connect();
    raw.send("GET /.well-known/acme-challenge/tok HTTP/1.1\r\nHost: a.example\r\n\r\n");
    assert_eq!(raw.answer().1, b"tok.thumb");
    raw.send("GET /.well-known/acme-challenge/other HTTP/1.1\r\nHost: a.example\r\n\r\n");
    assert_eq!(status(&raw.answer().0), 308);
}

/// An authority that shakes hands: it knows what it looks for, and takes nobody's word for it (RFC 8737).
#[derive(Debug)]
struct Asking(Arc<CryptoProvider>);

impl Asking {
    fn client(protocol: &str) -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let asking = Arc::new(Asking(Arc::clone(&provider)));
        // In 1.3 it would not see at once that it is asked for a certificate of its own.
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_protocol_versions(&[&rustls::version::TLS12]).unwrap();
        let builder = builder.dangerous().with_custom_certificate_verifier(asking);
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        Arc::new(config)
    }
}

impl ServerCertVerifier for Asking {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[test]
fn an_authority_that_shakes_hands_gets_its_answer_and_nobody_else_does() {
    let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(&[7; 32])];
    let key = KeyPair::generate().unwrap();
    let chain = params.self_signed(&key).unwrap().pem();
    let answer = Certificate { names: vec!["a.example".to_owned()], chain, key: Secret(key.serialize_pem()) };
    // Clients that must show a certificate are no reason to ask an authority for one.
    let clients = Some(ClientCheck { authorities: Authority::new().pem(), required: true });
    let challenges = vec![Challenge::Handshake(answer.clone())];
    let proxy = secure(&[named("one")], &Encryption { challenges, clients, ..Encryption::default() });
    proxy.wait_instance(1, "health", |i| i.health.is_up());
    let stream = connect(&proxy, &Asking::client("acme-tls/1"), "a.example").unwrap();
    assert_eq!(shown(&stream), der(&answer));
    assert!(connect(&proxy, &Asking::client("acme-tls/1"), "b.example").is_err());
    assert!(connect(&proxy, &Asking::client("http/1.1"), "a.example").is_err(), "only for who asks");
}
