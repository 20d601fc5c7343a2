//! Documents in YAML 1.2, as the values that JSON has.
//!
//! A key is the text that stands there: `200`, `on` and `~` are names. Anchors are copied, so that what they make of a small text is
//! bounded. Knows nothing of OpenAPI. Tested in `yaml/tests.rs`.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value};

use super::DocumentError;

#[cfg(test)]
mod tests;

/// The deepest nesting, as in JSON.
const DEEPEST: usize = 128;

/// The most that aliases may copy, in bytes and about.
const MOST_COPIED: usize = 16 * 1024 * 1024;

/// What a value takes besides its text, in bytes and about.
const VALUE: usize = 32;

/// Reads the text of a document.
///
/// # Errors
/// It is no YAML, holds more than one document or none, or makes too much of a small text.
pub fn read(text: &str) -> Result<Value, DocumentError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::default();
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|error| wrong(error.marker(), format!("this is not YAML: {}", error.info())))?;
        reader.take(event, &span.start)?;
    }
    reader.root.ok_or_else(|| wrong(&Marker::new(0, 1, 0), "there is no document here".to_owned()))
}

/// A list or an object that has not ended yet.
struct Open {
    /// Zero: nothing refers to it.
    anchor: usize,
    value: Value,
    size: Size,
    /// Of an object: what the next value is for.
    key: Option<String>,
}

/// What a copy of a value costs.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    bytes: usize,
    height: usize,
}

#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    anchors: BTreeMap<usize, (Value, Size)>,
    copied: usize,
    root: Option<Value>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, at: &Marker) -> Result<(), DocumentError> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(wrong(at, "a second document begins here: hand over one".to_owned()))
            }
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), at),
            Event::SequenceStart(anchor, tag) => {
                self.begin(Value::Array(Vec::new()), anchor, tag.as_deref(), at)
            }
            Event::MappingStart(anchor, tag) => {
                self.begin(Value::Object(Map::new()), anchor, tag.as_deref(), at)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open { anchor, value, size, .. }) => self.add(value, size, anchor),
                None => Ok(()),
            },
            Event::Alias(anchor) => self.copy(anchor, at),
            Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::StreamStart
            | Event::StreamEnd
            | Event::Nothing => Ok(()),
        }
    }

    /// Whether a key is what comes next.
    fn awaits_key(&self) -> bool {
        self.open.last().is_some_and(|open| open.value.is_object() && open.key.is_none())
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        at: &Marker,
    ) -> Result<(), DocumentError> {
        let plain = style == ScalarStyle::Plain;
        let size = Size { bytes: VALUE + text.len(), height: 1 };
        if self.awaits_key() {
            if plain && text == "<<" {
                let what =
                    "`<<` merges, which YAML 1.2 does not know: write out what is merged, or use `$ref`";
                return Err(wrong(at, what.to_owned()));
            }
            if anchor > 0 {
                self.anchors.insert(anchor, (Value::String(text.to_owned()), size));
            }
            return self.key(text.to_owned(), at);
        }
        let value = match tag {
            None if plain => resolve(text, at)?,
            None => Value::String(text.to_owned()),
            Some(tag) if is(tag, &["str"]) || tag.handle.is_empty() && tag.suffix == "!" => {
                Value::String(text.to_owned())
            }
            Some(tag) if is(tag, &["int", "float", "bool", "null"]) => resolve(text, at)?,
            Some(tag) => return Err(strange(tag, at)),
        };
        self.add(value, size, anchor)
    }

    fn begin(
        &mut self,
        value: Value,
        anchor: usize,
        tag: Option<&Tag>,
        at: &Marker,
    ) -> Result<(), DocumentError> {
        if let Some(tag) = tag.filter(|tag| !is(tag, &["map", "seq"])) {
            return Err(strange(tag, at));
        }
        if self.awaits_key() {
            return Err(wrong(at, "a key must be a text, and this is none".to_owned()));
        }
        self.bound(1, at)?;
        self.open.push(Open { anchor, value, size: Size { bytes: VALUE, height: 1 }, key: None });
        Ok(())
    }

    fn bound(&self, height: usize, at: &Marker) -> Result<(), DocumentError> {
        let deep = self.open.len() + height > DEEPEST;
        if deep { Err(wrong(at, format!("this is nested deeper than {DEEPEST} levels"))) } else { Ok(()) }
    }

    fn key(&mut self, text: String, at: &Marker) -> Result<(), DocumentError> {
        let Some(open) = self.open.last_mut() else { return Ok(()) };
        if open.value.get(&text).is_some() {
            return Err(wrong(at, format!("the key {text:?} is here for the second time")));
        }
        open.size.bytes += text.len();
        open.key = Some(text);
        Ok(())
    }

    fn add(&mut self, value: Value, size: Size, anchor: usize) -> Result<(), DocumentError> {
        if anchor > 0 {
            self.anchors.insert(anchor, (value.clone(), size));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(value);
            return Ok(());
        };
        open.size.bytes = open.size.bytes.saturating_add(size.bytes);
        open.size.height = open.size.height.max(size.height + 1);
        match (&mut open.value, open.key.take()) {
            (Value::Array(items), _) => items.push(value),
            (Value::Object(members), Some(key)) => drop(members.insert(key, value)),
            _ => {}
        }
        Ok(())
    }

    fn copy(&mut self, anchor: usize, at: &Marker) -> Result<(), DocumentError> {
        let Some((value, size)) = self.anchors.get(&anchor) else {
            return Err(wrong(at, "this refers to what it is a part of: use `$ref`".to_owned()));
        };
        let (size, copied) = (*size, self.copied.saturating_add(size.bytes));
        if copied > MOST_COPIED {
            let most = MOST_COPIED >> 20;
            return Err(wrong(
                at,
                format!("aliases (`*`) make more than {most} MiB of this document: use `$ref`"),
            ));
        }
        self.bound(size.height, at)?;
        let value = value.clone();
        self.copied = copied;
        match value {
            Value::String(text) if self.awaits_key() => self.key(text, at),
            _ if self.awaits_key() => Err(wrong(at, "a key must be a text, and this is none".to_owned())),
            value => self.add(value, size, 0),
        }
    }
}

/// What a text without quotes means, by the core schema of YAML 1.2.
fn resolve(text: &str, at: &Marker) -> Result<Value, DocumentError> {
    let radix = |prefix: &str, radix: u32| {
        let digits = text.strip_prefix(prefix)?;
        digits
            .starts_with(|c: char| c.is_ascii_hexdigit())
            .then(|| u64::from_str_radix(digits, radix).ok())?
    };
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    if let Some(number) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Ok(number.into());
    }
    if !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
        let name = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
        return match name.as_str() {
            ".inf" | ".nan" => Err(wrong(at, format!("{text} is no number that JSON has"))),
            _ => Ok(Value::String(text.to_owned())),
        };
    }
    if let Ok(number) = text.parse::<i64>() {
        return Ok(number.into());
    }
    if let Ok(number) = text.parse::<u64>() {
        return Ok(number.into());
    }
    let Ok(number) = text.parse::<f64>() else { return Ok(Value::String(text.to_owned())) };
    let large = || wrong(at, format!("{text} is larger than any number that JSON has"));
    Number::from_f64(number).map(Value::Number).ok_or_else(large)
}

fn is(tag: &Tag, names: &[&str]) -> bool {
    tag.is_yaml_core_schema() && names.contains(&tag.suffix.as_str())
}

fn strange(tag: &Tag, at: &Marker) -> DocumentError {
    wrong(at, format!("the tag {tag} is not understood: leave it out"))
}

fn wrong(at: &Marker, what: String) -> DocumentError {
    DocumentError { place: format!("line {}, column {}", at.line(), at.col() + 1), what }
}
