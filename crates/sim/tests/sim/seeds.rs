//! Runs by chance: services, versions, commands and faults are chosen by the seed.

use tandem_sim::{Scenario, run};

/// So many seeds in each run; `SIM_SEEDS` for more, `SIM_SEED` for one.
const SEEDS: u64 = 256;

#[test]
fn all_promises_hold_for_every_seed() {
    crate::quiet();
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIM_SEEDS").unwrap_or(SEEDS),
    };
    let failed: Vec<(u64, String)> = seeds
        .filter_map(|seed| {
            let outcome = run(&Scenario::of_seed(seed), &[]);
            let replay = format!("SIM_SEED={seed} cargo test -p tandem-sim --test sim seeds");
            (!outcome.broken.is_empty()).then(|| (seed, crate::explain(&outcome, &replay)))
        })
        .collect();
    let list: Vec<u64> = failed.iter().map(|(seed, _)| *seed).collect();
    assert!(failed.is_empty(), "{}\nfailed seeds: {list:?}", failed[0].1);
}

#[test]
fn a_seed_is_a_whole_run() {
    crate::quiet();
    let (first, second) = (run(&Scenario::of_seed(7), &[]), run(&Scenario::of_seed(7), &[]));
    assert_eq!(first, second);
}
