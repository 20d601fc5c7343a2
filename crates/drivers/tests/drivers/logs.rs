//! Logs: bounded on disk and in memory, however much an app writes, and readable while they move on.

use std::fs;

use tandem_core::base::InstanceId;
use tandem_core::fleet::Exit;
use tandem_drivers::{Driver, LogPosition};

use crate::rig::Rig;

#[test]
fn a_flood_and_an_endless_line_stay_bounded_and_the_app_goes_on() {
    let rig = Rig::new();
    let flood = "import sys
line = b'x' * 1023 + b'\\n'
for _ in range(100 * 1024):
    sys.stdout.buffer.write(line)
for _ in range(100):
    sys.stderr.buffer.write(b'y' * 1024 * 1024)
sys.stdout.buffer.flush()
sys.stderr.buffer.write(b'\\nthe end\\n')
";
    rig.script("flood.py", flood, 0o644);
    rig.start(1, &["python3", "flood.py"]);
    let keeper = rig.keeper_pid(1);
    let mut most = 0;
    let exit = rig.until("it has written all", || {
        most = most.max(resident(keeper));
        match rig.status(1) {
            Some(tandem_core::fleet::RunStatus::Exited(exit)) => Some(exit),
            _ => None,
        }
    });
    assert_eq!(exit, Exit::Code(0));
    assert!(most < 32 * 1024, "the keeper held {most} KiB");
    let end = rig.driver.log(InstanceId(1), LogPosition::START, 0).unwrap().end;
    assert_eq!(end.0, 200 * 1024 * 1024 + 9);
    let start = rig.driver.log(InstanceId(1), LogPosition::START, 10).unwrap();
    assert_eq!((start.bytes.as_slice(), start.skipped > 100 << 20), (&b"yyyyyyyyyy"[..], true));
    let kept: u64 =
        fs::read_dir(rig.instance(1)).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(kept <= 31 << 20, "{kept} bytes");
    assert_eq!(rig.driver.findings(InstanceId(1)).unwrap().log.last().unwrap(), "the end");
}

/// The resident memory of a process in KiB; 0 if it is gone.
fn resident(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default().to_owned();
    line.split_ascii_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[test]
fn a_log_can_be_followed() {
    let rig = Rig::new();
    rig.start(1, &["sh", "-c", "for i in 1 2 3; do echo line $i; sleep 0.05; done"]);
    let mut text = Vec::new();
    let mut at = LogPosition::START;
    rig.until("all was read", || {
        let chunk = rig.driver.log(InstanceId(1), at, 4).unwrap();
        at = chunk.next;
        text.extend(chunk.bytes);
        text.ends_with(b"line 3\n").then_some(())
    });
    assert_eq!(text, b"line 1\nline 2\nline 3\n");
}
