//! A plan carried out without harm: forwards, back, beside other operators and other people's locks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tandem_database::Server;
use tandem_postgres::execution::shape;
use tandem_postgres::{Execution, Failure, Options, Phase, pause};
use tandem_schema::name::Name;
use tandem_schema::plan::{Lock, Mode, Work};

use crate::house::{Event, GO, House, On, open, quiet};

#[test]
fn a_plan_goes_forwards_and_each_call_can_be_repeated() {
    for key in [&["id"][..], &["name", "id"], &[]] {
        let house = House::new(20_000, key);
        let mut execution = house.open();
        let mut titles = Vec::new();
        let mut watch = On(|event: Event<'_>| match event {
            Event::Step(title) => titles.push(title.to_owned()),
            Event::Note(text) => panic!("{text}"),
            _ => {}
        });
        execution.start(&house.plan, &mut watch).unwrap();
        assert_eq!(titles, ["expand", "fill users.shout", "index users.shout"]);
        assert_eq!(house.missing(), 0);
        execution.start(&house.plan, &mut quiet()).unwrap();
        assert_eq!(execution.resume(&mut quiet()).unwrap().phase, Phase::Mixed);
        house.database.execute("INSERT INTO app.users VALUES (0, 'late')");
        assert_eq!(house.missing(), 0, "clients' rows are the trigger's");
        let differences = execution.contract(false, &mut quiet()).unwrap();
        let more = "column app.users.shout is there, and should not be";
        assert!(differences.iter().any(|line| line == more), "{differences:?}");
        assert!(matches!(execution.contract(false, &mut quiet()), Err(Failure::Nothing("contract"))));
        house.is_settled();
    }
}

#[test]
fn undo_leaves_nothing() {
    let house = House::new(500, &["id"]);
    let mut execution = house.open();
    execution.start(&house.plan, &mut quiet()).unwrap();
    execution.undo(&mut quiet()).unwrap();
    house.is_as_before();
    assert!(matches!(execution.undo(&mut quiet()), Err(Failure::Nothing("undo"))));
    execution.start(&house.plan, &mut quiet()).unwrap();
    assert_eq!(house.missing(), 0, "a second change begins anew, with marks of its own");
}

#[test]
fn partitions_are_filled_one_by_one() {
    let house = House::new(10, &[]);
    house.database.execute(
        "CREATE TABLE app.parts (id int, name text, shout text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
         CREATE TABLE app.low PARTITION OF app.parts FOR VALUES FROM (0) TO (3000);
         CREATE TABLE app.none PARTITION OF app.parts FOR VALUES FROM (3000) TO (4000);
         CREATE TABLE app.high PARTITION OF app.parts FOR VALUES FROM (4000) TO (9000);
         INSERT INTO app.parts SELECT i, 'x' || i FROM generate_series(1, 2999) i;
         INSERT INTO app.parts SELECT i, 'x' || i FROM generate_series(4000, 8000) i",
    );
    for key in [vec![], vec!["id".to_owned()]] {
        let mut plan = house.plan.clone();
        plan.before = shape(&mut house.database.client()).unwrap();
        plan.start.remove(0);
        plan.start.truncate(1);
        if let Work::Fill(fill) = &mut plan.start[0].work {
            fill.table.name = "parts".to_owned();
            fill.key = key;
            fill.needed = "parts.shout IS DISTINCT FROM upper(parts.name)".to_owned();
        }
        let mut execution = house.open();
        house.database.execute("UPDATE app.parts SET shout = NULL");
        execution.start(&plan, &mut quiet()).unwrap();
        let wrong = "SELECT count(*) FROM app.parts WHERE shout IS DISTINCT FROM upper(name)";
        assert_eq!(house.number(wrong), 0);
        execution.undo(&mut quiet()).unwrap();
    }
}

#[test]
fn a_second_operator_is_told_who_the_first_is() {
    let house = House::new(10, &["id"]);
    let first = house.open();
    let refused = open(&house.database).err().unwrap();
    assert!(matches!(&refused, Failure::Busy(who) if who.len() == 1), "{refused}");
    assert!(refused.to_string().contains("application tandem"), "{refused}");
    drop(first);
    // The server ends a session a moment after its client is gone.
    house.kill();
    house.open();
}

#[test]
fn a_lock_in_the_way_is_named_waited_for_and_given_up_on() {
    let house = House::new(10, &["id"]);
    let options = Options { budget: Duration::from_millis(300), ..Options::default() };
    let mut client = house.database.client();
    client.batch_execute("SET application_name = 'reporting'; BEGIN; SELECT FROM app.users").unwrap();
    let mut execution = Execution::open(&house.database.url(), options, &GO).unwrap();
    let failed = execution.start(&house.plan, &mut quiet()).unwrap_err();
    assert!(matches!(failed, Failure::Blocked { .. }), "{failed}");
    let text = failed.to_string();
    assert!(text.contains("reporting") && text.contains("idle in transaction"), "{text}");
    drop(execution);
    house.kill();
    let mut execution = house.open();
    let mut blocker = Some(client);
    let mut watch = On(|event: Event<'_>| {
        if let Event::Waiting(why) = event
            && why.contains("reporting")
        {
            blocker.take();
        }
    });
    execution.start(&house.plan, &mut watch).unwrap();
    assert!(blocker.is_none(), "it was waited for");
    assert_eq!(house.missing(), 0);
}

#[test]
fn tables_are_locked_in_the_order_of_those_who_are_in_the_way() {
    let mut house = House::new(10, &["id"]);
    house.database.execute("CREATE TABLE app.others (id int)");
    let mut client = house.database.client();
    house.plan.before = shape(&mut client).unwrap();
    let Work::Transaction { locks, .. } = &mut house.plan.start[0].work else {
        panic!("{:?}", house.plan.start[0])
    };
    locks.insert(0, Lock { table: Name::new("app", "others"), mode: Mode::AccessExclusive });
    let (house, stop) = (house, AtomicBool::new(false));
    std::thread::scope(|scope| {
        // Somebody holds `users` at every moment, and wants `others` next.
        for _ in 0..3 {
            scope.spawn(|| {
                let mut client = house.database.client();
                while !stop.load(Ordering::Relaxed) {
                    let both =
                        "BEGIN; SELECT FROM app.users; SELECT pg_sleep(0.03); SELECT FROM app.others; COMMIT";
                    client.batch_execute(both).unwrap();
                }
            });
        }
        let started = house.open().start(&house.plan, &mut quiet());
        stop.store(true, Ordering::Relaxed);
        started.unwrap();
    });
}

#[test]
fn a_fill_pauses_and_goes_on_at_the_word_of_another_process() {
    let house = House::new(20_000, &["id"]);
    let mut execution = house.open();
    let (mut asked, mut paused) = (false, 0);
    let url = house.database.url();
    let mut watch = On(|event: Event<'_>| match event {
        Event::Rows(done) if !asked => {
            assert!(done < 20_000);
            asked = true;
            pause(&mut tandem_postgres::connect(&url).unwrap(), true).unwrap();
        }
        Event::Waiting("paused") => {
            paused += 1;
            let state = tandem_postgres::journal::state(&mut house.database.client()).unwrap();
            let change = state.change.unwrap();
            let step = change.step.unwrap();
            assert!(change.paused && state.operator.is_some());
            assert!(step.rows_done.unwrap() < 20_000 && step.title == "fill users.shout");
            pause(&mut house.database.client(), false).unwrap();
        }
        _ => {}
    });
    execution.start(&house.plan, &mut watch).unwrap();
    assert_eq!(paused, 1);
    assert_eq!(house.missing(), 0);
}

#[test]
fn a_fill_writes_no_more_log_than_it_may() {
    // All that a server writes counts: this one has nobody else.
    let server: &'static Server = Box::leak(Box::new(Server::start(&[])));
    let database = server.database();
    let url = database.url();
    let house = House::within(database, &url, 60_000, &["id"]);
    let options = Options { wal: Some(4_000_000), ..Options::default() };
    let mut execution = Execution::open(&house.database.url(), options, &GO).unwrap();
    let (mut begun, mut ended) = (None, None);
    let mut watch = On(|event: Event<'_>| match event {
        Event::Step(title) if title.starts_with("fill") => begun = Some(Instant::now()),
        Event::Step(_) if begun.is_some() => _ = ended.get_or_insert_with(Instant::now),
        _ => {}
    });
    execution.start(&house.plan, &mut watch).unwrap();
    // The rows alone are more than 8 MB; the first batch has nothing to be held against.
    let took = ended.unwrap().duration_since(begun.unwrap());
    assert!(took > Duration::from_millis(1500), "{took:?}");
}

#[test]
fn a_fill_does_not_double_a_table_that_nobody_sweeps() {
    let sizes = [true, false].map(|kept| {
        let mut house = House::new(200_000, &["id"]);
        house.database.execute("ALTER TABLE app.users SET (autovacuum_enabled = false)");
        house.plan.before = shape(&mut house.database.client()).unwrap();
        // An old transaction holds on to every dead row, until the index that waits for its end.
        let mut holder = kept.then(|| house.database.client());
        if let Some(holder) = &mut holder {
            holder.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").unwrap();
        }
        let mut swept = 0;
        let mut watch = On(|event: Event<'_>| match event {
            Event::Waiting(why) if why.contains("dead rows") => swept += 1,
            Event::Step(title) if title.starts_with("index") => drop(holder.take()),
            _ => {}
        });
        house.open().start(&house.plan, &mut watch).unwrap();
        assert_eq!((swept, house.missing()), (2, 0));
        house.number("SELECT pg_table_size('app.users')")
    });
    assert!(sizes[1] * 10 < sizes[0] * 9, "{sizes:?}");
}

#[test]
fn partitions_are_swept_by_their_own_size() {
    let house = House::new(10, &["id"]);
    house.database.execute(
        "CREATE TABLE app.parts (id int PRIMARY KEY, name text, shout text) PARTITION BY RANGE (id)",
    );
    for part in 0..4 {
        let (from, to) = (part * 60_000, (part + 1) * 60_000);
        house.database.execute(&format!(
            "CREATE TABLE app.part{part} PARTITION OF app.parts FOR VALUES FROM ({from}) TO ({to})
                 WITH (autovacuum_enabled = false);
             INSERT INTO app.parts SELECT i, 'x' FROM generate_series({from}, {to} - 1) i; ANALYZE app.part{part}"
        ));
    }
    let mut plan = house.plan.clone();
    plan.before = shape(&mut house.database.client()).unwrap();
    plan.start.remove(0);
    plan.start.truncate(1);
    let Work::Fill(fill) = &mut plan.start[0].work else { panic!("{:?}", plan.start[0]) };
    (fill.table.name, fill.rows) = ("parts".to_owned(), 240_000);
    fill.needed = "parts.shout IS DISTINCT FROM upper(parts.name)".to_owned();
    let mut swept = Vec::new();
    let mut watch = On(|event: Event<'_>| match event {
        Event::Waiting(why) if why.contains("dead rows") => swept.push(why.to_owned()),
        _ => {}
    });
    house.open().start(&plan, &mut watch).unwrap();
    let each = (0..4).map(|part| swept.iter().filter(|why| why.contains(&format!("part{part}"))).count());
    assert_eq!(each.collect::<Vec<_>>(), [1; 4], "{swept:?}");
}

#[test]
fn a_stop_is_clean_and_resumable() {
    static STOP: AtomicBool = AtomicBool::new(false);
    let house = House::new(20_000, &["id"]);
    let mut execution = Execution::open(&house.database.url(), Options::default(), &STOP).unwrap();
    let mut watch = On(|event: Event<'_>| {
        if let Event::Rows(_) = event {
            STOP.store(true, Ordering::Relaxed);
        }
    });
    assert!(matches!(execution.start(&house.plan, &mut watch), Err(Failure::Stopped)));
    assert!(house.missing() > 0);
    STOP.store(false, Ordering::Relaxed);
    assert_eq!(execution.resume(&mut quiet()).unwrap().phase, Phase::Mixed);
    assert_eq!(house.missing(), 0);
}

#[test]
fn wrong_rows_and_old_clients_hold_the_contract_back() {
    let house = House::new(50, &["id"]);
    let mut execution = house.open();
    execution.start(&house.plan, &mut quiet()).unwrap();
    house
        .database
        .execute("SET tandem.quiet = 'on'; UPDATE app.users SET shout = NULL, touched = -1 WHERE id < 10");
    let findings = execution.verify(&house.plan).unwrap();
    assert_eq!((findings.len(), findings[0].rows, findings[0].examples.len()), (1, 9, 5));
    assert_eq!(findings[0].examples[0], "id = 1");
    let refused = execution.contract(true, &mut quiet()).unwrap_err();
    assert!(refused.to_string().contains("users.shout holds NULL in 9 rows"), "{refused}");
    house.database.execute("UPDATE app.users SET name = name");
    let mut old = house.database.client();
    old.batch_execute("SET application_name = 'web/tandem_one'").unwrap();
    let mut other = house.database.client();
    other.batch_execute("SET application_name = 'web/tandem_one1'").unwrap();
    let refused = execution.contract(false, &mut quiet()).unwrap_err();
    assert!(matches!(&refused, Failure::Clients(who) if who.len() == 1), "{refused}");
    execution.contract(true, &mut quiet()).unwrap();
    assert_eq!(house.revision(), "two");
}

#[test]
fn a_plan_for_another_database_is_refused() {
    let house = House::new(10, &["id"]);
    let mut execution = house.open();
    let mut plan = house.plan.clone();
    plan.from = "zero".to_owned();
    assert!(matches!(execution.start(&plan, &mut quiet()), Err(Failure::Revision { .. })));
    house.database.execute("ALTER TABLE app.users ADD COLUMN odd int");
    let refused = execution.start(&house.plan, &mut quiet()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the schema is not what the plan was made for: column app.users.odd is there, and should not be; make the plan anew"
    );
}

#[test]
fn a_stop_ends_a_statement_that_waits() {
    static STOP: AtomicBool = AtomicBool::new(false);
    let house = House::new(10, &["id"]);
    let mut old = house.database.client();
    let mut execution = Execution::open(&house.database.url(), Options::default(), &STOP).unwrap();
    let mut watch = On(|event: Event<'_>| match event {
        // An index is built when everybody who was there has gone, and for that it waits without a limit.
        Event::Step("index users.shout") => {
            old.batch_execute("BEGIN; LOCK TABLE app.users IN ROW EXCLUSIVE MODE").unwrap();
        }
        Event::Waiting(why) if why.starts_with("waits for") => STOP.store(true, Ordering::Relaxed),
        _ => {}
    });
    let stopped = execution.start(&house.plan, &mut watch).unwrap_err();
    assert!(matches!(stopped, Failure::Stopped), "{stopped}");
    old.batch_execute("ROLLBACK").unwrap();
    STOP.store(false, Ordering::Relaxed);
    assert_eq!(execution.resume(&mut quiet()).unwrap().phase, Phase::Mixed);
    assert_eq!(house.number("SELECT count(*) FROM pg_index WHERE NOT indisvalid"), 0);
}

#[test]
fn an_owner_without_more_rights_does_it_too_and_is_told_about_triggers() {
    let database = Server::shared().database();
    let name = database.name();
    database
        .execute(&format!("CREATE ROLE owner_{name} LOGIN; GRANT CREATE ON DATABASE {name} TO owner_{name}"));
    let url = database.url().replace("postgres@", &format!("owner_{name}@"));
    let house = House::within(database, &url, 3000, &["id"]);
    let mut execution = Execution::open(&url, Options::default(), &GO).unwrap();
    let mut notes = Vec::new();
    let mut watch = On(|event: Event<'_>| {
        if let Event::Note(text) = event {
            notes.push(text.to_owned());
        }
    });
    execution.start(&house.plan, &mut watch).unwrap();
    assert!(notes.len() == 1 && notes[0].contains("triggers fire"), "{notes:?}");
    execution.contract(false, &mut quiet()).unwrap();
    assert_eq!((house.missing(), house.revision().as_str()), (0, "two"));
}
