//! A connection as Tandem wants it: its own name, nothing found by `search_path`, lock limits, bounded waits.
//!
//! Not for connections through a pooler that shares sessions: settings would leak. Tested in `tests/postgres/connection.rs`.

use std::path::PathBuf;
use std::time::Duration;

use postgres::{Client, Config};

use crate::encryption::{self, Encryption};
use crate::error::Error;

/// The oldest PostgreSQL that is supported.
pub const OLDEST: u32 = 13;

/// How long a statement waits for a lock, unless its caller sets another limit.
pub const LOCK_TIMEOUT: &str = "3s";

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

/// Connects, with the settings of a session of Tandem's.
pub fn connect(url: &str) -> Result<Client, Error> {
    let address = Address::parse(url)?;
    let mut client = encryption::connect(&address).map_err(|why| match why {
        encryption::Failed::Files(why) => Error::Address { url: shown(url), why },
        encryption::Failed::Connect(why) => Error::connecting(shown(url), &why),
    })?;
    let row = client.query_one("SELECT current_setting('server_version_num')::int4, version()", &[])?;
    let number: i32 = row.try_get(0)?;
    if number < i32::try_from(OLDEST * 10_000).unwrap_or(i32::MAX) {
        return Err(Error::TooOld { found: format!("{}", number / 10_000), needed: OLDEST });
    }
    client.batch_execute(&format!(
        "SET search_path = ''; SET lock_timeout = '{LOCK_TIMEOUT}'; SET statement_timeout = 0; \
         SET idle_in_transaction_session_timeout = 0; SET \"TimeZone\" = 'UTC'; SET \"DateStyle\" = 'ISO, YMD'; \
         SET \"IntervalStyle\" = 'postgres'; SET bytea_output = 'hex'; SET extra_float_digits = 1; \
         SET standard_conforming_strings = on; SET row_security = on; SET client_min_messages = warning"
    ))?;
    Ok(client)
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
    fn another_database_of_the_same_server() {
        let other = with_database("postgres://me:x@db:5432/app?sslmode=require&dbname=z", "scratch");
        assert_eq!(other, "postgres://me:x@db:5432/scratch?sslmode=require");
        assert_eq!(with_database("postgres://db", "scratch"), "postgres://db/scratch");
    }
}
