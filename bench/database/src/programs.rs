//! Where PostgreSQL's programs are: Debian keeps them out of PATH.

use std::path::PathBuf;

/// A program of PostgreSQL: in PATH, else the newest below `/usr/lib/postgresql`.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let known = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    known.or_else(|| {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
        let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
        let mut numbers: Vec<u32> = versions.filter_map(|entry| number(entry.ok()?)).collect();
        numbers.sort_unstable_by(|one, other| other.cmp(one));
        let files =
            numbers.iter().map(|number| PathBuf::from(format!("/usr/lib/postgresql/{number}/bin/{name}")));
        files.into_iter().find(|file| file.is_file())
    })
}
