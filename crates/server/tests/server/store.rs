//! The store: whole appends only, whatever happens to process, disk and file; and the clock.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use tandem_core::base::{DeploymentId, Timestamp};
use tandem_server::clock::Clock;
use tandem_server::state::StateFolder;
use tandem_server::store::{NewEvent, Store, StoreError};

fn event(deployment: Option<u64>, body: &str) -> NewEvent {
    NewEvent {
        service: "shop".parse().unwrap(),
        deployment: deployment.map(DeploymentId),
        at: Timestamp(1_000),
        body: body.to_owned(),
    }
}

#[test]
fn what_was_appended_is_read_back_in_order() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("tandem.db");
    let mut store = Store::open(&path).unwrap();
    assert_eq!(store.last().unwrap(), 0);
    assert_eq!(store.append(&[event(Some(1), "1"), event(None, "2")]).unwrap(), 2);
    assert_eq!(store.append(&[event(Some(1), "3")]).unwrap(), 3);
    drop(store);

    let store = Store::open(&path).unwrap();
    let all = store.after(0, 100).unwrap();
    assert_eq!(
        all.iter().map(|e| (e.seq, e.event.body.as_str())).collect::<Vec<_>>(),
        [(1, "1"), (2, "2"), (3, "3")]
    );
    assert_eq!(all[1].event, event(None, "2"));
    assert_eq!(store.after(1, 1).unwrap().len(), 1);
    let of = store.of_deployment(&"shop".parse().unwrap(), DeploymentId(1), 1, 10).unwrap();
    assert_eq!(of.iter().map(|e| e.seq).collect::<Vec<_>>(), [3]);
}

#[test]
fn a_newer_database_is_refused_untouched() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("tandem.db");
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 77).unwrap();
    let before = fs::read(&path).unwrap();
    assert!(matches!(Store::open(&path), Err(StoreError::Newer { found: 77, .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_that_is_no_database_is_told_as_damaged() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("tandem.db");
    fs::write(&path, "not a database at all, but long enough to be looked at".repeat(100)).unwrap();
    let error = Store::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(!error.is_passing());
}

/// Where the killed process of the test below writes.
const PATH: &str = "TANDEM_TEST_APPEND_TO";

/// Not a test of its own: the process that the next test kills.
#[test]
fn appender() {
    let Some(path) = std::env::var_os(PATH) else { return };
    let mut store = Store::open(Path::new(&path)).unwrap();
    loop {
        let next = store.last().unwrap() + 1;
        let bodies: Vec<_> = (next..next + 5).map(|n| event(None, &n.to_string())).collect();
        println!("appended {}", store.append(&bodies).unwrap());
    }
}

#[test]
fn a_kill_in_the_middle_of_appends_leaves_whole_appends_only() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("tandem.db");
    for round in 0..5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::appender", "--nocapture"])
            .env(PATH, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told =
            lines.map_while(Result::ok).filter(|line| line.contains("appended ")).nth(round * 7).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();

        let told: u64 = told.rsplit(' ').next().unwrap().parse().unwrap();
        let all = Store::open(&path).unwrap().after(0, usize::MAX >> 1).unwrap();
        assert!(all.len() as u64 >= told, "{} events are left of at least {told}", all.len());
        assert_eq!(all.len() % 5, 0);
        assert!(all.iter().all(|stored| stored.event.body == stored.seq.to_string()));
    }
}

#[test]
fn a_full_disk_is_told_and_passes() {
    let temp = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(temp.path()) else {
        assert!(!rustix::process::geteuid().is_root(), "root can mount a small disk");
        return;
    };
    let mut store = Store::open(&temp.path().join("tandem.db")).unwrap();
    store.append(&[event(None, "before")]).unwrap();
    let ballast = temp.path().join("ballast");
    let room = rustix::fs::statvfs(temp.path()).unwrap();
    fs::write(&ballast, vec![1; (room.f_bavail * room.f_frsize) as usize]).unwrap();

    let error = store.append(&[event(None, &"x".repeat(100_000)), event(None, "y")]).unwrap_err();
    assert!(matches!(error, StoreError::NoRoom { .. }), "{error}");
    assert!(error.is_passing());
    assert_eq!(store.last().unwrap(), 1);

    fs::remove_file(ballast).unwrap();
    assert_eq!(store.append(&[event(None, "after")]).unwrap(), 2);
    drop(store);
}

/// A disk of one megabyte, gone with the value.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path) -> Option<SmallDisk<'a>> {
        let status =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(at).status().ok()?;
        status.success().then_some(SmallDisk(at))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn the_clock_goes_on_where_it_was_and_never_back() {
    let temp = tempfile::tempdir().unwrap();
    let state = StateFolder::at(temp.path());
    let first = Clock::open(&state, Timestamp(0)).unwrap();
    let again = Clock::open(&state, Timestamp(0)).unwrap();
    let (a, b) = (first.now(), again.now());
    assert!(b >= a && b.since(a).0 < 60_000);

    // The machine was started anew, and its wall clock lags behind what was recorded.
    let ahead = Timestamp(a.0 + 3_600_000);
    fs::write(state.clock(), r#"{"boot":"another","offset":0}"#).unwrap();
    assert!(Clock::open(&state, ahead).unwrap().now() >= ahead);
}
