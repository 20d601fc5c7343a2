//! The write-ahead log that a server may write while rows are filled: what it writes beyond that is waited off.
//!
//! All that the server writes counts, since it is what archives, replicas and disks have to bear. Tested in place and in
//! `tests/postgres/execution.rs`.

use std::time::{Duration, Instant};

use postgres::Client;

use crate::failure::Failure;

/// The longest wait before a batch. What is left of the excess is forgiven: where others alone write more than the limit, a
/// fill still goes on, slowly.
const LONGEST: Duration = Duration::from_secs(10);

/// How much has been written, since when.
#[derive(Debug, Default)]
pub(super) struct Volume(Option<(Instant, i64)>);

impl Volume {
    /// How long to wait now so that no more than `limit` bytes were written in each second since the last look.
    pub(super) fn excess(&mut self, client: &mut Client, limit: u64) -> Result<Duration, Failure> {
        let row = client.query_one("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint", &[])?;
        let (now, place): (Instant, i64) = (Instant::now(), row.try_get(0)?);
        let before = self.0.replace((now, place));
        Ok(before.map_or(Duration::ZERO, |(then, before)| {
            wait(u64::try_from(place - before).unwrap_or(0), limit, now.duration_since(then))
        }))
    }

    /// The wait is over: what was written meanwhile counts from here.
    pub(super) fn waited(&mut self) {
        if let Some((since, _)) = &mut self.0 {
            *since = Instant::now();
        }
    }
}

fn wait(bytes: u64, limit: u64, took: Duration) -> Duration {
    let wanted = bytes as f64 / limit.max(1) as f64 - took.as_secs_f64();
    Duration::from_secs_f64(wanted.clamp(0.0, LONGEST.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_excess_is_waited_off() {
        let second = Duration::from_secs(1);
        assert_eq!(wait(50, 100, second), Duration::ZERO);
        assert_eq!(wait(300, 100, second), second * 2);
        assert_eq!(wait(u64::MAX, 1, second), LONGEST);
        assert_eq!(wait(3, 0, second), second * 2);
    }
}
