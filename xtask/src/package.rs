//! `cargo xtask package`: all that is handed out, in one folder: a Debian package, an archive, a container image, what they are
//! made of, and the checksums.
//!
//! Two runs on one commit give the same bytes: every time in them is that of the commit, every list is in order. What a
//! package holds is said in `contents`; each form is a file of its own. Tested in `package/tests.rs` with a stand-in for the
//! program.

mod archive;
mod bill;
mod contents;
mod debian;
mod image;
mod program;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use sha2::{Digest, Sha256};

use crate::machine::{self, Need};
use contents::Contents;
use program::Program;

/// What it needs beside what the build needs.
const NEEDS: &[Need] = &[("dpkg-deb", "dpkg"), ("ldd", "libc-bin")];

/// What may be said with `cargo xtask package`.
#[derive(Args)]
pub(crate) struct Options {
    /// The folder for what is made [default: packages in the target folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A program that is built already [default: it is built, in release]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// A release under construction.
struct Release {
    version: String,
    /// The time of the commit, in seconds: the time of everything.
    time: u64,
    /// Debian's word for the machine, and everybody else's.
    machine: (&'static str, &'static str),
    program: Program,
    contents: Contents,
}

/// Makes all of it.
pub(crate) fn run(root: &Path, options: &Options) -> Result<(), String> {
    machine::ensure(NEEDS)?;
    let program = match &options.program {
        Some(file) => file.clone(),
        None => program::build(root)?,
    };
    let out = options.out.clone().unwrap_or_else(|| machine::target(root).join("packages"));
    let release = Release::new(root, &program)?;
    println!("package: tandem {}, {}", release.version, release.program.linked());
    for name in make(root, &release, &out)? {
        let size = fs::metadata(out.join(&name)).map_or(0, |data| data.len());
        println!("package: {} ({} KiB)", out.join(&name).display(), size.div_ceil(1024));
    }
    Ok(())
}

/// Writes all files into the folder; gives their names.
fn make(root: &Path, release: &Release, out: &Path) -> Result<Vec<String>, String> {
    fs::create_dir_all(out).map_err(|why| format!("can't make {}: {why}", out.display()))?;
    let (debian, plain) = release.machine;
    let version = &release.version;
    let mut names = vec![
        format!("tandem_{version}_{debian}.deb"),
        format!("tandem-{version}-{plain}-linux.tar.gz"),
        format!("tandem-{version}-{plain}-image.tar"),
        format!("tandem-{version}.cdx.json"),
    ];
    let at = |name: &String| out.join(name);
    debian::write(root, release, &at(&names[0]))?;
    archive::write(release, &at(&names[1]))?;
    image::write(release, &at(&names[2]))?;
    bill::write(root, release, &at(&names[3]))?;
    let mut sums = String::new();
    for name in &names {
        let bytes = fs::read(at(name)).map_err(|why| format!("can't read {name}: {why}"))?;
        sums.push_str(&format!("{}  {name}\n", digest(&bytes)));
    }
    names.push("SHA256SUMS".to_owned());
    fs::write(out.join("SHA256SUMS"), sums).map_err(|why| format!("can't write SHA256SUMS: {why}"))?;
    Ok(names)
}

impl Release {
    fn new(root: &Path, program: &Path) -> Result<Release, String> {
        let machine = match std::env::consts::ARCH {
            "x86_64" => ("amd64", "x86_64"),
            "aarch64" => ("arm64", "aarch64"),
            other => return Err(format!("no package is known for the machine {other}")),
        };
        Ok(Release {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            time: time(root)?,
            machine,
            contents: Contents::gather(root, program)?,
            program: Program::look_at(program)?,
        })
    }
}

/// `SOURCE_DATE_EPOCH`, or the time of the commit.
fn time(root: &Path) -> Result<u64, String> {
    if let Some(time) = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|time| time.parse().ok()) {
        return Ok(time);
    }
    let mut git = Command::new("git");
    let said = said(git.current_dir(root).args(["log", "-1", "--format=%ct"]))?;
    said.trim()
        .parse()
        .map_err(|_| "git does not tell the time of the commit: set SOURCE_DATE_EPOCH".to_owned())
}

/// What a command prints; fails if it does.
fn said(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|why| format!("can't run {:?}: {why}", command.get_program()))?;
    if !output.status.success() {
        let err = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{:?} failed ({}): {}", command.get_program(), output.status, err.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
