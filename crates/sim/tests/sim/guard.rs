//! The guard on trial: versions that are as good, fail more often or are slower, at little and at much traffic, second by
//! second. How often is it wrong, how long does it take, and how many users meet the worse version until then?
//!
//! `GUARD_TRIALS=200 cargo test --release -p tandem-sim --test sim guard -- --nocapture` shows the figures.

use tandem_core::base::Millis;
use tandem_core::deploy::judge;
use tandem_core::spec::{CanarySpec, ErrorLimit, GuardSpec, LatencyLimit};
use tandem_core::traffic::{Answers, Latencies};
use tandem_core::workflow::Judged;
use tandem_sim::Random;

/// What a version is like: how many of each million answers fail, and how much longer they take, in hundredths.
#[derive(Clone, Copy)]
struct Version {
    fails: u64,
    takes: u64,
}

const OLD: Version = Version { fails: 1_000, takes: 100 };
const FAILS: Version = Version { fails: 21_000, takes: 100 };
const SLOW: Version = Version { fails: 1_000, takes: 150 };

fn guard() -> GuardSpec {
    GuardSpec {
        errors: Some(ErrorLimit::More("1%".parse().expect("a share"))),
        p99: Some(LatencyLimit::Times(120)),
        ..GuardSpec::default()
    }
}

fn canary() -> CanarySpec {
    let steps = ["10% for 5m", "50% for 5m"].map(|step| step.parse().expect("a step"));
    CanarySpec { steps: steps.to_vec(), ..CanarySpec::default() }
}

/// How a trial ended.
struct Ended {
    passed: bool,
    /// After so many seconds.
    after: u64,
    /// So many requests were answered by the new version.
    met: u64,
}

/// The answers to so many requests of a version.
fn answer(random: &mut Random, version: Version, requests: u64) -> Answers {
    let (mut counts, mut failed) = (vec![0; Latencies::BUCKETS], 0);
    for _ in 0..requests {
        failed += u64::from(random.between(1, 1_000_000) <= version.fails);
        // Around 20 ms, seldom below 7 and above 60: products of chance lie so.
        let micros = (0..4).fold(20_000, |micros, _| micros * random.between(70, 143) / 100);
        counts[Latencies::bucket(micros * version.takes / 100)] += 1;
    }
    Answers { all: requests, failed, latencies: Latencies::of(counts) }
}

/// A canary of `new` at so many requests a second, as the guard's rules have it.
fn trial(seed: u64, new: Version, rate: u64) -> Ended {
    let (guard, mut random) = (guard(), Random::new(seed, rate));
    let (mut after, mut met) = (0, 0);
    for step in canary().steps {
        let (mut came, mut before) = (Answers::default(), Answers::default());
        let (least, most) = (step.least, step.least + guard.extend);
        for second in 1.. {
            let at_new =
                (0..rate).filter(|_| step.share.draws(random.between(0, u64::from(u32::MAX)))).count() as u64;
            came = came.plus(&answer(&mut random, new, at_new));
            before = before.plus(&answer(&mut random, OLD, rate - at_new));
            (after, met) = (after + 1, met + at_new);
            let worst = judge(&guard, &came, Some(&before)).iter().map(|finding| finding.verdict).max();
            let now = Millis::from_secs(second);
            match worst {
                Some(Judged::Worse) => return Ended { passed: false, after, met },
                Some(Judged::Good) if now >= least => break,
                _ if now >= most => return Ended { passed: false, after, met },
                _ => {}
            }
        }
    }
    Ended { passed: true, after, met }
}

fn trials(name: &str, new: Version, rate: u64, number: u64) -> u64 {
    let ended: Vec<Ended> = (1..=number).map(|seed| trial(seed, new, rate)).collect();
    let passed = ended.iter().filter(|ended| ended.passed).count() as u64;
    let middle = |pick: fn(&Ended) -> u64| {
        let mut all: Vec<u64> = ended.iter().map(pick).collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied().unwrap_or_default()
    };
    let (after, met) = (middle(|ended| ended.after), middle(|ended| ended.met));
    eprintln!(
        "{name:>14} at {rate:>3}/s: {passed}/{number} passed; half of them within {after} s and {met} requests"
    );
    passed
}

#[test]
fn a_worse_version_is_taken_back_at_any_rate_and_a_good_one_is_not() {
    let number = std::env::var("GUARD_TRIALS").ok().and_then(|text| text.parse().ok());
    let (few, many) = (number.unwrap_or(5), number.unwrap_or(40));
    for rate in [5, 50, 500] {
        let number = if rate == 500 { few } else { many };
        for (name, worse) in [("2 % fail more", FAILS), ("1.5 times slow", SLOW)] {
            let passed = trials(name, worse, rate, number);
            // One of a hundred may have luck; of the few that the suite tries, none.
            assert!(passed * 100 <= number, "{name} at {rate}/s: {passed} of {number} passed");
        }
    }
    for (rate, number) in [(5, few), (50, many)] {
        let passed = trials("as good", OLD, rate, number);
        assert!(passed + number / 100 >= number, "{} false alarms in {number}", number - passed);
    }
}
