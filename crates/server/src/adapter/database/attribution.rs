//! Whose the sessions on the database are: the server's list laid beside the connections that instances hold.
//!
//! Pure. What can't be told (a pooler or another network lies between, a Unix socket) belongs to nobody. Tested in place.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tandem_core::base::{InstanceId, Millis};
use tandem_core::database::{Change, ObservedDatabase, Session};
use tandem_drivers::Connection;

use crate::schema::{Client, Clients, lens};

/// So many sessions of an instance are remembered.
const SESSIONS_MAX: usize = 16;

/// The connections that instances hold.
pub(super) type Connections = BTreeMap<InstanceId, Vec<Connection>>;

/// Says of each session whose it is. Without `connections` that of none is known.
pub(super) fn attribute(
    seen: &mut ObservedDatabase,
    change: &Change,
    clients: &Clients,
    connections: Option<&Connections>,
) {
    let owners = owners(connections, clients.port);
    let revisions = [change.from.as_ref(), Some(&change.to)].into_iter().flatten();
    let lenses: BTreeMap<String, _> =
        revisions.map(|revision| (lens(revision.as_str()), revision.clone())).collect();
    for client in &clients.sessions {
        let revision = client.lens.as_ref().and_then(|lens| lenses.get(lens)).cloned();
        match &revision {
            Some(revision) if *revision == change.to => seen.new_clients += 1,
            Some(_) => seen.old_clients += 1,
            None => {}
        }
        match client.from.and_then(|from| owners.get(&from)) {
            Some(owner) => seen.sessions.entry(*owner).or_default().push(session(client, revision)),
            None if revision.is_none() && connections.is_some() => seen.strangers += 1,
            None => {}
        }
    }
    for sessions in seen.sessions.values_mut() {
        // Those that say something first.
        sessions.sort_by_key(|session| (session.revision.is_none(), session.pid));
        sessions.truncate(SESSIONS_MAX);
    }
}

/// The near ends of connections to a server's port, and who holds them. One port may be the near end of several connections:
/// only the one to the server counts.
fn owners(connections: Option<&Connections>, port: u16) -> BTreeMap<SocketAddr, InstanceId> {
    let all = connections.into_iter().flatten();
    let ends = all.flat_map(|(instance, held)| held.iter().map(move |connection| (instance, connection)));
    ends.filter(|(_, connection)| connection.far.port() == port)
        .map(|(instance, Connection { near, .. })| {
            (SocketAddr::new(near.ip().to_canonical(), near.port()), *instance)
        })
        .collect()
}

fn session(client: &Client, revision: Option<tandem_core::base::Revision>) -> Session {
    Session {
        pid: client.pid,
        user: client.user.clone(),
        application: client.application.clone(),
        age: Millis(client.age.as_millis().try_into().unwrap_or(u64::MAX)),
        revision,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tandem_core::database::ChangePhase;

    use super::*;

    fn client(pid: i32, from: Option<&str>, lens: Option<&str>) -> Client {
        Client {
            pid,
            user: "shop".to_owned(),
            application: String::new(),
            from: from.map(|from| from.parse().unwrap()),
            age: Duration::from_secs(9),
            lens: lens.map(ToOwned::to_owned),
        }
    }

    fn attributed(sessions: Vec<Client>, connections: Option<&Connections>) -> ObservedDatabase {
        let (from, to) = ("1_a".parse().ok(), "2_b".parse().unwrap());
        let change = Change { from, to, phase: ChangePhase::Mixed };
        let mut seen = ObservedDatabase::default();
        attribute(&mut seen, &change, &Clients { port: 5432, sessions }, connections);
        seen
    }

    #[test]
    fn a_session_is_of_whoever_holds_its_other_end() {
        let connection =
            |near: &str, far: &str| Connection { near: near.parse().unwrap(), far: far.parse().unwrap() };
        let connections = Connections::from([
            (InstanceId(1), vec![connection("127.0.0.1:4001", "127.0.0.1:5432")]),
            // To something else, from a port that is another's as well; and by way of IPv6.
            (
                InstanceId(2),
                vec![
                    connection("127.0.0.1:4001", "127.0.0.1:6379"),
                    connection("[::ffff:127.0.0.1]:4002", "[::ffff:127.0.0.1]:5432"),
                ],
            ),
        ]);
        let sessions = vec![
            client(11, Some("127.0.0.1:4001"), Some("tandem_2_b")),
            client(12, Some("127.0.0.1:4002"), None),
            client(13, Some("127.0.0.1:4002"), Some("tandem_1_a")),
            client(14, Some("10.0.0.9:4001"), None),
            client(15, None, None),
        ];
        let seen = attributed(sessions.clone(), Some(&connections));
        let of = |id: u64| seen.sessions[&InstanceId(id)].iter().map(|s| s.pid).collect::<Vec<_>>();
        assert_eq!((of(1), of(2)), (vec![11], vec![13, 12]));
        assert_eq!((seen.old_clients, seen.new_clients, seen.strangers), (1, 1, 2));

        let unknown = attributed(sessions, None);
        assert!(unknown.sessions.is_empty());
        assert_eq!((unknown.old_clients, unknown.new_clients, unknown.strangers), (1, 1, 0));
    }
}
