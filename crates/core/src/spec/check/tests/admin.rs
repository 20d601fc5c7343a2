//! The way in from the network: what is refused, and how it is told.

use super::super::super::read_front;
use super::*;

fn with(lines: &str) -> String {
    format!(
        "service = \"shop\"\nrun.command = [\"a\"]\nlisten = [{{ address = \"[::]:80\" }}]\n[admin]\n{lines}\n"
    )
}

#[test]
fn without_encryption_only_this_machine_is_answered() {
    for lines in [
        "listen = \"127.0.0.1:7443\"",
        "listen = \"[::1]:7443\"\nhosts = [\"deploy.example.com\"]",
        "listen = \"0.0.0.0:7443\"\ncertificate = \"a.pem\"\nkey = \"a.key\"",
        "",
    ] {
        assert!(read(&with(lines)).is_ok(), "{}", problems(&with(lines)));
    }
    let all = [
        "listen = \"0.0.0.0:7443\"",
        "listen = \"[::ffff:192.0.2.1]:7443\"\nhosts = [\"*.example.com\"]",
        "listen = \"[::]:80\"\ncertificate = \"a.pem\"",
        "certificate = \"a.pem\"\nkey = \"a.key\"",
        "token = \"secret\"",
    ];
    let said: Vec<String> = all.iter().map(|lines| format!("{lines}\n{}", problems(&with(lines)))).collect();
    insta::assert_snapshot!(said.join("\n"), @r###"
listen = "0.0.0.0:7443"
tandem.toml:5:10: `admin.listen` is 0.0.0.0:7443, which other machines reach, and connections would not be encrypted
  help: name `certificate` and `key`, or listen on 127.0.0.1 and come by a tunnel: ssh -L 7443:127.0.0.1:7443

listen = "[::ffff:192.0.2.1]:7443"
hosts = ["*.example.com"]
tandem.toml:6:9: `admin.hosts` holds "*.example.com", and whoever asks must name the very host
  help: name the hosts one by one

listen = "[::]:80"
certificate = "a.pem"
tandem.toml:5:10: `admin.listen` is an address at which requests arrive, or metrics are told
  help: give it a port of its own
tandem.toml:6:15: `admin.certificate` says one half of what encrypts connections
  help: name `key`, too

certificate = "a.pem"
key = "a.key"
tandem.toml:5:15: `admin.certificate` is for connections from the network, and there are none
  help: write for example listen = "127.0.0.1:7443", or leave it out

token = "secret"
tandem.toml:5:1: unknown key `token` in [admin]
  help: Known here: listen, hosts, certificate, key
"###);
}

#[test]
fn a_front_is_held_to_the_same() {
    let good = read_front("services = [\"web\"]\nadmin.listen = \"127.0.0.1:7443\"").unwrap();
    assert_eq!(good.admin.listen, Some("127.0.0.1:7443".parse().unwrap()));
    let refused = read_front("services = [\"web\"]\nadmin.listen = \"192.0.2.1:7443\"").unwrap_err();
    assert!(refused[0].message.contains("would not be encrypted"), "{refused:?}");
}
