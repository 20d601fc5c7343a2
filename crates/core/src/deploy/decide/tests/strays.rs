//! New instances that use the database and not as their revision.

use super::*;
use crate::database::{Change, ChangePhase, Session};
use crate::deploy::Violation;
use crate::spec::{Access, Naming};
use crate::traffic::Role;
use crate::workflow::Stage;

fn session(pid: i32, age: u64, revision: Option<&str>) -> Session {
    let (user, application) = ("shop".to_owned(), "worker".to_owned());
    let revision = revision.map(|name| name.parse().unwrap());
    Session { pid, user, application, age: Millis::from_secs(age), revision }
}

impl Story {
    fn database(&mut self) -> &mut ObservedDatabase {
        self.observed.database.as_mut().unwrap()
    }

    /// The database is looked at now: i2 has these sessions.
    fn looked(&mut self, sessions: Vec<Session>) {
        let at = self.now;
        self.database().at = at;
        self.database().sessions = BTreeMap::from([(InstanceId(2), sessions)]);
        self.told.clear();
        self.pass();
    }

    /// i2 has requests.
    fn serves(&self) -> bool {
        self.state.instances[&InstanceId(2)].stage == Stage::Serving
    }
}

/// i2 of v2 is ready, beside i1 of v1; both revisions are served.
fn ready(strategy: Strategy) -> Story {
    let mut story = Story::with_v1(1);
    with_schema(&mut story, strategy);
    let change = Change { from: "1_a".parse().ok(), to: "2_b".parse().unwrap(), phase: ChangePhase::Mixed };
    story.pass();
    story.database().standing.change = Some(change);
    for _ in 0..3 {
        story.pass();
        story.now = story.now + Millis::from_secs(1);
    }
    story.told.clear();
    story.all_up();
    story.pass();
    assert!(story.told.contains("sessions of i2 are looked at before it gets requests"), "{}", story.told);
    story
}

fn flip() -> Story {
    ready(Strategy::Flip(FlipSpec::default()))
}

#[test]
fn whoever_uses_its_revision_or_nothing_gets_requests() {
    for sessions in [vec![], vec![session(7, 9, None), session(8, 0, Some("2_b"))]] {
        let mut story = flip();
        story.looked(sessions);
        assert!(story.serves(), "{}", story.told);
    }
}

#[test]
fn a_new_instance_whose_sessions_are_of_no_revision_is_refused_before_the_switch() {
    let mut story = flip();
    story.looked(vec![session(7, 1, None)]);
    assert!(story.told.contains("new and not of its revision yet; they have 2s left"), "{}", story.told);
    assert!(!story.serves(), "{}", story.told);
    story.now = story.now + Millis::from_secs(2);
    story.looked(vec![session(7, 3, None), session(9, 60, None), session(8, 0, None)]);
    insta::assert_snapshot!(story.told);
}

#[test]
fn an_app_that_names_itself_is_refused_only_for_the_name_of_another_revision() {
    let mut story = flip();
    story.spec.database.application_name = Naming::Own;
    story.looked(vec![session(7, 9, None)]);
    assert!(story.serves(), "{}", story.told);
    let mut story = flip();
    story.spec.database.application_name = Naming::Own;
    story.looked(vec![session(7, 9, Some("1_a"))]);
    assert!(story.told.contains("turns back: i2 of v2 uses the database"), "{}", story.told);
    assert!(story.told.contains("(the one in use is of 1_a)"), "{}", story.told);
}

#[test]
fn a_name_of_its_own_excuses_nobody_who_has_a_role() {
    let mut story = flip();
    (story.spec.database.application_name, story.spec.database.access) = (Naming::Own, Access::Role);
    story.looked(vec![session(7, 9, None)]);
    assert!(story.told.contains("turns back: i2 of v2 uses the database"), "{}", story.told);
    assert!(!story.told.contains("application_name"), "{}", story.told);
}

#[test]
fn what_was_seen_before_it_was_ready_or_is_not_seen_at_all_is_waited_for() {
    let mut story = flip();
    let before = story.now - Millis::from_secs(1);
    story.database().at = before;
    story.pass();
    assert!(!story.serves(), "{}", story.told);
    story.observed.database = None;
    story.told.clear();
    story.pass();
    assert!(story.told.contains("the database does not answer"), "{}", story.told);
    assert!(!story.serves(), "{}", story.told);
}

#[test]
fn a_session_that_comes_with_the_first_requests_is_told_after_a_flip() {
    let mut story = flip();
    story.spec.deploy.bake = Millis::from_secs(60);
    story.looked(vec![]);
    story.pass();
    story.now = story.now + Millis::from_secs(9);
    story.looked(vec![session(7, 3, None)]);
    assert!(!story.told.contains("turns back"), "{}", story.told);
    assert_eq!(crate::deploy::strays(&story.input()).len(), 1);
    let remembered = story.state.deployment.as_ref().and_then(|deployment| deployment.stray.clone());
    assert_eq!(remembered.map(|stray| stray.brief()).unwrap(), "i2 does not use the database as 2_b");
}

#[test]
fn a_rolling_deployment_goes_no_further_with_it() {
    let mut story = ready(Strategy::Rolling(RollingSpec::default()));
    story.spec.run.instances = 3;
    story.looked(vec![]);
    assert!(story.serves(), "{}", story.told);
    story.looked(vec![session(7, 3, None)]);
    assert!(story.told.contains("turns back: i2 of v2 uses the database"), "{}", story.told);
}

#[test]
fn the_plan_checker_lets_no_table_give_requests_to_whoever_was_not_looked_at() {
    let mut story = flip();
    let mut table = story.state.table.clone();
    table.generation = story.state.last_generation.next();
    let new = table.routes[0].members.iter_mut().find(|member| member.instance == InstanceId(2)).unwrap();
    new.role = Role::Serve;
    let actions = [Action::Route { table }];
    let refused = Err(Violation::ServesStray { instance: InstanceId(2) });
    assert_eq!(check(&story.input(), &actions), refused);
    let now = story.now;
    story.database().at = now;
    assert_eq!(check(&story.input(), &actions), Ok(()));
}
