//! A JSON schema as it is compared: everything that several schemas say together of one value.
//!
//! `$ref` and `allOf` mean just that, more schemas for the same value, so both are gone here. What is asked of a schema and not
//! written in it is "anything". Tested through `comparison`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::document::Document;

type Object = Map<String, Value>;

/// So many schemas may speak of one value; what more would say is not looked at.
const MOST_PARTS: usize = 256;

/// By which a schema is known: where its parts stand, and what of them was chosen.
pub(super) type Identity = Vec<(usize, bool)>;

/// What is said of one value.
#[derive(Debug, Clone)]
pub(super) struct Schema<'d> {
    document: &'d Document<'d>,
    parts: Vec<Part<'d>>,
    /// If it is an alternative: how that is written.
    meant: Option<&'d Value>,
}

#[derive(Debug, Clone, Copy)]
struct Part<'d> {
    object: &'d Object,
    /// Which of its alternatives is meant was chosen already: that one is a part of its own.
    chosen: bool,
}

/// What is said of the properties that have no name.
pub(super) enum Further<'d> {
    /// Nothing.
    Free,
    /// There are none.
    Closed,
    /// They are all like this.
    Like(Schema<'d>),
}

/// Limits of a value: the greater the less, or the other way round.
const AT_LEAST: [&str; 5] = ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"];
const AT_MOST: [&str; 5] = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"];

/// Rules that are not understood here: the same text is the same rule, and anything else another one.
const OPAQUE: [&str; 13] = [
    "pattern",
    "multipleOf",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "prefixItems",
    "propertyNames",
    "patternProperties",
    "dependentRequired",
    "dependentSchemas",
    "uniqueItems",
];

impl<'d> Schema<'d> {
    /// What the given schemas say together.
    pub(super) fn of(document: &'d Document<'d>, values: impl IntoIterator<Item = &'d Value>) -> Schema<'d> {
        let mut schema = Schema { document, parts: Vec::new(), meant: None };
        values.into_iter().for_each(|value| schema.add(value));
        schema
    }

    /// Goes round in no circle: what is there already says nothing new.
    fn add(&mut self, value: &'d Value) {
        let Value::Object(object) = value else { return };
        let known = self.parts.iter().any(|part| std::ptr::eq(part.object, object));
        if known || self.parts.len() >= MOST_PARTS {
            return;
        }
        let reference = object.get("$ref").and_then(Value::as_str);
        let target = reference.and_then(|_| self.document.target(value));
        // A mere reference says nothing itself, and all that lead to the same place are the same.
        if target.is_none() || object.len() > 1 {
            self.parts.push(Part { object, chosen: false });
        }
        target.into_iter().for_each(|target| self.add(target));
        object.get("allOf").and_then(Value::as_array).into_iter().flatten().for_each(|value| self.add(value));
    }

    /// What it is known by.
    pub(super) fn identity(&self) -> Identity {
        let place = |part: &Part<'_>| (std::ptr::from_ref(part.object).addr(), part.chosen);
        let meant = self.meant.map(|value| (std::ptr::from_ref(value).addr(), true));
        let mut identity: Identity = self.parts.iter().map(place).chain(meant).collect();
        identity.sort_unstable();
        identity
    }

    /// Whether both are alternatives that are written the same way.
    pub(super) fn is_meant_as(&self, other: &Schema<'_>) -> bool {
        self.meant.is_some() && self.meant == other.meant
    }

    /// The schemas of which the value fits one, if it says that there are several.
    pub(super) fn alternatives(&self) -> Option<Vec<Schema<'d>>> {
        let listed =
            |part: &Part<'d>| ["oneOf", "anyOf"].iter().find_map(|key| part.object.get(*key)?.as_array());
        let at = self.parts.iter().position(|part| !part.chosen && listed(part).is_some())?;
        let list = self.parts.get(at).and_then(listed)?;
        let alternative = |value: &'d Value| {
            let mut one = self.clone();
            one.parts.get_mut(at)?.chosen = true;
            one.meant = Some(value);
            one.add(value);
            Some(one)
        };
        Some(list.iter().filter_map(alternative).collect())
    }

    fn each(&self, key: &str) -> impl Iterator<Item = &'d Value> {
        self.parts.iter().filter_map(move |part| part.object.get(key))
    }

    /// The types that the value may have. None: any.
    pub(super) fn types(&self) -> Option<BTreeSet<&'d str>> {
        self.parts.iter().filter_map(|part| types(part.object)).reduce(|a, b| &a & &b)
    }

    /// The values that it may have. None: any.
    pub(super) fn values(&self) -> Option<Vec<&'d Value>> {
        let listed = |part: &Part<'d>| match (part.object.get("const"), part.object.get("enum")) {
            (Some(value), _) => Some(vec![value]),
            (None, Some(Value::Array(values))) => Some(values.iter().collect()),
            _ => None,
        };
        let both =
            |a: Vec<&'d Value>, b: Vec<&'d Value>| a.into_iter().filter(|value| b.contains(value)).collect();
        self.parts.iter().filter_map(listed).reduce(both)
    }

    /// What else its text or number is, such as a `date-time`.
    pub(super) fn format(&self) -> Option<&'d str> {
        self.each("format").find_map(Value::as_str)
    }

    /// The properties with a name; one that is only said to be always there may be anything.
    pub(super) fn properties(&self) -> BTreeMap<&'d str, Schema<'d>> {
        let mut found: BTreeMap<&str, Vec<&'d Value>> = BTreeMap::new();
        for (name, value) in self.each("properties").filter_map(Value::as_object).flatten() {
            found.entry(name).or_default().push(value);
        }
        for name in self.required() {
            found.entry(name).or_default();
        }
        found.into_iter().map(|(name, values)| (name, Schema::of(self.document, values))).collect()
    }

    /// The names of properties that are always there.
    pub(super) fn required(&self) -> BTreeSet<&'d str> {
        self.each("required").filter_map(Value::as_array).flatten().filter_map(Value::as_str).collect()
    }

    /// The properties without a name.
    pub(super) fn further(&self) -> Further<'d> {
        let said: Vec<&'d Value> = self.each("additionalProperties").collect();
        match said.iter().any(|value| **value == Value::Bool(false)) {
            true => Further::Closed,
            false if said.iter().any(|value| value.is_object()) => {
                Further::Like(Schema::of(self.document, said))
            }
            false => Further::Free,
        }
    }

    /// What each item of a list is. None: it says nothing of items.
    pub(super) fn items(&self) -> Option<Schema<'d>> {
        let said: Vec<&'d Value> = self.each("items").collect();
        (!said.is_empty()).then(|| Schema::of(self.document, said))
    }

    /// What each of its limits is, so that a greater one allows more.
    pub(super) fn limits(&self) -> BTreeMap<&'static str, f64> {
        let mut limits = BTreeMap::new();
        let signs = AT_MOST.iter().map(|key| (*key, 1.0)).chain(AT_LEAST.iter().map(|key| (*key, -1.0)));
        for (key, sign) in signs {
            let room = self.each(key).filter_map(Value::as_f64).map(|limit| limit * sign).reduce(f64::min);
            limits.extend(room.map(|room| (key, room)));
        }
        limits
    }

    /// The rules that are not understood here, as they are written.
    pub(super) fn rules(&self) -> BTreeMap<&'static str, Vec<&'d Value>> {
        let rule = |key: &'static str| {
            let mut said: Vec<&'d Value> = self.each(key).collect();
            said.dedup();
            (!said.is_empty()).then_some((key, said))
        };
        OPAQUE.into_iter().filter_map(rule).collect()
    }

    /// Whether something is said of it, such as `readOnly`.
    pub(super) fn is(&self, key: &str) -> bool {
        self.each(key).any(|value| *value == Value::Bool(true))
    }
}

/// The types that one schema names; a whole number is a number.
fn types(object: &Object) -> Option<BTreeSet<&str>> {
    let mut types: BTreeSet<&str> = match object.get("type") {
        Some(Value::String(one)) => BTreeSet::from([one.as_str()]),
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        // Not written, but meant.
        _ if object.contains_key("properties") => BTreeSet::from(["object"]),
        _ if object.contains_key("items") => BTreeSet::from(["array"]),
        _ => return None,
    };
    if types.contains("number") {
        types.insert("integer");
    }
    if object.get("nullable") == Some(&Value::Bool(true)) {
        types.insert("null");
    }
    Some(types)
}
