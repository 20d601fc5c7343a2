//! Puts the dashboard's files into the program, if they were built (`cargo xtask web`): a table of paths and contents.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Where they are, from here.
const DASHBOARD: &str = "../../web/dist";

fn main() -> io::Result<()> {
    let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join(DASHBOARD);
    // A path that is not there would have this run each time: `cargo xtask web` touches this file instead.
    println!("cargo::rerun-if-changed=build.rs");
    let mut files = Vec::new();
    if folder.is_dir() {
        println!("cargo::rerun-if-changed={DASHBOARD}");
        collect(&folder, &mut files)?;
    }
    files.sort();
    let mut table = String::from("const FILES: &[(&str, &[u8])] = &[\n");
    for file in files {
        let path = file.strip_prefix(&folder).unwrap_or(&file).display().to_string();
        let _never = writeln!(table, "    ({path:?}, include_bytes!({:?})),", file.display().to_string());
    }
    table.push_str("];\n");
    fs::write(PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("dashboard.rs"), table)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
