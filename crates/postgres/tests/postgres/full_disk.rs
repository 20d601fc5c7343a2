//! A fill that meets a full disk: a clear end, a way back while there is no room, and a way on when there is.

use postgres::error::SqlState;
use tandem_database::Server;
use tandem_postgres::execution::shape;
use tandem_postgres::{Execution, Failure};

use crate::house::{House, quiet};

/// Begins, or goes on, until there is no room left for rows.
fn meets_a_full_disk(act: impl FnOnce(&mut Execution<'_>) -> Result<(), Failure>, house: &House) {
    let failed = act(&mut house.open()).unwrap_err();
    assert_eq!(failed.code(), Some(&SqlState::DISK_FULL), "{failed}");
    assert!(failed.may_pass(), "{failed}");
    let text = failed.to_string();
    assert!(text.starts_with("fill users.shout: could not extend file"), "{text}");
    assert!(text.contains("Check free disk space"), "{text}");
    house.kill();
}

#[test]
fn a_full_disk_ends_a_fill_clearly_and_leaves_both_ways_open() {
    let server: &'static Server = Box::leak(Box::new(Server::start(&[])));
    let database = server.database();
    let url = database.url();
    let mut house = House::within(database, &url, 12_000, &["id"]);
    // Some 20 MB, which a fill doubles.
    house.database.execute(
        "ALTER TABLE app.users DISABLE TRIGGER touch; UPDATE app.users SET name = name || repeat('x', 900);
         ALTER TABLE app.users ENABLE TRIGGER touch; CHECKPOINT",
    );
    house.plan.before = shape(&mut house.database.client()).unwrap();
    let largest =
        house.number("SELECT max(pg_relation_size(oid, 'main')) FROM pg_class WHERE relkind IN ('r', 'i')");
    let room = largest.max(16 << 20) + (2 << 20);
    // In the middle of a block.
    server.fill_disk(Some(u64::try_from(room / 8192 * 8192 + 4096).unwrap()));

    meets_a_full_disk(|execution| execution.start(&house.plan, &mut quiet()), &house);
    let done = house.number("SELECT rows_done FROM tandem.progress");
    assert!(done > 0 && house.missing() == 12_000 - done, "{done} rows are marked");
    meets_a_full_disk(|execution| execution.resume(&mut quiet()).map(drop), &house);
    // Clients can do what needs no new block.
    house.database.execute("DELETE FROM app.users WHERE id = 12000");
    house.open().undo(&mut quiet()).unwrap();
    house.is_as_before();
    house.kill();

    meets_a_full_disk(|execution| execution.start(&house.plan, &mut quiet()), &house);
    server.fill_disk(None);
    let mut execution = house.open();
    execution.resume(&mut quiet()).unwrap();
    execution.contract(false, &mut quiet()).unwrap();
    house.is_settled();
}
