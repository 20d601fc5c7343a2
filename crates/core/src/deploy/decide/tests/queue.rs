//! What comes by itself: which one is deployed, when, and what is told of the others.

use super::*;
use crate::base::Digest;
use crate::deploy::{Calendar, ObservedSource, Refusal, Zone, to_be_checked};
use crate::workflow::{Deliverable, Mark, Origin, QueueStanding};

fn digest(number: u64) -> Digest {
    format!("d{number:x}").parse().unwrap()
}

fn deliverable(number: u64) -> Deliverable {
    let mark = Mark { modified: Timestamp(number), size: 1 };
    Deliverable {
        digest: digest(number),
        version: version(&format!("v{number}")),
        source: format!("/inbox/{}", digest(number)),
        origin: Origin::Folder { file: format!("shop-v{number}.tar.gz"), mark },
        hotfix: false,
    }
}

fn offer(number: u64) -> Command {
    Command::Offer { deliverable: deliverable(number) }
}

fn hotfix(number: u64) -> Command {
    Command::Offer { deliverable: Deliverable { hotfix: true, ..deliverable(number) } }
}

/// A service with one instance, for which deliverables come by themselves.
fn watched() -> Story {
    let mut story = Story::with_v1(1);
    story.spec.source.folder = Some("incoming".to_owned());
    story.spec.deploy.strategy = crate::spec::StrategyKind::Flip;
    story.spec.deploy.flip.warm = Millis::ZERO;
    story.spec.deploy.bake = Millis::ZERO;
    // 2026-03-24, a Tuesday, at ten.
    set_clock(&mut story, 1_774_346_400_000);
    story
}

fn set_clock(story: &mut Story, wall: u64) {
    let utc = Zone { offsets: vec![(Timestamp(0), 0)] };
    let zones = BTreeMap::from([("UTC".to_owned(), utc)]);
    let calendar = Calendar { wall: Timestamp(wall), zones };
    story.observed.source = Some(ObservedSource { calendar, check: None });
}

/// Goes on until nothing is being deployed.
fn settle(story: &mut Story) {
    for _ in 0..40 {
        story.pass();
        story.all_up();
        story.now = story.now + Millis(100);
    }
    assert!(story.state.deployment.is_none(), "{}", story.told);
}

fn standing(story: &Story, number: u64) -> String {
    story.state.queue.entry(&digest(number)).map_or("unknown".to_owned(), |entry| entry.standing.to_string())
}

fn current(story: &Story) -> &str {
    story.state.current.as_ref().unwrap().as_str()
}

#[test]
fn the_newest_is_deployed_and_those_it_overtook_are_named() {
    let mut story = watched();
    story.command(&offer(2));
    story.pass();
    assert_eq!(standing(&story, 2), "being deployed by d2");
    for number in 3..=9 {
        story.command(&offer(number));
        // The same once more changes nothing.
        story.command(&offer(number));
        story.pass();
    }
    assert!(story.told.contains("v9 came 0s ago and waits until d2 to v2 is over"), "{}", story.told);
    settle(&mut story);
    assert_eq!(current(&story), "v9");
    assert_eq!(standing(&story, 2), "deployed by d2");
    assert_eq!(standing(&story, 3), "superseded by v4");
    assert_eq!(standing(&story, 8), "superseded by v9");
    assert_eq!(standing(&story, 9), "deployed by d3");
}

#[test]
fn no_deployment_begins_in_a_freeze_or_outside_the_windows_but_a_hotfix() {
    let mut story = watched();
    story.spec.source.windows = vec!["Tue 09:00-12:00".parse().unwrap()];
    story.spec.source.freezes = vec!["Tue 09:30-11:00".parse().unwrap()];
    story.command(&offer(2));
    settle(&mut story);
    assert_eq!((current(&story), standing(&story, 2).as_str()), ("v1", "waiting"));
    let frozen = "v2 came 3s ago and waits for the end of the freeze Tue 09:30-11:00 UTC, in 1h";
    assert!(story.told.contains(frozen), "{}", story.told);
    // It is Tandem's own clock by which it looks again.
    let decision = decide(&story.input());
    assert_eq!(decision.wake_at, Some(story.now + Millis::from_secs(3600)));

    story.command(&hotfix(3));
    settle(&mut story);
    assert_eq!((current(&story), standing(&story, 2).as_str()), ("v3", "superseded by v3"));

    story.command(&offer(4));
    set_clock(&mut story, 1_774_346_400_000 + 3_599_999);
    settle(&mut story);
    assert_eq!(standing(&story, 4), "waiting");
    // The clock is set: what counts is what it shows.
    set_clock(&mut story, 1_774_346_400_000 + 7_200_000);
    settle(&mut story);
    assert_eq!(standing(&story, 4), "waiting");
    set_clock(&mut story, 1_774_346_400_000 + 3_600_000);
    settle(&mut story);
    assert_eq!(current(&story), "v4");
}

#[test]
fn without_a_clock_nothing_begins_that_waits_for_one() {
    let mut story = watched();
    story.spec.source.windows = vec!["Mon-Sun".parse().unwrap()];
    story.observed.source = None;
    story.command(&offer(2));
    settle(&mut story);
    assert_eq!(standing(&story, 2), "waiting");
    assert!(story.told.contains("waits until the clocks of UTC are known"), "{}", story.told);
}

#[test]
fn an_interval_is_by_the_clock_that_nobody_sets() {
    let mut story = watched();
    story.spec.source.interval = Millis::from_secs(600);
    let began = story.state.queue.last_began.unwrap();
    story.command(&offer(2));
    // A clock at the wall that jumps by a year is none of its business.
    set_clock(&mut story, 1_774_346_400_000 + 365 * 86_400_000);
    settle(&mut story);
    assert_eq!(standing(&story, 2), "waiting");
    story.now = began + Millis(599_999);
    story.pass();
    assert_eq!(standing(&story, 2), "waiting");
    story.now = began + Millis::from_secs(600);
    settle(&mut story);
    assert_eq!(current(&story), "v2");
    story.command(&hotfix(3));
    settle(&mut story);
    assert_eq!(current(&story), "v3", "hotfixes wait for no interval");
}

#[test]
fn what_went_back_pauses_the_source_and_is_not_tried_again_by_itself() {
    let mut story = watched();
    story.command(&offer(2));
    story.pass();
    story.command(&Command::Abort { deployment: None });
    story.command(&offer(3));
    settle(&mut story);
    assert_eq!(standing(&story, 2), "went back in d2: somebody asked for it");
    assert_eq!((current(&story), standing(&story, 3).as_str()), ("v1", "waiting"));
    let paused = "waits for `tandem source resume`; the source is paused because v2 went back (d2): somebody asked for it";
    assert!(story.told.contains(paused), "{}", story.told);
    assert!(matches!(
        accept(&story.state, &Command::PauseSource { why: "x".to_owned() }),
        Err(Refusal::SourcePaused(_))
    ));
    story.command(&Command::ResumeSource);
    assert_eq!(accept(&story.state, &Command::ResumeSource), Err(Refusal::SourceNotPaused));
    settle(&mut story);
    assert_eq!(current(&story), "v3");

    // Somebody goes back from what came by itself: it may have been all that is wrong, or not.
    story.command(&Command::Rollback { to: None, strategy: Strategy::Flip(FlipSpec { warm: Millis::ZERO }) });
    story.command(&offer(4));
    settle(&mut story);
    assert_eq!((current(&story), standing(&story, 4).as_str()), ("v1", "waiting"));
    assert!(standing(&story, 3).starts_with("went back in d4"), "{}", standing(&story, 3));
    // The same content under another name.
    let again = Deliverable { version: version("v3b"), ..deliverable(3) };
    story.command(&Command::Offer { deliverable: again });
    settle(&mut story);
    assert_eq!(current(&story), "v1");

    // Somebody who deploys is at hand; and what waited is older than what they deployed.
    story.command(&deploy("v5", Strategy::Flip(FlipSpec { warm: Millis::ZERO })));
    settle(&mut story);
    assert_eq!((current(&story), standing(&story, 4).as_str()), ("v5", "superseded by v5"));
    assert_eq!(story.state.queue.paused, None);
    story.command(&offer(6));
    settle(&mut story);
    assert_eq!(current(&story), "v6");
}

#[test]
fn content_that_went_back_is_declined_also_when_it_is_forgotten() {
    let mut story = watched();
    story.command(&offer(2));
    story.pass();
    story.command(&Command::Abort { deployment: None });
    settle(&mut story);
    story.state.queue.entries.clear();
    story.command(&offer(2));
    let declined = &story.state.queue.declined[0];
    assert!(declined.why.contains("went back from this content"), "{declined:?}");
    assert!(story.state.queue.knows_file("shop-v2.tar.gz", Mark { modified: Timestamp(2), size: 1 }));
    assert!(!story.state.queue.knows_file("shop-v2.tar.gz", Mark { modified: Timestamp(3), size: 1 }));
}

#[test]
fn a_label_stands_for_one_content() {
    let mut story = watched();
    let other = Deliverable { version: version("v1"), ..deliverable(7) };
    story.command(&Command::Offer { deliverable: other });
    assert!(story.state.queue.declined[0].why.contains("the label v1 belongs to other content"));
    let same = Deliverable { digest: "ab".parse().unwrap(), ..deliverable(8) };
    story.command(&Command::Offer { deliverable: same });
    assert_eq!(story.state.queue.declined[1].why, "this content serves already, as v1");
    settle(&mut story);
    assert_eq!(current(&story), "v1");
}

#[test]
fn nothing_is_deployed_before_it_is_checked_and_approved() {
    let mut story = watched();
    story.spec.source.check = Some(vec!["check".to_owned()]);
    story.spec.source.approve = true;
    story.command(&offer(2));
    settle(&mut story);
    let told = ["v2 came 3s ago and waits until it has passed its check", "waits until somebody approves it"];
    assert!(told.iter().all(|told| story.told.contains(told)), "{}", story.told);
    let asked = |story: &Story| {
        to_be_checked(&story.spec, &story.state).map(|entry| entry.deliverable.version.to_string())
    };
    assert_eq!(asked(&story).as_deref(), Some("v2"));

    // What was checked is overtaken meanwhile: that says nothing of the next one.
    story.command(&offer(3));
    story.observed.source.as_mut().unwrap().check = Some((digest(2), Ok(())));
    settle(&mut story);
    assert_eq!(asked(&story).as_deref(), Some("v3"));
    story.observed.source.as_mut().unwrap().check = Some((digest(3), Err("exit code 1".to_owned())));
    settle(&mut story);
    assert_eq!(standing(&story, 3), "refused: exit code 1");
    story.command(&offer(3));
    assert_eq!(standing(&story, 3), "waiting", "handed over once more it is looked at once more");
    settle(&mut story);

    story.command(&hotfix(4));
    let approve = |number| Command::Approve { digest: digest(number) };
    story.command(&approve(4));
    story.command(&approve(4));
    settle(&mut story);
    assert_eq!(standing(&story, 4), "waiting", "a hotfix is checked, too");
    story.observed.source.as_mut().unwrap().check = Some((digest(4), Ok(())));
    settle(&mut story);
    assert_eq!(current(&story), "v4");
    assert!(matches!(accept(&story.state, &approve(4)), Err(Refusal::NotWaiting { .. })));
    assert!(matches!(accept(&story.state, &approve(9)), Err(Refusal::NotQueued(_))));
}

#[test]
fn what_comes_after_a_hotfix_waits_behind_it() {
    let mut story = watched();
    story.spec.source.approve = true;
    story.command(&hotfix(2));
    story.command(&offer(3));
    settle(&mut story);
    assert_eq!((standing(&story, 2).as_str(), standing(&story, 3).as_str()), ("waiting", "waiting"));
    // Who deploys the later one does not get the earlier one after it.
    story.command(&Command::Approve { digest: digest(3) });
    settle(&mut story);
    assert_eq!((current(&story), standing(&story, 2).as_str()), ("v3", "superseded by v3"));
}

#[test]
fn only_so_many_are_remembered_and_what_is_forgotten_does_not_come_again() {
    let mut story = watched();
    story.spec.source.approve = true;
    for number in 2..1000 {
        story.command(&offer(number));
    }
    assert_eq!(story.state.queue.entries.len(), 201);
    assert!(story.state.queue.entries.last().is_some_and(|entry| entry.waits()));
    assert_eq!(standing(&story, 2), "unknown");
    assert!(story.state.queue.knows_file("shop-v2.tar.gz", Mark { modified: Timestamp(2), size: 1 }));
    assert!(!story.state.queue.knows_file("shop-v1000.tar.gz", Mark { modified: Timestamp(1000), size: 1 }));
    for number in 0..1000 {
        let name = format!("{number}");
        story.command(&Command::Decline { name, mark: None, why: String::new() });
    }
    assert_eq!(story.state.queue.declined.len(), 200);
}

#[test]
fn what_waits_is_no_part_of_a_forecast() {
    let mut story = watched();
    story.spec.source.approve = true;
    story.command(&offer(2));
    story.spec.source.approve = false;
    let forecast = crate::deploy::forecast(
        &story.spec,
        &story.state,
        story.now,
        &deploy("v9", Strategy::Flip(FlipSpec::default())),
        None,
    );
    assert!(forecast.unwrap().steps.iter().all(|step| !step.what.contains("v2")));
    assert_eq!(story.state.queue.entries[0].standing, QueueStanding::Waiting);
}
