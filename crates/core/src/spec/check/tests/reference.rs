//! The page of the guide that lists every key, `docs/src/reference/config.md`: made of the table of keys and of the
//! defaults, and compared with the file, so that neither changes without the other. Only tests know it.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::spec::docker::DockerSpec;
use crate::spec::field::visit;
use crate::spec::key::{FILE, FRONT, Key, Kind};
use crate::spec::listen::ListenSpec;
use crate::spec::rule::RuleSpec;
use crate::spec::service::ServiceSpec;

/// Where the page is.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/reference/config.md");
/// Has the file written anew.
const WRITE: &str = "TANDEM_WRITE_DOCUMENT";

const HEAD: &str = "\
# tandem.toml

<!-- Made by crates/core/src/spec/check/tests/reference.rs. -->

Every key, with its default and what it says. `tandem config show` prints those in effect for a service, `tandem config schema` is a
JSON schema for editors. Unknown keys are mistakes; those that begin with `x-` are yours.

Lengths of time are written `500ms`, `30s`, `5m` or `1h 30m`, sizes `32KiB` or `100MiB`. A *command* is a list of the program and its
arguments, without a shell.
";

/// Every default by its path, without the places in lists.
fn defaults() -> BTreeMap<String, String> {
    let mut spec = ServiceSpec::draft();
    spec.listen = vec![ListenSpec::draft()];
    spec.rules = vec![RuleSpec::default()];
    spec.run.docker = Some(DockerSpec::default());
    let mut defaults = BTreeMap::new();
    visit(&mut spec, &mut |path, field| {
        if let Some(value) = field.show() {
            defaults.insert(path.replace("[0]", ""), value);
        }
    });
    defaults
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    let defaults = defaults();
    table("", FILE, &defaults, &mut page);
    page.push_str(
        "\n## A file in front of several services\n\nIt names the services, and what is for all of them.\n",
    );
    let front: Vec<&Key> = FRONT.iter().filter(|key| key.inner().is_empty()).collect();
    rows(&front, "", &defaults, &mut page);
    page.push_str("\n`[log]` and `[admin]` as above.\n");
    page
}

fn table(path: &str, keys: &[Key], defaults: &BTreeMap<String, String>, page: &mut String) {
    let (plain, tables): (Vec<&Key>, Vec<&Key>) = keys.iter().partition(|key| key.inner().is_empty());
    rows(&plain, path, defaults, page);
    for key in tables {
        let path = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
        let title =
            if matches!(key.kind, Kind::Tables(_)) { format!("[[{path}]]") } else { format!("[{path}]") };
        let level = if path.contains('.') { "###" } else { "##" };
        let _ = write!(page, "\n{level} `{title}`\n\n{}\n", key.about);
        if matches!(key.kind, Kind::LengthOrTable(_)) {
            let _ =
                write!(page, "\nOne length for all, `{} = {}`, or one for each:\n", key.name, key.example);
        }
        table(&path, key.inner(), defaults, page);
    }
}

fn rows(keys: &[&Key], path: &str, defaults: &BTreeMap<String, String>, page: &mut String) {
    if keys.is_empty() {
        return;
    }
    page.push_str("\n| key | takes | default | example | what it says |\n| --- | --- | --- | --- | --- |\n");
    for key in keys {
        let full = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
        let default = match defaults.get(&full) {
            _ if key.required => "*required*".to_owned(),
            // What holds for one machine of those who make the draft is no default.
            Some(value) => code(value),
            None => String::new(),
        };
        let (kind, example, about) = (kind(&key.kind), code(key.example), cell(key.about));
        let _ = writeln!(page, "| `{}` | {kind} | {default} | {example} | {about} |", key.name);
    }
}

fn code(text: &str) -> String {
    format!("`{}`", cell(text))
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Text(_) => "text".to_owned(),
        Kind::OneOf(words, _) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Kind::Words(_) => "list of texts".to_owned(),
        Kind::Command => "command".to_owned(),
        Kind::Environment => "names and texts".to_owned(),
        Kind::Fields(_) => "header fields and texts".to_owned(),
        Kind::Folders => "paths and folders".to_owned(),
        Kind::Files => "files and files".to_owned(),
        Kind::Documents => "services and files".to_owned(),
        Kind::Number(least, most) => format!("{least} to {most}"),
        Kind::Size(..) => "size".to_owned(),
        Kind::Length(..) => "time".to_owned(),
        Kind::Amount => "number, or percentage".to_owned(),
        Kind::Flag => "`true`, `false`".to_owned(),
        Kind::Table(_) | Kind::LengthOrTable(_) | Kind::Tables(_) => "table".to_owned(),
    }
}

#[test]
fn the_guide_lists_every_key() {
    let made = page();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(PAGE, &made).expect("the page can be written");
    }
    let written = std::fs::read_to_string(PAGE).unwrap_or_default();
    let again = format!("{PAGE} is not what the code says: {WRITE}=1 cargo test -p tandem-core reference");
    assert!(made == written, "{again}");
}
