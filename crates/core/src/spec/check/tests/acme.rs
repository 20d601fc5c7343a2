//! Certificates from an authority: what is refused, and how it is told.

use super::*;

/// A service that speaks https at `hosts`, with these lines in `[tls.acme]`.
fn with(listens: &str, lines: &str) -> String {
    format!("service = \"shop\"\nrun.command = [\"a\"]\nlisten = [{listens}]\n[tls.acme]\n{lines}\n")
}

const SECURE: &str = r#"{ address = "[::]:443", speaks = "https", hosts = ["a.example"] }"#;

#[test]
fn an_authority_takes_the_place_of_files() {
    let spec = read(&with(SECURE, "terms = \"accepted\"")).unwrap();
    assert_eq!(spec.acme_names(), ["a.example"]);
    assert_eq!(spec.tls.acme.url(), "https://acme-v02.api.letsencrypt.org/directory");
    let alone = with(SECURE, "");
    insta::assert_snapshot!(problems(&alone), @r###"
tandem.toml:3:44: `listen.speaks` is https, and there is no certificate
  help: write for example [tls] certificates = { "certs/shop.pem" = "certs/shop.key" }, or have them from an authority: [tls.acme] terms = "accepted"
"###);
}

#[test]
fn what_an_authority_could_not_do_is_refused() {
    let all = [
        (SECURE, "contact = \"ops@example.com\""),
        (SECURE, "accept_terms = true"),
        (SECURE, "terms = \"yes\"\ndirectory = \"http://a.example\""),
        (r#"{ address = "[::]:80" }"#, "terms = \"accepted\""),
        (r#"{ address = "[::]:443", speaks = "https", hosts = ["*.a.example"] }"#, "terms = \"accepted\""),
        (SECURE, "terms = \"accepted\"\nchallenge = \"http\""),
        (SECURE, "terms = \"accepted\"\nchallenge = \"tls-alpn-01\"\nhosts = [\"*.a.example\"]"),
        (SECURE, "terms = \"accepted\"\neab_kid = \"kid-1\""),
    ];
    let said: Vec<String> =
        all.iter().map(|(listens, lines)| format!("{lines}\n{}", problems(&with(listens, lines)))).collect();
    insta::assert_snapshot!(said.join("\n"), @r###"
contact = "ops@example.com"
tandem.toml:5:11: `tls.acme` asks an authority for certificates whose terms are not accepted
  help: read them, and write terms = "accepted" if you accept them

accept_terms = true
tandem.toml:3:44: `listen.speaks` is https, and there is no certificate
  help: write for example [tls] certificates = { "certs/shop.pem" = "certs/shop.key" }, or have them from an authority: [tls.acme] terms = "accepted"
tandem.toml:5:1: unknown key `accept_terms` in [tls.acme]
  help: did you mean `terms`? Known here: terms, directory, contact, hosts, challenge, eab_kid, eab_key, ca

terms = "yes"
directory = "http://a.example"
tandem.toml:5:9: `tls.acme.terms` is "yes", which is no consent
  help: read the authority's terms, and write terms = "accepted" if you accept them
tandem.toml:6:13: `tls.acme.directory` is "http://a.example", which is no directory of an authority
  help: write "letsencrypt", "letsencrypt-staging" or its URL, which begins with https://

terms = "accepted"
tandem.toml:5:9: `tls.acme` asks for certificates, and no address speaks https
  help: add a [[listen]] with speaks = "https"

terms = "accepted"
tandem.toml:5:9: `tls.acme` has no name to ask a certificate for
  help: name them: hosts = ["shop.example.com"], here or at the address that speaks https

terms = "accepted"
challenge = "http"
tandem.toml:5:9: `tls.acme` has authorities ask on port 80, and no address speaks clear text
  help: add a [[listen]] that is reached there, with speaks = "redirect", or write challenge = "tls" if https is reached on port 443

terms = "accepted"
challenge = "tls-alpn-01"
hosts = ["*.a.example"]
tandem.toml:6:13: `tls.acme.challenge` is "tls-alpn-01", another name
  help: Tandem calls that "tls"
tandem.toml:7:9: `tls.acme.hosts` holds "*.a.example", and for names with a star authorities want a proof by DNS
  help: name the hosts one by one, or name files in `tls.certificates`

terms = "accepted"
eab_kid = "kid-1"
tandem.toml:6:11: `tls.acme.eab_kid` says one half of an account
  help: write both eab_kid and eab_key
"###);
    let many: Vec<String> = (0..=MOST_NAMES).map(|at| format!("\"a{at}.example\"")).collect();
    let many = with(SECURE, &format!("terms = \"accepted\"\nhosts = [{}]", many.join(", ")));
    assert!(problems(&many).contains("101 names, more than 100"), "{}", problems(&many));
}
