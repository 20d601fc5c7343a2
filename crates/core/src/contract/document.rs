//! An OpenAPI document, read: the operations with what a client sends and what it is answered.
//!
//! What is used of the document is checked here, so that whoever walks it later finds what was promised; the schemas
//! themselves stay as they are and are read by `schema`. Tested in `document/tests.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};

use super::{Contract, Operation, yaml};

#[cfg(test)]
mod tests;

/// The largest document, in bytes.
pub const LARGEST: u64 = 16 * 1024 * 1024;

/// The most operations: each costs some room in every table and in the proxy.
const MOST_OPERATIONS: usize = 2000;

/// The longest chain of references.
const LONGEST_CHAIN: usize = 32;

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// Why a document can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct DocumentError {
    /// Where, as a JSON pointer (`#/paths/~1orders/get`), or a line and column.
    pub place: String,
    /// What is wrong there, and what to do.
    pub what: String,
}

/// A contract as it is written down.
#[derive(Debug, Clone)]
pub struct Document<'d> {
    pub(super) root: &'d Value,
    pub(super) operations: BTreeMap<Operation, Described<'d>>,
    version: &'d str,
}

/// In what a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// JSON.
    Json,
    /// YAML 1.2.
    Yaml,
}

impl Form {
    /// That of a file, by its name.
    pub fn of_file(name: &str) -> Form {
        let end = name.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase());
        if matches!(end.as_deref(), Some("yaml" | "yml")) { Form::Yaml } else { Form::Json }
    }
}

/// One operation as a document describes it.
#[derive(Debug, Clone, Default)]
pub(super) struct Described<'d> {
    /// The method and the path as they are written.
    pub(super) shown: String,
    /// What a client sends: parameters, and the body in each form.
    pub(super) sent: BTreeMap<String, Part<'d>>,
    /// What it is answered, by status and form; the form is empty where there is no content.
    pub(super) answers: BTreeMap<(String, String), Part<'d>>,
    /// The ways to be let in, each a number of schemes with their scopes. An empty one: without any.
    pub(super) security: Vec<BTreeMap<&'d str, BTreeSet<&'d str>>>,
}

/// A part of a request or of an answer.
#[derive(Debug, Clone)]
pub(super) struct Part<'d> {
    /// What it is, for people.
    pub(super) title: String,
    /// Whether it is always there.
    pub(super) required: bool,
    /// What it consists of. None: anything.
    pub(super) schema: Option<&'d Value>,
}

type Object = Map<String, Value>;

fn json(text: &str) -> Result<Value, DocumentError> {
    serde_json::from_str(text).map_err(|error| {
        let (place, told) = (format!("line {}, column {}", error.line(), error.column()), error.to_string());
        // It ends in the place.
        let what = told.rsplit_once(" at line ").map_or(told.as_str(), |(what, _)| what);
        DocumentError { place, what: format!("this is not JSON: {what}") }
    })
}

impl<'d> Document<'d> {
    /// Reads the text of a document.
    ///
    /// # Errors
    /// It is not in its form; the place is a line and a column.
    pub fn parse(text: &str, form: Form) -> Result<Value, DocumentError> {
        match form {
            Form::Json => json(text),
            Form::Yaml => yaml::read(text),
        }
    }

    /// Reads what a document says.
    ///
    /// # Errors
    /// It is no OpenAPI document that is understood here, or something in it refers to nothing.
    pub fn read(root: &'d Value) -> Result<Document<'d>, DocumentError> {
        let top = Place { value: root, path: "#".to_owned() };
        let form = top.at("openapi")?.text()?;
        if !form.starts_with("3.0") && !form.starts_with("3.1") {
            return Err(top
                .at("openapi")?
                .wrong(format!("{form:?} is not understood: write OpenAPI 3.0 or 3.1")));
        }
        let version = top.at("info")?.at("version")?.text()?;
        refers_to_something(root, &top)?;
        let mut document = Document { root, operations: BTreeMap::new(), version };
        let Some(paths) = top.maybe("paths") else { return Ok(document) };
        for path in paths.object()?.keys() {
            let item = document.follow(paths.at(path)?)?;
            if path.starts_with("x-") {
                continue;
            }
            if !path.starts_with('/') {
                return Err(item.wrong("a path begins with a slash".to_owned()));
            }
            for method in METHODS {
                let Some(operation) = item.maybe(method) else { continue };
                if document.operations.len() >= MOST_OPERATIONS {
                    return Err(operation.wrong(format!("there are more than {MOST_OPERATIONS} operations")));
                }
                let described = document.describe(&top, &item, &operation, path, method)?;
                let base = base(&[&operation, &item, &top]);
                document.operations.insert(Operation::new(method, &format!("{base}{path}")), described);
            }
        }
        Ok(document)
    }

    /// Its version (`info.version`).
    pub fn version(&self) -> &'d str {
        self.version
    }

    /// What is to be remembered of it.
    pub fn contract(&self) -> Contract {
        let operations = self.operations.keys().cloned().collect();
        Contract { version: self.version.to_owned(), operations }
    }

    /// What a reference leads to; anything else itself. That it leads somewhere was seen when the document was read.
    pub(super) fn target(&self, value: &'d Value) -> Option<&'d Value> {
        target(self.root, value)
    }

    fn follow(&self, place: Place<'d>) -> Result<Place<'d>, DocumentError> {
        match self.target(place.value) {
            Some(value) => Ok(Place { value, ..place }),
            None => Err(place.wrong("refers to nothing".to_owned())),
        }
    }

    fn describe(
        &self,
        top: &Place<'d>,
        item: &Place<'d>,
        operation: &Place<'d>,
        path: &str,
        method: &str,
    ) -> Result<Described<'d>, DocumentError> {
        let mut described =
            Described { shown: format!("{} {path}", method.to_ascii_uppercase()), ..Described::default() };
        // What the operation says of a parameter goes before what all operations of the path say.
        for holder in [item, operation] {
            for parameter in holder.maybe("parameters").iter().flat_map(Place::items) {
                let (key, part) = self.parameter(self.follow(parameter)?, path)?;
                described.sent.insert(key, part);
            }
        }
        if let Some(body) = operation.maybe("requestBody") {
            let body = self.follow(body)?;
            let required = body.maybe("required").is_some_and(|value| value.value == true);
            for (form, schema) in self.content(&body)? {
                let (key, title) = (format!("body as {form}"), "request".to_owned());
                described.sent.insert(key, Part { title, required, schema });
            }
        }
        for status in operation.maybe("responses").iter().flat_map(Place::keys) {
            let answer = self.follow(operation.at("responses")?.at(status)?)?;
            let title = match status.starts_with('2') {
                true => "response".to_owned(),
                false => format!("response {status}"),
            };
            let forms = self.content(&answer)?;
            let none = forms.is_empty().then(|| (String::new(), None));
            for (form, schema) in forms.into_iter().chain(none) {
                let part = Part { title: title.clone(), required: true, schema };
                described.answers.insert((status.to_ascii_uppercase(), form), part);
            }
        }
        described.security = security(operation.maybe("security").or_else(|| top.maybe("security")));
        Ok(described)
    }

    /// Parameters of the path are known by their place in it: their names are nobody's business.
    fn parameter(&self, place: Place<'d>, path: &str) -> Result<(String, Part<'d>), DocumentError> {
        let (name, of) = (place.at("name")?.text()?, place.at("in")?.text()?);
        let key = match of {
            "path" => {
                let at = path.find(&format!("{{{name}}}"));
                let Some(at) = at else {
                    return Err(place.wrong(format!("the path {path} has no parameter {name:?}")));
                };
                format!("path parameter {}", path.get(..at).unwrap_or_default().matches('{').count())
            }
            "header" => format!("header {}", name.to_ascii_lowercase()),
            "query" | "cookie" => format!("{of} parameter {name}"),
            _ => {
                return Err(
                    place.wrong(format!("a parameter is not in {of:?}: write query, path, header or cookie"))
                );
            }
        };
        let required = place.maybe("required").is_some_and(|value| value.value == true);
        let schema = match place.maybe("schema") {
            Some(schema) => Some(schema.value),
            None => self.content(&place)?.into_iter().next().and_then(|(_, schema)| schema),
        };
        let title =
            if of == "header" { format!("header `{name}`") } else { format!("{of} parameter `{name}`") };
        Ok((key, Part { title, required, schema }))
    }

    /// The forms of a content, with their schemas.
    fn content(&self, place: &Place<'d>) -> Result<Vec<(String, Option<&'d Value>)>, DocumentError> {
        let Some(content) = place.maybe("content") else { return Ok(Vec::new()) };
        let mut forms = Vec::new();
        for form in content.object()?.keys() {
            let schema = content.at(form)?.maybe("schema").map(|schema| schema.value);
            let plain = form.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            forms.push((plain, schema));
        }
        Ok(forms)
    }
}

/// A value and where it stands.
struct Place<'d> {
    value: &'d Value,
    path: String,
}

impl<'d> Place<'d> {
    fn wrong(&self, what: String) -> DocumentError {
        DocumentError { place: self.path.clone(), what }
    }

    fn below(&self, key: &str, value: &'d Value) -> Place<'d> {
        Place { value, path: format!("{}/{}", self.path, key.replace('~', "~0").replace('/', "~1")) }
    }

    fn maybe(&self, key: &str) -> Option<Place<'d>> {
        self.value.get(key).map(|value| self.below(key, value))
    }

    fn at(&self, key: &str) -> Result<Place<'d>, DocumentError> {
        self.maybe(key).ok_or_else(|| self.wrong(format!("`{key}` is missing")))
    }

    fn text(&self) -> Result<&'d str, DocumentError> {
        self.value.as_str().ok_or_else(|| self.wrong("a text is expected here".to_owned()))
    }

    fn object(&self) -> Result<&'d Object, DocumentError> {
        self.value.as_object().ok_or_else(|| self.wrong("an object is expected here".to_owned()))
    }

    fn keys(&self) -> impl Iterator<Item = &'d String> + use<'d> {
        self.value.as_object().into_iter().flat_map(Map::keys).filter(|key| !key.starts_with("x-"))
    }

    fn items(&self) -> Vec<Place<'d>> {
        let items = self.value.as_array().into_iter().flatten().enumerate();
        items.map(|(at, value)| self.below(&at.to_string(), value)).collect()
    }
}

impl fmt::Debug for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

/// The way that all paths have before them: that of the first server, by the innermost that names any.
fn base(holders: &[&Place<'_>]) -> String {
    let server = holders.iter().find_map(|holder| holder.value.get("servers")?.get(0));
    let url = server.and_then(|server| server.get("url")).and_then(Value::as_str).unwrap_or_default();
    let mut url = url.to_owned();
    for (name, variable) in
        server.and_then(|server| server.get("variables")?.as_object()).into_iter().flatten()
    {
        let default = variable.get("default").and_then(Value::as_str).unwrap_or_default();
        url = url.replace(&format!("{{{name}}}"), default);
    }
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default(),
        None => &url,
    };
    let path = path.trim_end_matches('/');
    if path.is_empty() || path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

/// The ways to be let in; without any word about it there is one that asks for nothing.
fn security(place: Option<Place<'_>>) -> Vec<BTreeMap<&str, BTreeSet<&str>>> {
    let listed = place.and_then(|place| place.value.as_array()).into_iter().flatten();
    let mut ways = Vec::new();
    for way in listed {
        let schemes = way.as_object().into_iter().flatten();
        ways.push(schemes.map(|(name, scopes)| (name.as_str(), texts(scopes).collect())).collect());
    }
    if ways.is_empty() {
        ways.push(BTreeMap::new());
    }
    ways
}

/// The texts of a list.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// What a reference leads to; None: to nothing, or round in a circle.
fn target<'d>(root: &'d Value, mut value: &'d Value) -> Option<&'d Value> {
    for _ in 0..LONGEST_CHAIN {
        let Some(Value::String(reference)) = value.get("$ref") else { return Some(value) };
        value = root.pointer(&decoded(reference.strip_prefix('#')?))?;
    }
    None
}

/// The text behind percent signs.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let byte = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(b'%'));
        let rest = if byte.is_some() { part.get(2..) } else { Some(part) };
        bytes.extend(rest.unwrap_or_default().bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Every reference of the document leads somewhere in it.
fn refers_to_something<'d>(root: &'d Value, place: &Place<'d>) -> Result<(), DocumentError> {
    // What stands there is data, whatever its keys are called.
    const DATA: [&str; 5] = ["example", "examples", "default", "enum", "const"];
    if let Some(Value::String(reference)) = place.value.get("$ref") {
        if !reference.starts_with('#') {
            let what = format!("{reference:?} is another file: hand over a document that holds all of it");
            return Err(place.wrong(what));
        }
        if target(root, place.value).is_none() {
            return Err(place.wrong(format!("{reference:?} leads to nothing")));
        }
    }
    match place.value {
        Value::Object(object) => {
            let walked = |key: &String| !key.starts_with("x-") && !DATA.contains(&key.as_str());
            let mut inner = object.iter().filter(|(key, _)| walked(key));
            inner.try_for_each(|(key, value)| refers_to_something(root, &place.below(key, value)))
        }
        Value::Array(_) => place.items().iter().try_for_each(|item| refers_to_something(root, item)),
        _ => Ok(()),
    }
}
