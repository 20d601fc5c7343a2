//! Rows filled in batches sized by time: each batch is a transaction that also says how far it came.
//!
//! Walked are the rows that were there at the beginning; those that come later are the triggers' business. Holds for
//! partitions and children one by one. What is in a batch is [`super::batch`]'s. Tested in `tests/postgres/execution.rs`.

use std::time::{Duration, Instant};

use postgres::{SimpleQueryMessage, Transaction};
use serde::{Deserialize, Serialize};
use tandem_schema::plan::Fill;

use super::Watch;
use super::attempt::Line;
use super::batch::{Leaf, Page};
use super::replica::Replicas;
use super::sweep::Sweep;
use super::volume::Volume;
use crate::failure::Failure;
use crate::journal::{Journal, Turn};

/// Rows of the first batch, of the smallest and the largest.
const ROWS: (f64, f64, f64) = (1000.0, 200.0, 20_000.0);

/// Blocks of the first batch, of the smallest and the largest.
const BLOCKS: (f64, f64, f64) = (16.0, 2.0, 2000.0);

/// How often replicas are looked at, and a pause is asked about without having been told.
const LOOK: Duration = Duration::from_secs(1);

/// How far a fill came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) struct Mark {
    /// The table or partition.
    pub(super) leaf: u32,
    /// What is left of it.
    pub(super) left: Range,
}

/// What is left of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Range {
    /// Keys above one and up to another, as text.
    Keys {
        /// The last key that is done.
        at: Option<Vec<String>>,
        /// The last key that there was at the beginning.
        end: Vec<String>,
    },
    /// Blocks from one to before another, of a file: a table that was written anew is walked anew.
    Blocks {
        /// The file.
        file: u32,
        /// The next block.
        at: u64,
        /// How many there were at the beginning.
        end: u64,
    },
    /// Nothing.
    Nothing,
}

/// Which step is filled, for the journal.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// The right to write.
    pub(super) turn: Turn,
    /// The list.
    pub(super) list: &'static str,
    /// The step's place in it.
    pub(super) index: i32,
    /// The step's title.
    pub(super) title: &'a str,
}

/// How much is done at once, and how much is done.
struct Pace {
    size: f64,
    bounds: (f64, f64, f64),
    begun: Instant,
    before: u64,
    done: u64,
    replicas: Replicas,
    sweep: Sweep,
    volume: Volume,
}

/// How a batch went.
enum Batch {
    Paused,
    /// Rows were written for so long: nobody else could write them.
    Done {
        rows: u64,
        left: Range,
        took: Duration,
    },
}

impl Line<'_> {
    /// Fills a table, from where it was left.
    pub(super) fn fill(
        &mut self,
        place: Place<'_>,
        fill: &Fill,
        watch: &mut (dyn Watch + Send),
    ) -> Result<(), Failure> {
        let stored = Journal::of(&mut self.work).progress(place.turn.change, place.list, place.index)?;
        let (mut mark, done): (Option<Mark>, u64) = match stored {
            Some((text, done)) => {
                (Some(serde_json::from_str(&text).map_err(|why| Failure::Unreadable(why.to_string()))?), done)
            }
            None => (None, 0),
        };
        let bounds = if fill.key.is_empty() { BLOCKS } else { ROWS };
        let mut pace = Pace::new(bounds, done);
        for oid in Leaf::all(&mut self.work, &fill.table)? {
            if mark.as_ref().is_some_and(|mark| mark.leaf > oid) {
                continue;
            }
            // A partition may have been dropped since.
            let Some(leaf) = Leaf::read(&mut self.work, oid, fill)? else { continue };
            let left = match mark.take().filter(|mark| mark.leaf == oid).map(|mark| mark.left) {
                Some(Range::Blocks { file, .. }) if file != leaf.file => leaf.whole(&mut self.work, fill)?,
                Some(left) => left,
                None => leaf.whole(&mut self.work, fill)?,
            };
            self.leaf(place, fill, &leaf, left, &mut pace, watch)?;
        }
        Ok(())
    }

    /// Fills one table or partition.
    fn leaf(
        &mut self,
        place: Place<'_>,
        fill: &Fill,
        leaf: &Leaf,
        mut left: Range,
        pace: &mut Pace,
        watch: &mut (dyn Watch + Send),
    ) -> Result<(), Failure> {
        while left != Range::Nothing {
            self.go_on()?;
            match self.batch(place, fill, leaf, &left, pace, watch)? {
                Batch::Paused => {
                    watch.waiting("paused");
                    self.wait(LOOK)?;
                    continue;
                }
                Batch::Done { rows, left: rest, took } => {
                    left = rest;
                    pace.done += rows;
                    pace.adapt(took, self.options.batch);
                    // Rows of a new table leave nothing behind.
                    if fill.into.is_none() && pace.sweep.is_due(&mut self.guard, leaf.oid, rows, fill.rows)? {
                        self.sweep(leaf, &mut pace.sweep, watch)?;
                    }
                }
            }
            pace.tell(fill.rows, watch);
            if pace.replicas.are_due(LOOK) {
                self.let_replicas_follow(&mut pace.replicas, watch)?;
            }
            if let Some(limit) = self.options.wal {
                self.keep_within(limit, &mut pace.volume, watch)?;
            }
        }
        Ok(())
    }

    /// One transaction: rows and mark.
    fn batch(
        &mut self,
        place: Place<'_>,
        fill: &Fill,
        leaf: &Leaf,
        left: &Range,
        pace: &Pace,
        watch: &mut (dyn Watch + Send),
    ) -> Result<Batch, Failure> {
        // The user's own triggers are not for rows that only get what they mean already; Tandem's look at the setting.
        // Rows of a new table are new to everybody: its foreign keys are checked.
        let replica = self.rights.replica && fill.into.is_none();
        let quiet = if replica { "SET LOCAL session_replication_role = 'replica'; " } else { "" };
        let size = pace.size as u64;
        self.attempts(place.title, watch, |client, limits| {
            let mut transaction = client.transaction()?;
            // A batch that a crash of the server takes away takes its mark along and is done again: no commit waits for the
            // disk. The step's end does, and with it all batches before are there.
            let said = transaction.simple_query(&format!(
                "{limits}; {quiet}SET LOCAL tandem.quiet = 'on'; SET LOCAL enable_seqscan = off; \
                 SET LOCAL synchronous_commit = off; SET LOCAL jit = off; {}; {}",
                place.turn.pause_query(),
                leaf.query(fill, left, size)
            ))?;
            let mut found = said.iter().filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(row),
                _ => None,
            });
            if place.turn.is_paused(found.next())? {
                return Ok(Batch::Paused);
            }
            let page = leaf.page(fill, left, size, found.next());
            let begun = Instant::now();
            let (rows, rest) = write(&mut transaction, place, fill, leaf, pace.done, page)?;
            transaction.commit()?;
            Ok(Batch::Done { rows, left: rest, took: begun.elapsed() })
        })
    }

    /// Waits until the server has written no more of its log than it may.
    fn keep_within(
        &mut self,
        limit: u64,
        volume: &mut Volume,
        watch: &mut (dyn Watch + Send),
    ) -> Result<(), Failure> {
        let excess = volume.excess(&mut self.guard, limit)?;
        if excess >= LOOK {
            watch.waiting(&format!("more than {limit} bytes of write-ahead log were written in a second"));
        }
        if !excess.is_zero() {
            self.wait(excess)?;
            volume.waited();
        }
        Ok(())
    }

    /// Has the server make room for rows again; where an old transaction is in the way, it does what it can.
    fn sweep(
        &mut self,
        leaf: &Leaf,
        sweep: &mut Sweep,
        watch: &mut (dyn Watch + Send),
    ) -> Result<(), Failure> {
        let told = format!("dead rows of {} are swept: autovacuum does not keep up", leaf.name);
        watch.waiting(&told);
        // It skips what it can't lock; as a try among others it is ended by a request to stop.
        let vacuum = format!("VACUUM (SKIP_LOCKED, TRUNCATE false) {}", leaf.name);
        self.attempts(&told, watch, |client, _| Ok(client.batch_execute(&vacuum)?))?;
        sweep.done(&mut self.guard)
    }

    /// Waits while a replica is too far behind.
    fn let_replicas_follow(
        &mut self,
        replicas: &mut Replicas,
        watch: &mut (dyn Watch + Send),
    ) -> Result<(), Failure> {
        loop {
            let behind = replicas.look(&mut self.guard)?;
            if replicas.are_hidden() {
                watch.note("this role may not see how far replicas are behind, so nothing waits for them: GRANT pg_read_all_stats");
            }
            let Some(behind) = behind.filter(|behind| behind.time >= self.options.lag) else { return Ok(()) };
            watch.waiting(&format!(
                "the replica {} is {} s and {} MB behind, more than {} s",
                behind.name,
                behind.time.as_secs(),
                behind.bytes / 1_000_000,
                self.options.lag.as_secs()
            ));
            self.wait(LOOK)?;
        }
    }
}

/// Writes a batch, and how far it came; how many rows it was, and what is left.
fn write(
    transaction: &mut Transaction<'_>,
    place: Place<'_>,
    fill: &Fill,
    leaf: &Leaf,
    done: u64,
    page: Option<Page>,
) -> Result<(u64, Range), Failure> {
    let rest = page.as_ref().map_or(Range::Nothing, |page| page.left.clone());
    let mark = serde_json::to_string(&Mark { leaf: leaf.oid, left: rest.clone() })
        .map_err(|why| Failure::Unreadable(why.to_string()))?;
    let marked = |rows: u64| {
        let step = (place.list, place.index);
        place.turn.mark_statement(step, &mark, done.saturating_add(rows), fill.rows)
    };
    let Some(page) = page else {
        transaction.batch_execute(&marked(0))?;
        return Ok((0, rest));
    };
    let update = leaf.write(fill, &page.range);
    let failed = |error: postgres::Error| Failure::Database(error).at(place.title, &update);
    // On the way to the server and back rows are held for nothing: there is one way where that can be.
    if let Some(rows) = page.rows {
        transaction.batch_execute(&format!("{update}; {}", marked(rows))).map_err(failed)?;
        return Ok((rows, rest));
    }
    let told = transaction.simple_query(&update).map_err(failed)?;
    let rows = told.iter().find_map(|message| match message {
        SimpleQueryMessage::CommandComplete(rows) => Some(*rows),
        _ => None,
    });
    transaction.batch_execute(&marked(rows.unwrap_or(0)))?;
    Ok((rows.unwrap_or(0), rest))
}

impl Pace {
    fn new(bounds: (f64, f64, f64), done: u64) -> Pace {
        let begun = Instant::now();
        Pace {
            size: bounds.0,
            bounds,
            begun,
            before: done,
            done,
            replicas: Replicas::default(),
            sweep: Sweep::default(),
            volume: Volume::default(),
        }
    }

    /// The next batch writes for as long as it should, by what this one took; never more than twice as much, or half. What
    /// a batch costs besides does not count: smaller ones would only cost it more often.
    fn adapt(&mut self, took: Duration, wanted: Duration) {
        let factor = wanted.as_secs_f64() / took.as_secs_f64().max(0.000_1);
        self.size = (self.size * factor.clamp(0.5, 2.0)).clamp(self.bounds.1, self.bounds.2);
    }

    fn tell(&self, total: u64, watch: &mut (dyn Watch + Send)) {
        let rate = (self.done - self.before) as f64 / self.begun.elapsed().as_secs_f64().max(0.001);
        let left = total.checked_sub(self.done).filter(|_| rate > 0.0);
        // Bounded: an estimate of centuries is none.
        let left = left.map(|rows| Duration::from_secs_f64((rows as f64 / rate).min(1e9)));
        watch.rows(self.done, total, rate, left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_grows_and_shrinks_within_bounds() {
        let mut pace = Pace::new(ROWS, 0);
        let wanted = Duration::from_millis(50);
        pace.adapt(Duration::from_millis(25), wanted);
        assert_eq!(pace.size, 2000.0);
        (0..20).for_each(|_| pace.adapt(Duration::ZERO, wanted));
        assert_eq!(pace.size, ROWS.2);
        (0..20).for_each(|_| pace.adapt(Duration::from_secs(9), wanted));
        assert_eq!(pace.size, ROWS.1);
    }
}
