//! Parameters of statements as literals: in text form as they came, in binary form for the types that drivers send so.
//!
//! Binary forms after PostgreSQL's `send` functions (src/backend/utils/adt). Tested in place, and against a real server in
//! `tandem-postgres`.

use super::Unrecorded;
use crate::name::literal;
use crate::syntax;

/// A parameter as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The oid of its type; 0 where the client left that to the server.
    pub oid: u32,
    /// In binary form.
    pub binary: bool,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The statement with its parameters written into it.
pub(super) fn filled(text: &str, parameters: &[Option<Parameter>]) -> Result<String, Unrecorded> {
    if parameters.is_empty() {
        return Ok(text.to_owned());
    }
    let Ok(tokens) = syntax::tokens(text) else { return Ok(text.to_owned()) };
    let mut whole = String::with_capacity(text.len());
    let mut from = 0;
    for token in tokens.iter().filter(|token| !token.is_comment()) {
        let Some(number) = token.text(text).strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok())
        else {
            continue;
        };
        let Some(parameter) = number.checked_sub(1).and_then(|at| parameters.get(at)) else { continue };
        whole.push_str(text.get(from..token.start).unwrap_or_default());
        match parameter {
            None => whole.push_str("NULL"),
            Some(parameter) => {
                let unknown = || Unrecorded::Parameter { oid: parameter.oid, text: text.to_owned() };
                whole.push_str(&shown(parameter).ok_or_else(unknown)?);
            }
        }
        from = token.end;
    }
    whole.push_str(text.get(from..).unwrap_or_default());
    Ok(whole)
}

/// The types that are known by name: a literal keeps the type that the client gave it.
fn named(oid: u32) -> Option<&'static str> {
    Some(match oid {
        16 => "boolean",
        17 => "bytea",
        20 => "bigint",
        21 => "smallint",
        23 => "integer",
        25 => "text",
        26 => "oid",
        114 => "json",
        700 => "real",
        701 => "double precision",
        1043 => "character varying",
        1082 => "date",
        1114 => "timestamp",
        1184 => "timestamptz",
        1700 => "numeric",
        2950 => "uuid",
        3802 => "jsonb",
        _ => return None,
    })
}

/// As a literal, with its type where that is known.
fn shown(parameter: &Parameter) -> Option<String> {
    if !parameter.binary {
        let text = std::str::from_utf8(&parameter.bytes).ok()?;
        return Some(match named(parameter.oid) {
            Some(name) => format!("{}::{name}", literal(text)),
            None => literal(text),
        });
    }
    let name = named(parameter.oid)?;
    binary(parameter.oid, &parameter.bytes).map(|text| format!("{}::{name}", literal(&text)))
}

fn binary(oid: u32, bytes: &[u8]) -> Option<String> {
    let text = || std::str::from_utf8(bytes).ok().map(str::to_owned);
    let eight = || Some(i64::from_be_bytes(bytes.try_into().ok()?));
    Some(match oid {
        16 => (bytes.first()? != &0).to_string(),
        17 => bytes.iter().fold("\\x".to_owned(), |hex, byte| format!("{hex}{byte:02x}")),
        20 => eight()?.to_string(),
        21 => i16::from_be_bytes(bytes.try_into().ok()?).to_string(),
        23 => i32::from_be_bytes(bytes.try_into().ok()?).to_string(),
        26 => u32::from_be_bytes(bytes.try_into().ok()?).to_string(),
        25 | 114 | 1043 => text()?,
        3802 => std::str::from_utf8(bytes.get(1..)?).ok()?.to_owned(),
        700 => f32::from_be_bytes(bytes.try_into().ok()?).to_string(),
        701 => f64::from_be_bytes(bytes.try_into().ok()?).to_string(),
        1082 => date(i64::from(i32::from_be_bytes(bytes.try_into().ok()?))),
        1114 => moment(eight()?),
        1184 => format!("{}+00", moment(eight()?)),
        2950 => uuid(bytes)?,
        _ => return None,
    })
}

/// Days since 2000-01-01 as a date. After Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn date(days: i64) -> String {
    let days = days + 10_957 + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    if year > 0 {
        format!("{year:04}-{month:02}-{day:02}")
    } else {
        format!("{:04}-{month:02}-{day:02} BC", 1 - year)
    }
}

/// Microseconds since 2000-01-01 as a time.
fn moment(micros: i64) -> String {
    match micros {
        i64::MAX => return "infinity".to_owned(),
        i64::MIN => return "-infinity".to_owned(),
        _ => {}
    }
    const DAY: i64 = 86_400_000_000;
    let (days, rest) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{} {hour:02}:{minute:02}:{second:02}.{fraction:06}", date(days))
}

fn uuid(bytes: &[u8]) -> Option<String> {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |range: std::ops::Range<usize>| hex.get(range);
    Some([part(0..8)?, part(8..12)?, part(12..16)?, part(16..20)?, part(20..32)?].join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(oid: u32, bytes: &[u8]) -> Option<Parameter> {
        Some(Parameter { oid, binary: true, bytes: bytes.to_vec() })
    }

    #[test]
    fn parameters_are_written_where_they_stand() {
        let text = "INSERT INTO t VALUES ($1, '$2', $2, $10) -- $1";
        let mut parameters = vec![sent(23, &(-5_i32).to_be_bytes()), None];
        parameters.extend(std::iter::repeat_n(None, 7));
        parameters.push(Some(Parameter { oid: 0, binary: false, bytes: b"it's".to_vec() }));
        assert_eq!(
            filled(text, &parameters).unwrap(),
            "INSERT INTO t VALUES ('-5'::integer, '$2', NULL, 'it''s') -- $1"
        );
        let unknown = filled("SELECT $1", &[sent(600, b"x")]);
        assert!(matches!(unknown, Err(Unrecorded::Parameter { oid: 600, .. })));
    }

    #[test]
    fn binary_forms_are_read() {
        let of = |oid, bytes: &[u8]| binary(oid, bytes).unwrap();
        assert_eq!(of(16, &[1]), "true");
        assert_eq!(of(17, &[0, 255]), "\\x00ff");
        assert_eq!(of(1082, &0_i32.to_be_bytes()), "2000-01-01");
        assert_eq!(of(1082, &9829_i32.to_be_bytes()), "2026-11-29");
        assert_eq!(of(1082, &(-1_i32).to_be_bytes()), "1999-12-31");
        assert_eq!(of(1114, &(-1_i64).to_be_bytes()), "1999-12-31 23:59:59.999999");
        assert_eq!(of(1184, &86_400_000_000_i64.to_be_bytes()), "2000-01-02 00:00:00.000000+00");
        assert_eq!(of(3802, b"\x01{}"), "{}");
        assert_eq!(of(2950, &[0x12; 16]), "12121212-1212-1212-1212-121212121212");
        assert_eq!(binary(23, &[1]), None);
    }
}
