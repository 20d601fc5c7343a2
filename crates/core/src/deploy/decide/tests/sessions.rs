//! How clients are divided between versions, along whole deployments.

use super::*;
use crate::spec::Pin;
use crate::traffic::SessionReport;
use crate::traffic::session::PLACES;
use crate::workflow::Phase;

/// Each live version of the table in force: its share in per cent, and what else there is to it.
fn shares(story: &Story) -> String {
    let sessions = &story.state.table.routes[0].sessions;
    let live: Vec<String> = sessions
        .versions
        .iter()
        .map(|live| {
            let holds = if live.holds { " holds" } else { "" };
            let known = if live.known { "" } else { " unknown" };
            format!("{} {}%{holds}{known}", live.version, live.share * 100 / PLACES)
        })
        .collect();
    let told = if sessions.pins { "; told" } else { "" };
    format!("{}{told}", live.join(", "))
}

/// Goes on until nothing changes any more; tells each table.
fn course(story: &mut Story) -> Vec<String> {
    let mut seen = vec![shares(story)];
    for _ in 0..40 {
        story.pass();
        story.all_up();
        story.now = story.now + Millis::from_secs(1);
        let now = shares(story);
        if seen.last() != Some(&now) {
            seen.push(now);
        }
    }
    seen
}

fn phase(story: &Story) -> Option<Phase> {
    story.state.deployment.as_ref().map(|deployment| deployment.phase)
}

#[test]
fn clients_move_in_proportion_and_forward() {
    let mut story = Story::with_v1(4);
    story.spec.deploy.bake = Millis::from_secs(1);
    assert_eq!(shares(&story), "");
    story.command(&deploy("v2", Strategy::Rolling(RollingSpec::default())));
    assert_eq!(
        course(&mut story),
        [
            "",
            "v2 0% unknown, v1 100%",
            "v2 25% holds, v1 75%; told",
            "v2 50% holds, v1 50%; told",
            "v2 75% holds, v1 25%; told",
            "",
        ]
    );
    assert_eq!(phase(&story), None);
}

#[test]
fn going_back_takes_them_back_in_proportion() {
    let mut story = Story::with_v1(4);
    story.command(&deploy("v2", Strategy::Rolling(RollingSpec::default())));
    while shares(&story) != "v2 50% holds, v1 50%; told" {
        story.pass();
        story.all_up();
        story.now = story.now + Millis::from_secs(1);
    }
    story.command(&Command::Abort { deployment: None });
    assert_eq!(course(&mut story), ["v2 50% holds, v1 50%; told", "v2 25%, v1 75%; told", ""]);
}

#[test]
fn whoever_stays_keeps_the_old_pool_until_nobody_comes_any_more() {
    let mut story = Story::with_v1(2);
    story.spec.deploy.bake = Millis::from_secs(1);
    story.spec.sessions.pin = Pin::Stay;
    story.spec.sessions.idle = Millis::from_secs(60);
    story.spec.sessions.limit = Millis::from_secs(600);
    story.command(&deploy("v2", Strategy::Flip(FlipSpec { warm: Millis::from_secs(2) })));
    let seen = |story: &mut Story, clients, quiet| {
        let traffic = story.observed.traffic.as_mut().unwrap();
        let of_service = traffic.sessions.entry("shop".parse().unwrap()).or_default();
        of_service.insert(version("v1"), SessionReport { clients, quiet: Millis::from_secs(quiet) });
    };
    seen(&mut story, 3, 1);
    assert_eq!(
        course(&mut story),
        [
            "",
            "v1 100%; told",
            "v1 100% holds; told",
            "v2 0% unknown, v1 100% holds; told",
            "v2 100% holds, v1 0% holds; told"
        ]
    );
    let waits = "about 3 sessions stay with v1, the last request came 1.0s ago; it is kept until none has come for 59s more";
    assert!(phase(&story) == Some(Phase::Baking) && story.told.contains(waits), "{}", story.told);
    seen(&mut story, 0, 60);
    story.pass();
    assert_eq!((phase(&story), shares(&story)), (Some(Phase::Retiring), "v2 100% holds; told".to_owned()));
}

#[test]
fn sessions_hold_no_version_for_ever() {
    let mut story = Story::with_v1(2);
    story.spec.deploy.bake = Millis::from_secs(1);
    story.spec.sessions.pin = Pin::Stay;
    story.spec.sessions.limit = Millis::from_secs(90);
    story.command(&deploy("v2", Strategy::Flip(FlipSpec { warm: Millis::from_secs(2) })));
    course(&mut story);
    assert_eq!(phase(&story), Some(Phase::Baking), "nothing is known of sessions: there may be some");
    story.now = story.now + Millis::from_secs(90);
    story.pass();
    assert_eq!(phase(&story), Some(Phase::Retiring));
}
