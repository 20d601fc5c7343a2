//! The page of the guide that lists every call, `docs/src/reference/api.md`: made of the document, and compared with the file.

use std::fmt::Write;

use serde_json::Value;

/// Where the page is.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/reference/api.md");

const HEAD: &str = "\
# The API

<!-- Made by crates/server/src/admin/document/page.rs. -->

Answered at the address in `[admin]`, to whoever brings a token (`Authorization: Bearer …`) or has logged in; and at the Unix socket of each
service, without `/services/{service}`, to the user who runs Tandem. How to let somebody in: [People and programs
elsewhere](../tasks/network.md).

All of it, with what each call takes and gives, is described in `docs/api/openapi.json` of the repository (OpenAPI 3.1). Every refusal is
an `application/problem+json` whose `code` is for programs and whose `detail` is for people. Fields and kinds may be added: readers
ignore what they do not know.

| call | role | what it does |
| --- | --- | --- |
";

fn page(document: &Value) -> String {
    let mut page = HEAD.to_owned();
    let paths = document["paths"].as_object().expect("paths");
    for (path, calls) in paths {
        for (method, call) in calls.as_object().expect("calls") {
            let role =
                call["x-role"].as_str().map_or_else(|| "nobody yet".to_owned(), |role| format!("`{role}`"));
            let about = call["summary"].as_str().expect("a summary");
            let _ = writeln!(page, "| `{} {path}` | {role} | {about} |", method.to_uppercase());
        }
    }
    page
}

#[test]
fn the_guide_lists_every_call() {
    let made = page(&super::document());
    if std::env::var_os(super::WRITE).is_some() {
        std::fs::write(PAGE, &made).expect("the page can be written");
    }
    let written = std::fs::read_to_string(PAGE).unwrap_or_default();
    let again = super::WRITE;
    assert!(
        made == written,
        "{PAGE} is not what the code says: {again}=1 cargo test -p tandem-server --lib document"
    );
}
