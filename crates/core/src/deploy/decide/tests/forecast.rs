//! What is foreseen of a deployment: its steps, its times, its price beside that of other ways, and what if something dies.

use super::{Story, deploy, version};
use crate::base::{Amount, InstanceId, Millis, Timestamp};
use crate::deploy::{Command, Fault, Forecast, Refusal, accept, forecast, foreseen as foreseen_by, ways};
use crate::spec::{CanarySpec, FlipSpec, RollingSpec, Strategy, StrategyKind};
use crate::workflow::{Event, Figures, Pace, State, Verdict};

fn rolling(batch: u32, surge: u32) -> Strategy {
    Strategy::Rolling(RollingSpec {
        batch: Amount::Count(batch),
        surge: Some(Amount::Count(surge)),
        floor: None,
    })
}

fn foreseen(story: &Story, strategy: Strategy) -> Forecast {
    forecast(&story.spec, &story.state, story.now, &deploy("v2", strategy), None).unwrap()
}

/// v1 serves with four instances, and this is known of how long things take: seconds until ready, drained, stopped.
fn paced(ready: &[u64], drain: u64, stop: u64) -> Story {
    let mut story = Story::with_v1(4);
    let pace = &mut story.state.pace;
    *pace = Pace::default();
    ready.iter().for_each(|secs| pace.ready.add(Millis::from_secs(*secs)));
    pace.prepare.add(Millis::from_secs(3));
    pace.drain.add(Millis::from_secs(drain));
    pace.stop.add(Millis::from_secs(stop));
    story
}

#[test]
fn the_steps_of_strategies_are_told_before() {
    let story = paced(&[5], 2, 1);
    let mut told = String::new();
    for strategy in [rolling(1, 1), rolling(2, 0), Strategy::Flip(FlipSpec::default())] {
        let forecast = foreseen(&story, strategy);
        let figures = forecast.figures;
        told.push_str(&format!(
            "took {}, served after {}, back in {}, mixed {}, extra {}, peak {}, lowest {}/4\n",
            figures.took.rough(),
            figures.served.rough(),
            figures.back.unwrap().rough(),
            figures.mixed_state.rough(),
            figures.extra.rough(),
            figures.peak,
            figures.lowest_capacity.unwrap()
        ));
        for step in forecast.steps {
            told.push_str(&format!(
                "  {:5} {} → {} new, {} old, {} run\n",
                step.at.rough(),
                step.what,
                step.new,
                step.old,
                step.running
            ));
        }
    }
    insta::assert_snapshot!(told, @r"
took 42.0s, served after 32.0s, back in 29.0s, mixed 32.0s, extra 32.0s, peak 5, lowest 4/4
  0.0s  make v2 ready to run → 0 new, 4 old, 4 run
  3.0s  start 1 of v2 (i5) → 0 new, 4 old, 5 run
  8.0s  route to 1, drain 1 → 1 new, 3 old, 5 run
  10.0s stop 1 that are drained → 1 new, 3 old, 5 run
  11.0s start 1 of v2 (i6) → 1 new, 3 old, 5 run
  16.0s route to 1, drain 1 → 2 new, 2 old, 5 run
  18.0s stop 1 that are drained → 2 new, 2 old, 5 run
  19.0s start 1 of v2 (i7) → 2 new, 2 old, 5 run
  24.0s route to 1, drain 1 → 3 new, 1 old, 5 run
  26.0s stop 1 that are drained → 3 new, 1 old, 5 run
  27.0s start 1 of v2 (i8) → 3 new, 1 old, 5 run
  32.0s route to 1, drain 1 → 4 new, 0 old, 5 run
  34.0s stop 1 that are drained → 4 new, 0 old, 5 run
took 29.0s, served after 11.0s, back in 8.0s, mixed 8.0s, extra 0.0s, peak 4, lowest 2/4
  0.0s  make v2 ready to run → 0 new, 4 old, 4 run
  3.0s  drain 2 → 0 new, 2 old, 4 run
  5.0s  stop 2 that are drained → 0 new, 2 old, 4 run
  6.0s  start 2 of v2 (i5 to i6) → 0 new, 2 old, 4 run
  11.0s route to 2, drain 2 → 2 new, 0 old, 4 run
  13.0s stop 2 that are drained → 2 new, 0 old, 4 run
  14.0s start 2 of v2 (i7 to i8) → 2 new, 0 old, 4 run
  19.0s route to 2 → 4 new, 0 old, 4 run
took 39.0s, served after 8.0s, back in 0.0s, mixed 36.0s, extra 2m 24s, peak 8, lowest 4/4
  0.0s  make v2 ready to run → 0 new, 4 old, 4 run
  3.0s  start 4 of v2 (i5 to i8) → 0 new, 4 old, 8 run
  8.0s  route to 4, keep warm 4 → 4 new, 0 old, 8 run
  38.0s drain 4 → 4 new, 0 old, 8 run
  38.0s stop 4 that are drained → 4 new, 0 old, 8 run
");
}

#[test]
fn of_several_instances_some_are_as_slow_as_some_were() {
    let served = |ready: &[u64]| {
        let story = paced(ready, 1, 1);
        foreseen(&story, Strategy::Flip(FlipSpec::default())).figures.served
    };
    assert_eq!(served(&[2, 2, 2, 2]), Millis::from_secs(3 + 2));
    assert_eq!(served(&[2, 2, 9, 2]), Millis::from_secs(3 + 9));
}

#[test]
fn what_was_never_measured_is_assumed_and_said() {
    let mut story = Story::with_v1(4);
    let measured = foreseen(&story, rolling(1, 1)).basis;
    assert_eq!((measured.ready.measured, measured.stop.measured), (4, 0));
    story.state.pace = Pace::default();
    let assumed = foreseen(&story, rolling(1, 1)).basis;
    assert_eq!((assumed.ready.measured, assumed.ready.typical), (0, Millis::from_secs(5)));
}

#[test]
fn what_dies_in_a_plan_turns_the_deployment_back() {
    let mut story = paced(&[5], 1, 1);
    // One that dies after it was ready is one too many.
    story.spec.deploy.guard.crashes = 0;
    let dies = |instance, step| {
        let fault = Some(Fault { instance: InstanceId(instance), step });
        forecast(&story.spec, &story.state, story.now, &deploy("v2", rolling(1, 1)), fault)
    };
    let new = dies(5, 3).unwrap();
    assert!(
        matches!(&new.end, Some(Verdict::RolledBack { reason }) if reason.contains("i5")),
        "{:?}",
        new.end
    );
    assert!(new.figures.lowest_capacity < Some(4), "{:?}", new.figures);
    // An old one is replaced, and the deployment goes on.
    assert_eq!(dies(4, 1).unwrap().end, Some(Verdict::Settled));
    assert_eq!(dies(99, 1), Err(Refusal::NotThere { instance: InstanceId(99), step: 1 }));
}

#[test]
fn the_ways_are_weighed_against_each_other() {
    let story = paced(&[5], 1, 1);
    let ways = ways(&story.spec, &story.state, story.now, &version("v2"));
    let names: Vec<&str> = ways.iter().map(|way| way.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "rolling, 1 at a time",
            "rolling, 1 at a time, none extra",
            "rolling, 2 at a time",
            "rolling, 2 at a time, none extra",
            "rolling, 4 at a time",
            "flip",
            "canary"
        ]
    );
    for way in &ways {
        let Figures { peak, lowest_capacity, back, .. } = way.figures;
        let (surge, is_warm) = match &way.strategy {
            Strategy::Rolling(rolling) => (rolling.surge.unwrap_or(rolling.batch).of_rounded_up(4), false),
            Strategy::Flip(_) | Strategy::Canary(_) => (4, true),
        };
        assert_eq!(peak, 4 + surge, "{}", way.name);
        assert_eq!(lowest_capacity == Some(4), surge > 0, "{}", way.name);
        // What is kept warm is there at once; what is gone has to come up again.
        assert_eq!(back == Some(Millis::ZERO), is_warm, "{}: {back:?}", way.name);
    }
}

#[test]
fn where_nothing_serves_there_is_nothing_to_weigh() {
    let mut story = paced(&[5], 1, 1);
    story.state = State::default();
    assert_eq!(ways(&story.spec, &story.state, story.now, &version("v1")), []);
}

#[test]
fn whoever_deploys_a_large_fleet_does_not_wait_for_a_forecast() {
    let begins = |instances| {
        let story = Story::with_v1(instances);
        let events = accept(&story.state, &deploy("v2", rolling(100, 100))).unwrap();
        foreseen_by(&story.spec, &story.state, story.now, &events)
    };
    assert!(begins(300).is_some());
    assert_eq!(begins(301), None);
}

#[test]
fn where_few_requests_come_a_canary_takes_until_there_is_something_to_judge() {
    let mut story = paced(&[5], 1, 1);
    story.spec.deploy.guard.sample = 300;
    let canary = || {
        let steps = vec!["50% for 10s".parse().unwrap()];
        Strategy::Canary(CanarySpec { steps, ..CanarySpec::default() })
    };
    let mut served = |requests: Option<u64>| {
        story.state.pace.requests = requests;
        foreseen(&story, canary()).figures.served
    };
    let plenty = served(None);
    assert_eq!(served(Some(1_000_000)), plenty);
    // 10 requests a second, half of them at the new version: 300 take a minute.
    let few = served(Some(10_000));
    assert!(few.0.abs_diff(plenty.0 + 50_000) < 4_000, "{few:?} and {plenty:?}");
}

#[test]
fn a_rollback_is_foreseen_from_where_things_stand() {
    let mut story = paced(&[5], 1, 1);
    story.now = Timestamp(1_700_000_000_000);
    story.command(&deploy("v2", Strategy::Flip(FlipSpec::default())));
    for _ in 0..4 {
        story.pass();
    }
    let strategy = story.spec.deploy.strategy(StrategyKind::Flip);
    let back = Command::Rollback { to: None, strategy };
    let forecast = forecast(&story.spec, &story.state, story.now, &back, None).unwrap();
    assert!(matches!(forecast.end, Some(Verdict::RolledBack { .. })), "{forecast:?}");
    // The new pool had no requests: it is stopped, and that is all.
    assert!(forecast.figures.took <= Millis::from_secs(3), "{:?}", forecast.figures);
    assert_eq!(forecast.figures.lowest_capacity, Some(4));
}

#[test]
fn what_was_foreseen_is_remembered_and_judged_by_what_came() {
    let mut story = paced(&[1], 0, 0);
    let command = deploy("v2", rolling(1, 1));
    let events = accept(&story.state, &command).unwrap();
    let event = foreseen_by(&story.spec, &story.state, story.now, &events).unwrap();
    let Event::Foreseen { figures, .. } = &event else { panic!("{event:?}") };
    assert_eq!(*figures, foreseen(&story, rolling(1, 1)).figures);
    for event in events.iter().chain([&event]) {
        story.state.apply(story.now, event).unwrap();
    }
    // A turn of what is under way is no new deployment.
    let back = accept(&story.state, &Command::Abort { deployment: None }).unwrap();
    assert_eq!(foreseen_by(&story.spec, &story.state, story.now, &back), None);
    while story.state.deployment.is_some() {
        story.pass();
        story.all_up();
        story.now = story.now + Millis::from_secs(1);
    }
    let judged = story.state.pace.forecasts.back().unwrap();
    assert_eq!(judged.foreseen, figures.took);
    assert!(story.told.contains(&format!("(foreseen {})", figures.took.rough())), "{}", story.told);
}
