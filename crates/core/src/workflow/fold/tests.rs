//! Every stage under every role, and the moves of a deployment.

use crate::base::{DeploymentId, InstanceId, Timestamp};
use crate::spec::{RollingSpec, Strategy};
use crate::traffic::Role;
use crate::workflow::{Action, Event, Kind, Outcome, Phase, Reason, Request, Stage, State};

fn request(number: u64, version: &str) -> Event {
    Event::Requested(Request {
        deployment: DeploymentId(number),
        kind: Kind::Deploy,
        version: version.parse().unwrap(),
        source: "/releases/x".to_owned(),
        strategy: Strategy::Rolling(RollingSpec::default()),
        break_contract: false,
        queued: None,
    })
}

fn start(number: u64, version: &str) -> Event {
    Event::Begun { action: Action::Start { instance: InstanceId(number), version: version.parse().unwrap() } }
}

#[test]
fn the_table_of_stages_is_as_designed() {
    let stages =
        [Stage::Starting, Stage::Standby, Stage::Serving, Stage::Draining, Stage::Stopping, Stage::Ended];
    let roles = [None, Some(Role::Standby), Some(Role::Serve), Some(Role::Drain)];
    let mut text = String::new();
    for stage in stages {
        for role in roles {
            let next = stage.under(role).map_or("-".to_owned(), |next| next.to_string());
            let role = role.map_or("absent".to_owned(), |role| format!("{role:?}").to_lowercase());
            text.push_str(&format!("{stage:<9} {role:<8} {next}\n"));
        }
    }
    insta::assert_snapshot!(text, @r"
    starting  absent   starting
    starting  standby  starting
    starting  serve    -
    starting  drain    draining
    standby   absent   -
    standby   standby  standby
    standby   serve    serving
    standby   drain    draining
    serving   absent   -
    serving   standby  standby
    serving   serve    serving
    serving   drain    draining
    draining  absent   -
    draining  standby  -
    draining  serve    serving
    draining  drain    draining
    stopping  absent   stopping
    stopping  standby  -
    stopping  serve    -
    stopping  drain    stopping
    ended     absent   ended
    ended     standby  -
    ended     serve    -
    ended     drain    -
    ");
}

#[test]
fn phases_only_go_forward_and_going_back_begins_at_shifting() {
    let mut state = State::default();
    let at = Timestamp(1);
    let deployment = DeploymentId(1);
    state.apply(at, &request(1, "v1")).unwrap();
    state.apply(at, &Event::Entered { deployment, phase: Phase::Baking }).unwrap();
    assert!(state.apply(at, &Event::Entered { deployment, phase: Phase::Shifting }).is_err());
    assert!(state.apply(at, &Event::Entered { deployment, phase: Phase::Baking }).is_err());
    state.apply(at, &Event::TurnedBack { deployment, reason: Reason::Asked }).unwrap();
    assert_eq!(state.deployment.as_ref().unwrap().phase, Phase::Shifting);
    assert!(state.apply(at, &Event::TurnedBack { deployment, reason: Reason::Asked }).is_err());
}

#[test]
fn a_second_deployment_and_a_number_out_of_order_are_illegal() {
    let mut state = State::default();
    assert!(state.apply(Timestamp(1), &request(2, "v1")).is_err());
    state.apply(Timestamp(1), &request(1, "v1")).unwrap();
    assert!(state.apply(Timestamp(1), &request(2, "v2")).is_err());
    let stranger = DeploymentId(9);
    assert!(state.apply(Timestamp(1), &Event::Paused { deployment: stranger }).is_err());
}

#[test]
fn an_instance_is_begun_once_and_may_be_begun_again_only_while_starting() {
    let mut state = State::default();
    let at = Timestamp(1);
    let instance = InstanceId(1);
    assert!(state.apply(at, &start(2, "v1")).is_err());
    state.apply(at, &start(1, "v1")).unwrap();
    state.apply(at, &start(1, "v1")).unwrap();
    assert!(state.apply(at, &start(1, "v2")).is_err());
    assert!(state.apply(at, &Event::Ready { instance }).is_err(), "it has no address yet");
    let address = "127.0.0.1:20000".parse().unwrap();
    state.apply(at, &Event::Done { outcome: Outcome::Started { instance, address } }).unwrap();
    state.apply(at, &Event::Ready { instance }).unwrap();
    assert!(state.apply(at, &start(1, "v1")).is_err());
    assert!(state.apply(at, &Event::Begun { action: Action::Remove { instance } }).is_err(), "it lives");
}
