//! Deliverables through the driver: made once, whole or not at all, and gone when nothing needs them.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tandem_core::base::InstanceId;
use tandem_core::fleet::Exit;
use tandem_drivers::process::Limits;
use tandem_drivers::{Driver, DriverError};

use crate::rig::{Rig, version};

impl Rig {
    /// The deliverable as an archive, by the system's own tar.
    fn pack(&self, name: &str) -> PathBuf {
        let archive = self.path().join(name);
        let status =
            Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(self.source()).arg(".").status();
        assert!(status.unwrap().success());
        archive
    }

    fn releases(&self) -> Vec<String> {
        let entries = fs::read_dir(self.state().join("releases")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

#[test]
fn an_archive_is_prepared_run_and_discarded() {
    let rig = Rig::new();
    rig.script("bin/app", "#!/bin/sh\necho from $0; touch here 2>/dev/null; exit 5\n", 0o755);
    let archive = rig.pack("v1.tar.gz");
    let digest = rig.driver.prepare(&version("v1"), &archive).unwrap();
    let sum = Command::new("sha256sum").arg(&archive).output().unwrap().stdout;
    assert!(String::from_utf8(sum).unwrap().starts_with(digest.as_str()));
    assert_eq!(rig.driver.prepare(&version("v1"), &archive).unwrap(), digest);
    assert_eq!(rig.driver.prepared().unwrap().get(&version("v1")), Some(&digest));
    assert_eq!(rig.successor().prepared().unwrap().len(), 1);

    rig.start(1, &["bin/app"]);
    assert_eq!(rig.exit(1), Exit::Code(5));
    assert!(matches!(rig.driver.discard(&version("v1")), Err(DriverError::InUse { .. })));
    rig.driver.remove(InstanceId(1)).unwrap();
    rig.driver.discard(&version("v1")).unwrap();
    rig.driver.discard(&version("v1")).unwrap();
    assert!(rig.releases().is_empty());
}

#[test]
fn a_file_of_a_deliverable_is_read_before_anything_is_made_of_it() {
    let rig = Rig::new();
    rig.script("api/openapi.json", "{}", 0o644);
    rig.script("large", &"x".repeat(5_000_000), 0o644);
    for source in [rig.source(), rig.pack("v1.tar.gz")] {
        let file = |path: &str, most| rig.driver.file(&source, path, most);
        assert_eq!(file("./api/openapi.json", 2).unwrap(), Some(b"{}".to_vec()));
        assert_eq!((file("api", 9).unwrap(), file("none", 9).unwrap()), (None, None));
        let error = file("large", 9).unwrap_err();
        assert!(error.to_string().ends_with("large is larger than 9 bytes"), "{error}");
    }
    assert!(rig.driver.file(&rig.path().join("gone"), "x", 9).is_err());
    assert!(rig.releases().is_empty());
}

#[test]
fn a_label_stands_for_one_content() {
    let rig = Rig::new();
    rig.prepare();
    rig.prepare();
    rig.script("more", "", 0o644);
    let error = rig.driver.prepare(&version("v1"), &rig.source()).unwrap_err();
    assert!(matches!(error, DriverError::OtherContent { .. }), "{error}");
    rig.driver.prepare(&version("v2"), &rig.source()).unwrap();
    assert_eq!(rig.driver.prepared().unwrap().len(), 2);
}

#[test]
fn what_is_refused_leaves_nothing_and_says_which_deliverable() {
    let rig = Rig::new();
    rig.script("large", &"x".repeat(100_000), 0o644);
    let archive = rig.pack("whole.tar.gz");
    let bytes = fs::read(&archive).unwrap();
    fs::write(rig.path().join("cut.tar.gz"), &bytes[..bytes.len() / 2]).unwrap();
    fs::create_dir(rig.path().join("nothing")).unwrap();
    let pipe = Command::new("mkfifo").arg(rig.path().join("pipe")).status().unwrap();
    assert!(pipe.success());
    for (name, message) in [
        ("cut.tar.gz", "truncated"),
        ("missing", "no such file"),
        ("/dev/null", "neither"),
        ("nothing", "it is empty"),
        ("pipe", "neither"),
    ] {
        let error = rig.driver.prepare(&version("v1"), &rig.path().join(name)).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(message), "{error}");
    }
    assert!(rig.releases().is_empty());
    assert!(rig.driver.prepared().unwrap().is_empty());
}

#[test]
fn what_a_crash_left_half_made_does_not_count_and_goes_at_the_next_start() {
    let rig = Rig::new();
    let half = rig.state().join("releases/.new-v1/files");
    fs::create_dir_all(&half).unwrap();
    fs::write(half.join("part"), "x").unwrap();
    assert!(rig.driver.prepared().unwrap().is_empty());
    rig.prepare();
    assert!(!rig.state().join("releases/v1/files/part").exists());
    fs::create_dir_all(&half).unwrap();
    rig.successor();
    assert_eq!(rig.releases(), ["v1"]);
}

#[test]
fn the_state_folder_inside_the_deliverable_is_left_out() {
    let rig = Rig::new();
    rig.prepare();
    rig.driver.prepare(&version("v2"), rig.path()).unwrap();
    let files = rig.state().join("releases/v2/files");
    assert!(files.join("source/server.py").exists() && !files.join("state").exists());
}

#[test]
fn ten_gigabytes_of_zeros_stop_early() {
    let rig = Rig::new();
    let bomb = rig.path().join("bomb.tar.gz");
    // A head that promises ten gigabytes, and the first part of them: the rest would not be read anyway.
    let make = "import tarfile, sys
head = tarfile.TarInfo('zeros'); head.size = 10 << 30
sys.stdout.buffer.write(head.tobuf())
for _ in range(200): sys.stdout.buffer.write(bytes(1 << 20))
";
    let mut python = Command::new("python3").arg("-c").arg(make).stdout(Stdio::piped()).spawn().unwrap();
    let zeros = python.stdout.take().unwrap();
    let status =
        Command::new("gzip").arg("-1").stdin(zeros).stdout(fs::File::create(&bomb).unwrap()).status();
    assert!(status.unwrap().success() && python.wait().unwrap().success());
    let error = rig.driver.prepare(&version("v1"), &bomb).unwrap_err().to_string();
    assert!(error.contains("200 times larger"), "{error}");
    let few = rig.successor().with_limits(Limits { bytes: 1 << 20, ..Limits::default() });
    let error = few.prepare(&version("v1"), &bomb).unwrap_err().to_string();
    assert!(error.contains("larger than 1048576 bytes"), "{error}");
    assert!(rig.releases().is_empty());
}
