//! A plan interrupted: both connections are killed at every point, and the change goes on, or back.

use std::time::Duration;

use tandem_postgres::{Execution, Failure, Options};

use crate::house::{Event, GO, House, On, quiet};

/// Kills Tandem's sessions at the beginning of a step, or at the first progress of rows.
fn killing(house: &House, at: Option<&'static str>) -> On<impl FnMut(Event<'_>)> {
    let mut killed = false;
    On(move |event: Event<'_>| {
        let now = match event {
            Event::Step(title) => at == Some(title),
            Event::Rows(_) => at.is_none() && !killed,
            _ => false,
        };
        if now {
            killed = true;
            house.kill();
        }
    })
}

const START: [Option<&str>; 4] = [Some("expand"), Some("fill users.shout"), None, Some("index users.shout")];

#[test]
fn a_start_killed_anywhere_is_resumed_or_undone() {
    for at in START {
        for (key, forwards) in [(&["id"][..], true), (&[], true), (&["id"], false)] {
            let house = House::new(4000, key);
            let failed = house.open().start(&house.plan, &mut killing(&house, at)).unwrap_err();
            assert!(matches!(failed, Failure::Database(_) | Failure::Statement { .. }), "{at:?}: {failed:?}");
            let mut execution = house.open();
            if forwards {
                execution.resume(&mut quiet()).unwrap();
                execution.contract(false, &mut quiet()).unwrap();
                house.is_settled();
            } else {
                execution.undo(&mut quiet()).unwrap();
                house.is_as_before();
            }
        }
    }
}

#[test]
fn a_contract_killed_anywhere_is_finished_or_undone_until_its_last_transaction() {
    for at in ["check", "validate", "contract", "analyze"] {
        for forwards in [true, false] {
            let house = House::new(100, &["id"]);
            house.open().start(&house.plan, &mut quiet()).unwrap();
            house.kill();
            house.open().contract(false, &mut killing(&house, Some(at))).unwrap_err();
            let mut execution = house.open();
            if at == "analyze" && !forwards {
                let refused = execution.undo(&mut quiet()).unwrap_err();
                assert!(matches!(refused, Failure::Phase { verb: "undo", .. }), "{refused}");
            } else if forwards {
                execution.resume(&mut quiet()).unwrap();
                house.is_settled();
            } else {
                execution.undo(&mut quiet()).unwrap();
                house.is_as_before();
            }
        }
    }
}

#[test]
fn an_undo_killed_anywhere_is_finished() {
    for at in ["drop index", "undo"] {
        let house = House::new(100, &["id"]);
        house.open().start(&house.plan, &mut quiet()).unwrap();
        house.kill();
        house.open().undo(&mut killing(&house, Some(at))).unwrap_err();
        house.open().resume(&mut quiet()).unwrap();
        house.is_as_before();
    }
}

#[test]
fn a_batch_killed_while_it_waits_leaves_its_mark_behind() {
    let house = House::new(4000, &["id"]);
    let mut blocker = house.database.client();
    blocker.batch_execute("CREATE TABLE app.gate (); SELECT pg_advisory_lock(7)").unwrap();
    let mut plan = house.plan.clone();
    plan.before = tandem_postgres::execution::shape(&mut blocker).unwrap();
    if let tandem_schema::plan::Work::Fill(fill) = &mut plan.start[1].work {
        // The row 2000 waits in the middle of its batch.
        fill.set[0].1 =
            "CASE WHEN id = 2000 THEN upper(name) || pg_advisory_xact_lock_shared(7) ELSE upper(name) END"
                .to_owned();
    }
    let options = Options { lock_timeout: Duration::from_secs(30), ..Options::default() };
    let mut execution = Execution::open(&house.database.url(), options, &GO).unwrap();
    let mut watch = On(|event: Event<'_>| {
        if let Event::Waiting(_) = event {
            house.kill();
        }
    });
    execution.start(&plan, &mut watch).unwrap_err();
    let done = house.number("SELECT rows_done FROM tandem.progress");
    assert_eq!(house.missing(), 4000 - done);
    drop(blocker);
    house.open().resume(&mut quiet()).unwrap();
    assert_eq!(house.missing(), 0);
    assert_eq!(house.number("SELECT rows_done FROM tandem.progress"), 4000);
}
