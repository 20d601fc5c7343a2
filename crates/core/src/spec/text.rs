//! The texts that may stand in a configuration: addresses, hosts, paths, ports, signals, names, sizes.
//!
//! Each check takes what was written and gives it back in its canonical form, or says what is wrong with it and what
//! was probably meant. Knows nothing of tables and places. Tested in place and by `check/tests.rs`.

use std::net::SocketAddr;

use crate::base::{Network, Price, ServiceName, Share};

use super::balance::Affinity;
use super::service::PortRange;

/// Takes a text, gives its canonical form.
pub(super) type Check = fn(&str) -> Result<String, Wrong>;

/// Why a text is not accepted, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// Continues a sentence that begins with the key: "is …".
    pub(super) what: String,
    pub(super) help: Option<String>,
}

impl Wrong {
    pub(super) fn new(what: impl Into<String>, help: impl Into<String>) -> Wrong {
        Wrong { what: what.into(), help: Some(help.into()) }
    }
}

/// The text in quotes, with control characters escaped, not longer than a line can bear.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{:?}", format!("{}…", text.get(..cut).unwrap_or(""))),
        None => format!("{text:?}"),
    }
}

pub(super) fn service_name(text: &str) -> Result<String, Wrong> {
    match text.parse::<ServiceName>() {
        Ok(name) => Ok(name.into()),
        Err(error) => Err(Wrong {
            what: format!("is {}: {error}", quoted(text)),
            help: Some(like_a_name(text))
                .filter(|name| !name.is_empty())
                .map(|name| format!("write for example \"{name}\"")),
        }),
    }
}

/// The nearest thing to a service name that can be made of a text; perhaps empty.
pub fn like_a_name(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_lowercase() || (c.is_ascii_digit() && !name.is_empty()) => name.push(c),
            _ if !name.is_empty() && !name.ends_with('-') => name.push('-'),
            _ => {}
        }
        if name.len() == 40 {
            break;
        }
    }
    name.trim_end_matches('-').to_owned()
}

/// The one of `known` that was probably meant.
pub(super) fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let name: String = name.chars().take(64).map(|c| c.to_ascii_lowercase()).collect();
    known
        .map(|word| (strsim::damerau_levenshtein(&name, &word.to_ascii_lowercase()), word))
        .filter(|&(distance, word)| distance <= (word.len().max(name.len()) / 3).max(1))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, word)| word)
}

pub(super) fn path(text: &str) -> Result<String, Wrong> {
    if let Some((_, rest)) = text.split_once("://") {
        let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/");
        return Err(Wrong::new(
            format!("is {}, a whole URL", quoted(text)),
            format!("give only the path: {}; Tandem asks each instance on its own port", quoted(path)),
        ));
    }
    if !text.starts_with('/') {
        return Err(Wrong::new(
            format!("is {}, which is not a path", quoted(text)),
            format!("begin with a slash: {}", quoted(&format!("/{text}"))),
        ));
    }
    match text.chars().find(|&c| !c.is_ascii_graphic() || c == '#') {
        Some(c) => Err(Wrong::new(
            format!("is {}, and a path can't contain {c:?}", quoted(text)),
            "write such characters as %XX, as a browser would send them",
        )),
        None if text.len() > 1024 => {
            Err(Wrong { what: "is longer than 1024 characters".to_owned(), help: None })
        }
        None => Ok(text.to_owned()),
    }
}

/// A host name as a `[[listen]]` serves it.
pub(super) fn host(text: &str) -> Result<String, Wrong> {
    let is = |what: &str| format!("holds {}, {what}", quoted(text));
    if let Some((_, rest)) = text.split_once("://") {
        let name = rest.split(['/', ':']).next().unwrap_or(rest);
        return Err(Wrong::new(is("a URL"), format!("give only the name: {}", quoted(name))));
    }
    if text == "*" {
        return Err(Wrong::new(
            is("which stands for all hosts"),
            "leave `hosts` out: then all hosts are served",
        ));
    }
    if let Some((name, port)) = text.split_once(':')
        && port.bytes().all(|b| b.is_ascii_digit())
    {
        return Err(Wrong::new(is("a name with a port"), format!("leave the port out: {}", quoted(name))));
    }
    if !text.is_ascii() {
        return Err(Wrong::new(
            is("which is not ASCII"),
            "write the name in its xn-- form, as browsers send it",
        ));
    }
    let name = text.to_ascii_lowercase();
    let rest = name.strip_prefix("*.").unwrap_or(&name);
    if rest.contains('*') {
        return Err(Wrong::new(
            is("with the star in the wrong place"),
            "a star stands for the whole first label: \"*.example.com\"",
        ));
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if name.len() > 253 || !rest.split('.').all(label) {
        return Err(Wrong::new(is("which is not a host name"), "write for example \"shop.example.com\""));
    }
    Ok(name)
}

/// The host that health checks send: a name, perhaps with a port.
pub(super) fn probe_host(text: &str) -> Result<String, Wrong> {
    let (name, port) = text.rsplit_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
    let port_is_good = port.is_none_or(|port| port.parse::<u16>().is_ok());
    match host(name) {
        Ok(name) if port_is_good && !name.starts_with('*') => {
            Ok(port.map_or_else(|| name.clone(), |port| format!("{name}:{port}")))
        }
        _ => Err(Wrong::new(
            format!("is {}, which is not a host name", quoted(text)),
            "write the name under which users reach the service, for example \"shop.example.com\"",
        )),
    }
}

pub(super) fn address(text: &str) -> Result<String, Wrong> {
    let wrong = |what: &str, help: String| Err(Wrong::new(format!("is {}, {what}", quoted(text)), help));
    if let Ok(address) = text.parse::<SocketAddr>() {
        return match address.port() {
            0 => wrong(
                "and port 0 means none in particular",
                "name the port that clients connect to".to_owned(),
            ),
            _ => Ok(address.to_string()),
        };
    }
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    match port.parse::<u16>() {
        Ok(port) if port > 0 && matches!(host, "" | "*") => wrong(
            "a port without an address",
            format!("write \"0.0.0.0:{port}\" for all addresses of this machine"),
        ),
        Ok(port) if port > 0 && host == "localhost" => {
            wrong("a name", format!("write \"127.0.0.1:{port}\" for this machine only"))
        }
        Ok(port) if port > 0 && host.contains(':') => {
            wrong("an IPv6 address without brackets", format!("write \"[{host}]:{port}\""))
        }
        Ok(port) if port > 0 => wrong(
            "not an IP address and a port",
            format!("write the address in numbers, for example \"0.0.0.0:{port}\"; names go into `hosts`"),
        ),
        _ if text.parse::<std::net::IpAddr>().is_ok() => {
            wrong("an address without a port", "add the port, for example \"0.0.0.0:8080\"".to_owned())
        }
        _ => wrong(
            "not an IP address and a port from 1 to 65535",
            "write for example \"0.0.0.0:8080\"".to_owned(),
        ),
    }
}

/// The file of a log, or `-`.
pub(super) fn log_file(text: &str) -> Result<String, Wrong> {
    match text {
        "-" => Ok(text.to_owned()),
        _ if text.starts_with('/') && !text.ends_with('/') && !text.contains('\0') => Ok(text.to_owned()),
        _ => Err(Wrong::new(
            format!("is {}, which is not the absolute path of a file", quoted(text)),
            "write for example \"/var/log/shop/access.log\", or \"-\" for the standard output",
        )),
    }
}

/// A part of a whole.
pub(super) fn share(text: &str) -> Result<String, Wrong> {
    text.parse::<Share>().map(|share| share.to_string()).map_err(|_| {
        Wrong::new(
            format!("is {}, which is not a share", quoted(text)),
            "write a percentage from \"0%\" to \"100%\"",
        )
    })
}

/// What requests have in common that go to the same instance.
pub(super) fn affinity(text: &str) -> Result<String, Wrong> {
    text.parse::<Affinity>().map(|affinity| affinity.to_string()).map_err(|_| {
        Wrong::new(
            format!("is {}, by which requests can't be told apart", quoted(text)),
            "write \"client\", \"path\", \"cookie:session\" or \"header:X-Tenant\"",
        )
    })
}

pub(super) fn price(text: &str) -> Result<String, Wrong> {
    let help = "write a number and a currency, such as \"0.048 EUR\"";
    let wrong = |_| Wrong::new(format!("is {}, which is not a price", quoted(text)), help);
    text.parse::<Price>().map(|price| price.to_string()).map_err(wrong)
}

pub(super) fn ports(text: &str) -> Result<String, Wrong> {
    port_range(text).map(|range| format!("{}-{}", range.first, range.last))
}

pub(super) fn port_range(text: &str) -> Result<PortRange, Wrong> {
    let ends = text.split_once('-').map(|(a, b)| (a.trim().parse::<u16>(), b.trim().parse::<u16>()));
    let help = "write the lowest and the highest port, for example \"20000-29999\"";
    let Some((Ok(first), Ok(last))) = ends else {
        return Err(Wrong::new(format!("is {}, which is not a range of ports", quoted(text)), help));
    };
    if last < first {
        let help = format!("write \"{last}-{first}\"");
        return Err(Wrong::new(format!("is {}: it ends before it begins", quoted(text)), help));
    }
    if first < 1024 {
        return Err(Wrong::new(format!("is {}, and ports below 1024 are reserved", quoted(text)), help));
    }
    Ok(PortRange { first, last })
}

/// The units of sizes, largest first.
const UNITS: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1000),
    ("B", 1),
];

/// A number of bytes, as `32KiB`, `10 MB`, `512`.
pub(super) fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, factor) = UNITS
        .iter()
        .find_map(|&(unit, factor)| {
            let cut = text.len().checked_sub(unit.len())?;
            let (number, end) = (text.get(..cut)?, text.get(cut..)?);
            end.eq_ignore_ascii_case(unit).then_some((number, factor))
        })
        .unwrap_or((text, 1));
    number.trim().parse::<u64>().ok()?.checked_mul(factor)
}

/// The size as people write it, with the largest binary unit that fits without a rest.
pub(super) fn show_size(bytes: u64) -> String {
    let unit = UNITS
        .iter()
        .find(|(name, factor)| name.ends_with("iB") && bytes > 0 && bytes.is_multiple_of(*factor));
    match unit {
        Some((name, factor)) => format!("\"{}{name}\"", bytes / factor),
        None => bytes.to_string(),
    }
}

/// The variable that holds a value, if it is written so.
pub(super) fn reference(text: &str, example: &str) -> Option<Result<String, Wrong>> {
    let name = text.strip_prefix("env:")?;
    let what = || format!("refers to the variable {}", quoted(name));
    let help = || format!("write for example {example:?}");
    Some(if is_variable(name) { Ok(text.to_owned()) } else { Err(Wrong::new(what(), help())) })
}

pub(super) fn folder(text: &str) -> Result<String, Wrong> {
    if text.trim().is_empty() || text.contains('\0') {
        return Err(Wrong::new(
            format!("is {}, which is not a folder", quoted(text)),
            "write for example \"db/migrations\"",
        ));
    }
    Ok(text.to_owned())
}

/// A folder that lies within a deliverable.
pub(super) fn inner_folder(text: &str) -> Result<String, Wrong> {
    let folder = folder(text)?;
    if folder.starts_with('/') || folder.split('/').any(|part| part == "..") {
        return Err(Wrong::new(
            format!("is {}, which does not lie within the deliverable", quoted(text)),
            "write for example \"public/assets\"",
        ));
    }
    Ok(folder)
}

/// A file that lies within a deliverable.
pub(super) fn document(text: &str) -> Result<String, Wrong> {
    let inside = !text.starts_with('/') && !text.split('/').any(|part| part == "..");
    if text.trim().is_empty() || text.contains('\0') || !inside {
        return Err(Wrong::new(
            format!("is {}, which is no file in the deliverable", quoted(text)),
            "write for example \"openapi.json\"",
        ));
    }
    Ok(text.to_owned())
}

/// A file that lies within a deliverable, or a path at which instances have it.
pub(super) fn promise(text: &str) -> Result<String, Wrong> {
    if text.starts_with('/') { path(text) } else { document(text) }
}

/// A folder of the machine's.
pub(super) fn shared(text: &str) -> Result<String, Wrong> {
    if !text.starts_with('/') || text.contains('\0') {
        return Err(Wrong::new(
            format!("is {}, which is not the same folder for every service", quoted(text)),
            "write it from the root, for example \"/var/lib/tandem/contracts\"",
        ));
    }
    Ok(text.to_owned())
}

/// The name of a header field.
pub(super) fn field(text: &str) -> Result<String, Wrong> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if text.is_empty() || text.len() > 64 || !text.chars().all(fits) {
        return Err(Wrong::new(
            format!("is {}, which can't be the name of a header field", quoted(text)),
            "use letters, digits, '-' and '_', at most 64 of them",
        ));
    }
    Ok(text.to_owned())
}

/// The name of a cookie.
pub(super) fn cookie(text: &str) -> Result<String, Wrong> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if text.is_empty() || text.len() > 64 || !text.chars().all(fits) {
        return Err(Wrong::new(
            format!("is {}, which can't be the name of a cookie", quoted(text)),
            "use letters, digits, '_', '-' and '.', at most 64 of them",
        ));
    }
    Ok(text.to_owned())
}

/// The name of a gRPC service.
pub(super) fn grpc_service(text: &str) -> Result<String, Wrong> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
    if text.len() > 100 || !text.chars().all(fits) {
        let what = format!("is {}, which can't be the name of a gRPC service", quoted(text));
        return Err(Wrong::new(what, "write for example \"shop.Orders\", or \"\" for the whole server"));
    }
    Ok(text.to_owned())
}

/// A network of addresses.
pub(super) fn network(text: &str) -> Result<String, Wrong> {
    let wrong = || {
        let what = format!("is {}, which is not a network", quoted(text));
        Wrong::new(what, "write for example \"10.0.0.0/8\", or an address")
    };
    text.parse::<Network>().map(|network| network.to_string()).map_err(|_| wrong())
}

/// A file of the machine.
pub(super) fn file(text: &str) -> Result<String, Wrong> {
    if text.trim().is_empty() || text.contains('\0') || text.ends_with('/') {
        let what = format!("is {}, which is not a file", quoted(text));
        return Err(Wrong::new(what, "write for example \"certs/shop.pem\""));
    }
    Ok(text.to_owned())
}

/// A variable that an instance gets.
pub(super) fn variable(text: &str) -> Result<String, Wrong> {
    if !is_variable(text) || text == "PORT" || text.starts_with("TANDEM_") {
        let what = format!("is {}, which can't be the name of that variable", quoted(text));
        return Err(Wrong::new(what, "write for example \"DATABASE_URL\""));
    }
    Ok(text.to_owned())
}

/// A schema of the user's.
pub(super) fn home(text: &str) -> Result<String, Wrong> {
    let wrong = |what: &str| {
        let what = format!("is {}, {what}", quoted(text));
        Err(Wrong::new(what, "name the schema where the app's tables are, such as \"public\""))
    };
    match text {
        "" => wrong("which is not a name"),
        _ if text.contains('\0') || text.len() > 63 => wrong("which PostgreSQL can't take as a name"),
        _ if text.starts_with("pg_") => wrong("which is PostgreSQL's own"),
        _ if text == "tandem" || text.starts_with("tandem_") => wrong("which is Tandem's own"),
        _ => Ok(text.to_owned()),
    }
}

/// The name of a table, with its schema or without.
pub(super) fn table(text: &str) -> Result<String, Wrong> {
    let parts: Vec<&str> = text.split('.').collect();
    let is_name = |part: &&str| !part.is_empty() && part.len() <= 63 && !part.contains(['\0', '"']);
    if parts.len() > 2 || !parts.iter().all(is_name) {
        return Err(Wrong::new(
            format!("is {}, which is no table", quoted(text)),
            "write its name as PostgreSQL keeps it, such as \"settings\" or \"app.settings\"",
        ));
    }
    Ok(text.to_owned())
}

/// The name of an environment variable.
pub(super) fn is_variable(name: &str) -> bool {
    name.bytes()
        .enumerate()
        .all(|(at, b)| b.is_ascii_alphabetic() || b == b'_' || at > 0 && b.is_ascii_digit())
        && !name.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown() {
        for (text, bytes) in
            [("512", 512), ("32KiB", 32_768), ("10 MB", 10_000_000), ("1gib", 1 << 30), ("7b", 7)]
        {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "KiB", "-1", "1.5MB", "99999999999999TiB", "é", "1é"] {
            assert_eq!(size(text), None, "{text}");
        }
        assert_eq!(show_size(32_768), "\"32KiB\"");
        assert_eq!(show_size(1000), "1000");
        assert_eq!(show_size(0), "0");
    }

    #[test]
    fn addresses_and_hosts_become_canonical() {
        assert_eq!(address("0.0.0.0:80").as_deref(), Ok("0.0.0.0:80"));
        assert_eq!(address("[::]:80").as_deref(), Ok("[::]:80"));
        assert_eq!(host("Shop.Example.com").as_deref(), Ok("shop.example.com"));
        assert_eq!(host("*.Example.com").as_deref(), Ok("*.example.com"));
        for bad in ["a..b", "", "*.", "a.*.b", "*", "a b", "a:80", "http://a/", "ä.de", ".a", "a."] {
            assert!(host(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_is_made_of_anything() {
        assert_eq!(like_a_name("My Shop (2)"), "my-shop-2");
        assert_eq!(like_a_name("42shop_"), "shop");
        assert_eq!(like_a_name("…"), "");
    }
}
