//! The Debian package, put together by `dpkg-deb`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use super::{Release, said};

/// The scripts of the package, in `packaging`.
const SCRIPTS: &[&str] = &["postinst", "prerm", "postrm"];

const ABOUT: &str = "\
Description: puts a new version of a web service into production unnoticed
 Load balancer, deployer and keeper of the PostgreSQL schema in one program:
 rolling, flip and canary deployments that lose no request, and two versions
 of a schema at the same time from ordinary migrations.
";

pub(super) fn write(root: &Path, release: &Release, path: &Path) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|why| format!("no folder for the package: {why}"))?;
    let tree = folder.path();
    let mut size = 0;
    for (name, content) in &release.contents.0 {
        put(&tree.join(name), &content.bytes, content.mode)?;
        size += content.bytes.len();
    }
    // So commands find the state where they look for it: beside the configuration.
    symlink("/var/lib/tandem", tree.join("etc/tandem/.tandem"))
        .map_err(|why| format!("can't link the state: {why}"))?;
    put(&tree.join("DEBIAN/control"), control(release, size).as_bytes(), 0o644)?;
    put(&tree.join("DEBIAN/conffiles"), b"/etc/tandem/environment\n", 0o644)?;
    for script in SCRIPTS {
        let from = root.join("packaging").join(script);
        let bytes = fs::read(&from).map_err(|why| format!("can't read {}: {why}", from.display()))?;
        put(&tree.join("DEBIAN").join(script), &bytes, 0o755)?;
    }
    // Times of files are cut down to this one.
    let mut dpkg = Command::new("dpkg-deb");
    dpkg.env("SOURCE_DATE_EPOCH", release.time.to_string());
    dpkg.args(["--root-owner-group", "-Zxz", "--threads-max=1", "--build"]).arg(tree).arg(path);
    said(&mut dpkg).map(drop)
}

fn put(path: &Path, bytes: &[u8], mode: u32) -> Result<(), String> {
    let written = || {
        for folder in
            path.ancestors().skip(1).filter(|folder| !folder.exists()).collect::<Vec<_>>().into_iter().rev()
        {
            fs::create_dir(folder)?;
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        }
        fs::write(path, bytes)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    };
    written().map_err(|why: std::io::Error| format!("can't write {}: {why}", path.display()))
}

fn control(release: &Release, size: usize) -> String {
    let (machine, _) = release.machine;
    let depends = release.program.depends().map(|depends| format!("{depends}, ")).unwrap_or_default();
    format!(
        "Package: tandem\nVersion: {}\nArchitecture: {machine}\nMaintainer: the authors of Tandem <tandem@localhost>\n\
         Installed-Size: {}\nDepends: {depends}systemd\nRecommends: postgresql-client\nSection: net\nPriority: optional\n{ABOUT}",
        release.version,
        size.div_ceil(1024),
    )
}
