//! Starting: once, in the right place, with the right environment, or with a clear reason why not.

use std::fs;
use std::net::TcpStream;

use tandem_core::base::InstanceId;
use tandem_core::fleet::{Exit, RunStatus};
use tandem_drivers::{Driver, DriverError, LogPosition};

use crate::rig::{Rig, start, version};

#[test]
fn an_instance_serves_on_its_port_and_ps_tells_whose_keeper_it_has() {
    let rig = Rig::new();
    let address = rig.serve(17);
    TcpStream::connect(address).unwrap();
    assert_eq!(rig.status(17), Some(RunStatus::Running));
    let line = fs::read(format!("/proc/{}/cmdline", rig.keeper_pid(17))).unwrap();
    let line = String::from_utf8(line).unwrap().replace('\0', " ");
    assert!(line.contains(" shop i17 /"), "{line}");
}

#[test]
fn starting_twice_gives_one_process_also_at_the_same_time_and_after_its_end() {
    let rig = Rig::new();
    rig.prepare();
    let mark = format!("mark={}", rig.path().display());
    let command = ["python3", "server.py", mark.as_str()];
    let addresses: Vec<_> = std::thread::scope(|scope| {
        let starts: Vec<_> =
            (0..4).map(|_| scope.spawn(|| rig.driver.start(&start(1, &command)).unwrap())).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert!(addresses.iter().all(|address| *address == addresses[0]));
    rig.until("it serves", || rig.log(1).contains("serving").then_some(()));
    assert_eq!(rig.processes(&mark).len(), 1);
    rig.stop(1);
    assert_eq!(rig.exit(1), Exit::Signal(15));
    assert_eq!(rig.start(1, &command), addresses[0]);
    assert_eq!(rig.exit(1), Exit::Signal(15));
    assert_eq!(rig.processes(&mark).len(), 0);
    rig.driver.remove(InstanceId(1)).unwrap();
    assert!(matches!(rig.try_start(1, &command), Err(DriverError::Removed(_))));
}

#[test]
fn two_controllers_at_once_start_one_process() {
    let rig = Rig::new();
    rig.prepare();
    let others: Vec<_> = (0..3).map(|_| rig.successor()).collect();
    let mark = format!("mark={}", rig.path().display());
    let command = ["python3", "server.py", mark.as_str()];
    // The port and spec.json are the first one's; from there on they race.
    fs::create_dir_all(rig.instance(1)).unwrap();
    rig.start(2, &["sleep", "0"]);
    let spec = fs::read_to_string(rig.instance(2).join("spec.json")).unwrap();
    let command_text = spec.find("\"command\"").unwrap();
    let end = command_text + spec[command_text..].find(']').unwrap();
    let own = format!("{}\"command\": {:?}{}", &spec[..command_text], command, &spec[end + 1..]);
    fs::write(rig.instance(1).join("spec.json"), own).unwrap();
    std::thread::scope(|scope| {
        for driver in &others {
            scope.spawn(|| driver.start(&start(1, &command)).unwrap());
        }
    });
    rig.until("it serves", || rig.log(1).contains("serving").then_some(()));
    assert_eq!(rig.processes(&mark).len(), 1);
}

#[test]
fn the_app_gets_what_it_is_promised_and_nothing_else() {
    let rig = Rig::new();
    let report =
        "pwd; ls -l /proc/self/fd | grep -c '^l'; cat; env | sort; echo \"args: $*\"; ulimit -n >/dev/null";
    rig.script("bin/report", &format!("#!/bin/sh\n{report}\n"), 0o755);
    rig.prepare();
    let mut with_env = start(1, &["bin/report", "-p", "$PORT", "$(date)", "a b"]);
    with_env.run.env.insert("OWN".to_owned(), "value".to_owned());
    let address = rig.driver.start(&with_env).unwrap();
    assert_eq!(rig.exit(1), Exit::Code(0));
    let log = rig.log(1);
    let release = rig.state().canonicalize().unwrap().join("releases/v1/files");
    assert!(log.starts_with(&format!("{}\n", release.display())), "{log}");
    // Standard input, output and error, what `ls` itself opens, and what whoever runs the tests left open on purpose.
    assert_eq!(log.lines().nth(1), Some((4 + inheritable()).to_string().as_str()), "{log}");
    let port = address.port();
    for line in [
        format!("PORT={port}"),
        "OWN=value".to_owned(),
        "TANDEM_SERVICE=shop".to_owned(),
        "TANDEM_VERSION=v1".to_owned(),
        "TANDEM_INSTANCE=i1".to_owned(),
        format!("args: -p {port} $(date) a b"),
    ] {
        assert!(log.lines().any(|l| l == line), "{line} in {log}");
    }
    assert!(!log.contains("CARGO"), "the daemon's own environment leaked: {log}");
}

/// How many descriptors beyond the standard ones this process would pass on to any child.
fn inheritable() -> usize {
    const CLOEXEC: u32 = 0o2_000_000;
    let entries = fs::read_dir("/proc/self/fdinfo").unwrap().filter_map(|entry| entry.ok());
    let numbers = entries.filter(|entry| entry.file_name().to_str().unwrap().parse::<u32>().unwrap() > 2);
    let infos = numbers.filter_map(|entry| fs::read_to_string(entry.path()).ok());
    let flags = infos.filter_map(|info| {
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?.trim().to_owned();
        u32::from_str_radix(&flags, 8).ok()
    });
    flags.filter(|flags| flags & CLOEXEC == 0).count()
}

#[test]
fn what_cannot_be_executed_says_why() {
    let rig = Rig::new();
    rig.script("plain", "#!/bin/sh\n", 0o644);
    rig.script("garbage", "\x7fELF\x02\x02\x01no program at all, whatever the mark says", 0o755);
    rig.script("gone", "#!/no/such/interpreter\n", 0o755);
    for (id, (program, part)) in [
        ("bin/none", "bin/none"),
        ("none", "PATH"),
        ("./plain", "chmod +x"),
        ("./garbage", "machine"),
        ("./gone", "/no/such"),
    ]
    .into_iter()
    .enumerate()
    {
        rig.start(id as u64, &[program]);
        let exit = rig.exit(id as u64);
        assert!(matches!(&exit, Exit::NotExecuted(why) if why.contains(part)), "{program}: {exit:?}");
    }
}

#[test]
fn ports_differ_and_a_range_that_is_used_up_is_named() {
    let rig = Rig::new();
    rig.prepare();
    let first = rig.serve(1);
    let second = rig.serve(2);
    assert_ne!(first, second);
    let mut narrow = start(3, &["sleep", "60"]);
    narrow.run.ports.first = first.port();
    narrow.run.ports.last = first.port();
    let error = rig.driver.start(&narrow).unwrap_err();
    assert!(error.to_string().contains("widen run.ports"), "{error}");
}

#[test]
fn a_version_that_is_not_prepared_is_not_started() {
    let rig = Rig::new();
    let error = rig.driver.start(&start(1, &["sleep", "60"])).unwrap_err();
    assert!(matches!(error, DriverError::NotPrepared(v) if v == version("v1")));
    assert!(rig.driver.observe().unwrap().is_empty());
    assert!(rig.driver.log(InstanceId(1), LogPosition::START, 10).is_err());
}
