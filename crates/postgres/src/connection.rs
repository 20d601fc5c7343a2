//! A connection as Tandem wants it: its own name, nothing found by `search_path`, lock limits, bounded waits.
//!
//! Not for connections through a pooler that shares sessions: settings would leak. Tested in `tests/postgres/connection.rs`.

use postgres::Client;

use crate::address::{Address, shown};
use crate::encryption::Failed;
use crate::error::Error;

/// The oldest PostgreSQL that is supported.
pub const OLDEST: u32 = 13;

/// How long a statement waits for a lock, unless its caller sets another limit.
pub const LOCK_TIMEOUT: &str = "3s";

/// Connects, with the settings of a session of Tandem's.
pub fn connect(url: &str) -> Result<Client, Error> {
    let address = Address::parse(url)?;
    let mut client = address.encryption.connect(&address.config).map_err(|why| match why {
        Failed::Files(why) => Error::Address { url: shown(url), why },
        Failed::Connect(why) => Error::connecting(shown(url), &why),
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
    if number >= 140_000 {
        client.batch_execute("SET idle_session_timeout = 0")?;
    }
    Ok(client)
}
