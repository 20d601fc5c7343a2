//! The document of the API, `docs/api/openapi.json`: made here of the calls, their roles and the messages, and compared with
//! the file, so that neither changes without the other.
//!
//! Only tests know it. Whether answers are as it says is tried from outside: see the checklist of a verb in CONTRIBUTING.

mod call;
mod page;

use std::fs;
use std::path::Path;

use schemars::generate::{Contract, SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use self::call::{CALLS, Call, Given, LOGIN};
use super::permission::{HERE, OF_A_SERVICE};
use crate::message::{JournalEvent, Problem, Status};

/// Where the file is.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api/openapi.json");
/// Has the file written anew.
const WRITE: &str = "TANDEM_WRITE_DOCUMENT";

const ABOUT: &str = "\
The way in from the network, as `tandem admin` answers it at the address in `[admin]`. At the Unix socket of a service \
the same paths are answered without `/services/{service}`, to the user who runs Tandem, and nobody logs in.\n\n\
Times are milliseconds since 1970. Fields and kinds may be added: readers ignore what they do not know. Every refusal is \
an `application/problem+json` (RFC 9457); its `code` is for programs, its `detail` for people.";

/// The schemas of what goes in one direction.
fn generator(contract: Contract) -> SchemaGenerator {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    // What is asked is small and stands where it is asked; what is answered is shared.
    settings.inline_subschemas = contract == Contract::Deserialize;
    settings.contract = contract;
    settings.into_generator()
}

fn document() -> Value {
    let (mut asked, mut given) = (generator(Contract::Deserialize), generator(Contract::Serialize));
    let problem = given.subschema_for::<Problem>();
    let mut paths: Map<String, Value> = Map::new();
    for call in std::iter::once(&LOGIN).chain(CALLS) {
        let operation = operation(call, &mut asked, &mut given);
        let path = paths.entry(call.public_path()).or_insert_with(|| json!({}));
        path[call.method.to_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Tandem", "version": "1", "description": ABOUT },
        "security": [{ "token": [] }, { "session": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "Made by `tandem token create`." },
                "session": {
                    "type": "apiKey", "in": "cookie", "name": "__Host-tandem",
                    "description": "Set by a login; named `tandem` where connections are not encrypted. \
                                    What changes anything is then only taken from a page of the same origin.",
                },
            },
            "parameters": call::parameters(),
            "responses": { "Refused": {
                "description": "It was not done; the body says why, and what to do.",
                "content": { "application/problem+json": { "schema": problem } },
            }},
            "schemas": given.take_definitions(true),
        },
    })
}

fn operation(call: &Call, asked: &mut SchemaGenerator, given: &mut SchemaGenerator) -> Value {
    let mut all = json!({ "operationId": call.name, "summary": call.about });
    match call.row() {
        Some(row) => {
            all["description"] = json!(format!("Needs the role `{}`.", row.role.name()));
            all["x-role"] = json!(row.role.name());
        }
        None => all["security"] = json!([]),
    }
    let parameters: Vec<_> = call.parameters().map(|name| json!({ "$ref": name })).collect();
    if !parameters.is_empty() {
        all["parameters"] = json!(parameters);
    }
    if let Some(takes) = &call.takes {
        let mut content = json!({});
        content[takes.kind] = json!({ "schema": (takes.shape)(asked) });
        all["requestBody"] = json!({ "required": takes.is_required, "content": content });
    }
    let (status, given) = call.gives.response(given);
    let mut responses = json!({ "default": { "$ref": "#/components/responses/Refused" } });
    responses[status.to_string()] = given;
    for status in call.refusals() {
        responses[status.to_string()] = json!({ "$ref": "#/components/responses/Refused" });
    }
    all["responses"] = responses;
    all
}

impl Given {
    fn response(&self, schemas: &mut SchemaGenerator) -> (u16, Value) {
        match self {
            Given::Value(status, shape) => {
                let content = json!({ "application/json": { "schema": shape(schemas) } });
                (*status, json!({ "description": "Done.", "content": content }))
            }
            Given::Nothing => (204, json!({ "description": "Done." })),
            Given::Stream => {
                let events = json!({
                    "journal": schemas.subschema_for::<JournalEvent>(),
                    "status": schemas.subschema_for::<Status>(),
                });
                let about = "A stream of events: `journal`, with its `seq` as id, and `status`, once at the beginning \
                             and after each change. `x-events` tells their data.";
                let text = json!({ "schema": { "type": "string" }, "x-events": events });
                (200, json!({ "description": about, "content": { "text/event-stream": text } }))
            }
            Given::Text(about, kinds) => {
                let text = json!({ "schema": { "type": "string" } });
                let content: Map<_, _> =
                    kinds.iter().map(|kind| ((*kind).to_owned(), text.clone())).collect();
                (200, json!({ "description": about, "content": content }))
            }
        }
    }
}

#[test]
fn the_document_describes_every_call_and_no_other() {
    for row in HERE.iter().chain(OF_A_SERVICE) {
        let is_described = CALLS.iter().any(|call| (call.method, call.path) == (row.method, row.path));
        assert!(is_described, "{} {} is not described in document/call.rs", row.method, row.path);
    }
    for call in CALLS {
        assert!(call.row().is_some(), "{} {} can't be called any more", call.method, call.path);
    }
}

#[test]
fn the_document_is_what_the_code_answers() {
    let made = document();
    if std::env::var_os(WRITE).is_some() {
        let text = serde_json::to_string_pretty(&made).unwrap() + "\n";
        fs::create_dir_all(Path::new(FILE).parent().unwrap()).unwrap();
        fs::write(FILE, text).unwrap();
    }
    let written: Value = serde_json::from_slice(&fs::read(FILE).unwrap()).unwrap();
    assert!(
        made == written,
        "docs/api/openapi.json is not what the code says: {} Look at the difference, then have it written anew: \
         {WRITE}=1 cargo test -p tandem-server --lib document",
        first_difference("", &made, &written).unwrap_or_default()
    );
}

/// Where two values differ first.
fn first_difference(at: &str, made: &Value, written: &Value) -> Option<String> {
    match (made, written) {
        (Value::Object(made), Value::Object(written)) => {
            let mut names: Vec<_> = made.keys().chain(written.keys()).collect();
            names.sort();
            names.into_iter().find_map(|name| {
                let [made, written] = [made, written].map(|all| all.get(name).unwrap_or(&Value::Null));
                first_difference(&format!("{at}/{name}"), made, written)
            })
        }
        _ if made == written => None,
        _ => Some(format!("{at} is {made}, the file has {written}.")),
    }
}
