//! Replicas: how far they are behind, by when that was written here what they have not replayed yet.
//!
//! The server's own `replay_lag` stands still when a replica does; what was written when is therefore remembered here.
//! Decides nothing. Tested in place and, with a replica that stands still, in `tests/postgres/replica.rs`.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use postgres::Client;

use crate::failure::Failure;

/// What is known of replicas while rows are filled.
#[derive(Debug, Default)]
pub(super) struct Replicas {
    /// Places in the write-ahead log, and when it had come there; only what some replica has not replayed.
    written: VecDeque<(Instant, i64)>,
    looked: Option<Instant>,
    /// Whether some replica is hidden from this role, and whether that was told.
    hidden: (bool, bool),
}

/// The replica that is furthest behind.
#[derive(Debug)]
pub(super) struct Behind {
    /// What it calls itself, and from where it comes.
    pub(super) name: String,
    /// For so long something has been waiting to be replayed there.
    pub(super) time: Duration,
    /// So much.
    pub(super) bytes: i64,
}

impl Replicas {
    /// Whether it is so long since the last look.
    pub(super) fn are_due(&self, every: Duration) -> bool {
        self.looked.is_none_or(|looked| looked.elapsed() >= every)
    }

    /// The replica that is furthest behind, if there is one that is.
    pub(super) fn look(&mut self, client: &mut Client) -> Result<Option<Behind>, Failure> {
        let rows = client.query(
            "SELECT application_name || coalesce(' at ' || host(client_addr), ''),
                    pg_wal_lsn_diff(replay_lsn, '0/0')::bigint, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint,
                    state IS NULL
             FROM pg_stat_replication",
            &[],
        )?;
        let now = Instant::now();
        self.looked = Some(now);
        let (mut seen, mut written) = (Vec::new(), None);
        for row in &rows {
            written = row.try_get::<_, Option<i64>>(2)?;
            self.hidden.0 |= row.try_get::<_, bool>(3)?;
            // One that is being copied replays nothing yet.
            if let (Some(name), Some(replayed)) = (row.try_get(0)?, row.try_get(1)?) {
                seen.push((name, replayed));
            }
        }
        Ok(written.and_then(|written| self.furthest(now, written, seen)))
    }

    /// Whether there are replicas that this role may not see; told once.
    pub(super) fn are_hidden(&mut self) -> bool {
        self.hidden.0 && !std::mem::replace(&mut self.hidden.1, true)
    }

    fn furthest(&mut self, now: Instant, written: i64, seen: Vec<(String, i64)>) -> Option<Behind> {
        let (name, replayed) = seen.into_iter().min_by_key(|(_, replayed)| *replayed)?;
        self.written.push_back((now, written));
        while self.written.front().is_some_and(|(_, place)| *place <= replayed) {
            self.written.pop_front();
        }
        let (since, _) = self.written.front()?;
        Some(Behind { name, time: now.saturating_duration_since(*since), bytes: written - replayed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_as_far_behind_as_what_it_lacks_is_old() {
        let (mut replicas, begun) = (Replicas::default(), Instant::now());
        let mut at = |second: u64, written, replayed: &[i64]| {
            let seen = replayed.iter().enumerate().map(|(number, place)| (number.to_string(), *place));
            let behind = replicas.furthest(begun + Duration::from_secs(second), written, seen.collect());
            behind.map(|behind| (behind.name, behind.time.as_secs(), behind.bytes))
        };
        assert_eq!(at(0, 100, &[]), None);
        assert_eq!(at(1, 100, &[100]), None);
        assert_eq!(at(2, 200, &[200, 150]), Some(("1".to_owned(), 0, 50)));
        assert_eq!(at(5, 300, &[300, 150]), Some(("1".to_owned(), 3, 150)));
        assert_eq!(at(6, 300, &[300, 250]), Some(("1".to_owned(), 1, 50)));
        assert_eq!(at(7, 300, &[300, 300]), None);
    }
}
