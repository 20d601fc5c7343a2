//! Header fields: which ones the proxy itself acts on, and the checks that several places need.
//!
//! Knows single fields, not messages. Tested in place and by the properties of `request`.

/// A field that the proxy treats in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    /// `Host`
    Host,
    /// `Content-Length`
    ContentLength,
    /// `Transfer-Encoding`
    TransferEncoding,
    /// `Connection`
    Connection,
    /// `Upgrade`
    Upgrade,
    /// `Expect`
    Expect,
    /// `TE`
    Te,
    /// `Accept`
    Accept,
    /// `X-Request-ID`
    RequestId,
    /// `Cookie`
    Cookie,
    /// `X-Deployment-ID`
    DeploymentId,
    /// Fields for one hop only, and those that tell of the client and are set anew.
    Dropped,
    /// `X-Forwarded-*` and `Forwarded`: dropped and set anew in requests, passed in answers.
    Forwarded,
    /// Any other.
    Other,
}

/// Which field a name stands for. Underscores are read as hyphens where that could fool an instance.
pub(crate) fn classify(name: &str) -> Field {
    // Most names are none of these: length and first letter tell so without comparing the rest.
    let first = name.as_bytes().first().map_or(0, |b| b | 0x20);
    if !matches!(first, b'h' | b't' | b'a' | b'e' | b'u' | b'f' | b'c' | b'k' | b'x' | b'p') {
        return Field::Other;
    }
    let is = |known: &str| known.as_bytes().first() == Some(&first) && name.eq_ignore_ascii_case(known);
    match name.len() {
        2 if is("te") => Field::Te,
        4 if is("host") => Field::Host,
        6 if is("accept") => Field::Accept,
        6 if is("expect") => Field::Expect,
        6 if is("cookie") => Field::Cookie,
        7 if is("upgrade") => Field::Upgrade,
        7 if is("trailer") => Field::Dropped,
        9 if is("forwarded") => Field::Forwarded,
        10 if is("connection") => Field::Connection,
        10 if is("keep-alive") => Field::Dropped,
        12 if is("x-request-id") => Field::RequestId,
        14 if is("content-length") => Field::ContentLength,
        14 if is("http2-settings") => Field::Dropped,
        14 | 17 if is("content_length") || is("transfer_encoding") => Field::Dropped,
        15 if is("x-deployment-id") => Field::DeploymentId,
        15..=17 if is_forwarding(name) => Field::Forwarded,
        16 if is("proxy-connection") => Field::Dropped,
        17 if is("transfer-encoding") => Field::TransferEncoding,
        _ => Field::Other,
    }
}

/// `X-Forwarded-For`, `-Host`, `-Port`, `-Proto`, also written with underscores: many apps can't tell them apart.
fn is_forwarding(name: &str) -> bool {
    let same = |known: &str| {
        name.len() == known.len()
            && name
                .bytes()
                .zip(known.bytes())
                .all(|(a, b)| a.eq_ignore_ascii_case(&b) || a == b'_' && b == b'-')
    };
    (name.starts_with('x') || name.starts_with('X'))
        && ["x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto"]
            .iter()
            .any(|k| same(k))
}

/// The value of a field of a whole head.
pub(crate) fn find<'h>(head: &'h [u8], name: &[u8]) -> Option<&'h [u8]> {
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', head) {
        let line = head.get(start..end)?;
        start = end + 1;
        if let Some((found, [b':', value @ ..])) = line.split_at_checked(name.len())
            && found.eq_ignore_ascii_case(name)
        {
            return Some(value.trim_ascii());
        }
    }
    None
}

/// The method and the target of a head.
pub(crate) fn request_line(head: &[u8]) -> Option<(&str, &str)> {
    let line = head.get(..memchr::memchr(b'\r', head)?)?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    Some((words.next()?, words.next()?))
}

/// Whether a `Connection` field may take the named field away: not those by which messages are framed, routed or
/// trusted.
pub(crate) fn is_removable(name: &str) -> bool {
    const KEPT: [&str; 8] = [
        "authorization",
        "cookie",
        "set-cookie",
        "content-type",
        "cache-control",
        "traceparent",
        "tracestate",
        "x-request-id",
    ];
    matches!(classify(name), Field::Other | Field::DeploymentId)
        && !KEPT.iter().any(|kept| name.eq_ignore_ascii_case(kept))
}

/// Whether a trailer field may be forwarded: not those that change how a message is framed, routed or trusted.
pub(crate) fn is_allowed_in_trailer(name: &str) -> bool {
    const REFUSED: [&str; 9] = [
        "content-encoding",
        "content-type",
        "content-range",
        "max-forwards",
        "age",
        "expires",
        "date",
        "location",
        "retry-after",
    ];
    is_removable(name) && !REFUSED.iter().any(|refused| name.eq_ignore_ascii_case(refused))
}

/// The tokens of a comma-separated list.
pub(crate) fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| b == b',').map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())
}

/// A length as `Content-Length` gives it: digits only, and small enough to count with.
pub(crate) fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 18 {
        return None;
    }
    value.iter().try_fold(0_u64, |sum, b| b.is_ascii_digit().then(|| sum * 10 + u64::from(b - b'0')))
}

/// Whether every line of a head ends in CRLF, and CR and LF stand nowhere else.
pub(crate) fn has_clean_lines(head: &[u8]) -> bool {
    let (Some((first, after)), Some((last, before))) = (head.split_first(), head.split_last()) else {
        return true;
    };
    // Without an early end, so that the compiler can look at many bytes at once.
    let apart =
        after.iter().zip(before).fold(0, |bad, (&b, &a)| bad | (u8::from(b == b'\n') ^ u8::from(a == b'\r')));
    apart == 0 && *first != b'\n' && *last != b'\r'
}

/// Appends `Name: value` and the end of the line.
pub(crate) fn write_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_any_case() {
        assert_eq!(classify("HOST"), Field::Host);
        assert_eq!(classify("Transfer-Encoding"), Field::TransferEncoding);
        assert_eq!(classify("x_forwarded_for"), Field::Forwarded);
        assert_eq!(classify("X-Forwarded-Proto"), Field::Forwarded);
        assert_eq!(classify("transfer_encoding"), Field::Dropped);
        assert_eq!(classify("x-forwarded-foo"), Field::Other);
        assert!(!is_removable("Content-Length") && is_removable("x-debug"));
    }

    #[test]
    fn lengths_are_digits_only() {
        assert_eq!(parse_length(b"0012"), Some(12));
        for wrong in ["", "+1", "-1", "1 ", "0x1", "1,1", "9999999999999999999"] {
            assert_eq!(parse_length(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn bare_line_ends_are_seen() {
        assert!(has_clean_lines(b"a\r\nb\r\n\r\n"));
        assert!(!has_clean_lines(b"a\nb\r\n\r\n"));
        assert!(!has_clean_lines(b"a\rb\r\n\r\n"));
        assert!(!has_clean_lines(b"\n"));
    }
}
