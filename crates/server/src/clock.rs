//! The time, on a clock that nobody can set: the wall clock as it was when Tandem first ran since the machine's start,
//! plus the time that has passed since. Every process that reads the same state folder has the same time.
//!
//! Tested in `tests/server/store.rs`.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use tandem_core::base::Timestamp;

use crate::state::{StateError, StateFolder, write_file};

/// A clock that never goes back and never jumps while the machine runs.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    offset: u64,
}

#[derive(Serialize, Deserialize)]
struct Fixed {
    boot: String,
    offset: u64,
}

impl Clock {
    /// The clock of a state folder. `not_before` is the latest time that was ever recorded there: if the wall clock
    /// was set back while the machine was off, time goes on from there.
    pub fn open(state: &StateFolder, not_before: Timestamp) -> Result<Clock, StateError> {
        let boot = boot_id();
        let kept = fs::read(state.clock()).ok().and_then(|text| serde_json::from_slice::<Fixed>(&text).ok());
        if let Some(kept) = kept.filter(|kept| kept.boot == boot) {
            return Ok(Clock { offset: kept.offset });
        }
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        let offset = wall.max(not_before.0).saturating_sub(since_boot());
        let text = serde_json::to_vec(&Fixed { boot, offset }).unwrap_or_default();
        write_file(&state.clock(), &text)?;
        Ok(Clock { offset })
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.offset.saturating_add(since_boot()))
    }
}

/// The time by which certificates and tokens live: unlike Tandem's own, it is everybody's.
pub fn wall_time() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp(since.map_or(0, |since| since.as_millis() as u64))
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or_else(|_| String::new(), |id| id.trim().to_owned())
}

fn since_boot() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    (time.tv_sec.max(0) as u64) * 1000 + (time.tv_nsec.max(0) as u64) / 1_000_000
}
