//! How a line of the log looks. Pure; tested in place.

use std::borrow::Cow;
use std::io::Write;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use tandem_core::spec::{LogFormat, LogSpec, Queries};

use super::{Entry, cut};

/// A line as JSON. What is not known is not there.
#[derive(Serialize)]
struct Line<'e> {
    time: String,
    client: String,
    method: Cow<'e, str>,
    host: Cow<'e, str>,
    path: Cow<'e, str>,
    protocol: &'static str,
    status: u16,
    bytes_in: u64,
    bytes_out: u64,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    head_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Cow<'e, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<&'e str>,
    #[serde(skip_serializing_if = "is_none")]
    retries: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
}

fn is_none(retries: &u8) -> bool {
    *retries == 0
}

/// Appends the line of an entry.
pub(super) fn write(entry: &Entry, spec: &LogSpec, out: &mut Vec<u8>) {
    let parts = Parts::of(entry, spec.queries);
    match spec.format {
        LogFormat::Json => json(entry, &parts, out),
        LogFormat::Combined => combined(entry, &parts, out),
    }
    out.push(b'\n');
}

struct Parts<'e> {
    method: &'e [u8],
    target: &'e [u8],
    host: &'e [u8],
    protocol: &'static str,
}

impl<'e> Parts<'e> {
    fn of(entry: &'e Entry, queries: Queries) -> Parts<'e> {
        let note = &entry.note;
        let mut words = note.line.split(|&b| b == b' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let path = target.split(|&b| b == b'?').next().unwrap_or_default();
        Parts {
            method,
            target: cut(if queries == Queries::Shown { target } else { path }),
            host: note.line.get(note.host.0..note.host.1).unwrap_or_default(),
            protocol: note.protocol,
        }
    }
}

fn json(entry: &Entry, parts: &Parts<'_>, out: &mut Vec<u8>) {
    let note = &entry.note;
    let line = Line {
        time: rfc3339(entry.at),
        client: note.client.to_string(),
        method: String::from_utf8_lossy(parts.method),
        host: String::from_utf8_lossy(parts.host),
        path: String::from_utf8_lossy(parts.target),
        protocol: parts.protocol,
        status: entry.status,
        bytes_in: entry.received,
        bytes_out: entry.sent,
        seconds: seconds(entry.took),
        head_seconds: entry.head.map(seconds),
        service: entry.service.as_ref().map(|service| service.as_str()),
        version: entry.instance.as_ref().map(|instance| instance.version.as_str()),
        instance: entry.instance.as_ref().map(|instance| instance.id.to_string()),
        request: note.id.as_ref().map(|id| String::from_utf8_lossy(id.as_bytes())),
        trace: trace(&note.trace),
        retries: entry.why.retries,
        why: entry.why.own,
    };
    let whole = out.len();
    if serde_json::to_writer(&mut *out, &line).is_err() {
        out.truncate(whole);
    }
}

fn combined(entry: &Entry, parts: &Parts<'_>, out: &mut Vec<u8>) {
    // Writing to memory can't fail.
    let _ = write!(out, "{} - - [{}] \"", entry.note.client, clf(entry.at));
    if parts.method.is_empty() {
        out.push(b'-');
    } else {
        for part in [parts.method, b" ", parts.target, b" "] {
            escape(part, out);
        }
        out.extend_from_slice(parts.protocol.as_bytes());
    }
    let _ = write!(out, "\" {} {} \"", entry.status, entry.sent);
    let referer = entry.note.referer.split(|&b| b == b'?').next().unwrap_or_default();
    escape(if referer.is_empty() { b"-" } else { referer }, out);
    out.extend_from_slice(b"\" \"");
    escape(if entry.note.agent.is_empty() { b"-" } else { &entry.note.agent }, out);
    out.push(b'"');
}

/// What can't end the quotes or the line.
fn escape(text: &[u8], out: &mut Vec<u8>) {
    for &b in text {
        match b {
            b'"' | b'\\' | 0..32 | 127.. => {
                let _ = write!(out, "\\x{b:02X}");
            }
            _ => out.push(b),
        }
    }
}

/// Microseconds are exact enough.
fn seconds(length: Duration) -> f64 {
    length.as_micros() as f64 / 1e6
}

/// The trace id of a `traceparent` that is one (W3C Trace Context).
fn trace(value: &[u8]) -> Option<&str> {
    let mut parts = std::str::from_utf8(value).ok()?.split('-');
    let (version, id) = (parts.next()?, parts.next()?);
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let good = version.len() == 2 && id.len() == 32 && hex(version) && hex(id);
    (good && id.bytes().any(|b| b != b'0')).then_some(id)
}

/// A moment, as year, month, day, hour, minute, second and millisecond in UTC.
fn parts(at: SystemTime) -> [u64; 7] {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // Howard Hinnant's `civil_from_days`: eras of 400 years that begin on the first of March.
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + u64::from(month <= 2);
    let day = doy - (153 * mp + 2) / 5 + 1;
    [year, month, day, second / 3600, second / 60 % 60, second % 60, u64::from(since.subsec_millis())]
}

fn rfc3339(at: SystemTime) -> String {
    let [year, month, day, hour, minute, second, milli] = parts(at);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// As Apache's common log format has it.
fn clf(at: SystemTime) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let [year, month, day, hour, minute, second, _] = parts(at);
    let month = MONTHS.get(month as usize - 1).copied().unwrap_or_default();
    format!("{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000")
}

#[cfg(test)]
mod tests {
    use super::super::{Note, Why};
    use super::*;

    fn moment(seconds: u64, millis: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_millis(millis)
    }

    fn entry(line: &str, agent: &str) -> Entry {
        let note = Note {
            line: line.into(),
            host: (line.len() - 3, line.len()),
            agent: agent.into(),
            referer: b"http://a/b?secret".to_vec(),
            trace: b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_vec(),
            protocol: "HTTP/2",
            ..Note::unknown("::1".parse().unwrap(), 0)
        };
        Entry {
            note: Box::new(note),
            at: moment(951_782_399, 7),
            took: Duration::from_micros(1_500),
            head: None,
            status: 502,
            received: 1,
            sent: 2,
            service: None,
            instance: None,
            why: Why { retries: 1, own: Some("why") },
        }
    }

    fn written(entry: &Entry, format: LogFormat, queries: Queries) -> String {
        let mut out = Vec::new();
        write(entry, &LogSpec { format, queries, ..LogSpec::default() }, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn moments_are_told_in_utc() {
        assert_eq!(rfc3339(moment(0, 0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(moment(951_782_399, 7)), "2000-02-28T23:59:59.007Z");
        assert_eq!(rfc3339(moment(951_782_400, 0)), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(moment(4_107_542_400, 0)), "2100-03-01T00:00:00.000Z");
        assert_eq!(clf(moment(951_782_399, 7)), "28/Feb/2000:23:59:59 +0000");
    }

    #[test]
    fn lines_are_told_in_both_formats() {
        let entry = entry("GET /a?b=c HTTP/1.1\r\nHost: a.b", "it \"is\"\u{e9}\\");
        let json = r#"{"time":"2000-02-28T23:59:59.007Z","client":"::1","method":"GET","host":"a.b","path":"/a","protocol":"HTTP/2","status":502,"bytes_in":1,"bytes_out":2,"seconds":0.0015,"trace":"0af7651916cd43dd8448eb211c80319c","retries":1,"why":"why"}"#;
        assert_eq!(written(&entry, LogFormat::Json, Queries::Hidden), format!("{json}\n"));
        let shown = written(&entry, LogFormat::Json, Queries::Shown);
        assert!(shown.contains(r#""path":"/a?b=c""#), "{shown}");
        let combined = "::1 - - [28/Feb/2000:23:59:59 +0000] \"GET /a HTTP/2\" 502 2 \"http://a/b\" \"it \\x22is\\x22\\xC3\\xA9\\x5C\"\n";
        assert_eq!(written(&entry, LogFormat::Combined, Queries::Hidden), combined);
    }

    #[test]
    fn only_a_good_trace_has_an_id() {
        let id = "0af7651916cd43dd8448eb211c80319c";
        assert_eq!(trace(format!("00-{id}-b7ad6b7169203331-01").as_bytes()), Some(id));
        let zeros = "0".repeat(32);
        for wrong in ["", "00", "00-short-x-01", &format!("00-{zeros}-b7ad6b7169203331-01"), "00-é"] {
            assert_eq!(trace(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(trace(format!("00-{}-b7ad6b7169203331-01", id.to_uppercase()).as_bytes()), None);
    }
}
