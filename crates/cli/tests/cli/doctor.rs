//! `tandem doctor` with real ports and a real PostgreSQL: what is good, what is in the way, and what to do.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;
use tandem_database::Server;

use super::tandem;

fn configured(folder: &Path, address: &str, more: &str) {
    let text =
        format!("service = \"shop\"\nrun.command = [\"x\"]\n\n[[listen]]\naddress = \"{address}\"\n{more}");
    fs::write(folder.join("tandem.toml"), text).unwrap();
}

/// The exit code, and what was found: field, state and sentence, with the help after it.
fn doctor(folder: &Path, url: &str) -> (Option<i32>, Vec<(String, String, String)>) {
    let told = tandem(folder, &["doctor", "--json"]).env("DATABASE_URL", url).output().unwrap();
    let all: Value = serde_json::from_slice(&told.stdout).unwrap_or_else(|why| panic!("{why}: {told:?}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = all["findings"].as_array().unwrap().iter();
    let found = findings.map(|one| {
        let said = format!("{} | {}", text(&one["what"]), text(&one["help"]));
        (text(&one["about"]), text(&one["state"]), said)
    });
    (told.status.code(), found.collect())
}

#[test]
fn a_port_that_somebody_has_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    configured(folder.path(), &address.to_string(), "");
    let (code, found) = doctor(folder.path(), "");
    assert_eq!(code, Some(1), "{found:?}");
    let (_, state, said) = found.iter().find(|(about, ..)| about == "ports").unwrap();
    assert!(state == "bad" && said.contains(&format!("ss -ltnp 'sport = :{}'", address.port())), "{said}");
    let plain = tandem(folder.path(), &["doctor"]).output().unwrap();
    let plain = String::from_utf8(plain.stdout).unwrap();
    assert!(plain.contains(&format!("✘ ports: {address} can't be listened on")), "{plain}");
    drop(taken);
    let (_, found) = doctor(folder.path(), "");
    assert!(found.iter().all(|(about, state, _)| about != "ports" || state == "good"), "{found:?}");
    assert!(!folder.path().join(".tandem").exists(), "it only looks");
}

#[test]
fn a_database_is_asked_for_the_rights_that_changes_need() {
    let folder = tempfile::tempdir().unwrap();
    configured(folder.path(), "127.0.0.1:1", "\n[database]\nurl = \"env:DATABASE_URL\"\n");
    let database = Server::shared().database();
    let of = |url: &str| {
        let found = doctor(folder.path(), url).1.into_iter().filter(|(about, ..)| about == "database");
        found.map(|(_, state, said)| format!("{state} {said}")).collect::<Vec<_>>()
    };
    let [good] = &of(&database.url())[..] else { panic!("one finding") };
    assert!(good.starts_with("good shop: PostgreSQL "), "{good}");
    let [unset] = &of("")[..] else { panic!("one finding") };
    assert!(unset.starts_with("bad ") && unset.contains("DATABASE_URL is not set"), "{unset}");

    // Somebody who may do nothing.
    let who = format!("doctor_{}", std::process::id());
    let mut owner = database.client();
    owner.batch_execute(&format!("CREATE ROLE {who} LOGIN; CREATE TABLE orders (id int)")).unwrap();
    let found = of(&database.url().replace("//postgres@", &format!("//{who}@")));
    owner.batch_execute(&format!("DROP ROLE {who}")).unwrap();
    assert_eq!(found.len(), 4, "{found:?}");
    for (at, help) in [(1, "GRANT CREATE ON DATABASE"), (2, "connect as their owner"), (3, "CREATEDB")] {
        assert!(found[at].starts_with("bad ") && found[at].contains(help), "{found:?}");
    }
}
