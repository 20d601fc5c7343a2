//! New requests wait, or are told to come back: by command, for as long as was said.

use super::*;
use crate::traffic::{Gate, Maintenance};

fn gate(story: &Story) -> &Gate {
    &story.state.table.routes[0].gate
}

#[test]
fn a_hold_ends_by_itself_and_a_maintenance_does_not() {
    let mut story = Story::with_v1(2);
    let held = Gate::Held { longest: Millis::from_secs(10) };
    story.command(&Command::Gate { gate: held.clone() });
    story.pass();
    assert_eq!(*gate(&story), held);
    assert!(story.told.contains("new requests wait for another 10s"), "{}", story.told);
    story.now = story.now + Millis(9_999);
    story.pass();
    assert_eq!(*gate(&story), held);
    story.now = story.now + Millis(1);
    story.pass();
    assert!(gate(&story).is_open(), "its time is over");

    let message = "back soon".to_owned();
    let told = Maintenance { message, page: None, retry_after: Millis::from_secs(60), allow: Vec::new() };
    story.command(&Command::Gate { gate: Gate::Closed(told.clone()) });
    story.now = story.now + Millis::from_secs(86_400);
    story.pass();
    assert_eq!(*gate(&story), Gate::Closed(told));
    // A deployment goes on behind it.
    story.command(&deploy("v2", Strategy::Flip(FlipSpec { warm: Millis::ZERO })));
    for _ in 0..40 {
        story.pass();
        story.all_up();
        story.now = story.now + Millis::from_secs(1);
    }
    assert_eq!(story.state.current, Some(version("v2")));
    story.command(&Command::Gate { gate: Gate::Open });
    story.pass();
    assert!(gate(&story).is_open());
}

#[test]
fn a_hold_without_end_is_refused() {
    let story = Story::with_v1(1);
    let gate = Gate::Held { longest: Millis::from_secs(301) };
    let refused = accept(&story.state, &Command::Gate { gate }).unwrap_err();
    assert_eq!(refused.to_string(), "requests can be held for 1 ms to 5 min");
}
