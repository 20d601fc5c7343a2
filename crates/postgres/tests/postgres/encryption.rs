//! Encrypted connections to a server with a certificate of a self-made authority.

use std::path::Path;
use std::process::Command;

use tandem_database::Server;
use tandem_postgres::connect;

/// An authority, and the server's certificate for `localhost`, signed by it.
const CERTIFICATES: &str = r#"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority \
    -addext basicConstraints=critical,CA:TRUE -keyout ca.key -out ca.crt
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -keyout server.key -out server.csr
printf 'subjectAltName=DNS:localhost' >names
openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.crt
chmod 600 server.key
chown --reference=data server.key server.crt
"#;

fn certify(folder: &Path) {
    let output = Command::new("sh").args(["-ec", CERTIFICATES]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn each_mode_believes_whom_libpq_would_believe() {
    let server = Server::start(&[]);
    let folder = server.folder();
    certify(folder);
    let path = |name: &str| folder.join(name).display().to_string();
    server.execute(&format!("ALTER SYSTEM SET ssl_cert_file = '{}'", path("server.crt")));
    server.execute(&format!("ALTER SYSTEM SET ssl_key_file = '{}'", path("server.key")));
    server.execute("ALTER SYSTEM SET ssl = on");
    server.stop_at_once();
    server.again();

    let url = |host: &str, query: &str| {
        let base = server.url("postgres").replace("127.0.0.1", host);
        format!("{base}?{}", query.replace("ROOT", &path("ca.crt")).replace("OTHER", &path("server.csr")))
    };
    let encrypted = |host: &str, query: &str| -> Result<bool, String> {
        let mut client = connect(&url(host, query)).map_err(|why| why.to_string())?;
        let query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        Ok(client.query_one(query, &[]).unwrap().get(0))
    };
    for (host, query, expected) in [
        ("127.0.0.1", "sslmode=disable", false),
        ("127.0.0.1", "sslmode=prefer", true),
        ("127.0.0.1", "sslmode=require", true),
        ("127.0.0.1", "sslmode=verify-ca&sslrootcert=ROOT", true),
        ("localhost", "sslmode=verify-full&sslrootcert=ROOT", true),
    ] {
        assert_eq!(encrypted(host, query), Ok(expected), "{host} {query}");
    }
    for (host, query, expected) in [
        // The name in the certificate is another one.
        ("127.0.0.1", "sslmode=verify-full&sslrootcert=ROOT", "certificate not valid for name"),
        // The system knows nothing of this authority.
        ("localhost", "sslmode=verify-full", "UnknownIssuer"),
        ("localhost", "sslmode=verify-full&sslrootcert=OTHER", "holds no certificate"),
        ("localhost", "sslmode=sometimes", "sslmode is one of"),
    ] {
        let refused = encrypted(host, query).unwrap_err();
        assert!(refused.contains(expected), "{host} {query}: {refused}");
    }
}
