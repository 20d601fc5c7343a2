//! Documents as teams write them, and what is said of those that can't be used.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn operations(document: &Value) -> Vec<String> {
    let document = Document::read(document).unwrap();
    document.operations.keys().map(ToString::to_string).collect()
}

#[test]
fn operations_are_known_by_method_and_path_below_the_server() {
    let document = |servers: Value| {
        let get = json!({ "get": {}, "summary": "x", "x-owner": {} });
        json!({
            "openapi": "3.0.1", "info": { "version": "2.1" }, "servers": servers,
            "paths": { "/a/{id}/b": get, "/c": { "$ref": "#/paths/~1a~1%7Bid%7D~1b" }, "x-more": 7 }
        })
    };
    let plain = operations(&document(json!([{ "url": "https://example.com" }])));
    assert_eq!(plain, ["GET /a/{}/b", "GET /c"]);
    let below = json!([{ "url": "//{host}/{base}/", "variables": { "base": { "default": "v1" } } }]);
    for servers in [below, json!([{ "url": "https://example.com/v1/" }]), json!([{ "url": "v1" }])] {
        let found = operations(&document(servers.clone()));
        let expected = if servers[0]["url"] == "//{host}/{base}/" { "GET //" } else { "GET /v1" };
        assert!(found[0].starts_with(expected), "{servers}: {found:?}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let get = |operation: Value| json!({ "openapi": "3.1.0", "info": { "version": "1" }, "paths": { "/a/{b}": { "get": operation } } });
    let mut many = json!({ "openapi": "3.1.0", "info": { "version": "1" }, "paths": {} });
    for at in 0..=MOST_OPERATIONS {
        many["paths"][format!("/{at}")] = json!({ "get": {} });
    }
    let chain = |to: &str| json!({ "$ref": format!("#/components/schemas/{to}") });
    let mut round = get(json!({ "responses": {} }));
    round["components"] = json!({ "schemas": { "a": chain("b"), "b": chain("a") } });
    let cases = [
        (json!([]), "#: `openapi` is missing"),
        (json!({ "openapi": 3 }), "#/openapi: a text is expected here"),
        (json!({ "swagger": "2.0" }), "#: `openapi` is missing"),
        (json!({ "openapi": "2.0" }), "#/openapi: \"2.0\" is not understood: write OpenAPI 3.0 or 3.1"),
        (json!({ "openapi": "3.0.0", "info": {} }), "#/info: `version` is missing"),
        (
            json!({ "openapi": "3.0.0", "info": { "version": "1" }, "paths": [] }),
            "#/paths: an object is expected here",
        ),
        (
            json!({ "openapi": "3.0.0", "info": { "version": "1" }, "paths": { "a": {} } }),
            "#/paths/a: a path begins with a slash",
        ),
        (
            get(json!({ "parameters": [{ "in": "query" }] })),
            "#/paths/~1a~1{b}/get/parameters/0: `name` is missing",
        ),
        (
            get(json!({ "parameters": [{ "name": "c", "in": "path" }] })),
            "#/paths/~1a~1{b}/get/parameters/0: the path /a/{b} has no parameter \"c\"",
        ),
        (
            get(json!({ "parameters": [{ "name": "c", "in": "body" }] })),
            "#/paths/~1a~1{b}/get/parameters/0: a parameter is not in \"body\": write query, path, header or cookie",
        ),
        (
            get(json!({ "requestBody": { "$ref": "#/none" } })),
            "#/paths/~1a~1{b}/get/requestBody: \"#/none\" leads to nothing",
        ),
        (
            get(json!({ "requestBody": { "$ref": "a.json#/b" } })),
            "#/paths/~1a~1{b}/get/requestBody: \"a.json#/b\" is another file: hand over a document that holds all of it",
        ),
        (
            get(json!({ "requestBody": { "content": [] } })),
            "#/paths/~1a~1{b}/get/requestBody/content: an object is expected here",
        ),
        (round, "#/components/schemas/a: \"#/components/schemas/b\" leads to nothing"),
    ];
    for (document, expected) in cases {
        let told = Document::read(&document).map(|_| ()).unwrap_err().to_string();
        assert_eq!(told, expected, "{document}");
    }
    let error = Document::read(&many).map(|_| ()).unwrap_err();
    assert_eq!(error.what, format!("there are more than {MOST_OPERATIONS} operations"));
    let error = Document::parse("{\n  \"openapi\": }", Form::Json).unwrap_err().to_string();
    assert!(error.starts_with("line 2, column 14: this is not JSON"), "{error}");
    assert!(Document::parse(&"[".repeat(100_000), Form::Json).is_err());
}

proptest! {
    #[test]
    fn no_text_is_too_much(text in ".{0,200}", at in 0_usize..400, byte in any::<u8>()) {
        let good = r##"{"openapi":"3.1.0","info":{"version":"1"},"servers":[{"url":"/{a}%2","variables":{"a":{"default":"b"}}}],"paths":{"/a/{b}":{"parameters":[{"name":"b","in":"path"}],"get":{"security":[{"k":["s"]}],"responses":{"200":{"content":{"a/b; c":{"schema":{"$ref":"#/x"}}}},"d":{}}}}},"x":{"$ref":"#/y%7"},"y%7":{}}"##;
        let mut bytes = good.as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        for text in [text, String::from_utf8_lossy(&bytes).into_owned()] {
            if let Ok(value) = Document::parse(&text, Form::Json) {
                let _any_outcome = Document::read(&value).map(|document| document.contract());
            }
        }
    }
}
