//! The folder that is looked at: its files, as far as they are small enough to be what they seem.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// So many entries of a folder are looked at.
const ENTRIES: usize = 1000;

pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(super) fn at(path: &Path) -> Folder {
        Folder { path: path.to_owned() }
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        let path = self.path.join(name);
        let size = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?.len();
        if size > 1 << 20 { None } else { fs::read_to_string(path).ok() }
    }

    pub(super) fn json(&self, name: &str) -> Option<Value> {
        serde_json::from_str(&self.text(name)?).ok()
    }

    pub(super) fn yaml(&self, name: &str) -> Option<Value> {
        tandem_core::contract::read_yaml(&self.text(name)?).ok()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.path.join(name).exists()
    }

    /// The names in a folder below, in order; none if there is no such folder.
    pub(super) fn names(&self, below: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path.join(below)).into_iter().flatten().take(ENTRIES).flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// The name of the folder itself.
    pub(super) fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}
