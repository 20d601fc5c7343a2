//! A folder of migrations read from disk.

use std::fs;
use std::path::Path;

use tandem_schema::source::{File, Migration, read};

/// All migrations of a folder, in order.
pub(crate) fn migrations(folder: &Path) -> Result<Vec<Migration>, String> {
    let mut files = Vec::new();
    collect(folder, folder, &mut files)?;
    read(&files)
        .map_err(|errors| errors.iter().map(|error| format!("{error:?}")).collect::<Vec<_>>().join("\n"))
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<File>) -> Result<(), String> {
    let told = |why: std::io::Error| format!("{}: {why}", folder.display());
    for entry in fs::read_dir(folder).map_err(told)? {
        let path = entry.map_err(told)?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "sql") {
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).map_err(|why| format!("{}: {why}", path.display()))?;
            files.push(File { path: name, text });
        }
    }
    Ok(())
}
