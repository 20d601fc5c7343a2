//! What the machine must have: programs, by the Debian packages that bring them.
//!
//! Installs what is missing when it may (as root on Debian), says what is missing otherwise. Names of packages only.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program that a command needs, and the Debian package that brings it.
pub(crate) type Need = (&'static str, &'static str);

/// What the suite needs beside Rust: a C compiler and linker (SQLite is built in), a Python for its servers, PostgreSQL with
/// its pooler, clang, whose library reads the headers of PostgreSQL's parser, a maker of certificates, an authority for them,
/// a browser for the dashboard, and an engine for containers with a registry, a shell for images, and a maker of bridges.
pub(crate) const SUITE: &[Need] = &[
    ("cc", "build-essential"),
    ("python3", "python3"),
    ("initdb", "postgresql"),
    ("pgbouncer", "pgbouncer"),
    ("clang", "clang"),
    ("openssl", "openssl"),
    ("pebble", "pebble"),
    ("chromium", "chromium"),
    ("dockerd", "docker.io"),
    ("docker-registry", "docker-registry"),
    ("busybox", "busybox-static"),
    ("ip", "iproute2"),
];

/// Where Debian keeps PostgreSQL's programs, a folder per version.
const POSTGRESQL: &str = "/usr/lib/postgresql";

/// Sees to it that the programs are there.
pub(crate) fn ensure(needs: &[Need]) -> Result<(), String> {
    let missing: Vec<&Need> = needs.iter().filter(|(program, _)| find(program).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    let list = packages.join(" ");
    if find("apt-get").is_none() || !is_root() {
        return Err(format!(
            "missing on this machine: {list}; install them (Debian: apt-get install {list})"
        ));
    }
    println!("setup: installing {list}");
    // Fails on lists that are stale or absent, and is then tried again with fresh ones.
    if install(&packages).is_err() {
        run(Command::new("apt-get").args(["-qq", "update"]))?;
        install(&packages)?;
    }
    match missing.iter().find(|(program, _)| find(program).is_none()) {
        Some((program, package)) => Err(format!("{package} was installed but brought no {program}")),
        None => Ok(()),
    }
}

/// Sees to it that rustfmt and clippy are there.
pub(crate) fn ensure_rust() -> Result<(), String> {
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        let mut cargo = Command::new("cargo");
        cargo.args([subcommand, "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
        if !cargo.status().is_ok_and(|status| status.success()) {
            println!("setup: installing {component}");
            run(Command::new("rustup").args(["component", "add", component]))?;
        }
    }
    Ok(())
}

fn install(packages: &[&str]) -> Result<(), String> {
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive").args(["-qq", "-y", "--no-install-recommends", "install"]);
    run(apt.args(packages).stdout(Stdio::null()))
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Where a program is, by PATH and the folders for servers and PostgreSQL, which are not in everybody's PATH.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = std::fs::read_dir(POSTGRESQL).into_iter().flatten().flatten();
    let folders = std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .chain(versions.map(|entry| entry.path().join("bin")));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Where cargo puts what it builds.
pub(crate) fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder))
}

/// Runs a command to its end; fails if it does.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let name = shown(command);
    let status = command.status().map_err(|why| format!("can't run `{name}`: {why}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{name}` failed ({status})")) }
}

/// A command as one would type it.
fn shown(command: &Command) -> String {
    let parts = std::iter::once(command.get_program()).chain(command.get_args());
    parts.map(|part| part.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_needs_nothing() {
        assert_eq!(ensure(&[("sh", "no-such-package")]), Ok(()));
    }

    #[test]
    fn a_failing_command_is_named() {
        let failed = run(Command::new("sh").args(["-c", "exit 3"]));
        assert!(failed.is_err_and(|why| why.starts_with("`sh -c exit 3` failed")));
    }
}
