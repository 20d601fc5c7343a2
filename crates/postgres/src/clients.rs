//! Who is connected to the database, and what tells of each to which revision it belongs.
//!
//! Facts only: whose sessions they are is not known here. Tested in `tests/postgres/execution.rs`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use postgres::{GenericClient, Row};

use crate::failure::Failure;

/// Sessions of clients in this database, as `a`: not Tandem's own, which a pooler may keep open after it. The server hides from most
/// roles what kind the sessions of others are: those are taken for clients.
pub(crate) const SESSIONS: &str = "pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() \
     AND coalesce(a.application_name, '') <> 'tandem' AND coalesce(a.backend_type, 'client backend') = 'client backend'";

/// Whether a session is of `lens`: its role or application has the name, its role finds names there from its login on, or it uses
/// its relations at this moment. (The server does not show the search paths of others.)
pub(crate) const OF_LENS: &str = "(a.usename = lens \
     OR EXISTS (SELECT FROM pg_db_role_setting s, unnest(s.setconfig) AS setting \
                WHERE s.setrole = a.usesysid AND s.setdatabase = a.datid \
                  AND split_part(setting, ',', 1) = 'search_path=' || lens) \
     OR regexp_split_to_array(a.application_name, '[^A-Za-z0-9_]+') @> ARRAY[lens] \
     OR EXISTS (SELECT FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
                JOIN pg_namespace n ON n.oid = c.relnamespace \
                JOIN pg_database d ON d.oid = l.database AND d.datname = current_database() \
                WHERE l.pid = a.pid AND l.granted AND n.nspname = lens))";

/// A client's session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The process on the server.
    pub pid: i32,
    /// Its role.
    pub user: String,
    /// What it calls itself.
    pub application: String,
    /// Where it came from. None: through a Unix socket, or the server does not tell this role.
    pub from: Option<SocketAddr>,
    /// How long it has been open.
    pub age: Duration,
    /// Which of the lenses asked for it is of.
    pub lens: Option<String>,
}

/// The clients of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clients {
    /// The port of the server, as it knows it itself.
    pub port: u16,
    /// Their sessions but Tandem's own.
    pub sessions: Vec<Client>,
}

/// All clients, and which of the lenses each is of.
///
/// # Errors
/// The server does not tell.
pub fn connected(client: &mut impl GenericClient, lenses: &[&str]) -> Result<Clients, Failure> {
    let query = format!(
        "SELECT a.pid, coalesce(a.usename::text, '?') AS who, coalesce(a.application_name, '') AS application,
           host(a.client_addr) AS address, a.client_port AS port,
           coalesce(extract(epoch FROM clock_timestamp() - a.backend_start) * 1000, 0)::int8 AS age,
           (SELECT lens FROM unnest($1::text[]) AS lens WHERE {OF_LENS} LIMIT 1) AS lens
         FROM {SESSIONS} ORDER BY a.pid"
    );
    let port: i32 = client.query_one("SELECT current_setting('port')::int4", &[])?.try_get(0)?;
    let rows = client.query(&query, &[&lenses])?;
    let sessions = rows.iter().map(Client::of).collect::<Result<_, _>>()?;
    Ok(Clients { port: u16::try_from(port).unwrap_or_default(), sessions })
}

impl Client {
    fn of(row: &Row) -> Result<Client, postgres::Error> {
        let address: Option<IpAddr> =
            row.try_get::<_, Option<&str>>("address")?.and_then(|text| text.parse().ok());
        let port: Option<u16> = row.try_get::<_, Option<i32>>("port")?.and_then(|port| port.try_into().ok());
        Ok(Client {
            pid: row.try_get("pid")?,
            user: row.try_get("who")?,
            application: row.try_get("application")?,
            from: address.zip(port).map(|(address, port)| SocketAddr::new(address.to_canonical(), port)),
            age: Duration::from_millis(row.try_get::<_, i64>("age")?.try_into().unwrap_or_default()),
            lens: row.try_get("lens")?,
        })
    }
}
