//! Logs of containers, taken over from their engines when somebody asks, so that a place in a log stays valid and a log
//! stays when its container is removed.
//!
//! Must not know who asks. Tested in place, and by `tests/drivers` with real engines.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::{StreamExt, TryStreamExt};
use tandem_core::base::InstanceId;

use super::engine::{Engine, SLOW};
use super::record::MarkRecord;
use super::trouble::Trouble;
use crate::process::log::{LogWriter, SEGMENT};
use crate::process::record;

/// An engine is asked for the same log at most so often.
const PAUSE: Duration = Duration::from_millis(200);

/// Who takes over which log, and when that was done last.
#[derive(Debug, Default)]
pub(super) struct Logbook(Mutex<BTreeMap<InstanceId, Turn>>);

/// The right to take over one log, for one at a time.
pub(super) type Turn = Arc<tokio::sync::Mutex<Option<Instant>>>;

impl Logbook {
    pub(super) fn turn(&self, instance: InstanceId) -> Turn {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(instance).or_default().clone()
    }

    pub(super) fn forget(&self, instance: InstanceId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&instance);
    }
}

/// Takes over what the container has written since the last time. `all`: even if that was a moment ago.
pub(super) async fn take_over(
    engine: &Engine,
    name: &str,
    folder: &Path,
    turn: &Turn,
    all: bool,
) -> Result<(), Trouble> {
    let mut last = turn.lock().await;
    if !all && last.is_some_and(|last| last.elapsed() < PAUSE) {
        return Ok(());
    }
    let unwritten = |why: String| Trouble::refused(format!("its log can't be kept: {why}"));
    let mark: MarkRecord =
        record::read(folder).map_err(|error| unwritten(error.to_string()))?.unwrap_or_default();
    let mut writer = LogWriter::resume(folder, SEGMENT).map_err(|error| unwritten(error.to_string()))?;
    let since = seconds(&mark.last).and_then(|seconds| i32::try_from(seconds).ok()).unwrap_or_default();
    let options =
        LogsOptionsBuilder::default().stdout(true).stderr(true).timestamps(true).since(since).build();
    let (name, own) = (name.to_owned(), folder.to_owned());
    let taken = engine.call(SLOW, |docker| async move {
        let mut reached = mark.last;
        let mut lines = docker.logs(&name, Some(options)).ready_chunks(256);
        while let Some(chunk) = lines.next().await {
            let before = reached.clone();
            for line in chunk {
                let bytes = line.map(LogOutput::into_bytes)?;
                let Some((time, text)) = stamped(&bytes) else { continue };
                // The engine begins again at the whole second. The last line that we have is known by its time.
                if time > reached.as_str() {
                    writer.write(text);
                    reached = time.to_owned();
                }
            }
            if before != reached {
                let mark = MarkRecord { last: reached.clone() };
                record::write(&own, &mark)
                    .map_err(|error| super::image::failed(std::io::Error::other(error)))?;
            }
        }
        Ok(())
    });
    let taken = taken.await;
    *last = Some(Instant::now());
    match taken {
        // Its container is gone: what was taken over is all there is.
        Err(trouble) if trouble.is_missing() => Ok(()),
        taken => taken,
    }
}

/// The last output of a container that is no instance.
pub(super) async fn tail(engine: &Engine, name: &str, lines: usize) -> Result<Vec<u8>, Trouble> {
    let options = LogsOptionsBuilder::default().stdout(true).stderr(true).tail(&lines.to_string()).build();
    let name = name.to_owned();
    let read = |docker: bollard::Docker| async move {
        docker.logs(&name, Some(options)).map_ok(LogOutput::into_bytes).try_collect::<Vec<_>>().await
    };
    Ok(engine.call(SLOW, read).await?.concat())
}

/// The time before a line, and the line.
fn stamped(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().take(64).position(|b| *b == b' ')?;
    let time = std::str::from_utf8(bytes.get(..end)?).ok()?;
    Some((time, bytes.get(end + 1..)?))
}

/// Seconds since 1970 of a time as `2026-11-30T16:50:17.123456789Z`.
fn seconds(time: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| time.get(range)?.parse::<i64>().ok();
    if !time.ends_with('Z') {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    // Years that begin in March have their leap day at the end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = days + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + number(11..13)? * 3600 + number(14..16)? * 60 + number(17..19)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (time, expected) in [
            ("1970-01-01T00:00:00.000000000Z", Some(0)),
            ("2000-02-29T12:00:01.5Z", Some(951_825_601)),
            ("2026-11-30T16:50:17.123456789Z", Some(1_796_057_417)),
            ("2026-11-30T16:50:17+01:00", None),
            ("", None),
            ("xxxx-11-30T16:50:17Z", None),
        ] {
            assert_eq!(seconds(time), expected, "{time}");
        }
        assert_eq!(stamped(b"2026Z a b\n"), Some(("2026Z", &b"a b\n"[..])));
        assert_eq!(stamped(b"nothing"), None);
    }
}
