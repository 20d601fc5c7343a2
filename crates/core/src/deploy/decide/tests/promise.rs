//! Versions whose instances are asked what they promise.

use super::contract::{comparison, contract};
use super::*;
use crate::contract::Comparison;
use crate::deploy::{Promise, Violation, question};
use crate::traffic::Role;
use crate::workflow::Stage;

/// i2 of v2 is ready, beside i1 of v1; it is asked for its contract.
fn ready(strategy: Strategy, break_contract: bool) -> Story {
    let mut story = Story::with_v1(1);
    story.spec.contract.document = Some("/openapi.json".to_owned());
    let source = "/v2.tar.gz".to_owned();
    story.command(&Command::Deploy { version: version("v2"), source, strategy, break_contract });
    for _ in 0..3 {
        story.pass();
    }
    story.all_up();
    story.told.clear();
    story.pass();
    assert!(story.told.contains("i2 is asked for its contract at /openapi.json before"), "{}", story.told);
    assert_eq!(question(&story.spec, &story.state).map(|asked| asked.instance), Some(InstanceId(2)));
    story
}

fn flip() -> Story {
    ready(Strategy::Flip(FlipSpec::default()), false)
}

impl Story {
    fn answers(&mut self, instance: u64, promise: Promise) {
        self.observed.promise = Some((InstanceId(instance), promise));
        self.told.clear();
        self.pass();
    }

    fn is_served(&self) -> bool {
        self.state.of_version(&version("v2")).any(|(_, instance)| instance.stage == Stage::Serving)
    }
}

#[test]
fn the_first_requests_wait_for_what_is_promised() {
    for strategy in [Strategy::Flip(FlipSpec::default()), Strategy::Rolling(RollingSpec::default())] {
        let mut story = ready(strategy, false);
        // What another instance said, or nobody, says nothing.
        story.answers(1, Promise::Told(contract(&["/"]), Comparison::default()));
        assert!(!story.is_served(), "{}", story.told);
        story.answers(2, Promise::Told(contract(&["/"]), Comparison::default()));
        assert!(story.is_served(), "{}", story.told);
        assert_eq!(story.state.releases[&version("v2")].contract, Some(contract(&["/"])));
        assert_eq!(question(&story.spec, &story.state), None);
    }
}

#[test]
fn what_clients_call_is_not_broken_unless_that_is_meant() {
    let broken = || Promise::Told(contract(&["/"]), comparison(7, true));
    let mut story = flip();
    story.answers(2, broken());
    assert!(
        story.told.contains("turns back: it would break clients; GET /orders/{id} is gone"),
        "{}",
        story.told
    );
    assert!(!story.is_served() && question(&story.spec, &story.state).is_none());
    let mut story = ready(Strategy::Flip(FlipSpec::default()), true);
    story.answers(2, broken());
    assert!(story.is_served(), "{}", story.told);
    let receipt = crate::workflow::Receipt::of(story.state.deployment.as_ref().unwrap(), 1, None, story.now);
    assert_eq!(receipt.broken, 1);
}

#[test]
fn no_answer_is_waited_for_as_long_as_a_probe_and_a_wrong_one_is_not() {
    let mut story = flip();
    let within = story.spec.run.ready.within;
    story.answers(2, Promise::Unanswered("connection refused".to_owned()));
    assert!(story.told.contains("requests (connection refused); it has"), "{}", story.told);
    story.now = story.now + within;
    // Nobody has asked: a controller that was away has nothing to go by.
    story.observed.promise = None;
    story.pass();
    assert!(story.state.deployment.as_ref().unwrap().turned_back().is_none());
    let told = "turns back: the contract of i2 can't be used: ";
    story.answers(2, Promise::Unanswered("connection refused".to_owned()));
    assert!(story.told.contains(&format!("{told}connection refused")), "{}", story.told);
    let mut story = flip();
    story.answers(2, Promise::Unusable("the answer is 404".to_owned()));
    assert!(story.told.contains(&format!("{told}the answer is 404")), "{}", story.told);
}

#[test]
fn a_version_that_comes_again_is_compared_again_and_the_way_back_asks_nothing() {
    let mut story = flip();
    story.answers(2, Promise::Told(contract(&["/"]), Comparison::default()));
    for _ in 0..60 {
        story.pass();
        story.all_up();
        story.now = story.now + Millis::from_secs(1);
    }
    assert!(story.state.deployment.is_none());
    let strategy = Strategy::Flip(FlipSpec { warm: Millis::ZERO });
    story.command(&Command::Rollback { to: None, strategy: strategy.clone() });
    for _ in 0..60 {
        assert_eq!(question(&story.spec, &story.state), None);
        story.pass();
        story.all_up();
        story.now = story.now + Millis::from_secs(1);
    }
    assert_eq!(story.state.current, Some(version("v1")));
    story.command(&deploy("v2", strategy));
    for _ in 0..3 {
        story.pass();
        story.all_up();
    }
    // What it promised is known, and not whether that fits by now.
    assert_eq!(story.state.releases[&version("v2")].contract, Some(contract(&["/"])));
    assert!(question(&story.spec, &story.state).is_some() && !story.is_served(), "{}", story.told);
}

#[test]
fn the_plan_checker_lets_no_table_give_requests_to_whoever_told_nothing() {
    let mut story = flip();
    let mut table = story.state.table.clone();
    table.generation = story.state.last_generation.next();
    let new = table.routes[0].members.iter_mut().find(|member| member.instance == InstanceId(2)).unwrap();
    new.role = Role::Serve;
    let actions = [Action::Route { table }];
    let refused = Err(Violation::ServesUntold { instance: InstanceId(2) });
    assert_eq!(check(&story.input(), &actions), refused);
    // Nor one that was on its way out before it had any.
    story.state.instances.get_mut(&InstanceId(2)).unwrap().stage = Stage::Draining;
    assert_eq!(check(&story.input(), &actions), refused);
    story.state.deployment.as_mut().unwrap().comparison = Some(Comparison::default());
    assert_eq!(check(&story.input(), &actions), Ok(()));
}
