//! The suite for all drivers, with processes.

use std::fs;
use std::time::Duration;

use tandem_drivers::conformance::{Samples, check};

use crate::rig::{Rig, run, start};

#[test]
fn processes_conform() {
    let rig = Rig::new();
    let lasting = "#!/bin/sh\ntrap 'exit 0' TERM; echo begun; while :; do sleep 0.05; done\n";
    rig.script("lasting", lasting, 0o755);
    let other = rig.path().join("other");
    fs::create_dir(&other).unwrap();
    let samples = Samples {
        start: start(1, &[]),
        deliverable: &rig.source(),
        other: &other,
        lasting: tandem_core::spec::RunSpec {
            stop: tandem_core::spec::StopSpec::default(),
            ..run(&["./lasting"])
        },
        failing: run(&["sh", "-c", "exit 3"]),
        missing: run(&["./no-such-file"]),
        patience: Duration::from_secs(60),
    };
    check(&rig.driver, &samples).unwrap();
}
