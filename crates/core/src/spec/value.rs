//! One value of the file: from what TOML holds to what a key takes, or a complaint with an example.
//!
//! Knows kinds of keys, not which keys there are nor what values mean together. Tested by `check/tests.rs`.

use std::collections::BTreeMap;

use toml::de::{DeArray, DeTable, DeValue};

use crate::base::{Amount, Millis};

use super::key::{Key, Kind};
use super::problem::ProblemCode;
use super::rule;
use super::text::{self, Check, Wrong, quoted};

/// A value that its key takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Canonical as the key's check makes it.
    Text(String),
    Words(Vec<String>),
    Texts(BTreeMap<String, String>),
    Number(u64),
    Length(Millis),
    Amount(Amount),
    Flag(bool),
}

/// Why a value is not taken.
pub(super) struct Complaint {
    pub(super) code: ProblemCode,
    /// Continues a sentence that begins with the key.
    pub(super) what: String,
    pub(super) help: Option<String>,
}

impl From<Wrong> for Complaint {
    fn from(wrong: Wrong) -> Complaint {
        Complaint { code: ProblemCode::BadValue, what: wrong.what, help: wrong.help }
    }
}

/// `is` is the value, with the limit that it breaks: "is 0, less than 1".
fn out_of_range(is: &str, too_small: bool, least: &str, most: &str) -> Complaint {
    let limit = if too_small { format!("less than {least}") } else { format!("more than {most}") };
    let help = Some(format!("possible are {least} to {most}"));
    Complaint { code: ProblemCode::OutOfRange, what: format!("is {is}, {limit}"), help }
}

/// Reads a value that stands alone, that is, everything but tables with keys of their own.
pub(super) fn read(key: &Key, found: &DeValue<'_>) -> Result<Value, Complaint> {
    match (&key.kind, found) {
        (Kind::Text(check) | Kind::OneOf(_, check), DeValue::String(text)) => Ok(Value::Text(check(text)?)),
        (Kind::Words(check), DeValue::Array(list)) => words(key, list, *check),
        (Kind::Command, DeValue::Array(list)) => command(key, list),
        (Kind::Environment, DeValue::Table(table)) => environment(table),
        (Kind::Fields(name), DeValue::Table(table)) => {
            pairs(table, *name, rule::value, ("a value", "1")).map(Value::Texts)
        }
        (Kind::Folders, DeValue::Table(table)) => folders(table),
        (Kind::Files, DeValue::Table(table)) => {
            pairs(table, text::file, text::file, ("a file", "certs/shop.key")).map(Value::Texts)
        }
        (Kind::Documents, DeValue::Table(table)) => {
            pairs(table, text::service_name, text::document, ("a file", "contracts/orders.json"))
                .map(Value::Texts)
        }
        (Kind::Number(least, most) | Kind::Size(least, most), DeValue::Integer(_)) => {
            number(found, *least, *most).map(Value::Number)
        }
        (Kind::Size(least, most), DeValue::String(text)) => size(text, *least, *most),
        (Kind::Length(least, most), DeValue::String(text)) => length(text, *least, *most),
        (Kind::LengthOrTable(keys), DeValue::String(text)) => {
            let range = keys.iter().find_map(|key| match key.kind {
                Kind::Length(least, most) => Some((least, most)),
                _ => None,
            });
            let (least, most) = range.unwrap_or((Millis::ZERO, Millis(u64::MAX)));
            length(text, least, most)
        }
        (Kind::Amount, DeValue::Integer(_)) => {
            let count = number(found, 0, 1000)?;
            Ok(Value::Amount(Amount::Count(u32::try_from(count).unwrap_or(u32::MAX))))
        }
        (Kind::Amount, DeValue::String(text)) => amount(text),
        (Kind::Flag, DeValue::Boolean(flag)) => Ok(Value::Flag(*flag)),
        _ => Err(wrong_type(key, found)),
    }
}

/// The value is of a type that the key does not take.
pub(super) fn wrong_type(key: &Key, found: &DeValue<'_>) -> Complaint {
    let what = format!("is {}, but {} is expected", describe(found), expected(&key.kind));
    let name = key.name;
    let meant = match (&key.kind, found) {
        (Kind::Number(..), DeValue::String(text)) if text.trim().parse::<u64>().is_ok() => {
            Some(format!("leave out the quotes: {name} = {}", text.trim()))
        }
        (Kind::Length(..) | Kind::LengthOrTable(_), DeValue::Integer(number)) => {
            Some(format!("add a unit: {name} = \"{number}s\" or \"{number}ms\""))
        }
        (Kind::Flag, DeValue::String(text)) if matches!(text.trim(), "true" | "false") => {
            Some(format!("leave out the quotes: {name} = {}", text.trim()))
        }
        (Kind::Words(_), DeValue::String(text)) => {
            Some(format!("put it in brackets: {name} = [{}]", quoted(text)))
        }
        (Kind::Command, DeValue::String(text)) => Some(format!("write {name} = {}", as_command(text))),
        (Kind::Tables(_), DeValue::Table(_)) => {
            Some(format!("write [[{name}]] with two brackets: there may be several"))
        }
        (Kind::Text(_), DeValue::Integer(number)) if name == "address" => {
            Some(format!("write {name} = \"0.0.0.0:{number}\""))
        }
        _ => None,
    };
    let example = || (!key.example.is_empty()).then(|| format!("write for example {name} = {}", key.example));
    Complaint { code: ProblemCode::WrongType, what, help: meant.or_else(example) }
}

fn expected(kind: &Kind) -> &'static str {
    match kind {
        Kind::Text(_) | Kind::OneOf(..) => "a text in quotes",
        Kind::Words(_) => "a list of texts",
        Kind::Command => "a list of program and arguments",
        Kind::Environment => "a table of names and texts",
        Kind::Fields(_) => "a table of header fields and values",
        Kind::Folders => "a table of paths and folders",
        Kind::Files => "a table of files and files",
        Kind::Documents => "a table of services and files",
        Kind::Number(..) => "a whole number",
        Kind::Size(..) => "a number of bytes, or a text such as \"16MiB\",",
        Kind::Length(..) => "a length of time in quotes",
        Kind::LengthOrTable(_) => "a length of time in quotes, or a table,",
        Kind::Amount => "a whole number, or a percentage in quotes,",
        Kind::Table(_) => "a table",
        Kind::Tables(_) => "a list of tables",
        Kind::Flag => "true or false",
    }
}

fn describe(found: &DeValue<'_>) -> String {
    match found {
        DeValue::String(text) => format!("the text {}", quoted(text)),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(value) => format!("the truth value {value}"),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

fn number(found: &DeValue<'_>, least: u64, most: u64) -> Result<u64, Complaint> {
    let number =
        found.as_integer().and_then(|number| i128::from_str_radix(number.as_str(), number.radix()).ok());
    match number.map(|number| (number, u64::try_from(number))) {
        Some((_, Ok(number))) if (least..=most).contains(&number) => Ok(number),
        Some((number, _)) => {
            let too_small = number < i128::from(least);
            Err(out_of_range(&number.to_string(), too_small, &least.to_string(), &most.to_string()))
        }
        None => Err(out_of_range("a huge number", false, &least.to_string(), &most.to_string())),
    }
}

fn size(text: &str, least: u64, most: u64) -> Result<Value, Complaint> {
    match text::size(text) {
        Some(bytes) if (least..=most).contains(&bytes) => Ok(Value::Number(bytes)),
        Some(bytes) => {
            let limits = (text::show_size(least), text::show_size(most));
            Err(out_of_range(&quoted(text), bytes < least, &limits.0, &limits.1))
        }
        None => Err(Wrong::new(
            format!("is {}, which is not a size", quoted(text)),
            "write a number of bytes, or for example \"32KiB\", \"16MiB\", \"2GiB\"",
        )
        .into()),
    }
}

fn length(text: &str, least: Millis, most: Millis) -> Result<Value, Complaint> {
    if let Ok(number) = text.trim().parse::<u64>() {
        let help = format!("add a unit: \"{number}s\" or \"{number}ms\"");
        return Err(Wrong::new(format!("is {}, a number without a unit", quoted(text)), help).into());
    }
    match text.parse::<Millis>() {
        Ok(length) if (least..=most).contains(&length) => Ok(Value::Length(length)),
        Ok(length) => Err(out_of_range(&quoted(text), length < least, &least.to_string(), &most.to_string())),
        Err(_) => Err(Wrong::new(
            format!("is {}, which is not a length of time", quoted(text)),
            "write for example \"500ms\", \"30s\", \"5m\" or \"1h 30m\"",
        )
        .into()),
    }
}

fn amount(text: &str) -> Result<Value, Complaint> {
    let wrong = || {
        Wrong::new(
            format!("is {}, which is not an amount", quoted(text)),
            "write a number of instances such as 2, or a percentage from \"0%\" to \"100%\"",
        )
    };
    match text.parse::<Amount>() {
        Ok(Amount::Count(count)) if count > 1000 => Err(wrong().into()),
        Ok(amount) => Ok(Value::Amount(amount)),
        Err(_) => Err(wrong().into()),
    }
}

fn texts<'v>(key: &Key, list: &'v DeArray<'_>) -> Result<Vec<&'v str>, Complaint> {
    let text = |value: &'v toml::Spanned<DeValue<'_>>| match value.get_ref() {
        DeValue::String(text) => Ok(text.as_ref()),
        other => Err(Complaint {
            code: ProblemCode::WrongType,
            what: format!("holds {}, but only texts in quotes are expected", describe(other)),
            help: Some(format!("write for example {} = {}", key.name, key.example)),
        }),
    };
    list.iter().map(text).collect()
}

fn words(key: &Key, list: &DeArray<'_>, check: Check) -> Result<Value, Complaint> {
    let words: Result<Vec<String>, Wrong> = texts(key, list)?.into_iter().map(check).collect();
    Ok(Value::Words(words?))
}

fn command(key: &Key, list: &DeArray<'_>) -> Result<Value, Complaint> {
    let words = texts(key, list)?;
    let wrong = |what: &str| {
        Err(Wrong::new(what, format!("write for example {} = {}", key.name, key.example)).into())
    };
    match words.first() {
        None => wrong("is empty, so there is nothing to run"),
        Some(program) if program.trim().is_empty() => {
            wrong("begins with an empty text, so there is nothing to run")
        }
        Some(_) if words.iter().any(|word| word.contains('\0')) => {
            wrong("holds a zero byte, which no program can take")
        }
        Some(program)
            if words.len() == 1 && program.contains(char::is_whitespace) && !program.contains('/') =>
        {
            Err(Wrong::new(
                format!("is one word, {}, and no shell will split it", quoted(program)),
                format!("write {} = {}", key.name, as_command(program)),
            )
            .into())
        }
        Some(_) => Ok(Value::Words(words.into_iter().map(str::to_owned).collect())),
    }
}

/// The array that does what a shell would do with the text.
fn as_command(text: &str) -> String {
    let for_a_shell =
        |c| matches!(c, '&' | '|' | ';' | '<' | '>' | '`' | '"' | '\'' | '*' | '(' | '\\' | '~');
    let only_port = text.replace("${PORT}", "$PORT").replace("$PORT", "");
    if text.contains(for_a_shell) || only_port.contains('$') {
        // Where the shell runs a single program, `exec` lets that program have the signals.
        let exec = if text.contains(['&', '|', ';']) { "" } else { "exec " };
        return format!("[\"sh\", \"-c\", {}]", quoted(&format!("{exec}{}", text.trim())));
    }
    let words: Vec<String> = text.replace("${PORT}", "$PORT").split_whitespace().map(quoted).collect();
    format!("[{}]", words.join(", "))
}

fn environment(table: &DeTable<'_>) -> Result<Value, Complaint> {
    let mut all = BTreeMap::new();
    for (name, value) in table.iter() {
        let name: &str = name.get_ref();
        if !text::is_variable(name) {
            let help = "use letters, digits and '_', beginning with a letter or '_'";
            return Err(Wrong::new(format!("holds the name {}", quoted(name)), help).into());
        }
        if name == "PORT" || name.starts_with("TANDEM_") {
            let help = "leave it out: each instance gets its own";
            return Err(Wrong::new(format!("holds {name}, which Tandem sets"), help).into());
        }
        let DeValue::String(text) = value.get_ref() else {
            let shown = describe(value.get_ref());
            return Err(Complaint {
                code: ProblemCode::WrongType,
                what: format!("holds {name}, which is {shown}, but a text in quotes is expected"),
                help: Some(format!("write for example {name} = \"1\"")),
            });
        };
        if text.contains('\0') {
            return Err(Wrong { what: format!("holds {name} with a zero byte"), help: None }.into());
        }
        if let Some(reference) = text.strip_prefix("env:")
            && !text::is_variable(reference)
        {
            let help = format!("write for example {name} = \"env:{name}\"");
            return Err(Wrong::new(format!("refers to the variable {}", quoted(reference)), help).into());
        }
        all.insert(name.to_owned(), text.to_string());
    }
    Ok(Value::Texts(all))
}

fn folders(table: &DeTable<'_>) -> Result<Value, Complaint> {
    let all = pairs(table, text::path, text::inner_folder, ("a folder", "public/assets"))?;
    let below = |(path, folder): (String, String)| (path.trim_end_matches('/').to_owned() + "/", folder);
    Ok(Value::Texts(all.into_iter().map(below).collect()))
}

/// A table of names and texts, each with its check; `kind` and an example of the texts, for the message.
fn pairs(
    table: &DeTable<'_>,
    name: Check,
    text: Check,
    (kind, example): (&str, &str),
) -> Result<BTreeMap<String, String>, Complaint> {
    let mut all = BTreeMap::new();
    for (key, value) in table.iter() {
        let key = name(key.get_ref())?;
        let DeValue::String(value) = value.get_ref() else {
            let shown = describe(value.get_ref());
            return Err(Complaint {
                code: ProblemCode::WrongType,
                what: format!("holds {}, which is {shown}, but {kind} in quotes is expected", quoted(&key)),
                help: Some(format!("write for example {} = {}", quoted(&key), quoted(example))),
            });
        };
        all.insert(key, text(value)?);
    }
    Ok(all)
}
