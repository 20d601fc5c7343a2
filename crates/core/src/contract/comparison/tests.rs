//! Small changes of one document, and what they break on either side.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn shop() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": { "title": "shop", "version": "1.0.0" },
        "paths": {
            "/orders/{id}": {
                "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "integer" } }],
                "get": { "responses": {
                    "200": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Order" } } } },
                    "404": { "description": "no such order" }
                } }
            },
            "/orders": {
                "get": {
                    "parameters": [{ "name": "limit", "in": "query", "schema": { "type": "integer", "maximum": 100 } }],
                    "responses": { "200": { "content": { "application/json": { "schema": {
                        "type": "array", "items": { "$ref": "#/components/schemas/Order" }
                    } } } } }
                },
                "post": {
                    "requestBody": { "$ref": "#/components/requestBodies/New" },
                    "responses": { "201": { "description": "placed" } }
                }
            }
        },
        "components": {
            "requestBodies": { "New": { "required": true, "content": { "application/json": { "schema": {
                "type": "object",
                "required": ["sku"],
                "properties": {
                    "sku": { "type": "string", "maxLength": 20 },
                    "size": { "enum": ["s", "m", "l"] },
                    "pay": { "oneOf": [
                        { "type": "object", "required": ["card"], "properties": { "card": { "type": "string" } } },
                        { "type": "object", "required": ["iban"], "properties": { "iban": { "type": "string" } } }
                    ] }
                }
            } } } } },
            "schemas": {
                "Base": { "type": "object", "required": ["id"], "properties": { "id": { "type": "integer" } } },
                "Order": {
                    "allOf": [{ "$ref": "#/components/schemas/Base" }],
                    "required": ["total", "state"],
                    "properties": {
                        "total": { "type": "number" },
                        "state": { "enum": ["open", "paid"] },
                        "note": { "type": "string", "format": "uuid" },
                        "parts": { "type": "array", "items": { "$ref": "#/components/schemas/Order" } }
                    }
                }
            }
        }
    })
}

/// The document with something else, or nothing, at one place.
fn changed(pointer: &str, value: &Value) -> Value {
    let mut document = shop();
    let (holder, key) = pointer.rsplit_once('/').unwrap();
    let holder = document.pointer_mut(holder).unwrap_or_else(|| panic!("nothing at {pointer}"));
    match (holder, value) {
        (Value::Object(object), Value::Null) => drop(object.remove(key).unwrap()),
        (Value::Object(object), value) => drop(object.insert(key.replace("~1", "/"), value.clone())),
        (Value::Array(list), value) => list[key.parse::<usize>().unwrap()] = value.clone(),
        _ => panic!("{pointer}"),
    }
    document
}

fn told(client: &Value, server: &Value, age: Server) -> Vec<String> {
    let (client, server) = (Document::read(client).unwrap(), Document::read(server).unwrap());
    let line = |finding: Finding| format!("{}: {}", finding.shown, finding.what);
    breaks(&client, &server, age).into_iter().map(line).collect()
}

const ORDER: &str = "/components/schemas/Order";
const NEW: &str = "/components/requestBodies/New";
const SCHEMA: &str = "/components/requestBodies/New/content/application~1json/schema";

/// What is changed, where, and to what.
type Case = (&'static str, String, Value);

/// What each change breaks.
fn page(cases: Vec<Case>) -> String {
    let mut page = String::new();
    for (title, pointer, value) in cases {
        let other = changed(&pointer, &value);
        page.push_str(&format!("{title}\n"));
        for (mark, lines) in [
            ("old client", told(&shop(), &other, Server::Newer)),
            ("new client", told(&other, &shop(), Server::Older)),
        ] {
            lines.iter().for_each(|line| page.push_str(&format!("  {mark}: {line}\n")));
        }
    }
    page
}

#[test]
fn what_small_changes_of_requests_break() {
    let schema = |rest: &str| format!("{SCHEMA}{rest}");
    let limit = |rest: &str| format!("/paths/~1orders/get/parameters/0{rest}");
    let page = page(vec![
        ("an operation goes", "/paths/~1orders/post".into(), Value::Null),
        ("an operation comes", "/paths/~1stock".into(), json!({ "get": { "responses": {} } })),
        ("a parameter is required", limit("/required"), json!(true)),
        ("a parameter goes", "/paths/~1orders/get/parameters".into(), Value::Null),
        ("a parameter is retyped", limit("/schema/type"), json!("string")),
        ("a parameter is narrowed", limit("/schema/maximum"), json!(50)),
        ("a parameter is widened", limit("/schema/maximum"), json!(500)),
        (
            "a parameter of the path is retyped",
            "/paths/~1orders~1{id}/parameters/0/schema/type".into(),
            json!("string"),
        ),
        ("a property of a request is required", schema("/required"), json!(["sku", "size"])),
        ("a property of a request is not required", schema("/required"), Value::Null),
        ("a property of a request comes", schema("/properties/gift"), json!({ "type": "boolean" })),
        ("a property of a request is narrowed", schema("/properties/sku/maxLength"), json!(10)),
        ("a value of a request goes", schema("/properties/size/enum"), json!(["s", "m"])),
        ("a value of a request comes", schema("/properties/size/enum"), json!(["s", "m", "l", "xl"])),
        ("a property of a request has a pattern", schema("/properties/sku/pattern"), json!("^[a-z]+$")),
        (
            "a property goes from a closed request",
            SCHEMA.into(),
            json!({
                "type": "object", "additionalProperties": false, "properties": { "sku": { "type": "string" } }
            }),
        ),
        (
            "an alternative of a request is narrowed",
            schema("/properties/pay/oneOf/1/required"),
            json!(["iban", "bic"]),
        ),
        (
            "the last alternative of two is left",
            schema("/properties/pay"),
            json!({
                "type": "object", "required": ["card"], "properties": { "card": { "type": "string" } }
            }),
        ),
        ("a request needs no body", format!("{NEW}/required"), json!(false)),
        ("a form of a request goes", format!("{NEW}/content"), json!({ "application/xml": {} })),
    ]);
    insta::assert_snapshot!(page);
}

#[test]
fn what_small_changes_of_answers_break() {
    let order = |rest: &str| format!("{ORDER}{rest}");
    let page = page(vec![
        ("a property of an answer goes", order("/properties/note"), Value::Null),
        (
            "a property of an answer that is always there may be anything",
            order("/properties"),
            json!({ "state": { "const": "open" } }),
        ),
        ("a property of an answer is retyped", order("/properties/total/type"), json!("string")),
        ("a property of an answer is one of its kind", order("/properties/total/type"), json!("integer")),
        ("a property of an answer may be null", order("/properties/total/type"), json!(["number", "null"])),
        ("a property of an answer may be null, in 3.0", order("/properties/total/nullable"), json!(true)),
        ("a property of an answer may be missing", order("/required"), json!(["total"])),
        ("a property of an answer has no form", order("/properties/note/format"), Value::Null),
        ("a value of an answer comes", order("/properties/state/enum"), json!(["open", "paid", "sent"])),
        (
            "what all of a kind have is retyped",
            "/components/schemas/Base/properties/id/type".into(),
            json!("string"),
        ),
        (
            "an answer is a list no more",
            "/paths/~1orders/get/responses/200/content/application~1json/schema".into(),
            json!({ "type": "object" }),
        ),
        (
            "an answer may be of another kind",
            "/paths/~1orders~1{id}/get/responses/200/content/application~1json/schema".into(),
            json!({
                "anyOf": [{ "$ref": "#/components/schemas/Order" }, { "type": "string" }]
            }),
        ),
        (
            "a good answer goes",
            "/paths/~1orders/post/responses".into(),
            json!({ "202": { "description": "later" } }),
        ),
        (
            "a good answer is one of many",
            "/paths/~1orders/post/responses".into(),
            json!({ "2XX": { "description": "fine" } }),
        ),
        ("a bad answer goes", "/paths/~1orders~1{id}/get/responses/404".into(), Value::Null),
    ]);
    insta::assert_snapshot!(page);
}

#[test]
fn what_other_small_changes_break() {
    let page = page(vec![
        ("somebody asks who it is", "/security".into(), json!([{ "key": ["read"], "tenant": [] }])),
        ("it lives elsewhere", "/servers".into(), json!([{ "url": "https://shop.example.com/v2" }])),
        ("a parameter of the path is renamed", "/paths".into(), {
            let text = shop()["paths"].to_string().replace("{id}", "{order}");
            serde_json::from_str(&text.replace(r#""name":"id""#, r#""name":"order""#)).unwrap()
        }),
    ]);
    insta::assert_snapshot!(page);
}

#[test]
fn what_is_found_behind_a_circle_is_told_of_each_operation() {
    // Order → customer → orders: the walk from each side goes through the other.
    let circle = |total: &str| {
        let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
        let get = |name: &str| json!({ "get": { "responses": { "200": { "content": { "application/json": { "schema": reference(name) } } } } } });
        json!({
            "openapi": "3.0.3", "info": { "version": "1" },
            "paths": { "/a": get("Order"), "/b": get("Customer"), "/c": get("Loop") },
            "components": { "schemas": {
                "Order": { "properties": { "customer": reference("Customer"), "total": { "type": total } } },
                "Customer": { "properties": { "orders": { "items": reference("Order") } } },
                "Loop": { "allOf": [reference("Loop")], "oneOf": [reference("Loop"), { "type": "string" }] }
            } }
        })
    };
    let found = told(&circle("number"), &circle("string"), Server::Newer);
    assert_eq!(
        found,
        [
            "GET /a: response property `total` is string, not number",
            "GET /b: response property `orders[].total` is string, not number"
        ]
    );
}

/// Any JSON that looks more or less like a schema.
fn schema() -> impl Strategy<Value = Value> {
    let name = || prop::sample::select(vec!["a", "b", "c"]);
    let kind = prop::sample::select(vec!["string", "integer", "number", "object", "array", "null", "odd"]);
    let leaf = prop_oneof![
        kind.clone().prop_map(|kind| json!({ "type": kind })),
        prop::collection::vec(kind, 0..3).prop_map(|kinds| json!({ "type": kinds, "nullable": true })),
        prop::collection::vec(any::<u8>(), 0..3).prop_map(|values| json!({ "enum": values })),
        any::<f64>().prop_map(|limit| json!({ "minimum": limit, "maxLength": limit, "pattern": "x" })),
        name().prop_map(|name| json!({ "$ref": format!("#/components/schemas/{name}") })),
        any::<bool>().prop_map(|any| json!(any)),
        Just(json!([null, "$ref", { "$ref": 7 }])),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let several = prop::collection::vec(inner.clone(), 0..3);
        let key =
            prop::sample::select(vec!["items", "additionalProperties", "not", "oneOf", "required", "allOf"]);
        prop_oneof![
            (prop::sample::select(vec!["allOf", "oneOf", "anyOf"]), several)
                .prop_map(|(key, list)| json!({ key: list })),
            (key, inner.clone()).prop_map(|(key, value)| json!({ key: value })),
            (prop::collection::btree_map(name(), inner, 0..3), name()).prop_map(|(properties, name)| {
                json!({ "properties": properties, "required": [name], "readOnly": properties.len() > 2 })
            }),
        ]
    })
}

fn document(schemas: &[Value], title: &str) -> Value {
    let [a, b, c] = schemas else { panic!("three") };
    let content = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/a" } } });
    json!({
        "openapi": "3.1.0",
        "info": { "title": title, "version": "1" },
        "paths": { "/x/{y}": { "post": {
            "parameters": [{ "name": "q", "in": "query", "schema": b }],
            "requestBody": { "required": true, "content": content },
            "responses": { "200": { "content": content } }
        } } },
        "components": { "schemas": { "a": a, "b": b, "c": c } }
    })
}

proptest! {
    #[test]
    fn a_document_breaks_nothing_of_itself(schemas in prop::collection::vec(schema(), 3)) {
        // Equal documents are not walked at all; these differ by a title.
        let (one, two) = (document(&schemas, "one"), document(&schemas, "two"));
        if let (Ok(client), Ok(server)) = (Document::read(&one), Document::read(&two)) {
            prop_assert_eq!(breaks(&client, &server, Server::Newer), []);
        }
    }

    #[test]
    fn no_two_documents_are_too_much(
        one in prop::collection::vec(schema(), 3),
        two in prop::collection::vec(schema(), 3),
    ) {
        let (one, two) = (document(&one, ""), document(&two, ""));
        if let (Ok(client), Ok(server)) = (Document::read(&one), Document::read(&two)) {
            breaks(&client, &server, Server::Newer);
            breaks(&server, &client, Server::Older);
        }
    }
}
