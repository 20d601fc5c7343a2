//! A release of a stand-in for the program: what is in it, and that another run gives the same.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::*;

/// A program that knows the two verbs that are asked for.
const STAND_IN: &str = "#!/bin/sh\n[ \"$1\" = man ] && echo page > \"$2/tandem.1\" || echo \"# for $2\"\n";

struct Made {
    _folder: tempfile::TempDir,
    files: PathBuf,
    names: Vec<String>,
}

fn made() -> Made {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("tandem");
    fs::write(&program, STAND_IN).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut release = Release::new(&crate::root(), &program).unwrap();
    release.time = 1_700_000_000;
    let files = folder.path().join("out");
    let names = make(&crate::root(), &release, &files).unwrap();
    Made { files, names, _folder: folder }
}

fn output(program: &str, arguments: &[&str], file: &Path) -> String {
    said(Command::new(program).args(arguments).arg(file)).unwrap()
}

#[test]
fn two_runs_give_the_same_bytes_and_hold_what_they_should() {
    let (first, second) = (made(), made());
    assert_eq!(first.names, second.names);
    for name in &first.names {
        let [one, other] = [&first, &second].map(|made| fs::read(made.files.join(name)).unwrap());
        assert!(one == other, "{name} differs from run to run");
    }
    let sums = said(Command::new("sha256sum").args(["-c", "SHA256SUMS"]).current_dir(&first.files)).unwrap();
    assert_eq!(sums.matches(": OK").count(), first.names.len() - 1, "{sums}");
    package(&first.files.join(&first.names[0]));
    let archive = output("tar", &["-tzf"], &first.files.join(&first.names[1]));
    assert!(archive.contains("/usr/bin/tandem\n") && archive.contains("/man1/tandem.1\n"), "{archive}");
    image(&first.files.join(&first.names[2]));
    let bill: Value = serde_json::from_slice(&fs::read(first.files.join(&first.names[3])).unwrap()).unwrap();
    let names: Vec<&str> =
        bill["components"].as_array().unwrap().iter().filter_map(|part| part["name"].as_str()).collect();
    assert!(
        names.contains(&"tokio") && names.contains(&"tandem-core") && !names.contains(&"insta"),
        "{names:?}"
    );
}

/// Every part is there, under the digest of its content.
fn image(file: &Path) {
    let folder = tempfile::tempdir().unwrap();
    said(Command::new("tar").arg("-xf").arg(file).arg("-C").arg(folder.path())).unwrap();
    for entry in fs::read_dir(folder.path().join("blobs/sha256")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(path.file_name().unwrap().to_str().unwrap(), digest(&fs::read(&path).unwrap()));
    }
    let list: Value =
        serde_json::from_slice(&fs::read(folder.path().join("manifest.json")).unwrap()).unwrap();
    let layer = list[0]["Layers"][0].as_str().unwrap();
    let files = output("tar", &["-tf"], &folder.path().join(layer));
    assert!(files.contains("usr/bin/tandem\n") && files.contains("etc/passwd\n"), "{files}");
}

fn package(file: &Path) {
    let fields = output("dpkg-deb", &["--field"], file);
    assert!(fields.contains("Package: tandem\n") && fields.contains("Depends: systemd\n"), "{fields}");
    let contents = output("dpkg-deb", &["--contents"], file);
    for wanted in [
        "-rwxr-xr-x root/root",
        "./usr/bin/tandem\n",
        "./usr/lib/systemd/system/tandem.service\n",
        "./usr/lib/sysusers.d/tandem.conf\n",
        "./usr/share/man/man1/tandem.1\n",
        "./usr/share/bash-completion/completions/tandem\n",
        "./etc/tandem/.tandem -> /var/lib/tandem\n",
    ] {
        assert!(contents.contains(wanted), "{wanted} is missing in\n{contents}");
    }
    let environment = contents.lines().find(|line| line.ends_with("./etc/tandem/environment")).unwrap();
    assert!(environment.starts_with("-rw------- root/root"), "{environment}");
    let folder = tempfile::tempdir().unwrap();
    said(Command::new("dpkg-deb").arg("--control").arg(file).arg(folder.path())).unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("conffiles")).unwrap(), "/etc/tandem/environment\n");
    for script in ["postinst", "prerm", "postrm"] {
        said(Command::new("sh").arg("-n").arg(folder.path().join(script))).unwrap();
    }
}

/// What a script would ask systemd for, in a world where it runs.
fn asked(script: &str, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let said_to = folder.path().join("asked");
    fs::write(&said_to, "").unwrap();
    for name in ["systemctl", "systemd-sysusers", "install", "find", "id", "rm"] {
        let path = bin.join(name);
        fs::write(&path, format!("#!/bin/sh\necho \"{name} $*\" >> {}\n", said_to.display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let text = fs::read_to_string(crate::root().join("packaging").join(script)).unwrap();
    let text = text.replace("/run/systemd/system", &bin.display().to_string());
    let mut sh = Command::new("sh");
    said(
        sh.args(["-c", &text, script])
            .args(arguments)
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display())),
    )
    .unwrap();
    fs::read_to_string(said_to).unwrap()
}

#[test]
fn an_upgrade_reloads_and_a_removal_stops() {
    let upgraded = asked("postinst", &["configure", "0.0.9"]);
    assert!(upgraded.contains("systemctl reload tandem.service\n"), "{upgraded}");
    assert!(!upgraded.contains("start") && !upgraded.contains("enable"), "{upgraded}");
    let installed = asked("postinst", &["configure"]);
    assert!(installed.contains("systemctl enable --quiet tandem.service\n"), "{installed}");
    assert_eq!(asked("prerm", &["upgrade", "0.0.9"]), "");
    let removed = asked("prerm", &["remove"]);
    assert!(
        removed.contains("systemctl stop tandem.service\n") && removed.contains("find /proc"),
        "{removed}"
    );
    assert_eq!(asked("postrm", &["remove"]), "systemctl daemon-reload\n");
    assert!(asked("postrm", &["purge"]).contains("rm -rf /var/lib/tandem /etc/tandem\n"));
}
