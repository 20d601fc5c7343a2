//! The JSON schema of `tandem.toml`, for editors.
//!
//! Made from the table of keys, so it can't differ from what is read. Tested in place.

use serde_json::{Map, Value, json};

use super::key::{FILE, Key, Kind};
use super::word::SIGNALS;

/// The schema (draft 2020-12) as indented JSON, with a line end.
pub fn schema() -> String {
    let mut schema = table(FILE);
    if let Some(object) = schema.as_object_mut() {
        object.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        object.insert("title".to_owned(), json!("tandem.toml"));
    }
    format!("{schema:#}\n")
}

fn table(keys: &[Key]) -> Value {
    let properties: Map<String, Value> =
        keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let always = keys.iter().filter(|key| key.required && key.unless.is_none());
    let required: Vec<&str> = always.map(|key| key.name).collect();
    let mut table = json!({
        "type": "object",
        "properties": properties,
        "patternProperties": { "^x-": {} },
        "required": required,
        "additionalProperties": false,
    });
    let either = keys.iter().find_map(|key| Some([key.name, key.unless?]));
    if let (Some(either), Some(object)) = (either, table.as_object_mut()) {
        object.insert("anyOf".to_owned(), json!(either.map(|name| json!({ "required": [name] }))));
    }
    table
}

fn property(key: &Key) -> Value {
    let length = || json!({ "type": "string", "examples": ["500ms", "30s", "5m", "1h 30m"] });
    let text = || json!({ "type": "string" });
    let mut value = match &key.kind {
        Kind::Text(_) => text(),
        Kind::OneOf(words, _) if *words == SIGNALS => text(),
        Kind::OneOf(words, _) => json!({ "enum": words }),
        Kind::Words(_) => json!({ "type": "array", "items": text() }),
        Kind::Command => json!({ "type": "array", "items": text(), "minItems": 1 }),
        Kind::Environment | Kind::Fields(_) | Kind::Folders | Kind::Files | Kind::Documents => {
            json!({ "type": "object", "additionalProperties": text() })
        }
        Kind::Number(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Size(least, most) => {
            json!({ "anyOf": [{ "type": "integer", "minimum": least, "maximum": most }, text()] })
        }
        Kind::Length(..) => length(),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::LengthOrTable(keys) => json!({ "anyOf": [length(), table(keys)] }),
        Kind::Amount => json!({
            "anyOf": [
                { "type": "integer", "minimum": 0, "maximum": 1000 },
                { "type": "string", "pattern": "^ *[0-9]+ *%? *$" },
            ]
        }),
        Kind::Table(keys) => table(keys),
        Kind::Tables(keys) => {
            json!({ "type": "array", "items": table(keys), "minItems": u8::from(key.required) })
        }
    };
    if let Some(object) = value.as_object_mut() {
        object.insert("description".to_owned(), json!(key.about));
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_describes_tables_within_tables() {
        let schema: Value = serde_json::from_str(&schema()).unwrap();
        let at = |pointer: &str| schema.pointer(pointer).cloned().unwrap_or_default();
        assert_eq!(at("/required"), json!(["service", "run", "listen"]));
        assert_eq!(at("/properties/run/properties/instances/maximum"), json!(1000));
        assert_eq!(at("/properties/listen/items/required"), json!(["address"]));
        assert_eq!(
            at("/properties/run/anyOf"),
            json!([{ "required": ["command"] }, { "required": ["docker"] }])
        );
        assert_eq!(at("/properties/deploy/properties/strategy/enum"), json!(["rolling", "flip", "canary"]));
        assert_eq!(at("/properties/database/properties/home/type"), json!("string"));
        assert_eq!(at("/properties/source/properties/approve/type"), json!("boolean"));
    }
}
