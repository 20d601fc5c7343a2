//! How instances end: by themselves, when asked, or by force; and that nothing of them stays.

use std::fs;

use rustix::process::Signal;
use tandem_core::base::InstanceId;
use tandem_core::fleet::{Exit, RunStatus};
use tandem_drivers::{Driver, DriverError};

use crate::rig::{Rig, kill, start};

#[test]
fn exit_codes_and_signals_are_kept() {
    let rig = Rig::new();
    rig.start(1, &["sh", "-c", "exit 3"]);
    rig.start(2, &["sh", "-c", "kill -SEGV $$"]);
    rig.start(3, &["true"]);
    assert_eq!(rig.exit(1), Exit::Code(3));
    assert_eq!(rig.exit(2), Exit::Signal(11));
    assert_eq!(rig.exit(3), Exit::Code(0));
    assert_eq!(rig.driver.findings(InstanceId(1)).unwrap().exit, Some(Exit::Code(3)));
}

#[test]
fn an_app_that_heeds_the_signal_ends_in_its_own_way() {
    let rig = Rig::new();
    rig.prepare();
    let mut gentle =
        start(1, &["sh", "-c", "trap 'echo bye; exit 7' USR1; echo up; while :; do sleep 0.05; done"]);
    gentle.run.stop.signal = tandem_core::spec::Signal::Usr1;
    gentle.run.stop.grace = tandem_core::base::Millis::from_secs(50);
    rig.driver.start(&gentle).unwrap();
    rig.until("it is up", || rig.log(1).contains("up").then_some(()));
    rig.stop(1);
    rig.stop(1);
    assert_eq!(rig.exit(1), Exit::Code(7));
    assert_eq!(rig.log(1), "up\nbye\n");
}

#[test]
fn an_app_that_ignores_the_signal_is_killed_after_the_grace() {
    let rig = Rig::new();
    rig.start(1, &["sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"]);
    rig.until("it is up", || rig.log(1).contains("up").then_some(()));
    assert!(matches!(rig.driver.remove(InstanceId(1)), Err(DriverError::Running(_))));
    rig.stop(1);
    assert_eq!(rig.exit(1), Exit::Signal(9));
}

#[test]
fn a_stopped_app_is_killed_too() {
    let rig = Rig::new();
    rig.start(1, &["sh", "-c", "echo $$; kill -STOP $$"]);
    rig.until("it is up", || rig.log(1).ends_with('\n').then_some(()));
    rig.stop(1);
    assert_eq!(rig.exit(1), Exit::Signal(9));
}

/// Children that forked twice, are sessions of their own, threw away their environment and closed everything.
const DAEMONS: &str = "import os, sys, time
mark = sys.argv[1]
for clear in (False, True):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 100)
            program = ['python3', '-c', 'import time; time.sleep(1000)', mark]
            os.execvpe('python3', program, {'PATH': os.environ['PATH']} if clear else os.environ)
        os._exit(0)
for _ in range(2):
    os.wait()
print('forked', flush=True)
time.sleep(float(sys.argv[2]))
";

#[test]
fn grandchildren_that_left_group_session_and_environment_end_with_their_instance() {
    let rig = Rig::new();
    rig.script("daemons.py", DAEMONS, 0o644);
    for (id, life, exit) in [(1, "1000", Exit::Signal(15)), (2, "0", Exit::Code(0))] {
        let mark = format!("mark{id}={}", rig.path().display());
        rig.start(id, &["python3", "daemons.py", &mark, life]);
        rig.until("it forked", || rig.log(id).contains("forked").then_some(()));
        if exit != Exit::Code(0) {
            rig.until("all are there", || (rig.processes(&mark).len() == 3).then_some(()));
            rig.stop(id);
        }
        assert_eq!(rig.exit(id), exit);
        assert_eq!(rig.processes(&mark), Vec::<i32>::new());
    }
}

#[test]
fn a_shell_in_front_of_the_server_does_not_cost_the_server_its_farewell() {
    let rig = Rig::new();
    let server = "trap 'echo farewell; exit 0' TERM; echo up; while :; do sleep 0.05; done";
    rig.script("server.sh", &format!("#!/bin/sh\n{server}\n"), 0o755);
    rig.prepare();
    let mut behind = start(1, &["sh", "-c", "./server.sh; true"]);
    behind.run.stop.grace = tandem_core::base::Millis::from_secs(50);
    rig.driver.start(&behind).unwrap();
    rig.until("it is up", || rig.log(1).contains("up").then_some(()));
    rig.stop(1);
    assert_eq!(rig.exit(1), Exit::Signal(15));
    assert!(rig.log(1).contains("farewell"));
}

#[test]
fn a_thousand_short_children_leave_no_zombie() {
    let rig = Rig::new();
    let storm = "import os, time
for _ in range(1000):
    if os.fork() == 0:
        if os.fork() == 0:
            os._exit(0)
        os._exit(0)
    os.wait()
print('done', flush=True)
time.sleep(1000)
";
    rig.script("storm.py", storm, 0o644);
    rig.start(1, &["python3", "storm.py"]);
    rig.until("all were forked", || rig.log(1).contains("done").then_some(()));
    let keeper = rig.keeper_pid(1);
    rig.until("all are reaped", || {
        let children = fs::read_to_string(format!("/proc/{keeper}/task/{keeper}/children")).unwrap();
        (children.split_ascii_whitespace().count() == 1).then_some(())
    });
    rig.stop(1);
    assert_eq!(rig.exit(1), Exit::Signal(15));
}

#[test]
fn no_zombie_keeper_stays_and_waiting_ends_when_an_instance_does() {
    let rig = Rig::new();
    rig.serve(1);
    assert_eq!(rig.status(1), Some(RunStatus::Running));
    let keeper = rig.keeper_pid(1);
    kill(rig.processes("server.py").into_iter().find(|pid| parent(*pid) == keeper).unwrap(), Signal::KILL);
    // Far longer than anything here is waited for: only the event can end it.
    rig.driver.wait(std::time::Duration::from_secs(300));
    assert_eq!(rig.exit(1), Exit::Signal(9));
    rig.until("the keeper is reaped", || {
        rig.driver.observe().unwrap();
        (!fs::exists(format!("/proc/{keeper}")).unwrap()).then_some(())
    });
}

fn parent(pid: i32) -> i32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().to_owned();
    fields.split(' ').nth(1).and_then(|pid| pid.parse().ok()).unwrap_or(0)
}

#[test]
fn what_was_removed_keeps_its_log_but_not_its_secrets() {
    let rig = Rig::new();
    for id in 1..=25 {
        rig.start(id, &["sh", "-c", "echo spoke"]);
        assert_eq!(rig.exit(id), Exit::Code(0));
        rig.driver.remove(InstanceId(id)).unwrap();
        rig.driver.remove(InstanceId(id)).unwrap();
    }
    assert!(rig.driver.observe().unwrap().is_empty());
    assert_eq!(rig.log(25), "spoke\n");
    assert!(!rig.state().join("removed/25/spec.json").exists());
    let findings = rig.driver.findings(InstanceId(25)).unwrap();
    assert_eq!((findings.exit, findings.log), (Some(Exit::Code(0)), vec!["spoke".to_owned()]));
    assert!(matches!(rig.driver.findings(InstanceId(1)), Err(DriverError::NoInstance(_))));
}
