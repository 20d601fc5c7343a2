//! The controller is killed at every port call, before and after its effect, and once more during recovery: the end is
//! always the same.

use tandem_core::base::{Amount, Millis};
use tandem_core::spec::{CanarySpec, FlipSpec, RollingSpec, Strategy};
use tandem_sim::{Behaviour, CrashAt, Moment, Scenario, run};

/// How many calls of the recovery are tried as the place of a second crash.
const RECOVERY: u64 = 10;

fn everywhere(scenario: &Scenario) {
    crate::quiet();
    let plain = run(scenario, &[]);
    assert!(plain.broken.is_empty(), "{}", crate::explain(&plain, "without a crash"));
    for call in 0..plain.calls {
        for moment in [Moment::Before, Moment::After] {
            let first = CrashAt { call, moment };
            once(scenario, &[first], &plain.current);
            let again = call + 1 + call % RECOVERY;
            once(scenario, &[first, CrashAt { call: again, moment: Moment::Before }], &plain.current);
            once(scenario, &[first, CrashAt { call: again, moment: Moment::After }], &plain.current);
        }
    }
}

fn once(scenario: &Scenario, crashes: &[CrashAt], current: &Option<tandem_core::base::VersionLabel>) {
    let outcome = run(scenario, crashes);
    assert!(outcome.broken.is_empty(), "{}", crate::explain(&outcome, &format!("{crashes:?}")));
    assert_eq!(outcome.current, *current, "{}", crate::explain(&outcome, &format!("{crashes:?}")));
}

#[test]
fn rolling_survives_a_crash_at_every_call() {
    everywhere(&Scenario::plain(3, Strategy::Rolling(RollingSpec::default())));
}

#[test]
fn what_comes_by_itself_survives_a_crash_at_every_call() {
    let mut scenario = Scenario::by_itself(1);
    assert_eq!(run(&scenario, &[]).current, Some("v4".parse().unwrap()), "the newest ends live");
    everywhere(&scenario);
    // Nothing follows by itself on what went back.
    scenario.behaviours.insert("v2".parse().unwrap(), Behaviour::NeverReady);
    assert_eq!(run(&scenario, &[]).current, Some("v1".parse().unwrap()));
    everywhere(&scenario);
}

#[test]
fn rolling_without_surge_survives_a_crash_at_every_call() {
    let spec = RollingSpec { batch: Amount::Count(2), surge: Some(Amount::Count(0)), floor: None };
    everywhere(&Scenario::plain(4, Strategy::Rolling(spec)));
}

#[test]
fn a_flip_survives_a_crash_at_every_call() {
    everywhere(&Scenario::plain(2, Strategy::Flip(FlipSpec { warm: Millis(1000) })));
}

#[test]
fn going_back_survives_a_crash_at_every_call() {
    for (strategy, behaviour) in [
        (Strategy::Flip(FlipSpec { warm: Millis(4000) }), Behaviour::DiesAfter(500)),
        (Strategy::Rolling(RollingSpec::default()), Behaviour::NeverReady),
    ] {
        let mut scenario = Scenario::plain(2, strategy);
        scenario.behaviours.insert("v2".parse().unwrap(), behaviour);
        everywhere(&scenario);
    }
}

#[test]
fn a_contract_that_is_asked_for_survives_a_crash_at_every_call() {
    let flip = Strategy::Flip(FlipSpec { warm: Millis(1000) });
    for strategy in [flip, Strategy::Rolling(RollingSpec::default())] {
        let mut scenario = Scenario::plain(2, strategy).with_contract();
        everywhere(&scenario);
        for behaviour in [Behaviour::Breaks, Behaviour::Silent] {
            scenario.behaviours.insert("v2".parse().unwrap(), behaviour);
            everywhere(&scenario);
        }
    }
}

#[test]
fn hooks_survive_a_crash_at_every_call() {
    everywhere(&Scenario::plain(1, Strategy::Flip(FlipSpec { warm: Millis(100) })).with_hooks());
}

#[test]
fn a_schema_that_goes_along_survives_a_crash_at_every_call() {
    let mut scenario = Scenario::plain(2, Strategy::Flip(FlipSpec { warm: Millis(1000) })).with_schema();
    everywhere(&scenario);
    for behaviour in [Behaviour::NeverReady, Behaviour::Strays] {
        scenario.behaviours.insert("v2".parse().unwrap(), behaviour);
        everywhere(&scenario);
    }
}

#[test]
fn a_canary_survives_a_crash_at_every_call() {
    let steps = vec!["20% for 200ms".parse().unwrap(), "60% for 200ms".parse().unwrap()];
    let canary = CanarySpec { steps, warm: Millis(200), ..CanarySpec::default() };
    let mut scenario = Scenario::plain(2, Strategy::Canary(canary));
    scenario.spec.deploy.guard.sample = 3;
    everywhere(&scenario);
    scenario.behaviours.insert("v2".parse().unwrap(), Behaviour::DiesAfter(2_000));
    everywhere(&scenario);
}
