//! A database's URL, understood: libpq's words, and those that frameworks add.
//!
//! Never shows a password. Tested in place.

use std::path::PathBuf;
use std::time::Duration;

use postgres::Config;

use crate::encryption::Encryption;
use crate::error::Error;

/// How long a try to connect may take, unless the URL says so.
const CONNECT: Duration = Duration::from_secs(10);

/// What libpq's URLs may say and the library understands as well.
const UNDERSTOOD: &[&str] = &[
    "user",
    "password",
    "dbname",
    "options",
    "host",
    "hostaddr",
    "port",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
    "sslnegotiation",
];

/// A URL, understood.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    /// What the library needs to know.
    pub(crate) config: Config,
    /// How the connection is encrypted.
    pub(crate) encryption: Encryption,
}

/// A URL for people: without its password.
pub fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        // Not a URL: whatever it is, it may hold a password.
        return "(what was given)".to_owned();
    };
    let (before, query) = rest.split_once('?').map_or((rest, None), |(before, query)| (before, Some(query)));
    let (login, place) =
        before.rsplit_once('@').map_or((None, before), |(login, place)| (Some(login), place));
    let mut text = format!("{scheme}://");
    if let Some(login) = login {
        text.push_str(login.split(':').next().unwrap_or_default());
        text.push('@');
    }
    text.push_str(place);
    let kept: Vec<&str> = query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.to_ascii_lowercase().contains("pass"))
        .collect();
    if !kept.is_empty() {
        text.push('?');
        text.push_str(&kept.join("&"));
    }
    text
}

/// The same server and login, another database.
pub(crate) fn with_database(url: &str, database: &str) -> String {
    let (before, query) = url.split_once('?').map_or((url, None), |(before, query)| (before, Some(query)));
    let (scheme, rest) = before.split_once("://").unwrap_or(("postgres", before));
    // A slash in a password is written %2F, else the library would not understand the URL either.
    let place = rest.split('/').next().unwrap_or(rest);
    let kept: Vec<&str> = query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("dbname="))
        .collect();
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    format!("{scheme}://{place}/{database}{query}")
}

/// The same database and login at another place (`127.0.0.1:5433`), without encryption.
pub(crate) fn with_place(url: &str, place: &str) -> String {
    const OF_PLACE: [&str; 5] = ["host=", "hostaddr=", "port=", "ssl", "channel_binding="];
    let (before, query) = url.split_once('?').unwrap_or((url, ""));
    let (scheme, rest) = before.split_once("://").unwrap_or(("postgres", before));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let login = authority.rsplit_once('@').map_or(String::new(), |(login, _)| format!("{login}@"));
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !OF_PLACE.iter().any(|key| pair.starts_with(key)))
        .collect();
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    format!("{scheme}://{login}{place}/{database}{query}")
}

impl Address {
    /// Understands a URL. What frameworks add to it for themselves (`schema`, `pgbouncer`, …) is passed over.
    pub(crate) fn parse(url: &str) -> Result<Address, Error> {
        let refused = |why: &str| Error::Address { url: shown(url), why: why.to_owned() };
        let (scheme, _) =
            url.split_once("://").ok_or_else(|| refused("expected postgres://user@host/database"))?;
        if !matches!(scheme, "postgres" | "postgresql") {
            return Err(refused("it must begin with postgres://"));
        }
        let (before, query) = url.split_once('?').map_or((url, ""), |(before, query)| (before, query));
        let mut understood = Vec::new();
        let mut mode = std::env::var("PGSSLMODE").ok();
        let mut roots = std::env::var_os("PGSSLROOTCERT").map(PathBuf::from);
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value.to_owned()),
                Some(("sslrootcert", value)) => roots = Some(PathBuf::from(value.replace("%2F", "/"))),
                Some((key, _)) if UNDERSTOOD.contains(&key) => understood.push(pair),
                _ => {}
            }
        }
        let plain = format!("{before}?{}", understood.join("&"));
        let mut config: Config = plain.trim_end_matches('?').parse().map_err(|why: postgres::Error| {
            refused(&std::error::Error::source(&why).map_or_else(|| why.to_string(), ToString::to_string))
        })?;
        let encryption =
            Encryption::new(mode.as_deref().unwrap_or("prefer"), roots).map_err(|why| refused(&why))?;
        config.ssl_mode(encryption.mode()).application_name("tandem");
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        config.keepalives_idle(Duration::from_secs(30)).keepalives_interval(Duration::from_secs(10));
        config.keepalives_retries(3).tcp_user_timeout(Duration::from_secs(60));
        if config.get_password().is_none()
            && let Ok(password) = std::env::var("PGPASSWORD")
        {
            config.password(password);
        }
        Ok(Address { config, encryption })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for url in [
            "postgres://me:secret@db/app",
            "postgres://me:se@cret:secret@db/app?sslmode=require",
            "postgres://db/app?user=me&password=secret",
            "host=db password=secret",
        ] {
            assert!(!shown(url).contains("secret"), "{}", shown(url));
        }
        assert_eq!(
            shown("postgres://me:x@db:5432/app?sslmode=require"),
            "postgres://me@db:5432/app?sslmode=require"
        );
    }

    #[test]
    fn what_frameworks_add_is_passed_over_and_what_is_wrong_is_refused() {
        assert!(
            Address::parse("postgresql://me@db/app?schema=public&pgbouncer=true&sslmode=verify-full").is_ok()
        );
        for wrong in ["mysql://db/app", "db", "postgres://db/app?sslmode=maybe", "postgres://db:port/app"] {
            assert!(matches!(Address::parse(wrong), Err(Error::Address { .. })), "{wrong}");
        }
    }

    #[test]
    fn the_same_database_at_another_place() {
        let moved = |url: &str| with_place(url, "127.0.0.1:9");
        assert_eq!(
            moved("postgres://me:p%40@db:5432/shop?sslmode=prefer&x=1"),
            "postgres://me:p%40@127.0.0.1:9/shop?x=1"
        );
        assert_eq!(moved("postgresql:///shop?host=/run/pg&port=5433"), "postgresql://127.0.0.1:9/shop");
    }

    #[test]
    fn another_database_of_the_same_server() {
        let other = with_database("postgres://me:x@db:5432/app?sslmode=require&dbname=z", "scratch");
        assert_eq!(other, "postgres://me:x@db:5432/scratch?sslmode=require");
        assert_eq!(with_database("postgres://db", "scratch"), "postgres://db/scratch");
    }
}
