//! Pebble, the certificate authority of Let's Encrypt's own tests, with a name server of its own; and a client that trusts it.

use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use tandem_trial::{free_port, until};

const PATIENCE: Duration = Duration::from_secs(30);

/// An authority that comes to given ports, wherever a name leads. Ended with the value.
pub(crate) struct Authority {
    processes: Vec<Child>,
    address: SocketAddr,
    manager: SocketAddr,
    names: SocketAddr,
    /// Last, so that it goes only when nobody reads in it any more.
    folder: tempfile::TempDir,
}

impl Authority {
    /// One that comes to these ports; `more` is for its configuration. Names lead to 127.0.0.1.
    pub(crate) async fn start(clear: SocketAddr, secure: SocketAddr, more: Value) -> Authority {
        let folder = tempfile::Builder::new().prefix("tandem-authority-").tempdir().expect("a folder");
        let [address, manager, names, lookups] = [(); 4].map(|()| free_port());
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
        let key = KeyPair::generate().expect("a key");
        let own = params.self_signed(&key).expect("a certificate");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("own.pem"), own.pem()).expect("a certificate");
        fs::write(at("own.key"), key.serialize_pem()).expect("a key");
        let mut config = json!({
            "listenAddress": address.to_string(), "managementListenAddress": manager.to_string(),
            "certificate": at("own.pem"), "privateKey": at("own.key"),
            "httpPort": clear.port(), "tlsPort": secure.port(), "ocspResponderURL": "",
        });
        let both = config.as_object_mut().zip(more.as_object());
        both.into_iter().for_each(|(config, more)| config.extend(more.clone()));
        fs::write(at("config.json"), json!({ "pebble": config }).to_string()).expect("a configuration");
        let (lookups, names_at) = (lookups.to_string(), names.to_string());
        let nothing = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""];
        let listen = ["-dns01", &lookups, "-management", &names_at];
        let names_run = run(folder.path(), "pebble-challtestsrv", &[&nothing[..], &listen].concat());
        let config = at("config.json");
        let arguments = ["-config", config.to_str().expect("a path"), "-dnsserver", &lookups];
        let own_run = run(folder.path(), "pebble", &arguments);
        let authority = Authority { processes: vec![names_run, own_run], address, manager, names, folder };
        for address in [authority.names, authority.manager, authority.address] {
            let there = until(PATIENCE, async || TcpStream::connect(address).ok()).await;
            assert!(there.is_some(), "the authority does not listen on {address}: {}", authority.log());
        }
        authority
    }

    /// The URL of a directory; the right one is `dir`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}/{path}", self.address)
    }

    /// A file with who vouches for its directory.
    pub(crate) fn roots(&self) -> String {
        self.folder.path().join("own.pem").display().to_string()
    }

    /// What it was asked so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("pebble.log")).unwrap_or_default()
    }

    /// Lets a name lead elsewhere.
    pub(crate) fn lead(&self, name: &str, address: &str) {
        let body = json!({ "host": format!("{name}."), "addresses": [address] }).to_string();
        let request = format!("POST /add-a HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let mut stream = TcpStream::connect(self.names).expect("the name server");
        stream.write_all(request.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.contains(" 200 "), "{answer}");
    }

    /// What a client that trusts its certificates is made of.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        let own = fs::read_to_string(self.roots()).expect("a certificate");
        let (status, root) = Secured::connect(self.manager, &trusting(&own), "127.0.0.1")
            .expect("the manager")
            .ask("/roots/0")
            .expect("its root");
        assert_eq!(status, 200, "{root}");
        trusting(&root)
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> Child {
    let log = fs::File::create(folder.join(format!("{program}.log"))).expect("a log");
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL", program])
        .args(arguments)
        .env("PEBBLE_VA_NOSLEEP", "1")
        .env("PEBBLE_VA_ALWAYS_VALID", "0")
        // Each order is proved anew.
        .env("PEBBLE_AUTHZREUSE", "0")
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a log"))
        .stderr(log)
        .spawn()
        .unwrap_or_else(|why| panic!("can't run {program}: {why}; on Debian: apt-get install pebble"))
}

fn trusting(root: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root.as_bytes()).expect("a root")).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Arc::new(builder.expect("versions").with_root_certificates(roots).with_no_client_auth())
}

/// An encrypted connection that is kept.
pub(crate) struct Secured(BufReader<StreamOwned<ClientConnection, TcpStream>>);

impl Secured {
    /// Shakes hands; fails if the name has no certificate that the client trusts.
    pub(crate) fn connect(
        address: SocketAddr,
        client: &Arc<ClientConfig>,
        name: &str,
    ) -> io::Result<Secured> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let mut connection = ClientConnection::new(Arc::clone(client), name).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        Ok(Secured(BufReader::new(StreamOwned::new(connection, stream))))
    }

    /// Asks for a path: status and body.
    pub(crate) fn ask(&mut self, path: &str) -> io::Result<(u16, String)> {
        self.0
            .get_mut()
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\n\r\n").as_bytes())?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        let head = head.to_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        let length =
            head.split_once("content-length: ").and_then(|(_, rest)| rest.lines().next()?.parse().ok());
        let mut body = vec![0; length.unwrap_or_default()];
        self.0.read_exact(&mut body)?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    /// The certificate that was shown.
    pub(crate) fn shown(&self) -> Vec<u8> {
        self.0.get_ref().conn.peer_certificates().map_or_else(Vec::new, |chain| chain[0].to_vec())
    }
}
