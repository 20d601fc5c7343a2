//! Canaries: step by step, judged, promoted, turned back.

use super::*;
use crate::base::Share;
use crate::deploy::Refusal;
use crate::spec::{CanarySpec, ErrorLimit, Unclear};
use crate::traffic::{Answers, Latencies};
use crate::workflow::{Passed, Phase};

fn canary(steps: &[&str]) -> Strategy {
    let steps = steps.iter().map(|step| step.parse().unwrap()).collect();
    Strategy::Canary(CanarySpec { steps, warm: Millis::from_secs(5), ..CanarySpec::default() })
}

/// A story of four instances in which `v2` is to come by a canary.
fn begun(steps: &[&str]) -> Story {
    let mut story = Story::with_v1(4);
    story.spec.deploy.bake = Millis::from_secs(1);
    let guard = &mut story.spec.deploy.guard;
    (guard.sample, guard.extend, guard.patience) = (100, Millis::from_secs(20), Millis::from_secs(60));
    guard.errors = Some(ErrorLimit::Share(Share::percent(1)));
    story.command(&deploy("v2", canary(steps)));
    story
}

/// A second passes, in which `v2` answers so many requests of which so many fail, if anything of it serves.
fn second(story: &mut Story, all: u64, failed: u64) {
    let served = shown(story).starts_with("v2") && !shown(story).starts_with("v2 0/");
    if let Some(traffic) = story.observed.traffic.as_mut().filter(|_| served) {
        let sums = traffic.answers.entry(story.spec.service.clone()).or_default();
        let sum = sums.entry(version("v2")).or_default();
        let latencies = Latencies::of([all]);
        *sum = sum.plus(&Answers { all, failed, latencies });
    }
    story.pass();
    story.all_up();
    story.now = story.now + Millis::from_secs(1);
}

/// The instances of each version that serve, with the share of clients that v2 has.
fn shown(story: &Story) -> String {
    let route = &story.state.table.routes[0];
    let serving = |label: &str| {
        let serves = |m: &&crate::traffic::Member| {
            m.version == version(label) && m.role == crate::traffic::Role::Serve
        };
        route.members.iter().filter(serves).count()
    };
    let live = route.sessions.versions.iter().find(|live| live.version == version("v2"));
    let share = live.map_or_else(String::new, |live| format!(" {}%", (live.share * 100).div_ceil(1 << 16)));
    format!("v2 {}/{}{share}", serving("v2"), serving("v1"))
}

/// Goes on for so many seconds; tells each change.
fn course(story: &mut Story, seconds: u64, all: u64, failed: u64) -> Vec<String> {
    let mut seen = vec![shown(story)];
    for _ in 0..seconds {
        second(story, all, failed);
        if seen.last() != Some(&shown(story)) {
            seen.push(shown(story));
        }
    }
    seen
}

fn waits(story: &Story) -> Vec<String> {
    decide(&story.input()).waits.iter().map(|wait| wait.sentence(story.now)).collect()
}

fn over(story: &Story) -> String {
    assert!(story.state.deployment.is_none(), "{:?}", story.state.deployment);
    story.told.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn a_good_version_goes_from_step_to_step_and_the_old_pool_stays_whole() {
    let mut story = begun(&["5% for 10s", "50% for 10s"]);
    assert_eq!(
        course(&mut story, 50, 100, 0),
        ["v2 0/4", "v2 0/4 0%", "v2 1/4 5%", "v2 2/4 50%", "v2 4/0 100%", "v2 4/0"]
    );
    assert!(over(&story).starts_with("finished: v1 → v2 in"), "{}", over(&story));
}

#[test]
fn a_step_lasts_its_time_however_good_the_version_is() {
    let mut story = begun(&["5% for 10m"]);
    course(&mut story, 300, 1_000, 0);
    assert_eq!(shown(&story), "v2 1/4 5%");
    let wait = waits(&story).join("; ");
    assert!(
        wait.starts_with("step 1 of 1 (5%): its clients are at the new version for another 5m"),
        "{wait}"
    );
}

#[test]
fn a_worse_version_goes_back_by_one_swap_as_soon_as_that_is_sure() {
    let mut story = begun(&["5% for 10m"]);
    course(&mut story, 10, 100, 0);
    assert_eq!(course(&mut story, 60, 100, 10).last().map(String::as_str), Some("v2 0/4"));
    let told = over(&story);
    assert!(told.contains("rolled back to v1") && told.contains("> 1%"), "{told}");
    assert!(told.contains("capacity never below 4/4"), "{told}");
}

#[test]
fn doubt_takes_time_and_then_it_goes_back() {
    let mut story = begun(&["5% for 10s"]);
    // Beyond the limit, but by so little that it may be chance.
    course(&mut story, 10, 10, 0);
    if let Some(traffic) = &mut story.observed.traffic {
        let sums = traffic.answers.get_mut(&story.spec.service).unwrap();
        sums.get_mut(&version("v2")).unwrap().failed += 3;
    }
    course(&mut story, 10, 10, 0);
    let wait = waits(&story).join("; ");
    assert!(wait.contains("until it is clear: errors") && wait.contains("perhaps by chance"), "{wait}");
    course(&mut story, 40, 0, 0);
    assert!(over(&story).contains("it was not clear in time whether it is good: errors"), "{}", over(&story));
}

#[test]
fn with_too_little_traffic_somebody_is_asked_and_patience_ends() {
    let mut story = begun(&["5% for 10s", "50% for 10s"]);
    course(&mut story, 50, 1, 0);
    let wait = waits(&story).join("; ");
    assert!(
        wait.contains("step 1 of 2 (5%): it waits for somebody") && wait.contains("of 100 answers"),
        "{wait}"
    );
    story.command(&Command::Promote { deployment: None, whole: false, step: Some(1) });
    let late = Command::Promote { deployment: None, whole: false, step: Some(1) };
    course(&mut story, 5, 1, 0);
    assert_eq!(shown(&story), "v2 2/4 50%");
    assert!(matches!(accept(&story.state, &late), Err(Refusal::OtherStep { asked: 1, at: 2, .. })));
    course(&mut story, 120, 1, 0);
    assert!(over(&story).contains("rolled back to v1"), "{}", over(&story));
}

#[test]
fn with_too_little_traffic_it_goes_on_or_back_if_that_was_said() {
    for (unclear, end) in
        [(Unclear::Pass, "finished: v1 → v2 in"), (Unclear::Back, "finished: v1 → v2 rolled back")]
    {
        let mut story = begun(&["5% for 10s"]);
        story.spec.deploy.guard.unclear = unclear;
        course(&mut story, 90, 1, 0);
        assert!(over(&story).starts_with(end), "{unclear:?}: {}", over(&story));
    }
}

#[test]
fn a_canary_is_promoted_past_all_its_steps() {
    let mut story = begun(&["5% for 10m", "50% for 10m"]);
    course(&mut story, 10, 1, 0);
    story.command(&Command::Promote { deployment: None, whole: true, step: None });
    // The one instance that serves does not get the clients of all steps while the others are started.
    assert_eq!(course(&mut story, 5, 1, 0), ["v2 1/4 5%", "v2 4/0 100%"]);
    let phase = story.state.deployment.as_ref().map(|deployment| deployment.phase);
    assert_eq!(phase, Some(Phase::Baking));
    story.command(&Command::Promote { deployment: None, whole: false, step: None });
    course(&mut story, 10, 1, 0);
    assert!(over(&story).starts_with("finished: v1 → v2 in"), "{}", over(&story));
}

#[test]
fn while_it_is_paused_a_canary_takes_no_step() {
    let mut story = begun(&["5% for 10s"]);
    course(&mut story, 8, 100, 0);
    story.command(&Command::Pause { deployment: None });
    course(&mut story, 200, 100, 0);
    assert_eq!(shown(&story), "v2 1/4 5%");
    let promote = Command::Promote { deployment: None, whole: false, step: None };
    assert!(matches!(accept(&story.state, &promote), Err(Refusal::Idle(..))));
    story.command(&Command::Resume { deployment: None });
    course(&mut story, 60, 100, 0);
    assert!(over(&story).starts_with("finished: v1 → v2 in"), "{}", over(&story));
}

#[test]
fn what_died_of_the_old_pool_is_replaced_while_the_canary_goes_on() {
    let mut story = begun(&["5% for 10m"]);
    course(&mut story, 10, 10, 0);
    assert_eq!(shown(&story), "v2 1/4 5%");
    story.end(1, Exit::Signal(9));
    assert_eq!(course(&mut story, 10, 10, 0).last().map(String::as_str), Some("v2 1/4 5%"));
    assert!(story.told.contains("start i6 of v1"), "{}", story.told);
}

#[test]
fn a_proxy_that_counts_anew_begins_a_new_watch() {
    let mut story = begun(&["5% for 10s"]);
    course(&mut story, 8, 30, 0);
    if let Some(traffic) = &mut story.observed.traffic {
        traffic.run += 1;
        traffic.answers.clear();
    }
    course(&mut story, 9, 0, 0);
    let wait = waits(&story).join("; ");
    assert!(wait.contains("0 of 100 answers"), "what the former proxy counted does not count: {wait}");
}

#[test]
fn whoever_is_chosen_is_at_the_new_version_before_all_others() {
    let mut story = Story::with_v1(4);
    let headers = [("x-canary".to_owned(), "1".to_owned())].into();
    let Strategy::Canary(spec) = canary(&["0% for 10m"]) else { unreachable!() };
    story.command(&deploy("v2", Strategy::Canary(CanarySpec { headers, ..spec })));
    course(&mut story, 10, 1, 0);
    assert_eq!(shown(&story), "v2 1/4 0%");
    let sessions = &story.state.table.routes[0].sessions;
    assert!(sessions.chosen.as_ref().is_some_and(|chosen| chosen.by_header("x-canary", "1")));
    assert!(!sessions.pins, "nobody else moves, so nobody is told anything");
    story.command(&Command::Abort { deployment: None });
    course(&mut story, 10, 1, 0);
    assert_eq!(story.state.table.routes[0].sessions.chosen, None);
}

#[test]
fn what_is_passed_is_told_with_what_was_found() {
    let mut story = begun(&["5% for 10s"]);
    course(&mut story, 8, 100, 0);
    story.now = story.now + Millis::from_secs(10);
    let stepped = decide(&story.input()).facts;
    let [Event::Stepped { step: 1, passed: Passed::Good, findings, .. }] = &stepped[..] else {
        panic!("{stepped:?}")
    };
    let found: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(found.iter().any(|finding| finding.starts_with("errors 0%")), "{found:?}");
}

#[test]
fn every_strategy_goes_back_when_its_version_turns_out_worse() {
    for strategy in [Strategy::Rolling(RollingSpec::default()), Strategy::Flip(FlipSpec::default())] {
        let mut story = Story::with_v1(2);
        story.spec.deploy.bake = Millis::from_secs(60);
        story.spec.deploy.guard.errors = Some(ErrorLimit::Share(Share::percent(1)));
        story.command(&deploy("v2", strategy));
        course(&mut story, 90, 100, 20);
        assert!(over(&story).contains("> 1%"), "{}", over(&story));
    }
}

#[test]
fn what_a_canary_takes_is_foreseen() {
    let mut story = Story::with_v1(4);
    story.spec.deploy.guard.p99 = Some("< 1.5x".parse().unwrap());
    let foreseen = crate::deploy::forecast(
        &story.spec,
        &story.state,
        story.now,
        &deploy("v2", canary(&["5% for 12h", "50% for 12h"])),
        None,
    )
    .unwrap();
    assert_eq!((foreseen.figures.peak, foreseen.figures.lowest_capacity), (8, Some(4)));
    let new: Vec<u32> = foreseen.steps.iter().map(|step| step.new).collect();
    let grown: Vec<u32> = [0, 1, 2, 4].into_iter().filter(|serving| new.contains(serving)).collect();
    assert_eq!((grown, new.last()), (vec![0, 1, 2, 4], Some(&4)), "{:?}", foreseen.steps);
}

#[test]
fn what_a_watch_began_with_is_read_back_from_the_journal() {
    let answers = Answers { all: 7, failed: 1, latencies: Latencies::of([3, 0, 4]) };
    let answers = [(version("v2"), answers)].into();
    let event = Event::Watched { deployment: crate::base::DeploymentId(1), run: 5, answers };
    let recorded = crate::workflow::Recorded { at: Timestamp(1), event };
    let text = serde_json::to_string(&recorded).unwrap();
    assert_eq!(serde_json::from_str::<crate::workflow::Recorded>(&text).unwrap(), recorded, "{text}");
}
