//! `kill -9` of every kind of process at random moments of deployments under load: what requests notice of it, and
//! whether the deployment ends with everything in place.
//!
//! A failed request is excused only if it was in flight when the process was killed, and only where the process
//! carries requests. The moments are fixed by the seed; what runs at them is not.

mod entries;
pub(super) mod judgement;
pub(super) mod shop;

use std::collections::BTreeMap;

use tandem_load::{Load, Record};
use tandem_trial::Kind;

use super::table::{Table, millis};
use super::{Stage, folder};
use judgement::{Moment, Tally};
use shop::Ground;

/// What can be chosen.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Kills of each kind.
    #[arg(long, default_value_t = 50)]
    times: u32,
    /// Which kind of process.
    #[arg(long, value_enum, default_value_t = Which::All)]
    kind: Which,
    /// In place of random moments: the controller at every entry of the journal of a rolling, a flip and a canary.
    #[arg(long, conflicts_with = "kind")]
    entries: bool,
    /// Requests per second.
    #[arg(long, default_value_t = 150.0)]
    rate: f64,
    /// Decides the moments of the kills and which of several processes is hit.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Build with all optimisations, which takes some minutes more.
    #[arg(long)]
    pub(super) release: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    All,
    Supervisor,
    Proxy,
    Controller,
    Keeper,
    Instance,
}

impl Which {
    fn kinds(self) -> Vec<Kind> {
        let one = match self {
            Which::All => return Kind::ALL.to_vec(),
            Which::Supervisor => Kind::Supervisor,
            Which::Proxy => Kind::Proxy,
            Which::Controller => Kind::Controller,
            Which::Keeper => Kind::Keeper,
            Which::Instance => Kind::Instance,
        };
        vec![one]
    }
}

/// Tries all chosen kinds, one after the other.
pub(super) async fn run(stage: &Stage<'_>, options: &Options) -> Result<(), String> {
    if options.entries {
        return at_entries(stage, options).await;
    }
    let mut tallies = BTreeMap::new();
    for kind in options.kind.kinds() {
        let mut tally = Tally::default();
        if let Err(why) = try_kind(stage, options, kind, &mut tally).await {
            println!("✘ {}: {why}", kind.name());
            tally.broken += 1;
        }
        tallies.insert(kind, tally);
    }
    println!("{}", table(&tallies));
    match tallies.values().map(|tally| tally.broken).sum() {
        0 => Ok(()),
        broken => Err(format!("promises broken: {broken}")),
    }
}

/// The controller, at every entry.
async fn at_entries(stage: &Stage<'_>, options: &Options) -> Result<(), String> {
    let folder = folder()?;
    let mut ground = Ground::prepare(stage, folder.path(), options.rate).await?;
    let mut tally = Tally::default();
    entries::run(&mut ground, &mut tally).await?;
    ground.finish(&mut tally).await?;
    let broken = tally.broken;
    println!("{}", table(&BTreeMap::from([(Kind::Controller, tally)])));
    if broken == 0 { Ok(()) } else { Err(format!("promises broken: {broken}")) }
}

/// All kills of one kind, under one load.
async fn try_kind(stage: &Stage<'_>, options: &Options, kind: Kind, tally: &mut Tally) -> Result<(), String> {
    println!("── {}: {} kills, seed {}", kind.name(), options.times, options.seed);
    let folder = folder()?;
    let mut ground = Ground::prepare(stage, folder.path(), options.rate).await?;
    let mut random = Random(options.seed ^ (kind as u64) << 32);
    let mut seen = 0;
    for number in 0..options.times {
        let moment = ground.kill(kind, number, &mut random).await?;
        // What was in flight at the kill has ended by then.
        traffic(&ground.load, (options.rate * 0.7) as u64).await;
        let records = ground.load.records();
        let label = &moment.label;
        for (record, why) in tally.judge(kind, &moment, records.get(seen..).unwrap_or_default()) {
            println!("✘ {label}: {why}\n{}", told(&ground, &moment, record));
        }
        seen = records.len();
        match ground.settled(label).await? {
            true => tally.settled += 1,
            false => tally.rolled_back += 1,
        }
        if let Err(why) = ground.in_place().await {
            tally.instances += 1;
            return Err(format!("{label}: {why}"));
        }
    }
    ground.finish(tally).await
}

/// Waits until so many more requests have ended.
pub(super) async fn traffic(load: &Load, requests: u64) {
    load.ended(load.so_far().sent + requests).await;
}

/// A failure with what is needed to find its cause.
fn told(ground: &Ground, moment: &Moment, record: &Record) -> String {
    let near = format!(
        "{record:?}\nkilled {} between {:.3} and {:.3} s, {} ms into the deployment",
        moment.pid,
        moment.since as f64 / 1e6,
        moment.until as f64 / 1e6,
        moment.into.as_millis(),
    );
    ground.daemon.with_log(&near)
}

fn table(tallies: &BTreeMap<Kind, Tally>) -> Table {
    let mut table = Table::new(&[
        "KILLED",
        "TIMES",
        "REQUESTS",
        "LOST IN FLIGHT",
        "LOST OTHERWISE",
        "REFUSED",
        "LONGEST GAP",
        "SETTLED",
        "ROLLED BACK",
        "TWICE",
        "MISSING",
        "LOST OR DOUBLED",
        "BROKEN",
    ]);
    for (kind, tally) in tallies {
        let numbers = [tally.kills, tally.requests, tally.in_flight, tally.otherwise, tally.refused];
        let ends =
            [tally.settled, tally.rolled_back, tally.twice, tally.missing, tally.instances, tally.broken];
        let cells = std::iter::once(kind.name().to_owned())
            .chain(numbers.map(|number| number.to_string()))
            .chain([millis(tally.longest_gap)])
            .chain(ends.map(|number| number.to_string()));
        table.row(cells);
    }
    table
}

/// Numbers that look random and are the same for the same seed (splitmix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below 1.
    pub(super) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One of them.
    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        of.get((self.share() * of.len() as f64) as usize).copied()
    }
}
