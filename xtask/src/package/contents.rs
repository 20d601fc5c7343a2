//! What is installed, whatever the form: the program, its manual pages, completions, licences, and the unit.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::said;

/// A file to be installed.
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) mode: u32,
}

/// Files by their path below the root of the machine, without the first slash.
pub(super) struct Contents(pub(super) BTreeMap<String, Content>);

/// Files of the repository that go as they are, and where.
const PLAIN: &[(&str, &str, u32)] = &[
    ("packaging/tandem.service", "usr/lib/systemd/system/tandem.service", 0o644),
    ("packaging/sysusers.conf", "usr/lib/sysusers.d/tandem.conf", 0o644),
    ("packaging/environment", "etc/tandem/environment", 0o600),
    ("README.md", "usr/share/doc/tandem/README.md", 0o644),
    ("LICENSE-MIT", "usr/share/doc/tandem/LICENSE-MIT", 0o644),
    ("LICENSE-APACHE", "usr/share/doc/tandem/LICENSE-APACHE", 0o644),
];

/// Shells, and where each looks for completions.
const SHELLS: &[(&str, &str)] = &[
    ("bash", "usr/share/bash-completion/completions/tandem"),
    ("zsh", "usr/share/zsh/vendor-completions/_tandem"),
    ("fish", "usr/share/fish/vendor_completions.d/tandem.fish"),
];

impl Contents {
    /// All of it; pages and completions are what the program itself prints.
    pub(super) fn gather(root: &Path, program: &Path) -> Result<Contents, String> {
        let mut files = BTreeMap::new();
        let read =
            |path: &Path| fs::read(path).map_err(|why| format!("can't read {}: {why}", path.display()));
        files.insert("usr/bin/tandem".to_owned(), Content { bytes: read(program)?, mode: 0o755 });
        for (from, to, mode) in PLAIN {
            files.insert((*to).to_owned(), Content { bytes: read(&root.join(from))?, mode: *mode });
        }
        for (shell, to) in SHELLS {
            let script = said(Command::new(program).args(["completions", shell]))?;
            files.insert((*to).to_owned(), Content { bytes: script.into_bytes(), mode: 0o644 });
        }
        let pages = tempfile::tempdir().map_err(|why| format!("no folder for pages: {why}"))?;
        said(Command::new(program).arg("man").arg(pages.path()))?;
        let entries = fs::read_dir(pages.path()).map_err(|why| format!("can't read the pages: {why}"))?;
        for entry in entries.flatten() {
            let to = format!("usr/share/man/man1/{}", entry.file_name().to_string_lossy());
            files.insert(to, Content { bytes: read(&entry.path())?, mode: 0o644 });
        }
        Ok(Contents(files))
    }
}
