//! The program killed with `kill -9` whenever the journal shows that it came further, in every verb, and begun again.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use postgres::Client;

use super::{Stage, USERS};

const ROWS: i64 = 30_000;

/// Three fills, an index that is built beside the clients, a rule that is validated.
const MIGRATION: &str = "ALTER TABLE users RENAME COLUMN name TO full_name;
    ALTER TABLE users ADD COLUMN code text;
    UPDATE users SET code = upper(full_name);
    ALTER TABLE users ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid();
    ALTER TABLE users ALTER COLUMN size TYPE text;
    -- @down users.size: CASE WHEN size ~ '^[0-9]{1,9}$' THEN size::int END
    CREATE UNIQUE INDEX users_code ON users (code);
    ALTER TABLE users ADD CONSTRAINT named CHECK (full_name <> '');\n";

/// Where a change is: its number and phase, the next step, the rows that were walked.
type Position = (i64, String, i32, i64);

fn position(client: &mut Client) -> Position {
    let query = "SELECT c.id, c.phase, c.next, coalesce(sum(p.rows_done), 0)::bigint
        FROM tandem.change c LEFT JOIN tandem.progress p ON p.change = c.id GROUP BY c.id ORDER BY c.id DESC LIMIT 1";
    client
        .query_opt(query, &[])
        .expect("the server answers")
        .map_or((0, String::new(), 0, 0), |row| (row.get(0), row.get(1), row.get(2), row.get(3)))
}

/// Runs a verb until the journal shows something new, and kills it. Whether it was still at work.
fn killed(stage: &Stage, looker: &mut Client, verb: &str) -> bool {
    let before = position(looker);
    let mut child: Child =
        stage.command(&[verb]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program runs");
    let begun = Instant::now();
    while position(looker) == before && child.try_wait().expect("the child is ours").is_none() {
        assert!(begun.elapsed() < Duration::from_secs(120), "{verb} does not come further than {before:?}");
    }
    child.kill().expect("the child is ours");
    let ended = child.wait().expect("the child is ours").code();
    // The server notices a moment later that nobody is there.
    let alone = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tandem'";
    while looker.query_one(alone, &[]).expect("the server answers").get::<_, i64>(0) > 0 {
        assert!(begun.elapsed() < Duration::from_secs(120), "sessions of a killed {verb} stay");
    }
    ended.is_none()
}

/// Begins a verb again and again, killing it each time, until a change is in a phase or `enough` says so; how many were killed.
fn until(stage: &Stage, verbs: (&str, &str), end: &str, enough: impl Fn(&Position) -> bool) -> usize {
    let mut looker = stage.database.client();
    let (mut verb, mut kills) = (verbs.0, 0);
    loop {
        kills += usize::from(killed(stage, &mut looker, verb));
        let now = position(&mut looker);
        if now.1 == end || enough(&now) {
            return kills;
        }
        verb = verbs.1;
    }
}

#[test]
fn a_program_that_is_killed_again_and_again_comes_to_each_end() {
    let users = USERS.replace(");", ", size int);");
    let stage = Stage::new(&[("0001_users.sql", &users)]);
    stage.done(&["start"]);
    stage.done(&["contract"]);
    stage.database.execute(&format!(
        "INSERT INTO users SELECT i, 'n' || i, i FROM generate_series(1, {ROWS}) i; ANALYZE users"
    ));
    stage.write("0002_more.sql", MIGRATION);
    let rows = |query: &str| -> i64 { stage.database.client().query_one(query, &[]).unwrap().get(0) };

    // Back from the middle of a fill.
    let kills = until(&stage, ("start", "resume"), "mixed", |now| now.1 == "starting" && now.3 > ROWS / 2);
    assert!(kills > 1, "killed {kills} times until a fill was half done");
    until(&stage, ("undo", "undo"), "undone", |_| false);
    let left = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'public.users'::regclass AND attnum > 0 AND NOT attisdropped";
    assert_eq!(rows(left), 3);
    assert!(stage.done(&["status"]).contains("1 pending"));

    // And to the end.
    let kills = until(&stage, ("start", "resume"), "mixed", |_| false);
    assert!(kills > 5, "killed {kills} times until the mixed state");
    assert!(stage.done(&["verify"]).contains("every row is ready"));
    until(&stage, ("contract", "resume"), "settled", |_| false);
    assert_eq!(rows("SELECT count(*) FROM users WHERE code = upper(full_name) AND size = id::text"), ROWS);
    assert!(stage.done(&["status"]).contains("revision 0002_more"));
}
