//! Any process of Tandem may be killed at any moment: instances are neither lost nor doubled.

use std::fs;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tandem_core::base::InstanceId;
use tandem_core::fleet::{Exit, RunStatus};
use tandem_drivers::{Driver, DriverError};

use crate::rig::{Rig, kill, start};

#[test]
fn a_new_controller_finds_and_commands_what_the_old_one_started() {
    let rig = Rig::new();
    let address = rig.serve(1);
    let successor = rig.successor();
    let observed = successor.observe().unwrap();
    let instance = &observed[&InstanceId(1)];
    assert_eq!((&instance.status, instance.address), (&RunStatus::Running, address));
    assert_eq!(successor.start(&start(1, &["python3", "server.py"])).unwrap(), address);
    successor.stop(InstanceId(1)).unwrap();
    assert_eq!(rig.exit(1), Exit::Signal(15));
    successor.remove(InstanceId(1)).unwrap();
    assert!(rig.driver.observe().unwrap().is_empty());
}

#[test]
fn an_app_dies_with_its_keeper() {
    let rig = Rig::new();
    let mark = format!("mark={}", rig.path().display());
    rig.start(1, &["python3", "server.py", &mark]);
    rig.until("it serves", || rig.log(1).contains("serving").then_some(()));
    kill(rig.keeper_pid(1), Signal::KILL);
    assert_eq!(rig.exit(1), Exit::Unknown);
    assert_eq!(rig.processes(&mark), Vec::<i32>::new());
    rig.driver.remove(InstanceId(1)).unwrap();
}

#[test]
fn workers_that_survive_their_keeper_are_seen_and_stopped() {
    let rig = Rig::new();
    let worker = "import os, sys, time
if os.fork() == 0:
    if sys.argv[2] == 'clear':
        os.execvpe('python3', ['python3', '-c', 'import time; time.sleep(1000)', sys.argv[1]], {'PATH': os.environ['PATH']})
    time.sleep(1000)
print('forked', flush=True)
time.sleep(1000)
";
    rig.script("worker.py", worker, 0o644);
    for (id, environment) in [(1, "keep"), (2, "clear")] {
        let mark = format!("mark{id}={}", rig.path().display());
        rig.start(id, &["python3", "worker.py", &mark, environment]);
        rig.until("it forked", || rig.log(id).contains("forked").then_some(()));
        rig.until("both are there", || (rig.processes(&mark).len() == 2).then_some(()));
        kill(rig.keeper_pid(id), Signal::KILL);
        rig.until("the app is gone", || (rig.processes(&mark).len() == 1).then_some(()));
        assert_eq!(rig.status(id), Some(RunStatus::Orphaned), "{environment}");
        assert!(matches!(rig.driver.remove(InstanceId(id)), Err(DriverError::Running(_))));
        rig.stop(id);
        assert_eq!(rig.exit(id), Exit::Unknown);
        assert_eq!(rig.processes(&mark), Vec::<i32>::new());
    }
}

#[test]
fn a_start_that_was_cut_off_is_completed_by_the_next() {
    let rig = Rig::new();
    rig.prepare();
    // Cut off before spec.json: only the folder is there.
    fs::create_dir_all(rig.instance(1)).unwrap();
    assert_eq!(rig.status(1), None);
    rig.serve(1);
    // Never taken up again: the next controller clears it away, and nothing else.
    fs::create_dir_all(rig.instance(3)).unwrap();
    rig.successor();
    assert!(!rig.instance(3).exists() && rig.status(1) == Some(RunStatus::Running));
    // Cut off after spec.json, before the keeper: as a copy of the other's, without what its keeper wrote.
    fs::create_dir_all(rig.instance(2)).unwrap();
    fs::copy(rig.instance(1).join("spec.json"), rig.instance(2).join("spec.json")).unwrap();
    assert!(matches!(rig.status(2), Some(RunStatus::Exited(Exit::NotExecuted(_)))));
    rig.stop(1);
    rig.exit(1);
    rig.serve(2);
    assert_eq!(rig.status(2), Some(RunStatus::Running));
}

/// The next controller finishes what the killed one began, with the port that it chose if it came that far.
#[test]
fn a_controller_killed_at_any_moment_of_a_start_leaves_one_process_after_the_next_try() {
    let rig = Rig::new();
    rig.prepare();
    let (_never, timer) = std::sync::mpsc::channel::<()>();
    for round in 1..=40 {
        let mark = format!("mark{round}={}", rig.path().display());
        let start = start(round, &["python3", "server.py", &mark]);
        let mut controller = Command::new(env!("CARGO_BIN_EXE_tandem-keeper-fixture"))
            .args(["start", rig.state().to_str().unwrap(), &format!("i{round}")])
            .arg(serde_json::to_string(&start.run).unwrap())
            .spawn()
            .unwrap();
        // Not a wait for anything: the moment of the fault.
        let _ = timer.recv_timeout(Duration::from_micros(round * 700));
        controller.kill().unwrap();
        controller.wait().unwrap();
        rig.driver.start(&start).unwrap();
        rig.until("it serves", || rig.log(round).contains("serving").then_some(()));
        assert_eq!(rig.processes(&mark).len(), 1, "round {round}");
        assert_eq!(rig.log(round).lines().count(), 1, "round {round}");
        rig.stop(round);
    }
    for round in 1..=40 {
        assert_eq!(rig.exit(round), Exit::Signal(15));
    }
}

#[test]
fn a_keeper_that_died_before_its_app_is_not_replaced() {
    let rig = Rig::new();
    rig.serve(1);
    rig.prepare();
    fs::create_dir_all(rig.instance(2)).unwrap();
    for file in ["spec.json", "keeper.json"] {
        fs::copy(rig.instance(1).join(file), rig.instance(2).join(file)).unwrap();
    }
    let keeper = fs::read_to_string(rig.instance(2).join("keeper.json")).unwrap();
    // Of another boot: the pid, which lives, means nothing.
    let boot = keeper.split('"').skip_while(|part| *part != "boot").nth(2).unwrap();
    fs::write(rig.instance(2).join("keeper.json"), keeper.replace(boot, "an earlier boot")).unwrap();
    assert_eq!(rig.status(2), Some(RunStatus::Exited(Exit::Unknown)));
    rig.driver.start(&start(2, &["python3", "server.py"])).unwrap();
    rig.stop(2);
    assert_eq!(rig.status(2), Some(RunStatus::Exited(Exit::Unknown)));
    assert_eq!(rig.status(1), Some(RunStatus::Running));
}

#[test]
fn an_instance_that_was_removed_before_its_keeper_came_stays_away() {
    let rig = Rig::new();
    rig.serve(1);
    fs::create_dir_all(rig.instance(2)).unwrap();
    fs::copy(rig.instance(1).join("spec.json"), rig.instance(2).join("spec.json")).unwrap();
    rig.driver.remove(InstanceId(2)).unwrap();
    assert_eq!(rig.status(2), None);
    assert!(matches!(rig.driver.start(&start(2, &["true"])), Err(DriverError::Removed(_))));
}

#[test]
fn a_record_of_a_newer_tandem_is_left_alone() {
    let rig = Rig::new();
    rig.serve(1);
    let path = rig.instance(1).join("spec.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"format\": 1", "\"format\": 9")).unwrap();
    let error = rig.driver.observe().unwrap_err().to_string();
    assert!(error.contains("newer Tandem") && error.contains("spec.json"), "{error}");
    fs::write(&path, text).unwrap();
}
