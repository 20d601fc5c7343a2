//! Decisions as readable cases: a small world is described, the decision is read like a story.

mod canary;
mod contract;
mod forecast;
mod gate;
mod hook;
mod promise;
mod queue;
mod sessions;
mod strays;

use std::collections::BTreeMap;

use crate::base::{InstanceId, Millis, Revision, Timestamp, VersionLabel};
use crate::database::{Job, ObservedDatabase, Standing, Work};
use crate::deploy::{Command, Input, Observed, Preparation, accept, check, decide};
use crate::fleet::{Exit, ObservedInstance, RunStatus};
use crate::spec::{FlipSpec, RollingSpec, ServiceSpec, Strategy};
use crate::traffic::{Health, InFlight, InstanceReport, TrafficReport};
use crate::workflow::{Action, Event, Outcome, State};

fn spec(instances: u32) -> ServiceSpec {
    let address = "127.0.0.1:8080".parse().unwrap();
    let mut spec = ServiceSpec::new("shop".parse().unwrap(), vec!["bin/shop".to_owned()], address);
    spec.run.instances = instances;
    spec
}

fn version(label: &str) -> VersionLabel {
    label.parse().unwrap()
}

fn deploy(label: &str, strategy: Strategy) -> Command {
    Command::Deploy {
        version: version(label),
        source: format!("/{label}.tar.gz"),
        strategy,
        break_contract: false,
    }
}

/// A world that is carried along by hand.
struct Story {
    spec: ServiceSpec,
    state: State,
    observed: Observed,
    now: Timestamp,
    told: String,
}

impl Story {
    /// v1 serves with so many instances.
    fn with_v1(instances: u32) -> Story {
        let mut story = Story {
            spec: spec(instances),
            state: State::default(),
            observed: Observed { traffic: Some(TrafficReport::default()), ..Observed::default() },
            now: Timestamp(0),
            told: String::new(),
        };
        story.command(&deploy("v1", Strategy::Flip(FlipSpec { warm: Millis::ZERO })));
        for _ in 0..40 {
            story.pass();
            story.all_up();
            story.now = story.now + Millis::from_secs(1);
        }
        assert!(story.state.deployment.is_none());
        story.told.clear();
        story
    }

    fn command(&mut self, command: &Command) {
        for event in accept(&self.state, command).unwrap() {
            self.state.apply(self.now, &event).unwrap();
        }
    }

    /// One pass: facts are recorded, actions take effect, all of it is told.
    fn pass(&mut self) {
        for _ in 0..20 {
            let decision = decide(&self.input());
            if decision.facts.is_empty() {
                check(&self.input(), &decision.actions).unwrap();
                for wait in &decision.waits {
                    self.told.push_str(&format!("  waits: {}\n", wait.sentence(self.now)));
                }
                decision.actions.into_iter().for_each(|action| self.act(action));
                return;
            }
            for fact in &decision.facts {
                self.tell_fact(fact);
                self.state.apply(self.now, fact).unwrap();
            }
        }
        panic!("no rest");
    }

    fn input(&self) -> Input<'_> {
        Input { now: self.now, spec: &self.spec, state: &self.state, observed: &self.observed }
    }

    fn tell_fact(&mut self, fact: &Event) {
        let text = match fact {
            Event::TurnedBack { reason, .. } => format!("turns back: {reason}"),
            Event::Entered { phase, .. } => format!("enters {phase}"),
            Event::Finished { receipt, .. } => format!("finished: {receipt}"),
            Event::Ready { instance } => format!("{instance} is ready"),
            Event::Ended { instance, exit, .. } => format!("{instance} {exit}"),
            Event::CapacityFell { serving, .. } => format!("capacity {serving}"),
            _ => return,
        };
        self.told.push_str(&format!("{text}\n"));
    }

    fn act(&mut self, action: Action) {
        self.told.push_str(&format!("  does: {action}\n"));
        self.state.apply(self.now, &Event::Begun { action: action.clone() }).unwrap();
        let outcome = match action {
            Action::Prepare { version, source } => {
                // What is kept by its digest has that one.
                let digest = source.rsplit('/').next().and_then(|name| name.parse().ok());
                let digest = digest.unwrap_or_else(|| "ab".parse().unwrap());
                let ready = Preparation::Ready { digest, revision: None, key: None, contract: None };
                self.observed.prepared.insert(version.clone(), ready);
                Outcome::Preparing { version }
            }
            Action::Start { instance, version } => {
                let address = format!("127.0.0.1:{}", 20_000 + instance.0).parse().unwrap();
                let status = RunStatus::Running;
                self.observed.instances.insert(instance, ObservedInstance { version, address, status });
                Outcome::Started { instance, address }
            }
            Action::Schema { job } => Outcome::Working { job },
            Action::Route { table } => {
                let traffic = self.observed.traffic.as_mut().unwrap();
                traffic.generation = table.generation;
                for member in table.routes.iter().flat_map(|r| &r.members) {
                    traffic.instances.entry(member.instance).or_default();
                }
                Outcome::Routed { generation: table.generation }
            }
            Action::Stop { instance } => {
                self.end(instance.0, Exit::Code(0));
                Outcome::Stopping { instance }
            }
            Action::Remove { instance } => {
                self.observed.instances.remove(&instance);
                Outcome::Removed { instance }
            }
        };
        self.state.apply(self.now, &Event::Done { outcome }).unwrap();
    }

    fn report(&mut self, id: u64) -> &mut InstanceReport {
        self.observed.traffic.as_mut().unwrap().instances.entry(InstanceId(id)).or_default()
    }

    fn up(&mut self, id: u64) {
        self.report(id).health = Health::Up;
    }

    fn all_up(&mut self) {
        self.observed.traffic.as_mut().unwrap().instances.values_mut().for_each(|i| i.health = Health::Up);
    }

    fn end(&mut self, id: u64, exit: Exit) {
        self.observed.instances.get_mut(&InstanceId(id)).unwrap().status = RunStatus::Exited(exit);
        self.report(id).health = Health::Down { last: "connection refused".to_owned() };
    }
}

#[test]
fn rolling_replaces_one_at_a_time_and_waits_for_what_is_in_flight() {
    let mut story = Story::with_v1(2);
    story.command(&deploy("v2", Strategy::Rolling(RollingSpec::default())));
    story.pass();
    story.pass();
    story.pass();
    story.up(3);
    story.report(1).in_flight = InFlight { requests: 2, ..InFlight::default() };
    story.pass();
    story.pass();
    story.now = story.now + Millis::from_secs(2);
    story.report(1).in_flight = InFlight::default();
    story.pass();
    story.pass();
    insta::assert_snapshot!(story.told);
}

#[test]
fn a_flip_waits_for_the_whole_pool_and_swaps_once() {
    let mut story = Story::with_v1(2);
    story.command(&deploy("v2", Strategy::Flip(FlipSpec { warm: Millis::from_secs(30) })));
    story.pass();
    story.pass();
    story.pass();
    story.up(3);
    story.pass();
    story.up(4);
    story.pass();
    story.pass();
    insta::assert_snapshot!(story.told);
}

#[test]
fn a_new_pool_that_dies_after_the_flip_is_left_by_one_swap() {
    let mut story = Story::with_v1(2);
    story.command(&deploy("v2", Strategy::Flip(FlipSpec { warm: Millis::from_secs(30) })));
    story.pass();
    story.pass();
    story.pass();
    story.all_up();
    story.pass();
    story.pass();
    story.told.clear();
    story.end(3, Exit::Signal(11));
    story.end(4, Exit::Signal(11));
    story.pass();
    story.pass();
    insta::assert_snapshot!(story.told);
}

#[test]
fn nothing_is_stopped_while_the_proxy_is_away() {
    let mut story = Story::with_v1(2);
    story.command(&deploy("v2", Strategy::Rolling(RollingSpec::default())));
    for _ in 0..3 {
        story.pass();
    }
    story.up(3);
    story.report(1).in_flight = InFlight { uploads: 1, ..InFlight::default() };
    story.pass();
    story.told.clear();
    story.observed.traffic = None;
    story.now = story.now + Millis::from_secs(3600);
    story.pass();
    insta::assert_snapshot!(story.told);
}

/// A database whose schema is at `1_a`, for which v2 brings `2_b`.
fn with_schema(story: &mut Story, strategy: Strategy) {
    let revision = |name: &str| -> Revision { name.parse().unwrap() };
    story.spec.database.url = Some("postgres://db/shop".to_owned());
    let standing = Standing { revision: Some(revision("1_a")), change: None };
    story.observed.database = Some(ObservedDatabase { standing, ..ObservedDatabase::default() });
    story.command(&deploy("v2", strategy));
    let (digest, revision) = ("ab".parse().unwrap(), Some(revision("2_b")));
    story
        .observed
        .prepared
        .insert(version("v2"), Preparation::Ready { digest, revision, key: None, contract: None });
}

fn failed(at: Timestamp, attempts: u32, again: bool) -> Work {
    let job = Job::Expand { version: version("v2"), to: "2_b".parse().unwrap() };
    Work::Failed { job, error: "no".to_owned(), at, attempts, again }
}

#[test]
fn a_failure_of_an_earlier_deployment_says_nothing_of_this_one() {
    let mut story = Story::with_v1(1);
    with_schema(&mut story, Strategy::Flip(FlipSpec::default()));
    let long_ago = Timestamp(0);
    story.observed.database.as_mut().unwrap().work = failed(long_ago, 5, false);
    story.pass();
    assert!(story.told.contains("does: expand the schema to 2_b"), "{}", story.told);
    // What fails now counts; what may pass is tried again first.
    story.observed.database.as_mut().unwrap().work = failed(story.now, 1, true);
    story.pass();
    assert!(story.told.contains("no; tried 1 times, again in 5s"), "{}", story.told);
    story.observed.database.as_mut().unwrap().work = failed(story.now, 1, false);
    story.pass();
    assert!(story.told.contains("turns back: the schema can't be expanded: no"), "{}", story.told);
}

#[test]
fn an_expansion_that_nobody_waits_for_is_cut_off() {
    let mut story = Story::with_v1(1);
    with_schema(&mut story, Strategy::Flip(FlipSpec::default()));
    story.pass();
    let job = Job::Expand { version: version("v2"), to: "2_b".parse().unwrap() };
    story.observed.database.as_mut().unwrap().work = Work::Running { job, progress: String::new() };
    story.command(&Command::Abort { deployment: None });
    story.pass();
    assert!(story.told.contains("does: undo the schema's change to 2_b"), "{}", story.told);
}
