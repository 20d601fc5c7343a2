//! Commands that are asked whether a deployment may go on.

use super::*;
use crate::base::DeploymentId;
use crate::deploy::{Asked, Rounds, Violation, Wait, call, watch_call};
use crate::spec::Moment;
use crate::traffic::Role;
use crate::workflow::Phase;

/// v1 serves by i1, v2 is asked for by a flip, and there is a command at each moment.
fn asked() -> Story {
    let mut story = Story::with_v1(1);
    let command = |name: &str| Some(vec![name.to_owned()]);
    story.spec.hooks.begin = command("bin/begin");
    story.spec.hooks.release = command("bin/release");
    story.spec.hooks.ready = command("bin/ready");
    story.spec.hooks.serving = command("bin/serving");
    story.command(&deploy("v2", Strategy::Flip(FlipSpec { warm: Millis::ZERO })));
    story.some_passes();
    story
}

impl Story {
    fn some_passes(&mut self) {
        for _ in 0..5 {
            self.pass();
            self.all_up();
        }
    }

    fn moment(&self) -> Option<Moment> {
        call(&self.spec, &self.state).map(|call| call.moment)
    }

    fn says(&mut self, deployment: u64, moment: Moment, said: Asked) {
        self.observed.hook = Some((DeploymentId(deployment), moment, said));
        self.told.clear();
        self.some_passes();
    }

    fn agrees(&mut self, moment: Moment) {
        assert_eq!(self.moment(), Some(moment));
        self.says(2, moment, Asked::Agreed { took: Millis(7) });
    }

    fn phase(&self) -> Option<Phase> {
        self.state.deployment.as_ref().map(|deployment| deployment.phase)
    }

    fn served(&self) -> Vec<InstanceId> {
        let members = self.state.table.routes.iter().flat_map(|route| &route.members);
        members.filter(|member| member.role == Role::Serve).map(|member| member.instance).collect()
    }
}

#[test]
fn each_moment_is_waited_for_and_none_is_asked_twice() {
    let mut story = asked();
    assert!(
        story.told.contains("the hook `begin` (bin/begin) has run for 0s; it has 5m left"),
        "{}",
        story.told
    );
    assert!(!story.observed.prepared.contains_key(&version("v2")), "{}", story.told);
    story.agrees(Moment::Begin);
    assert_eq!((story.phase(), story.moment()), (Some(Phase::Shifting), Some(Moment::Release)));
    assert_eq!(story.state.instances.len(), 1, "{}", story.told);
    story.agrees(Moment::Release);
    assert_eq!((story.phase(), story.served()), (Some(Phase::Shifting), vec![InstanceId(1)]));
    let known = call(&story.spec, &story.state).unwrap().instances;
    assert_eq!(known.into_keys().collect::<Vec<_>>(), [InstanceId(2)]);
    story.agrees(Moment::Ready);
    assert_eq!((story.phase(), story.served()), (Some(Phase::Baking), vec![InstanceId(2)]));
    story.now = story.now + Millis::from_secs(600);
    story.some_passes();
    assert_eq!(story.phase(), Some(Phase::Baking), "the way back is kept until the last one agrees");
    story.agrees(Moment::Serving);
    story.some_passes();
    assert_eq!((story.phase(), story.moment()), (None, None));
    assert_eq!(story.state.current, Some(version("v2")));
    assert_eq!(story.state.pace.hooks[&Moment::Ready].typical(), Some(Millis(7)));
    // A rollback brings nothing new.
    let strategy = Strategy::Flip(FlipSpec { warm: Millis::ZERO });
    story.command(&Command::Rollback { to: None, strategy });
    story.some_passes();
    assert_eq!((story.moment(), story.served()), (None, vec![InstanceId(3)]));
}

#[test]
fn whoever_objects_turns_the_deployment_back() {
    let objection = || Asked::Objected("failed (exit status: 1): no such page".to_owned());
    let mut story = asked();
    // What was said of another deployment, or at another moment, says nothing.
    story.says(1, Moment::Begin, objection());
    story.says(2, Moment::Ready, objection());
    assert_eq!(story.phase(), Some(Phase::Preparing));
    story.says(2, Moment::Begin, objection());
    assert!(
        story.told.contains("turns back: the hook `begin` failed (exit status: 1): no such page"),
        "{}",
        story.told
    );
    assert_eq!(story.served(), [InstanceId(1)]);
    let mut story = asked();
    story.agrees(Moment::Begin);
    story.agrees(Moment::Release);
    story.agrees(Moment::Ready);
    story.says(2, Moment::Serving, objection());
    assert!(story.told.contains("turns back: the hook `serving` failed"), "{}", story.told);
    assert_eq!(story.served(), [InstanceId(1)]);
}

#[test]
fn a_wait_tells_how_long_it_has_lasted() {
    let mut story = asked();
    let (since, until) = (story.now, story.now + Millis::from_secs(60));
    story.now = story.now + Millis::from_secs(20);
    story.says(2, Moment::Begin, Asked::Running { since, until });
    let waits = decide(&story.input()).waits;
    let hook = waits.iter().find(|wait| matches!(wait, Wait::Hook { .. })).unwrap();
    assert_eq!(hook.sentence(story.now), "the hook `begin` (bin/begin) has run for 20s; it has 40s left");
}

#[test]
fn the_plan_checker_lets_nothing_go_on_unasked() {
    let mut story = asked();
    let prepare = [Action::Prepare { version: version("v2"), source: "/v2.tar.gz".to_owned() }];
    let unasked = |moment| Err(Violation::Unasked { version: version("v2"), moment });
    assert_eq!(check(&story.input(), &prepare), unasked(Moment::Begin));
    story.agrees(Moment::Begin);
    let start = [Action::Start { instance: InstanceId(2), version: version("v2") }];
    assert_eq!(check(&story.input(), &start), unasked(Moment::Release));
    story.agrees(Moment::Release);
    let mut table = story.state.table.clone();
    table.generation = story.state.last_generation.next();
    let new = table.routes[0].members.iter_mut().find(|member| member.instance == InstanceId(2)).unwrap();
    new.role = Role::Serve;
    assert_eq!(check(&story.input(), &[Action::Route { table }]), unasked(Moment::Ready));
}

#[test]
fn what_the_team_watches_turns_back_when_it_fails_too_often() {
    let mut story = Story::with_v1(1);
    story.spec.hooks.watch = Some(vec!["bin/watch".to_owned()]);
    story.command(&deploy("v2", Strategy::Flip(FlipSpec { warm: Millis::from_secs(60) })));
    assert_eq!(watch_call(&story.spec, &story.state), None, "nobody has met it yet");
    story.some_passes();
    assert_eq!(watch_call(&story.spec, &story.state).map(|call| call.moment), Some(Moment::Watch));
    let mut rounds = Rounds::default();
    for outcome in
        [Ok(()), Err("failed: p99 is 2 s".to_owned()), Ok(()), Err("failed: p99 is 2 s".to_owned())]
    {
        rounds.take(outcome);
        story.observed.rounds = Some((DeploymentId(2), rounds.clone()));
        story.some_passes();
        assert_eq!(story.served(), [InstanceId(2)], "{}", story.told);
    }
    rounds.take(Err("failed: p99 is 3 s".to_owned()));
    story.observed.rounds = Some((DeploymentId(2), rounds));
    story.some_passes();
    let told = "turns back: failures in a row of the hook `watch` 2 >= 2: it failed: p99 is 3 s";
    assert!(story.told.contains(told), "{}", story.told);
    assert_eq!((story.served(), watch_call(&story.spec, &story.state)), (vec![InstanceId(1)], None));
}
