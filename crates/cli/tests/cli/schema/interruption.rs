//! Killed, interrupted, paused, and two at once, in the middle of a fill.
//!
//! A row that somebody holds lets the fill come to a stand, so that nothing depends on how fast the machine is.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use postgres::Client;
use rustix::process::{Pid, Signal, kill_process};

use super::{FULL_NAME, Stage, USERS};

const ROWS: i64 = 200_000;

/// A change whose fill stands still because of one row.
struct Standing {
    stage: Stage,
    operator: Child,
    /// Holds the row.
    holder: Client,
}

impl Standing {
    fn new() -> Standing {
        let stage = Stage::new(&[("0001_users.sql", USERS)]);
        stage.done(&["start"]);
        stage.done(&["contract"]);
        stage.database.execute(&format!(
            "INSERT INTO users SELECT i, 'n' || i FROM generate_series(1, {ROWS}) i; ANALYZE users"
        ));
        stage.write("0002_full_name.sql", FULL_NAME);
        let mut start = stage.command(&["start"]);
        // The expand is done before the row is held.
        start.stdout(Stdio::null()).stderr(Stdio::null());
        let mut holder = stage.database.client();
        let mut operator = start.spawn().expect("the program runs");
        until(&mut operator, || {
            let query =
                "SELECT FROM pg_attribute WHERE attrelid = 'public.users'::regclass AND attname = 'code'";
            !holder.query(query, &[]).expect("the server answers").is_empty()
        });
        holder
            .batch_execute(&format!("BEGIN; SELECT FROM public.users WHERE id = {ROWS} FOR UPDATE"))
            .expect("the row is held");
        let mut looker = stage.database.client();
        until(&mut operator, || {
            let query = "SELECT FROM tandem.progress WHERE rows_done > 0";
            !looker.query(query, &[]).expect("the server answers").is_empty()
        });
        Standing { stage, operator, holder }
    }

    fn release(&mut self) {
        self.holder.batch_execute("ROLLBACK").expect("the row is let go");
    }

    /// All rows are filled, and a contract ends well.
    fn ends_well(mut self) {
        self.release();
        self.stage.done(&["resume"]);
        let query = "SELECT count(*) FROM public.users WHERE code = upper(name)";
        let filled: i64 = self.holder.query_one(query, &[]).unwrap().get(0);
        assert_eq!(filled, ROWS);
        self.stage.done(&["contract"]);
        assert!(self.stage.done(&["status"]).contains("revision 0002_full_name"));
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        let _ = self.operator.kill();
        let _ = self.operator.wait();
    }
}

fn until(operator: &mut Child, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(120), "it did not come about");
        assert!(operator.try_wait().expect("the child is ours").is_none(), "the operator ended");
        std::thread::yield_now();
    }
}

#[test]
fn a_killed_start_is_resumed() {
    let mut standing = Standing::new();
    standing.operator.kill().unwrap();
    standing.operator.wait().unwrap();
    let status = standing.stage.json(0, &["status"]);
    assert_eq!(status["change"]["phase"], "starting");
    assert!(status["change"]["step"]["rows_done"].as_u64() > Some(0), "{status}");
    standing.ends_well();
}

#[test]
fn ctrl_c_is_a_clean_stop() {
    let mut standing = Standing::new();
    kill_process(Pid::from_child(&standing.operator), Signal::INT).unwrap();
    assert_eq!(standing.operator.wait().unwrap().code(), Some(130));
    standing.ends_well();
}

#[test]
fn of_two_operators_one_is_refused_and_may_pause_the_other() {
    let mut standing = Standing::new();
    for verb in ["start", "resume", "undo", "contract", "verify"] {
        let (_, told) = standing.stage.ends(5, &[verb]);
        assert!(told.contains("another operator works on this database"), "{verb}: {told}");
    }
    assert!(standing.stage.done(&["status"]).contains("at work now"));
    standing.stage.done(&["pause"]);
    standing.release();
    let paused = standing.stage.json(0, &["status"]);
    assert_eq!(paused["change"]["paused"], true, "{paused}");
    kill_process(Pid::from_child(&standing.operator), Signal::TERM).unwrap();
    assert_eq!(standing.operator.wait().unwrap().code(), Some(130));
    standing.stage.done(&["undo"]);
    assert!(standing.stage.done(&["status"]).contains("1 pending"));
}

#[test]
fn a_resumed_contract_tells_what_is_not_as_it_should_be() {
    for words in [&["resume"][..], &["resume", "--json"]] {
        let stage = Stage::new(&[("0001_users.sql", USERS)]);
        stage.done(&["start"]);
        stage.done(&["contract"]);
        stage.write("0002_full_name.sql", FULL_NAME);
        stage.done(&["start"]);
        let mut holder = stage.database.client();
        holder.batch_execute("BEGIN; SELECT FROM public.users").expect("a reader is in the way");
        let mut contract = stage.command(&["contract"]);
        let mut operator =
            contract.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program runs");
        let mut looker = stage.database.client();
        until(&mut operator, || {
            let query = "SELECT FROM tandem.change WHERE phase = 'contracting'";
            !looker.query(query, &[]).expect("the server answers").is_empty()
        });
        kill_process(Pid::from_child(&operator), Signal::INT).unwrap();
        assert_eq!(operator.wait().unwrap().code(), Some(130));
        holder.batch_execute("ROLLBACK; ALTER TABLE public.users ADD COLUMN odd int").unwrap();
        let (out, err) = stage.ends(0, words);
        let told = "column public.users.odd is there, and should not be";
        if words.contains(&"--json") {
            let said: serde_json::Value = serde_json::from_str(&out).unwrap();
            assert_eq!((&said["phase"], &said["differences"]), (&"settled".into(), &vec![told].into()));
        } else {
            assert!(
                err.contains(&format!("not as the plain migrations would have left it: {told}")),
                "{err}"
            );
        }
    }
}
